"""The command line before a run: what the doctor finds, and what a person accepts of it."""

import pytest

from controller import agents
from sandbox.api import Check, Verdict
from sandbox.fake.sandbox import FakeSandbox
from tests.unit.command import Sealed, document, replayed
from tests.unit.toy import ledger_of

LSM = Check(
    name="lsm",
    verdict=Verdict.warning,
    measured=False,
    detail="No module confines containers.",
    next_step="Turn one on.",
)
TIMER = Check(
    name="timer",
    verdict=Verdict.failed,
    measured=True,
    detail="Cmd: a program lived on.",
    next_step="Do not run agents.",
)


class Found:
    """What the doctor finds, and how often it was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, sandbox: FakeSandbox) -> None:
        self.checks: list[Check] = []
        self.asked = 0
        monkeypatch.setattr(sandbox, "doctor", self._doctor)

    def _doctor(self) -> list[Check]:
        self.asked += 1
        return self.checks


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch, fake_sandbox: FakeSandbox) -> Found:
    """The doctor of the sandbox that every verb talks to."""
    return Found(monkeypatch, fake_sandbox)


@pytest.fixture
def by_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on, the search counts as an agent whose code a model writes."""
    monkeypatch.setattr(agents, "_WITHOUT_A_MODEL", frozenset())


@pytest.mark.claim("doctor-before-a-run")
def test_a_broken_promise_stops_a_run_before_anything_is_prepared(
    sealed: Sealed, found: Found, fake_sandbox: FakeSandbox
) -> None:
    """Exit code 3 with finding and next step; accepting everything changes nothing."""
    found.checks = [LSM, TIMER]
    for accept in ([], ["--accept", "lsm"]):
        out = sealed("run", "toy", "--experiments", "1", *accept, code=3).output
        assert "timer: Cmd: a program lived on." in out
        assert "next: Do not run agents." in out
    assert fake_sandbox.tasks() == []
    found.checks = [LSM]
    sealed("run", "toy", "--experiments", "1")


@pytest.mark.claim("doctor-before-a-run")
@pytest.mark.usefixtures("by_model")
def test_an_advisory_finding_stops_a_model_until_it_is_accepted(
    sealed: Sealed, found: Found
) -> None:
    """By its own name alone; what was accepted is in the ledger and in the run's status."""
    found.checks = [LSM]
    refused = sealed("run", "toy", "--experiments", "1", code=3).output
    assert "lsm: No module confines containers." in refused
    assert "next: Turn one on. Or run in spite of it: `--accept lsm`." in refused
    sealed("run", "toy", "--experiments", "1", "--accept", "cgroup", code=3)
    accept = ["--accept", "cgroup", "--accept", "lsm"]
    sealed("run", "toy", "--name", "night", "--experiments", "1", *accept)
    with ledger_of("night") as ledger:
        (accepted,) = ledger.accepted()
    assert (accepted.finding, accepted.detail) == ("lsm", LSM.detail)
    assert document(sealed("status", "night", "--json"))["accepted"][0]["finding"] == "lsm"
    assert "accepted:    lsm" in sealed("status", "night").output


@pytest.mark.usefixtures("by_model")
def test_a_run_that_goes_on_is_examined_again_where_a_model_writes(
    sealed: Sealed, found: Found
) -> None:
    """Acceptance is for one start; the ledger keeps each finding once."""
    found.checks = [LSM]
    for number in ("1", "2"):
        sealed("run", "toy", "--name", "night", "--experiments", number, "--accept", "lsm")
    sealed("run", "toy", "--name", "night", "--experiments", "3", code=3)
    assert found.asked == 3
    with ledger_of("night") as ledger:
        assert len(ledger.accepted()) == 1


def test_a_run_without_a_model_is_examined_when_it_begins(sealed: Sealed, found: Found) -> None:
    """A warning does not stop it, and its going on costs no examination."""
    found.checks = [LSM]
    for number in ("1", "2"):
        sealed("run", "toy", "--name", "night", "--experiments", number)
    assert found.asked == 1
    assert document(sealed("status", "night", "--json"))["accepted"] == []


def test_a_replay_of_own_files_is_no_models(sealed: Sealed, found: Found) -> None:
    """Findings stay warnings."""
    found.checks = [LSM]
    replayed(sealed, "# fake: score=0.5\n")
    assert found.asked == 1


@pytest.mark.parametrize("verb", [["doctor"], ["run", "toy"], ["serve", "toy"]])
@pytest.mark.parametrize("name", ["weather", "timer", ""])
def test_a_name_that_is_no_advisory_finding_is_a_usage_error(
    sealed: Sealed, found: Found, verb: list[str], name: str
) -> None:
    """The known ones are listed, and nothing is begun; a measured check has no such name."""
    out = sealed(*verb, "--accept", name, code=2).output
    for known in ("lsm", "runc_version", "page_cache"):
        assert known in out
    assert found.asked == 0


def test_names_come_from_the_environment_too(
    sealed: Sealed, found: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Compose gives them: with spaces between, or empty."""
    found.checks = [LSM]
    monkeypatch.setenv("SEALED_ACCEPT", "")
    assert "Accepted." not in sealed("doctor").output
    monkeypatch.setenv("SEALED_ACCEPT", "cgroup lsm")
    assert "Accepted. No module confines containers." in sealed("doctor").output
    sealed("run", "toy", "--name", "night", "--experiments", "0")
    with ledger_of("night") as ledger:
        assert [accepted.finding for accepted in ledger.accepted()] == ["lsm"]


def test_the_doctor_warns_with_the_next_step(sealed: Sealed, found: Found) -> None:
    """A warning is no failure: exit code 0; an accepted one asks for nothing more."""
    found.checks = [LSM]
    out = sealed("doctor").output
    assert "WARN     lsm      No module confines containers." in out
    assert "next: Turn one on." in out
    (item,) = document(sealed("doctor", "--accept", "lsm", "--json"))["items"]
    assert (item["verdict"], item["next_step"]) == ("WARN", "")
    assert item["detail"].startswith("Accepted. ")
