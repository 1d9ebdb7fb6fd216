"""The gate between the doctor's findings and a run: a table, both ways."""

import pytest

from controller import agents
from controller.agents import Kind, model_writes
from controller.errors import Unsafe
from controller.gate import admit, is_accepted, judged
from sandbox.api import Advisory, Check, Verdict
from tests.unit.toy import fake, opened

PASS, WARN, FAIL, NONE = (
    Verdict.passed,
    Verdict.warning,
    Verdict.failed,
    Verdict.not_applicable,
)
OTHERS = [name for name in Advisory if name is not Advisory.lsm]


def check(verdict: Verdict, *, measured: bool, name: str = "lsm") -> Check:
    """A finding with a next step."""
    return Check(
        name=name, verdict=verdict, measured=measured, detail="It is so.", next_step="Do this."
    )


@pytest.mark.claim("doctor-before-a-run")
@pytest.mark.parametrize(
    ("verdict", "measured", "model", "accepted", "becomes"),
    [
        (PASS, False, True, [], PASS),
        (NONE, False, True, [], NONE),
        (WARN, False, False, [], WARN),
        (WARN, False, False, [Advisory.lsm], WARN),
        (WARN, False, True, [], FAIL),
        (WARN, False, True, OTHERS, FAIL),
        (WARN, False, True, [Advisory.lsm], WARN),
        (PASS, True, True, [], PASS),
        (NONE, True, True, [], NONE),
        (FAIL, True, False, [], FAIL),
        (FAIL, True, True, [], FAIL),
        (FAIL, True, False, [Advisory.lsm], FAIL),
        (FAIL, True, True, list(Advisory), FAIL),
    ],
)
def test_the_table(
    verdict: Verdict, measured: bool, model: bool, accepted: list[Advisory], becomes: Verdict
) -> None:
    """What each finding becomes, and that a run begins exactly where none is a failure."""
    checks = [check(PASS, measured=True, name="timer"), check(verdict, measured=measured)]
    (_, found) = judged(checks, model_writes=model, accepted=accepted)
    assert found.verdict is becomes
    assert found.name == "lsm"
    if becomes is FAIL:
        with pytest.raises(Unsafe, match=r"^lsm: It is so\.") as refused:
            admit(checks, model_writes=model, accepted=accepted)
        assert ("--accept lsm" in refused.value.next_step) is not measured
        assert "Do this." in refused.value.next_step
    else:
        admit(checks, model_writes=model, accepted=accepted)


def test_what_is_accepted_is_said() -> None:
    """An accepted finding asks for nothing more; one that was not found is not accepted."""
    warns = check(WARN, measured=False)
    (found,) = judged([warns], model_writes=True, accepted=[Advisory.lsm])
    assert (found.detail, found.next_step) == ("Accepted. It is so.", "")
    assert is_accepted(warns, [Advisory.lsm])
    assert not is_accepted(warns, OTHERS)
    assert not is_accepted(check(PASS, measured=False), [Advisory.lsm])
    assert not is_accepted(check(FAIL, measured=True), [Advisory.lsm])


def test_several_failures_are_counted() -> None:
    """The first is told, and how many more there are."""
    broken = [check(FAIL, measured=True, name=name) for name in ("timer", "network", "seccomp")]
    with pytest.raises(Unsafe, match=r"^timer: It is so\. And 2 more, see `sealed doctor`\."):
        admit(broken, model_writes=False, accepted=[])


def test_an_agent_counts_as_a_model_until_it_is_known_not_to_be(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    """Search and replay of own files are no model's; what is named nowhere is."""
    assert not model_writes(Kind.search, None)
    assert not model_writes(Kind.replay, str(tmp_path))
    monkeypatch.setattr(agents, "_WITHOUT_A_MODEL", frozenset({Kind.replay}))
    assert model_writes(Kind.search, None)


def test_a_replay_of_a_models_run_is_a_models_code(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    """Who wrote the candidates decides, not who proposes them again; what is gone may be that."""
    monkeypatch.setenv("SEALED_RUNS", str(tmp_path))
    with opened(fake()) as run:
        folder = str(run.folder)
    assert not model_writes(Kind.replay, folder)
    assert model_writes(Kind.replay, f"{folder}-gone")
    monkeypatch.setattr(agents, "_WITHOUT_A_MODEL", frozenset({Kind.replay}))
    assert model_writes(Kind.replay, folder)
