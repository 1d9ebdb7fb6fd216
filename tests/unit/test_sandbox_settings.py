"""The front matter of `program.md`: what it may say, and how it is refused."""

import itertools
import math
import time
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.api import Feedback, Goal, TaskSettings
from sandbox.errors import BadTask
from sandbox.tasks.settings import BOUNDS, parse_program

LEAST: dict[str, Any] = {"metric": "bits", "goal": "minimize", "budget_seconds": 1}
"""The keys that have no default."""


def program(keys: dict[str, Any], prose: str = "Prose.") -> str:
    """A `program.md` with these keys."""
    return f"---\n{yaml.safe_dump(keys, allow_unicode=True)}---\n{prose}\n"


def parsed(**keys: Any) -> TaskSettings:
    """The settings of a program with the least keys and these."""
    return parse_program(program(LEAST | keys))[0]


def refused(text: str) -> BadTask:
    """The error that a program ends in; it always says what to do next."""
    with pytest.raises(BadTask) as fault:
        parse_program(text)
    assert fault.value.message
    assert fault.value.next_step
    return fault.value


# ---- what is taken ----------------------------------------------------------------------------


def test_three_keys_are_enough() -> None:
    """Every key but metric, goal and budget has a default."""
    assert parsed() == TaskSettings(metric="bits", goal=Goal.minimize, budget_seconds=1.0)


def test_every_key_is_taken() -> None:
    """What the front matter sets is what the settings say."""
    keys = {
        "metric": "squared error",
        "goal": "maximize",
        "budget_seconds": 2.5,
        "load_seconds": 3,
        "scoring_seconds": 4,
        "memory_mib": 512,
        "cpus": 0.5,
        "gpus": "auto",
        "artifact_mib": 7,
        "image": "registry.example:5000/mine/agent@sha256:abc",
        "scorer_image": "mine/scorer:2",
        "feedback": "ladder",
        "keep": "naive",
        "min_gain": 0.25,
        "false_keeps_per_100": 0.5,
        "noise_seeds": 7,
    }
    assert set(keys) == set(TaskSettings.__struct_fields__)
    settings, prose = parse_program(program(keys, "Do well.\n\n---\n\nMore."))
    assert msgspec.to_builtins(settings) == keys
    assert settings.feedback is Feedback.ladder
    assert prose == "Do well.\n\n---\n\nMore."


@pytest.mark.parametrize("name", sorted(BOUNDS))
def test_a_bound_itself_is_taken(name: str) -> None:
    """Lowest and highest value are within."""
    for value in BOUNDS[name]:
        assert getattr(parsed(**{name: value}), name) == value


def test_line_ends_of_windows_are_taken() -> None:
    """A file that was saved with CRLF says the same."""
    text = program(LEAST, "Two\nlines.")
    settings, prose = parse_program(text.replace("\n", "\r\n"))
    assert settings == parse_program(text)[0]
    assert prose == "Two\r\nlines."


def test_settings_survive_the_wire() -> None:
    """Even extreme settings are stored as JSON and read back as they were."""
    for name, (low, high) in BOUNDS.items():
        for value in (low, high):
            given = parsed(**{name: value})
            assert msgspec.json.decode(msgspec.json.encode(given), type=TaskSettings) == given


# ---- what is refused, and named ---------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(BOUNDS))
def test_a_value_past_a_bound_is_refused(name: str) -> None:
    """One step below the lowest and above the highest, NaN and infinities name the setting."""
    low, high = BOUNDS[name]
    if TaskSettings.__annotations__[name] is int:
        outside: list[float] = [int(low) - 1, int(high) + 1, 10**400, -(10**400), 16**5000]
    else:
        outside = [math.nextafter(low, -math.inf), math.nextafter(high, math.inf)]
        outside += [math.nan, math.inf, -math.inf]
    for value in outside:
        keys = {key: given for key, given in LEAST.items() if key != name}
        number = hex(value) if isinstance(value, int) else yaml.safe_dump(value).split("\n")[0]
        text = program(keys).replace("---\n", f"---\n{name}: {number}\n", 1)
        fault = refused(text)
        assert name in fault.message
        assert len(fault.message) < 500


@pytest.mark.parametrize("name", sorted(LEAST))
def test_a_missing_key_is_named(name: str) -> None:
    """Each of the three keys without a default must be there."""
    assert name in refused(program({k: v for k, v in LEAST.items() if k != name})).message


WRONG = [
    ("metric", "3"),
    ("metric", "[bits]"),
    ("metric", "yes"),
    ("metric", "~"),
    ("metric", '""'),
    ("metric", '"   "'),
    ("metric", "x" * 65),
    ("metric", r'"two\nlines"'),
    ("metric", r'"\e[31mred"'),
    ("metric", r'"\u202ereversed"'),
    ("goal", "sideways"),
    ("goal", "true"),
    ("budget_seconds", "soon"),
    ("budget_seconds", "true"),
    ("budget_seconds", "{hours: 1}"),
    ("budget_seconds", "2024-01-01"),
    ("load_seconds", '"10"'),
    ("load_seconds", "1e3"),
    ("memory_mib", "128.5"),
    ("memory_mib", "2 GiB"),
    ("memory_mib", "0b"),
    ("cpus", "~"),
    ("gpus", "2"),
    ("gpus", "-1"),
    ("gpus", "1.0"),
    ("gpus", "true"),
    ("gpus", "all"),
    ("gpus", "0x" + "f" * 5000),
    ("artifact_mib", "[8]"),
    ("image", '""'),
    ("image", "Mine"),
    ("image", "--privileged"),
    ("image", "a b"),
    ("image", r'"a\n"'),
    ("image", "a" * 256),
    ("scorer_image", '""'),
    ("scorer_image", "--privileged"),
    ("feedback", "loud"),
    ("keep", "lucky"),
    ("min_gain", "much"),
    ("false_keeps_per_100", "few"),
    ("noise_seeds", "5.5"),
]
"""A setting, and YAML that is none of its values."""


@pytest.mark.parametrize(("name", "value"), WRONG, ids=[f"{w[0]}-{w[1][:12]!a}" for w in WRONG])
def test_a_value_of_the_wrong_kind_is_refused(name: str, value: str) -> None:
    """What is no value of a setting names that setting, and is never bent into one."""
    text = program({key: given for key, given in LEAST.items() if key != name})
    fault = refused(text.replace("---\n", f"---\n{name}: {value}\n", 1))
    assert name in fault.message


@pytest.mark.parametrize("name", ["budget", "Metric", "memory", "seed", "network_mode", "=", "0"])
def test_an_unknown_key_is_named(name: str) -> None:
    """A key that is no setting is refused, not passed over."""
    assert f"`{name}`" in refused(program(LEAST | {name: 1})).message


def test_a_key_that_comes_twice_is_named() -> None:
    """Two values for one setting are refused: a reader would see the first, YAML the second."""
    text = program(LEAST).replace("---\n", "---\nmetric: other\n", 1)
    assert "metric is set twice" in refused(text).message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no front matter"),
        ("metric: bits\n", "no front matter"),
        ("\ufeff" + program(LEAST), "no front matter"),
        ("\n" + program(LEAST), "no front matter"),
        ("---\nmetric: bits\n", "not closed"),
        ("---", "not closed"),
        ("---\n---\n", "not a list"),
        ("---\n- metric\n---\n", "not a list"),
        ("---\njust words\n---\n", "not a list"),
        ("---\nmetric: [\n---\n", "not YAML"),
        ("---\nmetric: bits\n\tgoal: minimize\n---\n", "not YAML"),
        ("---\nmetric: a\0b\n---\n", "not YAML"),
        ("---\n? [a, b]\n: 1\n---\n", "not YAML"),
        ("---\n" + "[" * 5000 + "\n---\n", "not YAML"),
        ("---\nbudget_seconds: " + "9" * 5000 + "\n---\n", "not YAML"),
        ("---\nbudget_seconds: 2024-99-99\n---\n", "not YAML"),
        ("---\nbudget_seconds: 0x_\n---\n", "not YAML"),
        (f"---\nbudget_seconds: {'59:' * 300}1.5\n---\n", "not YAML"),
        ("---\nmetric: \ud800\n---\n", "not UTF-8"),
        (program(LEAST, "prose \udfff"), "not UTF-8"),
        (program(LEAST, "x" * 300_000), "KiB"),
    ],
    ids=itertools.count(),
)
def test_what_is_no_front_matter_is_refused(text: str, says: str) -> None:
    """A file whose head can't be read says so, whatever YAML itself makes of it."""
    assert says in refused(text).message


@pytest.mark.parametrize(
    "line",
    [
        "metric: &a bits",
        "metric: *a",
        "metric: !!str bits",
        "metric: !!binary Yml0cw==",
        "memory_mib: !!int abc",
        "cpus: !!float one",
        "gpus: !!bool perhaps",
        "budget_seconds: !!timestamp now",
        "image: !!python/object/apply:os.system ['true']",
        "image: !mine x",
        "x: !!set {a}",
    ],
    ids=itertools.count(),
)
def test_yaml_that_is_no_plain_value_is_refused(line: str) -> None:
    """Anchors, aliases and tags say nothing that a setting needs."""
    name = line.split(":", maxsplit=1)[0]
    keys = {key: value for key, value in LEAST.items() if key != name}
    assert "tags" in refused(program(keys).replace("---\n", f"---\n{line}\n", 1)).message


def test_a_bomb_of_aliases_is_refused_at_once() -> None:
    """Merge keys that would multiply to 9^12 entries cost no more than their bytes."""
    lines = ["a0: &a0 {k: 1}"]
    for n in range(1, 13):
        lines.append(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}")
    began = time.monotonic()
    refused("---\n" + "\n".join(lines) + "\n---\n")
    assert time.monotonic() - began < 5


def test_many_keys_are_refused_in_time() -> None:
    """The largest file that is read at all, full of keys, takes seconds and not hours."""
    lines = "\n".join(f"k{n}: 1" for n in range(20_000))
    began = time.monotonic()
    refused(f"---\n{lines}\n---\n")
    assert time.monotonic() - began < 30


# ---- whatever comes ---------------------------------------------------------------------------

_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=10),
    st.dates(),
    st.binary(max_size=5),
    st.lists(st.integers(), max_size=3),
)
_names = st.sampled_from(sorted(TaskSettings.__struct_fields__)) | st.text(max_size=8)
_yaml_like = st.text(alphabet="abx019-:.,[]{}&*!?|>'\"%@`#_ \t\r\n~=<\ufeff\u2028\x85\0\ud800")
_tricky = st.lists(
    st.sampled_from(
        ["metric: m", "goal: minimize", "budget_seconds: 1", "budget_seconds: 1:30", "cpus: 1e3",
         "cpus: .inf", "memory_mib: 0b11", "<<: {a: 1}", "<<: [1]", "- x", "? y", "2001-02-30: 1",
         "k: 2001-01-01T99:99:99Z", "k: 0001-01-01T00:00:00+23:59", "k: 1_0", "k: 0x_", "k: =",
         "k: ~", "%YAML 9.9", "...", "--- |", "k: |", "  deep: 1", "'", '"\\ud800"', "{", "]"]
    ),
    max_size=8,
).map("\n".join)  # fmt: skip


@settings(max_examples=300)
@given(
    st.one_of(
        st.text(max_size=200),
        _yaml_like.map(lambda head: f"---\n{head}\n---\n"),
        _tricky.map(lambda head: f"---\n{head}\n---\n"),
        st.dictionaries(_names, _values, max_size=5).map(lambda more: program(LEAST | more)),
    )
)
def test_any_text_is_settings_or_a_bad_task(text: str) -> None:
    """No text ends in another exception, and what is taken is within every bound."""
    try:
        found, prose = parse_program(text)
    except BadTask as fault:
        said = fault
    else:
        assert isinstance(prose, str)
        assert all(low <= getattr(found, name) <= high for name, (low, high) in BOUNDS.items())
        assert found.gpus in (0, 1, "auto")
        assert msgspec.convert(msgspec.to_builtins(found), TaskSettings) == found
        return
    assert said.message
    assert said.next_step
