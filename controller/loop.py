"""The loop: propose a candidate, run it, decide on it, record it; again, until a reason to halt.

How far an experiment has come is in the ledger alone, and each round of the loop does the one
step that is next. Killed anywhere and started again, it goes on with that step: a trial's key is
stored before the trial, a commit is made of stored bytes, so a step that is done twice has the
effect of one.
"""

import sqlite3
from contextlib import suppress
from typing import Protocol

from msgspec.structs import replace

from controller.agents.base import Agent
from controller.candidate import Unfit
from controller.decision import Decision, Judgement
from controller.errors import ControllerError
from controller.halting import Halted, halted, held, is_full
from controller.ledger import Experiment, Halt, State
from controller.measuring import judged, measure
from controller.message import commit_message
from controller.proposal import checked
from controller.run import Run
from controller.trial import Stopped
from sandbox.api import Progress, Sandbox
from sandbox.errors import BadCandidate, NoSpace, SandboxError


class Watcher(Protocol):
    """Is told what happens, while it happens."""

    def begun(self, experiment: Experiment) -> None:
        """An experiment goes to the sandbox, perhaps not for the first time."""
        ...

    def progress(self, progress: Progress) -> None:
        """Its trial has come to another stage."""
        ...

    def recorded(self, experiment: Experiment) -> None:
        """It is over."""
        ...

    def refused(self, unfit: Unfit) -> None:
        """A proposal was no candidate."""
        ...


class Loop:
    """Drives one run with one agent. Errors pass through; the run can go on later."""

    def __init__(self, run: Run, agent: Agent, sandbox: Sandbox, watcher: Watcher) -> None:
        self._run = run
        self._ledger = run.ledger
        self._agent = agent
        self._sandbox = sandbox
        self._watcher = watcher

    def drive(self) -> Halted:
        """Go on with the run until it halts; says why."""
        try:
            self._ledger.begin_session(self._run.new_receipts(self._sandbox))
            end = self._until_halted()
        except NoSpace as fault:
            end = Halted(halt=Halt.disk, detail=str(fault))
        except (OSError, sqlite3.Error) as fault:
            end = self._full(fault)
        except KeyboardInterrupt:
            self._end_session(Halt.interrupted, "A person or the system stopped it.")
            raise
        except (ControllerError, SandboxError) as fault:
            self._end_session(Halt.failed, str(fault))
            raise
        try:
            self._end_session(end.halt, end.detail)
        except sqlite3.Error as fault:
            full = self._full(fault)  # then the session is as after a kill
            return end if end.halt is Halt.disk else full
        return end

    def _end_session(self, halt: Halt, detail: str) -> None:
        """Say why it ended, and have the receipts closed, if the sandbox still answers."""
        receipts: list[str] = []
        with suppress(SandboxError, ControllerError, OSError):
            kept = self._ledger.kept_trials()
            self._sandbox.close_run(self._run.row.id, kept)
            receipts = self._run.new_receipts(self._sandbox)
        self._ledger.end_session(halt, detail, receipts)

    def _full(self, fault: Exception) -> Halted:
        """Halt where an error means that there is no space; raise it where it does not."""
        if not is_full(self._run.free_bytes()):
            raise fault
        return Halted(halt=Halt.disk, detail=f"The disk is full where the run is stored: {fault}.")

    def _until_halted(self) -> Halted:
        while True:
            match self._ledger.unfinished():
                case Experiment(state=State.measured) as experiment:
                    self._decide(experiment)
                case Experiment(state=State.decided) as experiment:
                    self._record(experiment)
                case experiment:
                    if end := held(self._ledger.wanted()):
                        return end
                    if experiment is not None:
                        self._try(experiment)
                    elif end := self._propose():
                        return end

    def _propose(self) -> Halted | None:
        """Ask the agent for a candidate, or say why there will be none."""
        self._ledger.see_session()
        champion = self._ledger.champion()
        end = halted(
            self._ledger.tally(),
            self._run.row.limits,
            has_champion=champion is not None,
            free_bytes=self._run.free_bytes(),
        )
        if end is not None or champion is None:
            return end
        name = self._agent.name
        proposal = self._agent.propose(self._run.view())
        if proposal is None:
            return Halted(halt=Halt.exhausted, detail=f"{name} has no more candidates.")
        if isinstance(proposal, Halted):
            return proposal
        for number in self._ledger.without_fingerprint():
            fingerprint = self._sandbox.fingerprint(self._ledger.candidate(number))
            self._ledger.set_fingerprint(number, fingerprint)
        found = checked(proposal, self._ledger, self._sandbox)
        name = found.agent or name
        if isinstance(found, Unfit):
            self._ledger.refuse(agent=name, hypothesis=found.hypothesis, reason=found.reason)
            self._watcher.refused(found)
        else:
            self._ledger.propose(
                agent=name,
                hypothesis=found.hypothesis,
                candidate=found.source,
                fingerprint=found.fingerprint,
                parent=champion.number,
            )
        return None

    def _try(self, experiment: Experiment) -> None:
        """Have the candidate trained, rehearsed and scored, as often as the rule asks."""
        if experiment.state is State.proposed:
            self._ledger.start(experiment, self._run.trial_key(experiment.number))
        self._watcher.begun(experiment)
        try:
            measure(self._run, self._sandbox, experiment, self._watcher.progress)
        except Stopped:
            return
        except BadCandidate as refused:
            if experiment.number == 0:
                raise
            self._ledger.refuse_experiment(experiment, str(refused))
            self._watcher.refused(Unfit(hypothesis=experiment.hypothesis, reason=str(refused)))

    def _decide(self, experiment: Experiment) -> None:
        """Fix the decision and the text of the commit."""
        settings = self._run.row.settings
        judgement = judged(self._ledger, settings, experiment)
        assert isinstance(judgement, Judgement)  # or it would not have been measured
        decided = replace(
            experiment,
            decision=judgement.decision,
            gain=judgement.gain,
            standard_error=judgement.standard_error,
        )
        seen = self._run.seen(decided, candidate="", log="")
        message = commit_message(
            seen, run=self._run.row.id, agent=experiment.agent, metric=settings.metric
        )
        self._ledger.decide(experiment, judgement, message)

    def _record(self, experiment: Experiment) -> None:
        """Put the candidate into the repository; a kept one becomes the head of `main`."""
        commit = self._run.commit(experiment)
        # The task's own files are the root of `main`, whatever became of the baseline.
        if experiment.decision is Decision.kept or experiment.number == 0:
            self._run.set_main(experiment, commit)
        else:
            self._run.follow_champion()  # one that was caught in this experiment is none any more
        self._ledger.record(experiment, commit)
        self._run.repository.tidy()
        self._watcher.recorded(experiment)
