"""Trials on an engine that hangs, breaks off and refuses: whose fault it is, and how it goes on."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from sandbox.api import Outcome, Progress, Stage, Task, TrialRequest, TrialResult
from sandbox.config import Config
from sandbox.containers.host import Host
from sandbox.engine import Engine
from sandbox.errors import Cancelled, EngineUnavailable
from sandbox.policy import LABEL
from sandbox.service import Service
from tests.conftest import TINY
from tests.support.files import task_files
from tests.support.lying_engine import (
    Lie,
    LyingEngine,
    babble,
    broken_off,
    hang,
    honest,
    refuse,
    truncated,
    until,
)

pytestmark = pytest.mark.docker

PROGRAM = (TINY / "program.md").read_text().replace("budget_seconds: 1", "budget_seconds: 20")
"""`train` returns long before: no timer ends a container that a test wants alive."""
QUICK = (TINY / "train.py").read_text()
TELLS_ITS_CPUS = QUICK.replace(
    "    x = np", "    import os; print(os.sched_getaffinity(0))\n    x = np"
)
UP_TO_LOADED = 2
"""Pieces of a predictor's stream: READY and LOADED; the next one is its answer."""


class Behind:
    """A sandbox in this process, behind the lying engine, with the tiny task."""

    def __init__(self, proxy: LyingEngine, engine: Engine, host: Host) -> None:
        self.proxy = proxy
        self.engine = engine
        self.host = host
        self.service = Service(host, keep_warm=False)
        self.task: Task = self.service.prepare(task_files(TINY, program=PROGRAM))
        self.told: list[Progress] = []

    def run(self, key: str, candidate: str = QUICK) -> TrialResult:
        """Run a candidate; what is told meanwhile is in `told`."""
        request = TrialRequest(key=key, task=self.task.hash, candidate=candidate)
        return self.service.run(request, self.told.append)

    def of_role(self, role: str, lie: Lie) -> Lie:
        """A lie that is told about containers of one role alone."""
        return self.of_some(lambda found: found[LABEL + "role"] == role, lie)

    def of_some(self, chosen: Callable[[dict[str, str]], bool], lie: Lie) -> Lie:
        """A lie that is told about containers with such labels alone."""

        def told(client, engine, head):  # type: ignore[no-untyped-def]
            path = head.split(b" ", 2)[1].decode()
            if "/exec/" in path:
                container = self.proxy.container_of(path)
            else:
                (container,) = re.findall(r"/containers/(\w+)", path)
            labels = self.engine.inspect(container)["Config"]["Labels"]
            (lie if chosen(labels) else honest)(client, engine, head)

        return told

    def left(self) -> tuple[int, int, int]:
        """Containers, artifacts and uids."""
        labels = {LABEL + "instance": self.host.instance}
        artifacts = labels | {LABEL + "role": "artifact"}
        found = len(self.engine.containers(labels)), len(self.engine.volumes(artifacts))
        return *found, self.host.uids.leased


@pytest.fixture
def make(
    proxy: LyingEngine,
    engine: Engine,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[..., Behind]]:
    """Makes one on so many of the engine's CPUs; nothing of it is left at the end of the test."""
    monkeypatch.setattr("sandbox.limits.DEATH", 1)
    monkeypatch.setattr("sandbox.limits.QUARANTINE", 0.2)
    home = tmp_path_factory.mktemp("behind")
    made: list[Behind] = []

    def make(cpus: int | None = None) -> Behind:
        config = Config(home=home, socket=home / "s")
        host = Host.of(config, Engine(proxy.url, timeout=5))
        made.append(Behind(proxy, engine, replace(host, cpus=cpus or host.cpus)))
        return made[-1]

    yield make
    proxy.lies.clear()
    wait_for(lambda: not made[-1].left()[0])
    made[-1].service.forget(made[-1].task.hash)
    for behind in made:
        behind.service.close()
        behind.host.engine._api.close()
        assert behind.left()[:2] == (0, 0)


def wait_for(true: Callable[[], bool]) -> None:
    """Until something is true."""
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


# ---- streams that break off ---------------------------------------------------------------------


@pytest.mark.claim("losses-are-ours-when-a-probe-fails")
@pytest.mark.parametrize("probe", ["no other", "the holder's stream", "the engine's answer"])
def test_a_stream_that_breaks_off_is_ours_if_a_trusted_probe_fails_too(
    make: Callable[..., Behind], probe: str
) -> None:
    """In the middle of a frame, once: with the probe `error`, tried again, scored; else `crash`."""
    behind, cut = make(), threading.Event()

    def cut_now() -> None:
        behind.proxy.lies.pop(0)
        if probe == "the engine's answer":
            behind.proxy.tell("/_ping", refuse)
        cut.set()

    if probe == "the holder's stream":
        behind.proxy.tell("POST .*/attach", behind.of_role("holder", until(cut)))
    lie = behind.of_role("predictor", broken_off(UP_TO_LOADED, cut_now))
    behind.proxy.lies.insert(0, (re.compile("POST .*/exec/.*/start"), lie))

    def calm(progress: Progress) -> None:
        if cut.is_set() and progress.stage is Stage.building:
            behind.proxy.lies.clear()

    request = TrialRequest(key="cut", task=behind.task.hash, candidate=QUICK)
    result = behind.service.run(request, calm)
    assert cut.is_set()
    if probe == "no other":
        assert (result.outcome, result.attempts) == (Outcome.crash, 1)
    else:
        assert (result.outcome, result.attempts) == (Outcome.scored, 2)


@pytest.mark.slow
@pytest.mark.claim("losses-are-ours-when-a-probe-fails")
def test_streams_that_always_break_off_end_error_after_three(make: Callable[..., Behind]) -> None:
    """The same fault of ours again and again is told as such; no candidate is blamed for it."""
    behind = make()
    cuts: list[threading.Event] = []

    def holder(client, engine, head):  # type: ignore[no-untyped-def]
        cuts.append(threading.Event())
        until(cuts[-1])(client, engine, head)

    behind.proxy.tell("POST .*/attach", behind.of_role("holder", holder))

    def cut() -> None:
        cuts[-1].set()

    lie = broken_off(UP_TO_LOADED, cut)
    behind.proxy.tell("POST .*/exec/.*/start", behind.of_role("predictor", lie))
    result = behind.run("cut")
    assert (result.outcome, result.attempts) == (Outcome.error, 3)
    assert "the engine failed" in result.reason
    assert behind.service.result("cut") == result


# ---- answers that are lost ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked",
    [
        "POST .*/containers/create",
        pytest.param("GET .*/containers/.*/json", marks=pytest.mark.slow),
    ],
)
def test_a_container_whose_making_is_not_answered_is_removed(
    make: Callable[..., Behind], asked: str
) -> None:
    """The engine made it and said nothing, or does not tell how: it has a name to remove it by."""
    behind = make()
    lies = [truncated(9)]

    def once(client, engine, head):  # type: ignore[no-untyped-def]
        (lies.pop() if lies else honest)(client, engine, head)

    behind.proxy.tell(asked, once)
    with pytest.raises(EngineUnavailable):
        behind.run("unanswered")
    assert not lies
    wait_for(lambda: behind.left() == (0, 0, 0))
    assert behind.run("unanswered").outcome is Outcome.scored


@pytest.mark.parametrize("path", ["DELETE .*/containers/", "DELETE .*/volumes/"])
def test_a_removal_that_was_answered_and_not_done_is_done(
    make: Callable[..., Behind], path: str
) -> None:
    """Of every container, and of the artifact: each is looked for, and removed once more."""
    behind = make()
    told: set[bytes] = set()

    def once_each(client, engine, head):  # type: ignore[no-untyped-def]
        what = head.split(b" ", 2)[1]
        (honest if what in told else babble)(client, engine, head)
        told.add(what)

    behind.proxy.tell(path, once_each)
    assert behind.run("told").outcome is Outcome.scored
    wait_for(lambda: bool(told))
    wait_for(lambda: behind.left() == (0, 0, 0))


@pytest.mark.parametrize("lie", [refuse, babble])
def test_a_probe_that_is_not_removed_at_once_gives_its_uids_back(
    make: Callable[..., Behind], lie: Lie
) -> None:
    """No set has it, so whoever made it asks again."""
    behind = make()
    lies = [lie]

    def once(client, engine, head):  # type: ignore[no-untyped-def]
        (lies.pop() if lies else honest)(client, engine, head)

    behind.proxy.tell("DELETE .*/containers/", once)
    assert len(behind.service.fingerprint(QUICK)) == 64
    assert not lies
    assert behind.left() == (0, 0, 0)


# ---- containers that do not die -----------------------------------------------------------------


def undead(behind: Behind) -> str:
    """Run a trial whose trainer can't be killed; the trainer's id."""
    trial: list[str] = []

    def first(labels: dict[str, str]) -> bool:
        if labels[LABEL + "role"] == "trainer" and not trial:
            trial.append(labels[LABEL + "trial"])
        return labels[LABEL + "role"] == "trainer" and labels[LABEL + "trial"] == trial[0]

    behind.proxy.tell("POST .*/kill|DELETE .*/containers/", behind.of_some(first, refuse))
    behind.proxy.tell("POST .*/wait", behind.of_some(first, hang))
    result = behind.run("undead")
    assert (result.outcome, result.attempts) == (Outcome.error, 1), result.reason
    assert "can't be killed" in result.reason
    labels = {LABEL + "instance": behind.host.instance, LABEL + "trial": trial[0]}
    (container,) = behind.engine.containers(labels | {LABEL + "role": "trainer"})
    return str(container["Id"])


@pytest.mark.claim("undead-are-alone")
def test_a_container_that_does_not_die_keeps_its_cores_and_the_run_goes_on(
    make: Callable[..., Behind],
) -> None:
    """The next trial runs on others at once; when the death is confirmed, all is given back."""
    behind = make()
    container = undead(behind)
    kept = int(behind.engine.inspect(container)["HostConfig"]["CpusetCpus"])
    result = behind.run("next", TELLS_ITS_CPUS)
    assert result.outcome is Outcome.scored
    assert re.findall(r"\d+", result.log) == [str(kept - 1)]
    wait_for(lambda: behind.left() == (1, 1, 1))
    behind.proxy.lies.clear()
    wait_for(lambda: behind.left() == (0, 0, 0))
    assert re.findall(r"\d+", behind.run("last", TELLS_ITS_CPUS).log) == [str(kept)]


@pytest.mark.slow
@pytest.mark.claim("undead-are-alone")
def test_with_one_slot_the_run_waits_visibly_and_goes_on_by_itself(
    make: Callable[..., Behind],
) -> None:
    """It says why, holds up nothing else, can be cancelled, and needs nobody to go on."""
    behind = make(cpus=1)
    undead(behind)
    results: list[object] = []

    def run() -> None:
        try:
            results.append(behind.run("waits"))
        except Cancelled as fault:
            results.append(fault)

    for end in ("cancelled", "freed"):
        behind.told.clear()
        thread = threading.Thread(target=run)
        thread.start()
        wait_for(lambda: "quarantine" in "".join(told.detail for told in behind.told))
        assert {told.stage for told in behind.told} == {Stage.waiting}
        with behind.service.trials.slot:
            """Nobody else waits for it."""
        if end == "cancelled":
            behind.service.cancel("waits")
        else:
            behind.proxy.lies.clear()
        thread.join(30)
        assert not thread.is_alive()
    assert isinstance(results[0], Cancelled)
    assert isinstance(results[1], TrialResult)
    assert results[1].outcome is Outcome.scored


@pytest.mark.claim("undead-are-alone")
def test_a_restarted_sandbox_keeps_away_from_what_does_not_die(make: Callable[..., Behind]) -> None:
    """It starts, though it can't clear up; it runs on other cores, and clears up when it can."""
    behind = make()
    container = undead(behind)
    kept = int(behind.engine.inspect(container)["HostConfig"]["CpusetCpus"])
    wait_for(lambda: behind.left()[0] == 1)
    behind.service._quarantine.stop()  # the earlier process is gone
    after = make()
    result = after.run("next", TELLS_ITS_CPUS)
    assert result.outcome is Outcome.scored
    assert re.findall(r"\d+", result.log) == [str(kept - 1)]
    behind.proxy.lies.clear()
    wait_for(lambda: after.left() == (0, 0, 0))
