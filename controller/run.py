"""A run that is opened by the process that drives it.

The ledger is the truth. The repository is made from it, and what is missing there is made again
when the run is opened.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Self, overload

from controller import visible
from controller.errors import Failed
from controller.ledger import Experiment, Ledger, NewRun, RunLimits, RunRow, Wanted
from controller.repository import Repository
from controller.runs import LEDGER, PUBLIC_KEY, wanted, with_train
from sandbox.api import Sandbox, TaskFiles


class Run:
    """A created run, opened by the process that holds its lock."""

    def __init__(self, folder: Path, ledger: Ledger, row: RunRow) -> None:
        self.folder = folder
        self.ledger = ledger
        self.row = row
        self.repository = Repository(folder / "repository")
        self._restore()

    @classmethod
    @contextmanager
    def opened(cls, folder: Path, new: NewRun | None, train: str) -> Iterator[Self]:
        """Open the run in a claimed folder; `new` creates it first, on this train.py."""
        with Ledger(folder / LEDGER, writing=True) as ledger:
            if new is not None:
                ledger.create_run(new, train)
            row = ledger.run()
            if row is None:
                raise Failed(f"The run in {folder} was never created.", "Remove the folder.")
            run = cls(folder, ledger, row)
            try:
                yield run
            finally:
                run.repository.close()

    def limit(self, limits: RunLimits) -> None:
        """Change the limits that are given."""
        self.ledger.limit_run(limits)
        self.row = self.ledger.run() or self.row

    def trial_key(self, experiment: int, trial: int = 1) -> str:
        """Names a trial for ever: asked for it again, the sandbox gives what it came to."""
        return f"{self.row.id}-{experiment}-{trial}"

    def new_receipts(self, sandbox: Sandbox) -> list[str]:
        """Receipts that the sandbox has and the ledger has not; the public key is kept beside.

        Raises `Failed` if another sandbox signed the earlier ones.
        """
        chain = sandbox.receipts(self.row.id, self.ledger.count_receipts())
        file = self.folder / PUBLIC_KEY
        if not file.exists():
            draft = file.with_suffix(".draft")
            with draft.open("w", encoding="ascii") as written:
                written.write(chain.public_key)
                written.flush()
                os.fsync(written.fileno())  # an empty one would be another sandbox's
            draft.replace(file)
        elif file.read_text() != chain.public_key:
            raise Failed(
                f"The receipts of {self.folder.name} were signed with the key of another sandbox.",
                "Set SEALED_HOME to the one that the run began with, or begin a new run.",
            )
        return chain.receipts

    def is_stopped(self) -> bool:
        """Whether a person wants the run stopped; may be asked from any thread."""
        return wanted(self.folder) is Wanted.stopped

    def free_bytes(self) -> int:
        """Free space where ledger and repository are."""
        return shutil.disk_usage(self.folder).free

    def view(self) -> visible.View:
        """What an agent may know of this run; there must be a champion, and nothing unfinished."""
        settings, tally, champion = self.row.settings, self.ledger.tally(), self.ledger.champion()
        if champion is None:
            raise ValueError("a run without a champion shows nothing")
        return visible.View(
            program=self.row.program,
            metric=settings.metric,
            goal=settings.goal,
            champion=self._told(champion),
            experiments=_History(self, tally.experiments + 1),
            proposals=tally.experiments + tally.refused,
            min_gain=settings.min_gain,
            step=visible.step_told(champion, settings, self.ledger.noise_floor()),
            refused=[
                visible.Refused(agent=r.agent, hypothesis=r.hypothesis, reason=r.reason)
                for r in self.ledger.refusals(after=champion.number)
            ],
        )

    def told(self, number: int) -> visible.Seen:
        """A recorded experiment as an agent sees it."""
        return self._told(self.ledger.experiment(number))

    def _told(self, experiment: Experiment) -> visible.Seen:
        number = experiment.number
        candidate = self.ledger.candidate(number)
        return self.seen(experiment, candidate, self.ledger.log(number, visible.LOG_LETTERS))

    def seen(self, experiment: Experiment, candidate: str, log: str) -> visible.Seen:
        """A decided experiment as an agent sees it, beside the champion of its time."""
        parent = experiment.parent
        return visible.seen(
            experiment,
            None if parent is None else self.ledger.experiment(parent),
            self.row.settings,
            noise=self.ledger.noise_floor(),
            salt=self.row.salt,
            candidate=candidate,
            log=log,
        )

    def commit(self, experiment: Experiment) -> str:
        """Put a decided experiment into the repository; again, it changes nothing.

        Gives the commit's id. Does not touch `main`.
        """
        if experiment.message is None or experiment.decided_at is None:
            raise ValueError(f"experiment {experiment.number} is not decided yet")
        parent = None if experiment.parent is None else self.ledger.experiment(experiment.parent)
        commit = self.repository.commit(
            self._files(experiment),
            experiment.message,
            parent=None if parent is None else parent.commit_id,
            when=datetime.fromisoformat(experiment.decided_at),
        )
        self.repository.set_experiment(experiment.number, commit)
        return commit

    def set_main(self, experiment: Experiment, commit: str) -> None:
        """Make an experiment the head of `main`."""
        self.repository.set_main(commit, self._files(experiment))

    def follow_champion(self) -> None:
        """Make the champion the head of `main`, if it is not: one before it may have fallen."""
        champion = self.ledger.champion()
        if champion is not None and self.repository.main() != champion.commit_id:
            self.set_main(champion, str(champion.commit_id))

    def _files(self, experiment: Experiment) -> TaskFiles:
        return with_train(self.row, self.ledger.candidate(experiment.number))

    def _restore(self) -> None:
        """Make again what the repository lost, by a power cut or by hand."""
        recorded = self.ledger.commits()
        for number in self.repository.lost(recorded):
            self.commit(self.ledger.experiment(number))
        if not recorded:
            return
        head = self.ledger.champion() or self.ledger.experiment(0)
        if self.repository.main() != head.commit_id:
            self.set_main(head, str(head.commit_id))
        self.repository.tidy()


class _History(Sequence[visible.Seen]):
    """The first experiments of a run, each read when it is looked at, and then no longer kept.

    So a run of a week takes no more memory than one of an hour. What an agent is told of what is
    recorded does not change, but for a champion that falls. It is good for as long as the run is
    open.
    """

    def __init__(self, run: Run, count: int) -> None:
        self._run = run
        self._numbers = range(count)

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> visible.Seen: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[visible.Seen]: ...

    def __getitem__(self, index: int | slice) -> visible.Seen | Sequence[visible.Seen]:
        if isinstance(index, slice):
            return [self._run.told(number) for number in self._numbers[index]]
        return self._run.told(self._numbers[index])
