"""tasks/text with a real engine: two rooms, each a container, and an honest beginning."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sandbox.api import Outcome, Task, TrialResult
from sandbox.containers.host import Host
from sandbox.service import Service
from sandbox.trials.results import Results
from tests.support.candidates import Bench
from tests.support.files import task_files

pytestmark = pytest.mark.docker

TEXT = Path(__file__).parents[2] / "tasks" / "text"
PROGRAMS = Path(__file__).parent / "programs"
TRAIN = (TEXT / "train.py").read_text()
PREPARE = (TEXT / "prepare.py").read_text()

MADE_UP = '''

def download() -> bytes:
    """An archive of documents whose words a salt of their own has drawn."""
    words_of = np.random.default_rng(0)
    alphabet = np.array(list("aeioulnrst"))
    lexicon = ["".join(words_of.choice(alphabet, words_of.integers(3, 9))) for _ in range(400)]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for number in range(60):
            sentences = [" ".join(words_of.choice(lexicon, 11)).capitalize() for _ in range(40)]
            data = "\\n\\n".join(sentence + "." for sentence in sentences).encode()
            member = tarfile.TarInfo(f"D-1/docs/{number}.txt")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()
'''
"""In the place of the download: a test needs no network."""

CORRECTION_ALONE = '''

def score(data: Path, predictors: Predictors) -> Score:
    """What the second room adds to each window's claims, in bits per byte."""
    asked = []

    class Heard:
        rng = predictors.rng

        def open(self, *, baseline: bool = False):
            return Room(predictors.open(baseline=baseline))

    class Room:
        def __init__(self, predictor) -> None:
            self.predictor = predictor

        def __enter__(self):
            self.predictor.__enter__()
            return self

        def __exit__(self, *fault) -> None:
            self.predictor.__exit__(*fault)

        def ask(self, question, expect):
            answer = self.predictor.ask(question, expect)
            if question["room"] == "whole":
                asked.extend(zip(map(bytes, question["windows"]), answer.mean(axis=1, dtype="f8")))
            return answer

    windows = np.load(data / "windows.npy", allow_pickle=False)
    expected = np.load(data / "reference.npy", allow_pickle=False)
    audited = two_rooms(Heard(), windows, expected)
    claims = dict(asked)
    return Score((audited - [claims[bytes(window)] for window in windows]) / np.log(2))
'''
"""In the place of the score."""

SHORT = "\nbudget_seconds: 3\n"


@pytest.fixture(scope="module")
def corrections(service: Service) -> Iterator[Task]:
    """The task with made-up documents and three seconds, whose score is the correction alone."""
    program = (TEXT / "program.md").read_text().replace("\nbudget_seconds: 12\n", SHORT)
    prepare = PREPARE + MADE_UP + CORRECTION_ALONE
    task = service.prepare(task_files(TEXT, program=program, prepare=prepare))
    yield task
    service.forget(task.hash)


def check_nothing_is_corrected(result: TrialResult, host: Host) -> None:
    """Scored, and the rooms agree up to rounding, in the mean and in each window."""
    assert result.outcome is Outcome.scored, result.reason
    values, _ = Results(host.config.home / "trials")._values(result.key)
    assert abs(values.mean()) < 1e-5
    assert np.abs(values).max() < 1e-4


@pytest.mark.slow
def test_an_honest_trial_is_scored_and_nothing_is_corrected(
    bench: Bench, corrections: Task, host: Host
) -> None:
    """From `prepare` to the score, with the baseline that ships, and no audit finds fault."""
    check_nothing_is_corrected(bench.run(TRAIN, corrections), host)


@pytest.mark.parametrize(("steps", "low", "high"), [(60, 0, 5), (0, 5, 9)])
def test_the_baseline_says_the_same_in_both_rooms(steps: int, low: float, high: float) -> None:
    """After a few steps, and after none, for the first weights are written before there is time."""
    mounts = [f"{TEXT}:/task:ro", f"{PROGRAMS / 'both_rooms.py'}:/program.py:ro"]
    command = ["docker", "run", "--rm", "--network=none", "--memory=1g", "--tmpfs=/tmp"]
    command += [f"--volume={mount}" for mount in mounts]
    command += [
        "sealed-agent",
        "/opt/sealed/venv/bin/python",
        "-I",
        "-B",
        "/program.py",
        str(steps),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["files"] == ["weights.pt"]
    assert found["dtypes"] == ["float32", "float32"]
    assert low < found["bits"] < high
    assert found["gap"] < 1e-4


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_twenty_of_twenty_honest_trials_are_scored(
    bench: Bench, corrections: Task, host: Host
) -> None:
    """With fresh seeds and fresh positions each time, honesty never looks like a lie."""
    for _ in range(20):
        check_nothing_is_corrected(bench.run(TRAIN, corrections), host)
