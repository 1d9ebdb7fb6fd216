"""Verifying: an honest run is what it says, and each thing that is changed is named."""

import json
import shutil
import sqlite3
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import git
import msgspec
import pytest

from controller.errors import Failed
from controller.verify import Finding, verify
from sandbox.api import TrialRequest
from sandbox.fake.sandbox import FakeSandbox
from tests.unit.toy import Scripted, candidates, drive, opened, with_settings

RUN = "0123456789abcdef"
SCRIPT = candidates("score=0.9 spread=0.1", 0.95, "outcome=crash reason=why log=line", 0.5)
"""Kept, discarded, no score, kept: receipts 0 (baseline), 1 and 2, 3 and 4, 5, 6 and 7, closing."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An honest run by the loop, and the sandbox that signed it."""
    home = tmp_path_factory.mktemp("honest")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEALED_RUNS", str(home / "runs"))
        sandbox = FakeSandbox(home, landscape=lambda _: 1.0)
        with opened(sandbox) as run:
            drive(run, sandbox, Scripted(*SCRIPT))
        yield home


@pytest.fixture
def folder(home: Path, tmp_path: Path) -> Path:
    """A copy of the run's folder, which is honest."""
    copy = tmp_path / "run"
    shutil.copytree(home / "runs" / "run", copy)
    return copy


class Chain:
    """The stored receipts of a run, to be tampered with."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with sqlite3.connect(folder / "ledger.sqlite") as db:
            self.lines = [
                line for (line,) in db.execute("SELECT line FROM receipts ORDER BY number")
            ]

    def store(self) -> None:
        with sqlite3.connect(self._folder / "ledger.sqlite") as db:
            db.execute("DELETE FROM receipts")
            db.executemany("INSERT INTO receipts VALUES (?, ?)", list(enumerate(self.lines)))


def flip(line: str, old: str, new: str) -> str:
    """A receipt in which a figure was changed after it was signed."""
    envelope = json.loads(line)
    payload = b64decode(envelope["payload"]).decode()
    assert old in payload
    envelope["payload"] = b64encode(payload.replace(old, new).encode()).decode()
    return json.dumps(envelope, separators=(",", ":"))


def problems(findings: list[Finding]) -> list[tuple[int | None, int | None, str]]:
    """Receipt, experiment and problem of each."""
    return [(found.receipt, found.experiment, found.problem) for found in findings]


@pytest.mark.claim("receipts-show-tampering")
def test_an_honest_run_is_what_it_says(folder: Path, home: Path) -> None:
    """Its copied folder alone is enough, and a key that was kept elsewhere shows who signed it."""
    found = verify(folder, None)
    assert found.findings == []
    assert (found.receipts, found.trials, found.experiments, found.kept) == (9, 5, 5, 3)
    assert found.key_is_the_runs
    elsewhere = home / "elsewhere.pem"
    elsewhere.write_text(FakeSandbox(home).info().public_key)
    assert not verify(folder, elsewhere).key_is_the_runs
    assert verify(folder, elsewhere).findings == []


def test_verifying_leaves_the_folder_as_it_was(folder: Path) -> None:
    """Nothing is made, moved or repaired in what is looked at."""
    (folder / "repository" / ".git" / "index.lock").touch()

    def contents() -> dict[str, bytes]:
        return {
            str(file): file.read_bytes()
            for file in folder.rglob("*")
            if file.is_file() and not file.name.endswith(("-shm", "-wal"))
        }

    before = contents()
    verify(folder, None)
    assert contents() == before


def removed(chain: Chain) -> None:
    del chain.lines[3]


def reordered(chain: Chain) -> None:
    chain.lines[3], chain.lines[4] = chain.lines[4], chain.lines[3]


def replayed(chain: Chain) -> None:
    chain.lines.insert(6, chain.lines[1])


def replayed_in_place(chain: Chain) -> None:
    chain.lines[3] = chain.lines[1]


def cut_off(chain: Chain) -> None:
    del chain.lines[8:]


def flipped(chain: Chain) -> None:
    chain.lines[3] = flip(chain.lines[3], '"score":0.95', '"score":0.85')


def flipped_difference(chain: Chain) -> None:
    chain.lines[4] = flip(chain.lines[4], '"difference":', '"difference":-')


def flipped_signature(chain: Chain) -> None:
    envelope = json.loads(chain.lines[3])
    sig = envelope["signatures"][0]["sig"]
    envelope["signatures"][0]["sig"] = ("B" if sig[0] == "A" else "A") + sig[1:]
    chain.lines[3] = json.dumps(envelope, separators=(",", ":"))


def spaced(chain: Chain) -> None:
    chain.lines[8] = json.dumps(json.loads(chain.lines[8]))


def garbage(chain: Chain) -> None:
    chain.lines[3] = '{"payload": [[[[' * 100


@pytest.mark.claim("receipts-show-tampering")
@pytest.mark.parametrize(
    ("tamper", "line", "says"),
    [
        (flipped, 3, "signature does not hold"),
        (flipped_difference, 4, "signature does not hold"),
        (flipped_signature, 3, "signature does not hold"),
        (spaced, 8, "not written as it was signed"),
        (garbage, 3, "no DSSE envelope"),
        (removed, 3, "receipt 4 where 3 should be"),
        (reordered, 3, "receipt 4 where 3 should be"),
        (replayed, 6, "Receipt 1 was there before"),
        (replayed_in_place, 3, "Receipt 1 was there before"),
        (cut_off, 7, "does not end with a closing receipt"),
    ],
)
def test_a_tampered_chain_is_named_by_its_line(
    folder: Path, tamper: Callable[[Chain], None], line: int, says: str
) -> None:
    """The first finding has the line; before the change there was none."""
    assert verify(folder, None).findings == []
    chain = Chain(folder)
    tamper(chain)
    chain.store()
    found = verify(folder, None).findings
    assert found[0].receipt == line
    assert says in found[0].problem


@pytest.mark.claim("receipts-show-tampering")
def test_a_run_whose_end_was_cut_off_everywhere_is_not_closed(folder: Path) -> None:
    """The last experiment taken out of chain, ledger and repository still shows."""
    chain = Chain(folder)
    del chain.lines[6:]
    chain.store()
    with sqlite3.connect(folder / "ledger.sqlite") as db:
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("DELETE FROM experiments WHERE number = 4")
        (main,) = db.execute("SELECT commit_id FROM experiments WHERE number = 1").fetchone()
    with git.Repo(folder / "repository") as repository:
        repository.git.update_ref("-d", "refs/experiments/4")
        repository.git.update_ref("refs/heads/main", main)
    assert problems(verify(folder, None).findings) == [
        (5, None, verify(folder, None).findings[0].problem)
    ]
    assert "closing receipt" in verify(folder, None).findings[0].problem


@pytest.mark.claim("receipts-show-tampering")
def test_receipts_of_another_key_are_named(folder: Path, tmp_path: Path) -> None:
    """Whoever signs a run anew needs the sandbox's key: the one kept elsewhere tells."""
    kept = tmp_path / "kept.pem"
    shutil.copy(folder / "receipts.pem", kept)
    other = FakeSandbox(tmp_path / "other", landscape=lambda _: 1.0)
    task = other.prepare(with_settings())
    other.run(TrialRequest(key=f"{RUN}-0-1", task=task.hash, candidate="x", run=RUN))
    assert verify(folder, kept).findings == []
    chain = Chain(folder)
    chain.lines[0] = other.receipts(RUN, 0).receipts[0]
    chain.store()
    found = verify(folder, kept).findings
    assert (found[0].receipt, found[0].problem) == (0, "it was signed with another key.")


@pytest.mark.claim("receipts-show-tampering")
def test_a_receipt_of_another_run_or_task_is_named(
    folder: Path, home: Path, tmp_path: Path
) -> None:
    """The same key signed both: what they say of run and task tells them apart."""
    shutil.copytree(home, tmp_path / "home")
    sandbox = FakeSandbox(tmp_path / "home", landscape=lambda _: 1.0)
    task = sandbox.prepare(with_settings(min_gain=0.5))
    sandbox.run(TrialRequest(key="other-0-1", task=task.hash, candidate="x", run="other"))
    chain = Chain(folder)
    honest = list(chain.lines)
    chain.lines[3] = sandbox.receipts("other", 0).receipts[0]
    chain.store()
    assert problems(verify(folder, None).findings)[0] == (
        3, None, "It is a receipt of another run, other.",
    )  # fmt: skip
    sandbox.run(TrialRequest(key=f"{RUN}-5-1", task=task.hash, candidate="x", run=RUN))
    sandbox.close_run(RUN, [])
    chain.lines = [*honest, *sandbox.receipts(RUN, len(honest)).receipts]
    chain.store()
    found = problems(verify(folder, None).findings)
    assert (9, 5, f"It is a receipt of another task, {task.hash[:12]}.") in found
    assert (9, 5, "The ledger does not have its trial.") in found


@pytest.mark.claim("decisions-are-made-again")
@pytest.mark.parametrize(
    ("change", "experiment", "says"),
    [
        ("UPDATE experiments SET decision = 'kept' WHERE number = 2", 2, "rule says discarded"),
        ("UPDATE experiments SET decision = 'discarded' WHERE number = 4", 4, "rule says kept"),
        ("UPDATE experiments SET decision = 'kept' WHERE number = 3", 3, "rule says discarded"),
        ("UPDATE experiments SET gain = 0.2 WHERE number = 1", 1, "ledger says gain = 0.2"),
        ("UPDATE experiments SET standard_error = 0 WHERE number = 1", 1, "standard_error = 0"),
        ("UPDATE experiments SET parent = 0 WHERE number = 2", 2, "compared with experiment 0"),
        ("UPDATE trials SET score = 0.1 WHERE experiment = 2", 2, "says score = 0.1"),
        ("UPDATE trials SET seconds = 0.1 WHERE experiment = 2", 2, "says seconds = 0.1"),
        ("UPDATE trials SET attempts = 2 WHERE experiment = 2", 2, "says attempts = 2"),
        ("UPDATE trials SET outcome = 'timeout' WHERE experiment = 3", 3, "outcome = timeout"),
        ("UPDATE trials SET log = 'other' WHERE experiment = 3", 3, "another log"),
        ("UPDATE experiments SET candidate = 'pass' WHERE number = 2", 2, "another candidate"),
        ("DELETE FROM trials WHERE experiment = 2", 2, "does not have its trial"),
        ("UPDATE experiments SET message = replace(message, 'kept', 'best') WHERE number = 1", 1,
         "not of what the ledger has"),
        ("""UPDATE run SET settings = replace(settings, '"min_gain":0.005', '"min_gain":0.5')""",
         0, "settings were other ones"),
        ("UPDATE run SET prepare = 'pass'", None, "files are not those of the task"),
    ],
)  # fmt: skip
def test_a_changed_ledger_is_named_by_its_experiment(
    folder: Path, change: str, experiment: int | None, says: str
) -> None:
    """What was measured is signed, and what was decided follows from it."""
    assert verify(folder, None).findings == []
    with sqlite3.connect(folder / "ledger.sqlite") as db:
        assert db.execute(change).rowcount == 1
    found = [f for f in verify(folder, None).findings if says in f.problem]
    assert experiment in [f.experiment for f in found]


@pytest.mark.claim("decisions-are-made-again")
def test_a_commit_without_a_receipt_is_named(folder: Path) -> None:
    """Beside the experiments and on top of `main`."""
    with git.Repo(folder / "repository") as repository:
        with repository.config_writer() as config:
            config.set_value("user", "name", "x").set_value("user", "email", "x@localhost")
        (folder / "repository" / "train.py").write_text("print('not run')\n")
        repository.git.commit("-aqm", "a gain")
        commit = repository.head.commit.hexsha
        repository.git.update_ref("refs/experiments/99", commit)
        repository.git.gc("-q")
    found = [finding.problem for finding in verify(folder, None).findings]
    assert found == [
        next(problem for problem in found if problem.startswith(f"`main` is at {commit}")),
        f"The commit {commit} at refs/experiments/99 has no receipt.",
    ]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE experiments SET decided_at = 'yesterday' WHERE number = 1",
        "UPDATE experiments SET parent = 77 WHERE number = 1",
        "UPDATE run SET settings = '{}'",
        "UPDATE trials SET outcome = 'won' WHERE experiment = 1",
    ],
)
def test_a_ledger_that_no_run_writes_is_refused(folder: Path, change: str) -> None:
    """A stranger's file may have anything in its rows; that is told, and nothing breaks."""
    with sqlite3.connect(folder / "ledger.sqlite") as db:
        assert db.execute(change).rowcount == 1
    with pytest.raises(Failed, match="rows that no run writes"):
        verify(folder, None)


def test_a_moved_ref_and_a_lost_object_are_named(folder: Path) -> None:
    """Each experiment's commit is there, whole, and where it should be."""
    with git.Repo(folder / "repository") as repository:
        baseline = repository.commit("refs/experiments/0").hexsha
        lost = repository.commit("refs/experiments/2").tree["train.py"].hexsha
        repository.git.update_ref("refs/experiments/3", baseline)
    (folder / "repository" / ".git" / "objects" / lost[:2] / lost[2:]).unlink()
    found = {f.experiment: f.problem for f in verify(folder, None).findings}
    assert set(found) == {2, 3}
    assert "missing or broken" in found[2]
    assert f"at {baseline}" in found[3]


@pytest.mark.claim("receipts-keep-secrets")
def test_no_agent_is_shown_a_receipt(folder: Path, tmp_path: Path) -> None:
    """Nothing that one says of a trial is in what an agent is given or may clone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEALED_RUNS", str(tmp_path / "runs"))
        sandbox, agent = FakeSandbox(landscape=lambda _: 1.0), Scripted(*SCRIPT)
        with opened(sandbox) as run:
            drive(run, sandbox, agent)
            shown = msgspec.json.encode(agent.views[-1]).decode()
            shown += "".join(e.message or "" for e in run.ledger.experiments())
            chain = sandbox.receipts(run.row.id, 0).receipts
    said = [json.loads(b64decode(json.loads(line)["payload"]))["predicate"] for line in chain]
    for receipt in said:
        for name in ("seed", "transcript", "policy", "data", "previous", "log"):
            assert not receipt.get(name) or receipt[name] not in shown
    assert "urn:sealed" not in shown


def test_a_run_that_is_not_over_says_so(folder: Path, home: Path, tmp_path: Path) -> None:
    """It goes on after its closing receipt, which is then in the middle, and is closed again."""
    shutil.copytree(home, tmp_path / "home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEALED_RUNS", str(tmp_path / "home" / "runs"))
        sandbox = FakeSandbox(tmp_path / "home", landscape=lambda _: 1.0)
        with opened(sandbox) as run:
            drive(run, sandbox, Scripted(*SCRIPT, *candidates(*["score=0.4"] * 5)[4:]))
        found = verify(tmp_path / "home" / "runs" / "run", None)
    assert found.findings == []
    assert (found.receipts, found.experiments) == (12, 6)
