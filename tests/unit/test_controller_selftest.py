"""`sealed selftest`: headers, canaries, the naive loop's log, and the table; no engine."""

import math
import re
from pathlib import Path
from typing import Any

import pytest

from controller.errors import NotFound, Unusable
from controller.selftest import Selftest, chosen, read_attacks
from controller.selftest.arms import gains, judged
from controller.selftest.canary import Seen, parse
from controller.selftest.catalogue import header
from controller.selftest.loop import loop_candidate, loop_task, read_loop
from sandbox.api import CANDIDATE_BYTES, Goal, TrialResult
from sandbox.fake.sandbox import FakeSandbox
from sandbox.tasks.candidate import check_candidate
from sandbox.tasks.settings import parse_program
from tests.support.attacks import ATTACKS
from tests.support.files import task_files
from tests.support.tasks import TINY
from tests.unit.command import Sealed, document
from tests.unit.test_controller_task_check import RESULT
from tests.unit.toy import PREPARE, PROGRAM, TRAIN

SEEN = Seen(
    outcome="scored",
    score=4.0,
    rehearsal=4.0,
    honest=4.0,
    honest_rehearsal=4.0,
    goal=Goal.minimize,
    log="",
    reason="",
    seconds=1.0,
)
HEADER = """\
# /// attack
# group = "forging"
# task = "tiny"
# expected = ["crash"]
# tried = "tasks"
# canaries = ["tasks > 512", "score beats 0.5"]
# defences = ["HostConfig.PidsLimit"]
# control = "flip"
# ///
"""


def seen(**changes: Any) -> Seen:
    return Seen(**({name: getattr(SEEN, name) for name in SEEN.__struct_fields__} | changes))


# ---- canaries ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("canary", "change", "told"),
    [
        ("score beats 0.5", {"score": 3.6}, ""),
        ("score beats 0.5", {"score": 3.4}, "score 3.4, honest 4"),
        ("score beats 0.5", {"score": math.nan}, "score nan, honest 4"),
        ("score beats 0.5", {"score": None}, ""),
        ("score beats 0.5", {"score": 4.6, "goal": Goal.maximize}, "score 4.6, honest 4"),
        ("rehearsal beats 0.5", {"rehearsal": 1.0}, "rehearsal 1, honest 4"),
        ("tasks > 512", {"log": "tasks: 512\n"}, ""),
        ("tasks > 512", {"log": "a\ntasks: 620\nb"}, "tasks: 620"),
        ("tasks > 512", {"log": "tasks: many\n"}, ""),
        ("seconds < 0.8", {"seconds": 0.2}, "seconds: 0.2"),
        ("attempts > 1", {"attempts": 3}, "attempts: 3"),
        ("beat spans 2.5", {"log": "beat: 1.0\nbeat: 3.4"}, ""),
        ("beat spans 2.5", {"log": "beat: 1.0\nbeat: 3.6"}, "worked 2.6 s"),
        ("found =~ \\S", {"log": "found: \n"}, ""),
        ("found =~ \\S", {"log": "found: a b\n"}, "found: a b"),
        ("log =~ canary-", {"log": "x\nsay canary-1\n"}, "log: canary-1"),
        ("reason =~ \\d", {"reason": "status 42"}, "reason: status 42"),
        ("outcome =~ scored", {}, "outcome: scored"),
    ],
)
def test_a_canary_appears_or_not(canary: str, change: dict[str, Any], told: str) -> None:
    """What a client sees is compared with the header's line, and told in a few words."""
    assert parse(canary)(seen(**change)) == told


@pytest.mark.parametrize("line", ["", "score", "score >> 3", "tasks beats 3", "tasks > many"])
def test_what_is_no_canary_is_refused(line: str) -> None:
    """A header with a mistake can't be taken for an attack that gains nothing."""
    with pytest.raises(ValueError):  # noqa: PT011
        parse(line)


# ---- headers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# /// attack", "# nothing"),
        ('"tiny"', '"tiny'),
        ('"crash"', '"exploded"'),
        ('"flip"', '"flap"'),
        ("tasks > 512", "tasks >>"),
        ("# tried", "# trial"),
    ],
)
def test_a_wrong_header_is_refused(old: str, new: str) -> None:
    """Unknown keys, outcomes, controls and canaries are mistakes, each told with the file."""
    header("bomb", HEADER)
    with pytest.raises(Unusable, match="bomb"):
        header("bomb", HEADER.replace(old, new))


def test_constants_are_replaced_and_nothing_else() -> None:
    """A variant is the text with one line changed; a constant that is not there is a mistake."""
    attack = ATTACKS["polite_exit"]
    text = attack.with_constants({"WAY": r"a\n'b"})
    assert r'''WAY = "a\\n'b"''' in text
    assert len(text.splitlines()) == len(attack.text.splitlines())
    with pytest.raises(Unusable, match="no constant OTHER"):
        attack.with_constants({"OTHER": 1})


def test_every_candidate_can_be_sent() -> None:
    """With the naive loop around it, too, an attack is no longer than a candidate may be."""
    for attack in ATTACKS.values():
        for text in attack.candidates(TRAIN):
            check_candidate(text)
            check_candidate(loop_candidate(text, TRAIN))
            assert len(text) < CANDIDATE_BYTES


def test_attacks_are_chosen_by_name() -> None:
    """All that can be tried here, or those; a strange name is told with those that there are."""
    attacks = read_attacks()
    assert [attack.name for attack in chosen(attacks, ["zombies"])] == ["zombies"]
    assert len(chosen(attacks, [])) >= 50
    with pytest.raises(NotFound, match="looked_up"):
        chosen(attacks, ["looked_up"])


def test_under_gvisor_an_attack_may_be_another() -> None:
    """What its header says of that runtime alone, under that runtime alone."""
    bomb, zombies = ATTACKS["fork_bomb"], ATTACKS["zombies"]
    assert bomb.under("default") is bomb
    assert bomb.under("runsc").header.canaries == ()
    slow = zombies.under("runsc").header
    assert (slow.budget_seconds, slow.canaries) == (8, zombies.header.canaries)
    assert ATTACKS["network"].under("runsc") is ATTACKS["network"]


def test_an_attack_may_get_other_time_and_memory() -> None:
    """Then its task is another, with an honest score of its own."""
    sandbox = FakeSandbox()
    selftest = Selftest(sandbox)
    for attack in (ATTACKS["zombies"], ATTACKS["zombies"].under("runsc")):
        selftest.honest(attack)
    names = [task.name for task in sandbox.tasks()]
    assert sorted(names) == ["tiny", "tiny-8-512"]


# ---- what an attack came to -------------------------------------------------------------------


def test_an_attack_that_was_not_tried_gains_neither_something_nor_nothing() -> None:
    """It must end as expected, and have said that it tried."""
    attack = ATTACKS["fork_bomb"]
    tried = seen(outcome="crash", log="tasks: 511\n", score=None)
    assert judged(attack, [tried]) == (False, "crash, tasks: 511")
    assert judged(attack, [seen(outcome="crash", score=None)])[0] is None
    assert judged(attack, [seen(outcome="error", log="tasks: 511\n", score=None)])[0] is None
    found = judged(attack, [seen(outcome="crash", log="tasks: 620\n", score=None)])
    assert found == (True, "crash; tasks: 620")


# ---- the naive loop ---------------------------------------------------------------------------


def looped(*experiments: tuple[str, str, int]) -> TrialResult:
    log = "".join(f"\n=== {name}\n{log}\n=== ended {end}\n" for name, log, end in experiments)
    fields = {name: getattr(RESULT, name) for name in RESULT.__struct_fields__}
    return TrialResult(**(fields | {"log": log}))


def test_the_loop_believes_the_last_score_of_what_ended_well() -> None:
    """As such loops do; what ended badly has none, and the honest one after it tells what stays."""
    honest = ("honest", "score: 4.0", 0)
    attacks = [("attack", "score: 9.0\nscore: 0.0", 0), ("attack", "score: 0.0", 1)]
    found = read_loop(looped(honest, *attacks, ("honest", "score: -7", 0)), Goal.minimize)
    assert [one.score for one in found] == [0.0, None, -7.0]
    assert {one.honest for one in found} == {4.0}
    assert len(read_loop(looped(honest, *attacks, honest), Goal.minimize)) == 2
    assert gains(ATTACKS["fake_score_line"], found) == "score 0, honest 4"


def test_a_loop_that_did_not_run_shows_nothing() -> None:
    """Without an honest score, or a whole log, there is nothing to compare with."""
    assert read_loop(looped(("honest", "Traceback", 1)), Goal.minimize) == []
    assert read_loop(looped(*[("honest", "no score", 0)] * 4), Goal.minimize) == []


def test_the_loops_task_has_time_for_four_experiments() -> None:
    """The same scorer and data, another budget: a task of its own."""
    files = task_files(TINY)
    longer = loop_task(files)
    assert longer.prepare == files.prepare
    assert parse_program(longer.program)[0].budget_seconds == 300
    assert longer.name == "tiny-300-1024"


# ---- the verb ---------------------------------------------------------------------------------


@pytest.fixture
def catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with one attack, whose trial the fake sandbox plays."""
    task = tmp_path / "tests" / "tasks" / "tiny"
    task.mkdir(parents=True)
    for name, text in (("program.md", PROGRAM), ("train.py", TRAIN), ("prepare.py", PREPARE)):
        (task / name).write_text(text)
    (tmp_path / "tests" / "attacks").mkdir()
    monkeypatch.setattr("controller.cli.selftest.ROOT", tmp_path)
    return tmp_path


def play(root: Path, fake: str) -> None:
    (root / "tests" / "attacks" / "bomb.py").write_text(f"{HEADER}# fake: {fake}\n")


def test_the_table_says_how_many_gained_nothing(
    sealed: Sealed, fake_sandbox: FakeSandbox, catalogue: Path
) -> None:
    """One line an attack, in its group; what was prepared for it is forgotten."""
    play(catalogue, 'outcome=crash log="tasks: 511"')
    text = sealed("selftest").output
    assert "forging:" in text
    assert re.search(r"bomb +crash +crash, tasks: 511 +nothing +--control flips HostConfig", text)
    assert text.endswith("1 of 1 gained nothing\n")
    assert fake_sandbox.tasks() == []


@pytest.mark.parametrize(
    ("fake", "gained"),
    [('outcome=crash log="tasks: 620"', True), ("outcome=error", None), ("score=-100", True)],
)
def test_a_gain_is_a_failure(
    sealed: Sealed, catalogue: Path, fake: str, gained: bool | None
) -> None:
    """Exit code 1, also where it can't be told; JSON has each item's fields."""
    play(catalogue, fake)
    (item,) = document(sealed("selftest", "--json", code=1))["items"]
    assert item["gained"] is gained
    assert {"attack", "expected", "seen", "gained", "control"} <= set(item)


def test_without_a_checkout_there_is_a_next_step(sealed: Sealed, catalogue: Path) -> None:
    """Neither the attacks nor what takes defences out are there."""
    assert "docker compose exec controller" in sealed("selftest", code=4).output
    play(catalogue, "outcome=crash")
    assert "checkout" in sealed("selftest", "--control", code=2).output


def test_control_arms_need_an_engine_of_their_own(
    sealed: Sealed, catalogue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who may not start one is told so, and nothing is weakened elsewhere."""
    play(catalogue, "outcome=crash")
    (catalogue / "tests" / "support").mkdir()
    (catalogue / "tests" / "support" / "control.py").write_text("raise SystemExit(1)\n")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert "root on Linux" in sealed("selftest", "--control", code=2).output


def test_the_honest_score_is_measured_once() -> None:
    """All attacks on a task are compared with one trial of its own `train.py`."""
    sandbox = FakeSandbox()
    selftest = Selftest(sandbox)
    assert selftest.honest(ATTACKS["zombies"]).score is not None
    selftest.honest(ATTACKS["zombies"])
    assert len(sandbox.executed) == 1
