"""The arms of an attack: on the sandbox as it is, and where it gains."""

import secrets
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from controller.errors import Failed
from controller.selftest.canary import Seen, parse
from controller.selftest.catalogue import ROOT, Attack, Control
from controller.selftest.loop import loop_candidate, loop_task, read_loop, with_settings
from controller.task import find_task, read_task
from controller.trial import run_trial
from sandbox.api import OnProgress, Outcome, Sandbox, Task, TaskFiles, TrialRequest, no_progress

_BELIEVED = 0.005
"""What a rehearsal that believes an attack must show: better than honest by more than this."""
_TRIES = 3
"""A busy machine may end an attack before it has tried anything; what gained is not tried again."""
_SAID = 40


class Item(Struct, frozen=True, kw_only=True):
    """One attack's line."""

    attack: str
    group: str
    expected: str
    seen: str
    gained: bool | None
    """None: it can't be told, for the attack was not tried, or ended as nobody expects."""
    control: str
    """What it gains where it gains, or what is to be flipped to see it."""
    control_gained: bool | None
    """None: it was not measured."""
    defences: tuple[str, ...]
    seconds: float


class Selftest:
    """Runs attacks, by the client's API alone; what it prepares is forgotten at the end."""

    def __init__(
        self,
        sandbox: Sandbox,
        progress: OnProgress = no_progress,
        root: Path = ROOT,
        change: Callable[[TaskFiles], TaskFiles] = lambda files: files,
    ) -> None:
        """`change` is for control arms: what becomes of a task before it is prepared."""
        self._sandbox = sandbox
        self._progress = progress
        self._root = root
        self._change = change
        self._there = {task.hash for task in sandbox.tasks()}
        self._tasks: dict[str, Task] = {}
        self._honest: dict[str, Seen] = {}

    def close(self) -> None:
        """Forget the tasks that were not there before."""
        for task in self._tasks.values():
            if task.hash not in self._there:
                self._sandbox.forget(task.hash)
        self._tasks.clear()

    # ---- one attack ----------------------------------------------------------------------------

    def item(self, attack: Attack) -> Item:
        """Both columns of one attack."""
        began = time.monotonic()
        gained, told = judged(attack, seen := self.sealed(attack))
        for _ in range(_TRIES - 1):
            if gained is None:
                gained, told = judged(attack, seen := self.sealed(attack))
        control, control_gained = self._control(attack, seen)
        return Item(
            attack=attack.name,
            group=attack.header.group,
            expected=" or ".join(attack.header.expected),
            seen=told,
            gained=gained,
            control=control,
            control_gained=control_gained,
            defences=attack.header.defences,
            seconds=round(time.monotonic() - began, 1),
        )

    def sealed(self, attack: Attack) -> list[Seen]:
        """One trial for each of its variants."""
        files = self._files(attack)
        honest = self.honest(attack)
        task = self._task(files)
        found = [self._trial(task, text, honest) for text in attack.candidates(files.train)]
        if any(canary.startswith("reaped ") for canary in attack.header.canaries):
            left = self._sandbox.reap()
            found[-1] = replace(found[-1], reaped=left.containers + left.volumes)
        return found

    def looped(self, attack: Attack) -> list[Seen]:
        """What the naive loop makes of it, up to the first variant that gains.

        Empty: the loop did not come to its end.
        """
        files = self._files(attack)
        task = self._task(loop_task(files))
        seen: list[Seen] = []
        for text in attack.candidates(files.train):
            looped = loop_candidate(text, files.train)
            request = TrialRequest(key=_key(), task=task.hash, candidate=looped)
            result = run_trial(self._sandbox, request, self._progress)
            seen = read_loop(result, task.settings.goal)
            if gains(attack, seen):
                break
        return seen

    def honest(self, attack: Attack) -> Seen:
        """What the `train.py` of its task gets, once for each task. Raises `Failed`."""
        files = self._files(attack)
        if (name := files.name) not in self._honest:
            seen = self._trial(self._task(files), files.train, None)
            if seen.score is None:
                raise Failed(f"The task {name} has no honest score: {seen.outcome}.", seen.reason)
            self._honest[name] = seen
        return self._honest[name]

    def _control(self, attack: Attack, seen: list[Seen]) -> tuple[str, bool | None]:
        if attack.header.control is Control.loop:
            looped = self.looped(attack)
            gain = gains(attack, looped)
            return gain or ("gains nothing" if looped else "did not run"), bool(gain)
        if attack.header.control is Control.rehearsal:
            gain = next(filter(None, (_believed(one) for one in seen)), "")
            return gain or "gains nothing", bool(gain)
        return f"--control flips {', '.join(attack.header.defences)}", None

    # ---- trials --------------------------------------------------------------------------------

    def _files(self, attack: Attack) -> TaskFiles:
        header = attack.header
        small = self._root / "tests" / "tasks" / header.task
        folder = small if small.is_dir() else self._root / "tasks" / header.task
        files = read_task(find_task(str(folder)))
        given = {"budget_seconds": header.budget_seconds, "memory_mib": header.memory_mib}
        return self._change(with_settings(files, given))

    def _task(self, files: TaskFiles) -> Task:
        if files.name not in self._tasks:
            self._tasks[files.name] = self._sandbox.prepare(files, self._progress)
        return self._tasks[files.name]

    def _trial(self, task: Task, candidate: str, honest: Seen | None) -> Seen:
        request = TrialRequest(key=_key(), task=task.hash, candidate=candidate)
        result = run_trial(self._sandbox, request, self._progress)
        return Seen(
            outcome=result.outcome,
            score=result.score,
            rehearsal=result.rehearsal_score,
            honest=None if honest is None else honest.score,
            honest_rehearsal=None if honest is None else honest.rehearsal,
            goal=task.settings.goal,
            log=result.log,
            reason=result.reason,
            seconds=result.seconds,
            log_bytes=result.log_bytes,
            attempts=result.attempts,
        )


def gains(attack: Attack, seen: list[Seen]) -> str:
    """The first canary that appears in one of the attack's trials; empty: none."""
    looks = [parse(canary) for canary in attack.header.canaries]
    return next(filter(None, (look(one) for one in seen for look in looks)), "")


def judged(attack: Attack, seen: list[Seen]) -> tuple[bool | None, str]:
    """Whether it gained, and what there is to see."""
    counts = Counter(one.outcome for one in seen)
    told = ", ".join(
        f"{outcome} {count} times" if count > 1 else outcome for outcome, count in counts.items()
    )
    if gain := gains(attack, seen):
        return True, f"{told}; {gain}"
    tried = attack.header.tried
    if strange := [one for one in seen if one.outcome not in set(attack.header.expected)]:
        return None, f"{told}: {strange[0].reason}"
    if tried and not all(one.said(tried) for one in seen):
        return None, f"{told}; it never said {tried!r}"
    if tried and tried != "beat" and (said := seen[-1].said(tried)[-1].strip()):
        told += f", {tried}: {said[:_SAID]}"
    elif seen[-1].outcome == Outcome.scored:
        told += f", {seen[-1].score:.4g} against {seen[-1].honest:.4g}"
    return False, told


def _believed(seen: Seen) -> str:
    if seen.rehearsal is None or seen.honest_rehearsal is None:
        return ""
    return parse(f"rehearsal beats {_BELIEVED}")(seen)


def _key() -> str:
    return f"selftest-{secrets.token_hex(8)}"
