"""How a run stands, in a sentence, with what a person can do about it. Pure."""

from enum import StrEnum

from msgspec import Struct

from controller.ledger import Halt, State, Wanted
from controller.status import Status
from controller.supervisor import Doing, Serving
from controller.web.words import later
from sandbox.api import Progress, Stage

_STAGES = {
    Stage.waiting: "waiting for a free place",
    Stage.building: "starting fresh containers",
    Stage.training: "training",
    Stage.rehearsing: "rehearsing on public data",
    Stage.scoring: "scoring on held-out data",
    Stage.preparing: "preparing the task's data",
    Stage.hashing: "checking the task's data",
    Stage.examining: "checking what this machine keeps",
}
_HALTS = {
    Halt.experiments: "`sealed resume {run} --experiments N` goes on with a higher limit.",
    Halt.hours: "`sealed resume {run} --hours H` goes on with a higher limit.",
    Halt.plateau: "`sealed resume {run} --plateau N` goes on with a higher limit.",
    Halt.dollars: "`sealed resume {run} --dollars D` goes on with a higher limit.",
    Halt.tokens: "`sealed resume {run} --tokens N` goes on with a higher limit.",
    Halt.calls: "`sealed resume {run} --calls N` goes on with a higher limit.",
    Halt.day: "It goes on by itself on the next day (UTC), or with a higher limit.",
    Halt.provider: "It is tried again by itself; look at the provider, its quota and the key.",
    Halt.paused: "`sealed resume {run}` goes on.",
    Halt.stopped: "`sealed resume {run}` goes on; the trial that was cancelled begins anew.",
    Halt.disk: "Make space where the runs are stored; it goes on by itself.",
    Halt.exhausted: "Start another run, with another agent or other marks in train.py.",
    Halt.baseline: "Experiment 0 says why. Mend the task; that is a new run.",
    Halt.errors: "`sealed doctor` says what is wrong with this machine.",
    Halt.dishonest: "Look at the experiments that ended dishonest before you go on.",
    Halt.refusals: "Look at the refused proposals below, and at what the agent is told.",
    Halt.failed: "Mend what it says; then `sealed resume {run}`.",
    Halt.interrupted: "`sealed run` with `--name {run}`, or `sealed serve`, goes on from here.",
}
_KILLED = "`sealed run` with `--name {run}`, or `sealed serve`, goes on; nothing is run twice."


class Tone(StrEnum):
    """What a person should feel."""

    busy = "busy"
    """It works; nothing to do."""
    held = "held"
    """It rests: a limit, or a person."""
    wrong = "wrong"
    """It needs a person, or waits for something to pass."""


class Standing(Struct, frozen=True, kw_only=True):
    """What is going on, and what to do about it."""

    word: str
    """One word of: preparing, proposing, trying, deciding, pausing, paused, stopping, waiting,
    halted, killed."""
    tone: Tone
    text: str
    next_step: str = ""
    ends_at: str | None = None
    """When the present stage ends at the latest, where that is known. UTC, ISO 8601."""


def of_serving(serving: Serving) -> Standing:
    """How the process stands that serves the page, while no run is driven."""
    match serving.doing:
        case Doing.waiting:
            text = f"waiting, and trying again: {serving.problem}"
            return Standing(word="waiting", tone=Tone.wrong, text=text, next_step=serving.next_step)
        case Doing.halted:
            text = f"halted: {serving.problem}"
            return Standing(word="halted", tone=Tone.wrong, text=text, next_step=serving.next_step)
        case _:
            text = f"preparing the task {serving.task}"
            if serving.stage is not None:
                text += f": {_stage(serving.stage.stage, serving.stage.detail)}"
            return Standing(
                word="preparing",
                tone=Tone.busy,
                text=text,
                ends_at=_end(serving.since, serving.stage),
            )


def of_run(status: Status, serving: Serving | None) -> Standing:
    """How a run stands; `serving` where it is the one that is served."""
    if status.driven:
        return _driven(status)
    if serving is not None and serving.doing in (Doing.waiting, Doing.preparing):
        return of_serving(serving)
    if status.halt is None:
        return Standing(
            word="killed",
            tone=Tone.wrong,
            text="killed: the process that drove it is gone",
            next_step=_KILLED.format(run=status.run),
        )
    detail, next_step = status.halt_detail or "", _HALTS[status.halt].format(run=status.run)
    if serving is not None and serving.problem:
        detail, next_step = serving.problem, serving.next_step or next_step
    resting = status.halt in (
        Halt.experiments,
        Halt.hours,
        Halt.plateau,
        Halt.dollars,
        Halt.tokens,
        Halt.calls,
        Halt.day,
        Halt.paused,
        Halt.stopped,
        Halt.exhausted,
        Halt.interrupted,
    )
    return Standing(
        word="halted",
        tone=Tone.held if resting else Tone.wrong,
        text=f"halted ({status.halt}): {detail}",
        next_step=next_step,
    )


def _driven(status: Status) -> Standing:
    resume = _HALTS[Halt.paused].format(run=status.run)
    if status.wanted is Wanted.paused and status.current is None:
        return Standing(
            word="paused", tone=Tone.held, text="paused: a person paused it", next_step=resume
        )
    if status.wanted is Wanted.stopped:
        return Standing(word="stopping", tone=Tone.held, text="stopping: a person stopped it")
    if status.waits_for is not None:
        return Standing(
            word="waiting",
            tone=Tone.wrong,
            text=f"waiting: {status.waits_for}",
            next_step="It goes on by itself; `sealed status` has the limits and what is spent.",
        )
    if status.current is None:
        return Standing(word="proposing", tone=Tone.busy, text="proposing the next candidate")
    doing = f"experiment {status.current}"
    ends_at = None
    if status.state in (State.measured, State.decided):
        doing += ": deciding"
    elif status.now is not None and status.now.experiment == status.current:
        doing += f": {_stage(status.now.stage, status.now.detail)}"
        if status.now.seconds is not None:
            ends_at = later(status.now.since, status.now.seconds)
    if status.wanted is Wanted.paused:
        text = f"{doing}; a person paused the run, and it waits after this experiment"
        return Standing(
            word="pausing", tone=Tone.held, text=text, next_step=resume, ends_at=ends_at
        )
    word = "deciding" if doing.endswith("deciding") else "trying"
    return Standing(word=word, tone=Tone.busy, text=doing, ends_at=ends_at)


def _stage(stage: Stage, detail: str) -> str:
    return f"{_STAGES[stage]} ({detail})" if detail else _STAGES[stage]


def _end(since: str, stage: Progress | None) -> str | None:
    return None if stage is None or stage.seconds is None else later(since, stage.seconds)
