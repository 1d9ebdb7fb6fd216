"""What the tests of a run's repository share: git's own view of it, commits, the root."""

import os
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from controller.decision import Decision
from controller.message import commit_message
from controller.repository import Repository
from controller.visible import Seen
from sandbox.api import Outcome
from tests.unit.toy import FILES

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def git(repository: Path, *arguments: str) -> str:
    """What git says about the repository, without the user's configuration."""
    if shutil.which("git") is None:
        pytest.skip("no git program to look with")
    environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "HOME": "/nonexistent"}
    run = subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", str(repository), *arguments],
        capture_output=True,
        check=True,
        env=environment,
    )
    return run.stdout.decode()


def message(hypothesis: str, number: int = 1) -> str:
    """A commit's text as the loop makes it."""
    seen = Seen(
        number=number,
        agent="search",
        candidate="",
        hypothesis=hypothesis,
        outcome=Outcome.crash,
        decision=Decision.discarded,
        score=None,
        rehearsal_score=None,
        reason="",
        log="",
        seconds=0,
    )
    return commit_message(seen, run="abc", agent="search", metric="bits")


def root(repository: Repository) -> str:
    """The baseline's commit, made the head of main."""
    commit = repository.commit(FILES, message("baseline", 0), parent=None, when=WHEN)
    repository.set_experiment(0, commit)
    repository.set_main(commit, FILES)
    return commit
