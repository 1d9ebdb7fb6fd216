"""What happened in a run, in SQLite: the truth that repository and exports are made from.

WAL with `synchronous=FULL`: a change that returned survives a power cut. Every change of an
experiment's state is one transaction that demands the state before it, so a change can neither be
skipped nor made twice.
"""

import hashlib
from collections.abc import Iterable, Sequence

import msgspec

from controller.decision import Judgement, Look
from controller.errors import NotFound
from controller.ledger.calls import Calls
from controller.ledger.rows import (
    Accepted,
    Call,
    Cost,
    Experiment,
    Halt,
    Model,
    NewRun,
    Now,
    Refusal,
    RunLimits,
    RunRow,
    Scored,
    Session,
    Spending,
    State,
    Tally,
    Trial,
    TrialRecord,
    Wanted,
)
from controller.ledger.trials import Trials
from sandbox.api import Check, Outcome, Progress, TaskSettings, TrialResult

__all__ = [
    "Accepted",
    "Call",
    "Cost",
    "Experiment",
    "Halt",
    "Ledger",
    "Model",
    "NewRun",
    "Now",
    "Refusal",
    "RunLimits",
    "RunRow",
    "Scored",
    "Session",
    "Spending",
    "State",
    "Tally",
    "Trial",
    "TrialRecord",
    "Wanted",
    "candidate_hash",
]

_LAST = 2**63 - 1
"""The highest number that there can be."""


def candidate_hash(candidate: str) -> str:
    """SHA-256 of a candidate's UTF-8, in hexadecimal."""
    return hashlib.sha256(candidate.encode()).hexdigest()


class Ledger(Calls, Trials):
    """One run's story. Its models' calls are in `calls`, what is asked of trials in `trials`."""

    # ---- reading --------------------------------------------------------------------------------

    def run(self) -> RunRow | None:
        """The run, or None while it is not created."""
        row = self._one("run") if self._version() else None
        if row is None:
            return None
        row["settings"] = msgspec.json.decode(row["settings"], type=TaskSettings)
        row["limits"] = RunLimits(**{name: row.pop(name) for name in RunLimits.__struct_fields__})
        return msgspec.convert(row, RunRow)

    def limits(self) -> RunLimits:
        """As they are now: another process may have changed them."""
        row = self.run()
        return RunLimits() if row is None else row.limits

    def experiments(self, first: int = 0, last: int = _LAST) -> list[Experiment]:
        """Experiments by number, the unfinished one included; by default all."""
        return self._experiments(first, last)

    def experiment(self, number: int) -> Experiment:
        """Raises `NotFound`."""
        found = self._experiments(number, number)
        if not found:
            raise NotFound(f"This run has no experiment {number}.", "`sealed experiment list`.")
        return found[0]

    def unfinished(self) -> Experiment | None:
        """The experiment that is not recorded yet; there is at most one."""
        newest = self._experiments(None, _LAST)
        return newest[0] if newest and newest[0].state is not State.recorded else None

    def champion(self) -> Experiment | None:
        """The best kept candidate's experiment; None before the baseline has a score."""
        row = self._one("champion")
        return None if row is None else self.experiment(row["number"])

    def kept(self) -> list[Experiment]:
        """Kept candidates by number, those that were dethroned later too; not the baseline."""
        return [self.experiment(row["number"]) for row in self._all("kept")]

    def commits(self) -> dict[int, str]:
        """Commits of the recorded experiments."""
        return {row["number"]: row["commit_id"] for row in self._all("commits")}

    def recorded_by_agent(self) -> dict[str, int]:
        """How many experiments each agent has made; the baseline is nobody's."""
        return {row["agent"]: row["count"] for row in self._all("recorded_by_agent")}

    def refused_by_agent(self) -> dict[str, int]:
        """How many proposals of each agent were refused."""
        return {row["agent"]: row["count"] for row in self._all("refused_by_agent")}

    def scores(self) -> list[Scored]:
        """All scores by number, that of an experiment which is not decided yet included."""
        return [msgspec.convert(row, Scored, strict=False) for row in self._all("scores")]

    def candidate(self, number: int) -> str:
        """The text of an experiment's candidate."""
        return self.candidates(number, number)[number]

    def candidates(self, first: int = 0, last: int = _LAST) -> dict[int, str]:
        """Candidates' texts by experiment; by default of all."""
        rows = self._all("candidates", first=first, last=last)
        return {row["number"]: row["candidate"] for row in rows}

    def log(self, number: int, letters: int) -> str:
        """The last `letters` characters of the log of an experiment's trial."""
        row = self._one("log", letters=letters, number=number)
        return "" if row is None else str(row["log"])

    def number_of(self, candidate: str) -> int | None:
        """The experiment that has exactly this text."""
        row = self._one("number_of_candidate", candidate_hash=candidate_hash(candidate))
        return None if row is None else row["number"]

    def number_of_fingerprint(self, fingerprint: str) -> int | None:
        """The first experiment that has this fingerprint."""
        row = self._one("number_of_fingerprint", fingerprint=fingerprint)
        return None if row is None else row["number"]

    def without_fingerprint(self) -> list[int]:
        """Experiments that the sandbox was not asked about yet: the baseline, at first."""
        return [row["number"] for row in self._all("without_fingerprint")]

    def refusals(self, *, after: int = -1) -> list[Refusal]:
        """What was refused in place of the experiments after a number; by default all."""
        return [msgspec.convert(row, Refusal) for row in self._all("refusals", after=after)]

    def sessions(self) -> list[Session]:
        return [msgspec.convert(row, Session) for row in self._all("sessions")]

    def accepted(self) -> list[Accepted]:
        """Findings of the doctor that a person ran in spite of."""
        return [msgspec.convert(row, Accepted) for row in self._all("accepted")]

    def wanted(self) -> Wanted:
        """What a person wants of the run."""
        row = self._one("wanted")
        return Wanted.running if row is None else Wanted(row["wanted"])

    def wanted_at(self) -> str:
        """When a person last said so; empty: never."""
        row = self._one("wanted")
        return "" if row is None else str(row["wanted_at"])

    def now(self) -> Now | None:
        """What the process that drives the run is doing; after a kill, what it was doing."""
        row = self._one("now")
        return None if row is None else msgspec.convert(row, Now)

    def receipts(self) -> list[str]:
        """The sandbox's receipts of this run that are stored, in their order."""
        return [row["line"] for row in self._all("receipts")]

    def count_receipts(self) -> int:
        row = self._one("count_receipts")
        return 0 if row is None else int(row["count"])

    def tally(self) -> Tally:
        return msgspec.convert(self._one("tally", today=self._today()), Tally)

    def outcomes(self) -> dict[Outcome, int]:
        """How many experiments after the baseline ended in which way."""
        return {Outcome(row["outcome"]): row["count"] for row in self._all("outcomes")}

    # ---- writing --------------------------------------------------------------------------------

    def create_run(self, run: NewRun, train: str) -> None:
        """Store the run and propose its baseline, the task's own train.py."""
        with self._change():
            fields = msgspec.structs.asdict(run)
            fields["settings"] = msgspec.json.encode(run.settings).decode()
            limits = msgspec.structs.asdict(fields.pop("limits"))
            self._write("insert_run", **fields, **limits)
            self._write(
                "insert_experiment",
                agent="task",
                hypothesis="the task's own train.py",
                candidate=train,
                candidate_hash=candidate_hash(train),
                fingerprint=None,
                parent=None,
            )

    def limit_run(self, limits: RunLimits) -> None:
        """Change the limits that are given."""
        with self._change():
            self._write("limit_run", **msgspec.structs.asdict(limits))

    def accept(self, findings: Iterable[Check]) -> None:
        """Store findings of the doctor that a person runs in spite of."""
        with self._change():
            for check in findings:
                self._write("accept", finding=check.name, detail=check.detail)

    def want(self, wanted: Wanted) -> None:
        """Say what a person wants; another process may be driving the run."""
        with self._change():
            self._write("want", wanted=wanted)

    def begin_stage(self, experiment: int, progress: Progress) -> None:
        """Say what is being done, for those who watch."""
        with self._change():
            self._write(
                "begin_stage",
                experiment=experiment,
                stage=progress.stage,
                detail=progress.detail,
                seconds=progress.seconds,
            )

    def end_stage(self) -> None:
        """Nothing is being done."""
        with self._change():
            self._do("end_stage")

    def set_fingerprint(self, number: int, fingerprint: str) -> None:
        """Store what the sandbox made of an experiment's candidate."""
        with self._change():
            self._write("set_fingerprint", number=number, fingerprint=fingerprint)

    def propose(
        self,
        *,
        agent: str,
        hypothesis: str,
        candidate: str,
        fingerprint: str | None = None,
        parent: int,
    ) -> None:
        """Store the next experiment's candidate; its fingerprint can follow."""
        with self._change():
            self._write(
                "insert_experiment",
                agent=agent,
                hypothesis=hypothesis,
                candidate=candidate,
                candidate_hash=candidate_hash(candidate),
                fingerprint=fingerprint,
                parent=parent,
            )

    def refuse(self, *, agent: str, hypothesis: str, reason: str) -> None:
        """Store a proposal that is no candidate."""
        with self._change():
            self._write("insert_refusal", agent=agent, hypothesis=hypothesis, reason=reason)

    def refuse_experiment(self, experiment: Experiment, reason: str) -> None:
        """Turn an experiment that the sandbox would not run into a refusal; its number is free."""
        with self._change():
            self._write("delete_experiment", number=experiment.number)
            self._write(
                "insert_refusal",
                agent=experiment.agent,
                hypothesis=experiment.hypothesis,
                reason=reason,
            )

    def start(self, experiment: Experiment, key: str) -> None:
        """proposed → running"""
        with self._change():
            self._write("start_experiment", number=experiment.number)
            self._insert_trial(key, experiment.number, 1, experiment.number)

    def begin_trial(self, key: str, *, experiment: int, number: int, asked_by: int) -> None:
        """Store that another trial comes, in the course of the experiment that asked for it."""
        with self._change():
            self._insert_trial(key, experiment, number, asked_by)

    def finish_trial(self, result: TrialResult, receipts: Sequence[str] = ()) -> None:
        """Store what a trial came to."""
        with self._change():
            self._write("finish_trial", **msgspec.structs.asdict(result))
            self._add_receipts(receipts)

    def add_look(self, experiment: int, look: Look, receipts: Sequence[str] = ()) -> None:
        """Store what the sandbox said of an experiment's trials beside the champion's."""
        fields = msgspec.structs.asdict(look)
        if look.comparison is not None:
            fields["comparison"] = msgspec.json.encode(look.comparison).decode()
        with self._change():
            self._write("insert_look", experiment=experiment, **fields)
            self._add_receipts(receipts)

    def measure(self, experiment: Experiment) -> None:
        """running → measured"""
        with self._change():
            self._write("measure_experiment", number=experiment.number)

    def decide(self, experiment: Experiment, judgement: Judgement, message: str) -> None:
        """measured → decided"""
        with self._change():
            self._write(
                "decide_experiment",
                number=experiment.number,
                message=message,
                **msgspec.structs.asdict(judgement),
            )

    def record(self, experiment: Experiment, commit_id: str) -> None:
        """decided → recorded"""
        with self._change():
            self._write("record_experiment", number=experiment.number, commit_id=commit_id)
            self._do("end_stage")

    def begin_session(self, receipts: Sequence[str] = ()) -> None:
        """From here on, every change also says that the session lives."""
        with self._change():
            self._add_receipts(receipts)
            self._write("insert_session")
            session = self._last_row()
        self._session = session

    def see_session(self) -> None:
        """Say that the session lives."""
        with self._change():
            pass

    def end_session(self, halt: Halt, detail: str, receipts: Sequence[str] = ()) -> None:
        """Say why it ended; one that could not even begin has nothing to end."""
        if self._session is None:
            return
        with self._change():
            self._add_receipts(receipts)
            self._write("end_session", session=self._session, halt=halt, detail=detail)
            self._do("end_stage")
        self._session = None

    def _add_receipts(self, lines: Sequence[str]) -> None:
        for number, line in enumerate(lines, self.count_receipts()):
            self._write("insert_receipt", number=number, line=line)

    def _insert_trial(self, key: str, experiment: int, number: int, asked_by: int) -> None:
        fields = {"experiment": experiment, "number": number, "asked_by": asked_by}
        self._write("insert_trial", key=key, **fields)

    def _experiments(self, first: int | None, last: int) -> list[Experiment]:
        rows = self._all("experiments", first=first, last=last)
        return [msgspec.convert(row, Experiment) for row in rows]
