"""What a task may ask of the sandbox, and what it is refused: predictors, data, images, sizes."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sandbox.api import Outcome, Task, TaskFiles, TrialRequest
from sandbox.config import Config
from sandbox.containers.container import RoleContainer
from sandbox.containers.host import Host
from sandbox.containers.probe import probe_order
from sandbox.containers.reaper import reap
from sandbox.engine import Engine
from sandbox.errors import (
    DataAltered,
    EngineUnavailable,
    ImageUnfit,
    SandboxError,
    TooFewResources,
    UnknownTrial,
)
from sandbox.policy import LABEL, PYTHON
from sandbox.service import Service
from sandbox.trials.results import Results
from tests.conftest import TINY
from tests.support.candidates import Bench
from tests.support.files import task_files

pytestmark = pytest.mark.docker

TASKS = Path(__file__).parents[1] / "tasks"
TRAIN = (TINY / "train.py").read_text()


# ---- several predictors -----------------------------------------------------------------------


def test_two_predictors_and_the_baseline(bench: Bench, service: Service, host: Host) -> None:
    """Each `open` is a fresh container, the baseline is the task's own, and timing is alone."""
    task = service.prepare(task_files(TASKS / "pair"))
    candidate = (TASKS / "pair" / "train.py").read_text().replace("NAME = 1.0", "NAME = 2.0")
    result = bench.run(candidate, task)
    assert result.outcome is Outcome.scored, result.reason
    values, _ = Results(host.config.home / "trials")._values(result.key)
    first, second, name, baseline, seconds, baseline_seconds, gap = values
    assert (first, second) == (3, 1), "the second predictor knows what the first was asked"
    assert (name, baseline) == (2, 1), "the baseline answers with its own artifact and code"
    assert 0.5 <= seconds < 3
    assert 0 < baseline_seconds < seconds
    assert gap > 0.4, "the baseline went on while the candidate was timed"


# ---- data -------------------------------------------------------------------------------------


@pytest.fixture
def own(service: Service, request: pytest.FixtureRequest) -> Iterator[Task]:
    """A task with data of its own, to be altered."""
    prepare = (TASKS / "dishonest" / "prepare.py").read_text() + f"\n# {request.node.name}\n"
    task = service.prepare(task_files(TASKS / "dishonest", prepare=prepare))
    yield task
    service.forget(task.hash)


def data_volumes(service: Service, task: Task) -> tuple[str, str, str]:
    """Names of a task's volumes: public, sealed, task."""
    return service._store.volumes(service._store.get(task.hash).data).of_data()


def alter(host: Host, volume: str, command: str) -> None:
    """Run a command as root with a volume at /v, as somebody with the engine could."""
    subprocess.run(
        ["docker", "run", "--rm", "--network=none", "--user=0", f"--volume={volume}:/v",
         host.config.scorer_image, "/bin/bash", "-euc", command],
        check=True,
    )  # fmt: skip


def trial(task: Task, key: str) -> TrialRequest:
    """A trial of the task's own train.py."""
    train = (TASKS / "dishonest" / "train.py").read_text()
    return TrialRequest(key=key, task=task.hash, candidate=train)


@pytest.mark.parametrize(
    "command",
    ["printf x >> /v/held_out/label.npy", "rm /v/held_out/label.npy"],
    ids=["longer", "gone"],
)
def test_altered_data_is_found_by_a_trial(
    service: Service, host: Host, own: Task, command: str
) -> None:
    """Held-out data that is not what `prepare` wrote is noticed before a candidate runs on it."""
    alter(host, data_volumes(service, own)[1], command)
    for call in (lambda: service.run(trial(own, "altered")), lambda: service.verify(own.hash)):
        with pytest.raises(DataAltered) as fault:
            call()
        assert own.name in fault.value.message
        assert "forget" in fault.value.next_step
    with pytest.raises(UnknownTrial):
        service.result("altered")


FLIP = """
import os, sys
path = sys.argv[1]
state = os.stat(path)
with open(path, "r+b") as file:
    data = file.read()
    file.seek(130)
    file.write(bytes([data[130] ^ 1]))
os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
"""


def test_altered_bits_are_found_by_hashing(service: Service, host: Host, own: Task) -> None:
    """A bit that is flipped with size and time kept is found by `verify`, by its file's name."""
    volumes = data_volumes(service, own)
    files = [
        (volumes[0], "train/label.npy"),
        (volumes[1], "held_out/label.npy"),
        (volumes[1], "vault/label.npy"),
        (volumes[2], "prepare.py"),
    ]
    for volume, file in files:
        flip = f"{PYTHON} -c '{FLIP}' /v/{file}"
        alter(host, volume, flip)
        with pytest.raises(DataAltered, match=file):
            service.verify(own.hash)
        alter(host, volume, flip)
    assert service.verify(own.hash) == own


def test_missing_data_is_found_and_can_be_made_again(
    service: Service, host: Host, own: Task
) -> None:
    """A volume that is gone is not made anew in silence; preparing makes the same split again."""
    for volume in data_volumes(service, own):
        host.engine.remove_volume(volume)
    for call in (lambda: service.run(trial(own, "missing")), lambda: service.verify(own.hash)):
        with pytest.raises(DataAltered) as fault:
            call()
        assert "forget" in fault.value.next_step
    assert not any(host.engine.has_volume(name) for name in data_volumes(service, own))
    wanted = service._store.data(service._store.get(own.hash).data)
    assert wanted is not None
    files = service._store.get(own.hash).files
    assert service.prepare(files).hash == own.hash
    found = service._store.data(service._store.get(own.hash).data)
    assert found is not None
    assert found.files == wanted.files
    assert service.run(trial(own, "made-again")).outcome is Outcome.scored


# ---- images and sizes -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def preloading(engine: Engine) -> Iterator[str]:
    """An image FROM the agent's that would load a library into every program."""
    tag = "sealed-test-preloading"
    subprocess.run(
        ["docker", "build", "--quiet", "--tag", tag, "-"],
        input=b"FROM sealed-agent\nENV LD_PRELOAD=/x.so\n",
        check=True,
        capture_output=True,
    )
    yield tag
    subprocess.run(["docker", "rmi", "--force", tag], check=True, capture_output=True)


def with_setting(line: str) -> TaskFiles:
    """The tiny task with one more setting, or another value of one."""
    name = line.split(":", maxsplit=1)[0]
    rows = (TINY / "program.md").read_text().split("\n")
    rows = [row for row in rows if not row.startswith(f"{name}:")]
    return task_files(TINY, program="\n".join([rows[0], line, *rows[1:]]))


@pytest.mark.parametrize(
    ("line", "fault", "says", "step"),
    [
        ("image: sealed-no-such-image", ImageUnfit, "no image sealed-no-such-image", "make images"),
        ("image: sealed-test-preloading", ImageUnfit, "LD_PRELOAD", "images/README.md"),
        ("image: sealed-scorer", ImageUnfit, "share 1 layers", "make images"),
        ("cpus: 1024", TooFewResources, "1024 CPUs", "`cpus`"),
        ("memory_mib: 4194304", TooFewResources, "4194304 MiB", "`memory_mib`"),
    ],
    ids=["no-image", "preload", "scorer-as-agent", "cpus", "memory"],
)
def test_what_the_engine_can_not_give_is_refused(
    service: Service, preloading: str, line: str, fault: type[SandboxError], says: str, step: str
) -> None:
    """Before anything is made, with the reason and the next step."""
    before = [task.hash for task in service.tasks()]
    with pytest.raises(fault, match=says) as refused:
        service.prepare(with_setting(line))
    assert step in refused.value.next_step
    assert [task.hash for task in service.tasks()] == before


# ---- leftovers --------------------------------------------------------------------------------


def test_nothing_is_left_of_a_sandbox(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sandbox that closes leaves data and baseline; after `forget` it leaves nothing at all.

    An engine that refuses in the middle of that is asked again by the same call.
    """
    host = Host.of(Config(home=tmp_path / "h", socket=tmp_path / "s"), engine)
    service = Service(host, keep_warm=True)
    try:
        task = service.prepare(task_files(TINY))
        for n, candidate in enumerate(
            (TRAIN, TRAIN.replace("    x = np", "    1 / 0\n    x = np"))
        ):
            service.run(TrialRequest(key=f"k{n}", task=task.hash, candidate=candidate))
        service.trials.warm.wait()
        assert host.uids.leased == 5, "a set is kept warm"
    finally:
        service.close()
    mine = {LABEL + "instance": host.instance}
    assert engine.containers(mine) == []
    assert host.uids.leased == 0
    roles = sorted(v["Labels"][LABEL + "role"] for v in engine.volumes(mine))
    assert roles == ["baseline", "data", "data", "data"]
    again = Service(host, keep_warm=False)
    remove = engine.remove_volume

    def refuses(name: str) -> None:
        if name.endswith("-sealed"):
            raise EngineUnavailable("volume is in use", "")
        remove(name)

    with monkeypatch.context() as patch:
        patch.setattr(host.engine, "remove_volume", refuses)
        with pytest.raises(EngineUnavailable):
            again.forget(task.hash)
    again.forget(task.hash)
    again.close()
    assert engine.volumes(mine) == []
    assert engine.containers(mine) == []


def test_nothing_is_left_of_a_trial(bench: Bench, service: Service, host: Host) -> None:
    """However a trial ends, its containers, its artifact and its uids are gone soon after."""
    for change in ("1 / 0", "import os; os._exit(0)", "import time; time.sleep(9)"):
        bench.run(TRAIN.replace("    x = np", f"    {change}\n    x = np"))
    service.trials.warm.drop()
    mine = {LABEL + "instance": host.instance}
    assert host.engine.containers(mine) == []
    assert host.engine.volumes(mine | {LABEL + "role": "artifact"}) == []
    assert host.uids.leased == 0


def waiting(host: Host, deadline: int | None = None) -> RoleContainer:
    """A container that a process of this instance has started and forgotten."""
    order = probe_order(host, host.engine.image(host.config.agent_image).id)
    if deadline is not None:
        order = replace(order, deadline=deadline)
    container = RoleContainer(host.engine, order, host.uids)
    container.start_program(["/bin/sleep", "600"])
    return container


def test_the_reaper_removes_what_is_its_own(
    service: Service, host: Host, engine: Engine, tmp_path: Path
) -> None:
    """What a dead process of this instance left is removed; another instance's goes on running."""
    dead = Host.of(Config(home=host.config.home, socket=tmp_path / "s"), engine)
    other = Host.of(Config(home=tmp_path / "other", socket=tmp_path / "o"), engine)
    assert (dead.instance == host.instance, other.instance == host.instance) == (True, False)
    service.reap()
    left, foreign, late = waiting(dead), waiting(other), waiting(other, deadline=1)
    labels = {LABEL + "instance": host.instance, LABEL + "role": "artifact"}
    engine.create_volume(f"sealed-{host.instance}-artifact-left", labels)
    try:
        reaped = service.reap()
        assert (reaped.containers, reaped.volumes) == (1, 1)
        assert not left.alive()
        assert foreign.alive()
        assert late.alive()
        assert reap(engine, other.instance, overdue_only=True).containers == 1
        assert (foreign.alive(), late.alive()) == (True, False)
        assert reap(engine, other.instance).containers == 1
        assert not foreign.alive()
    finally:
        for container in (left, foreign, late):
            container.remove()


def test_a_trials_seed_is_its_own(bench: Bench, host: Host) -> None:
    """Each trial has a fresh seed, which the candidate is given and no client is."""
    seed = "np.save(artifact / 'partial.npy', np.array([seed / 2**40, 0, 0]))\n    "
    train = TRAIN.replace("    (artifact", f"    {seed}(artifact", 1)
    results = [bench.run(train) for _ in range(2)]
    records = [Results(host.config.home / "trials").get(result.key) for result in results]
    assert len({record.seed for record in records}) == 2
    assert len({result.score for result in results}) == 2
    assert all(str(r.seed) not in str(result) for r, result in zip(records, results, strict=True))
    assert np.isfinite([result.score for result in results]).all()  # type: ignore[arg-type]
