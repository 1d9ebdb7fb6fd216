"""What a person sees while something runs: one live line on a terminal, plain lines elsewhere."""

import math
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.live import Live
from rich.text import Text

from controller.candidate import Unfit
from controller.cli.output import console, duration, figure
from controller.decision import Decision
from controller.ledger import Experiment
from controller.text import one_line
from sandbox.api import Progress

_LETTERS = 100


class Screen:
    """A `Viewer` of a run, and of other long calls. A context manager: it draws inside."""

    def __init__(self, subject: str, *, quiet: bool = False) -> None:
        """`subject` is what is being done, such as the task's name; `quiet` leaves stdout alone."""
        self._metric = ""
        self._subject = subject
        self._stage: Progress | None = None
        self._since = time.monotonic()
        self._console = console(stderr=quiet)
        self._live: Live | None = None
        self._tell_stages = not quiet
        if self._console.is_terminal:
            self._live = Live(
                console=self._console,
                get_renderable=self._line,
                refresh_per_second=5,
                transient=True,
            )

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def subject(self, subject: str) -> None:
        """What is being done from here on: one of many, so elsewhere than live, one line each."""
        self._subject, self._stage, self._since = subject, None, time.monotonic()
        if self._live is None:
            self._tell_stages = False
            self.say(subject)

    def say(self, line: str) -> None:
        """A line that stays."""
        self._console.print(Text(line), soft_wrap=True)

    def opened(self, folder: Path, metric: str, *, goes_on: bool) -> None:
        """See `Viewer`."""
        self._metric = metric
        self.say(f"run {folder.name} {'goes on' if goes_on else 'begins'} in {folder}")

    def progress(self, progress: Progress) -> None:
        """The call has come to another stage."""
        self._stage, self._since = progress, time.monotonic()
        if self._live is None and self._tell_stages:
            limit = "" if progress.seconds is None else f", at most {duration(progress.seconds)}"
            self.say(f"{self._subject}: {progress.stage} {progress.detail}".rstrip() + limit)

    def begun(self, experiment: Experiment) -> None:
        """See `Watcher`. Elsewhere than on a terminal, stages of trials would be a wall."""
        what = one_line(experiment.hypothesis, _LETTERS)
        self._subject, self._stage = f"experiment {experiment.number}", None
        self._since = time.monotonic()
        if self._live is None:
            self._tell_stages = False
            self.say(f"{self._subject}: {what}")
        else:
            self._subject += f" ({what})"

    def recorded(self, experiment: Experiment) -> None:
        """See `Watcher`."""
        verdict = "baseline" if experiment.number == 0 else str(experiment.decision)
        came_to = str(experiment.outcome)
        if experiment.score is not None:
            came_to = f"{figure(experiment.score)} {self._metric}"
        if experiment.gain is not None:
            came_to += f", gain {figure(experiment.gain)} ± {experiment.standard_error:.2g}"
        kept = experiment.decision is Decision.kept
        line = Text.assemble(
            (f"{experiment.number:>5}  {verdict:<9}  ", "green" if kept else ""),
            f"{came_to}  {duration(experiment.seconds)}  ",
            one_line(experiment.hypothesis, _LETTERS),
        )
        self._console.print(line, soft_wrap=True)
        if experiment.number == 0 and experiment.trials > 1:
            self.say(experiment.decision_reason or "")  # the noise floor, in words
        self._subject, self._stage = "proposing", None

    def refused(self, unfit: Unfit) -> None:
        """See `Watcher`."""
        self.say(
            f"    -  refused    {one_line(unfit.reason, _LETTERS)}  "
            f"{one_line(unfit.hypothesis, _LETTERS)}"
        )

    def _line(self) -> Text:
        spent = time.monotonic() - self._since
        parts = [self._subject]
        if self._stage is not None:
            parts += [str(self._stage.stage), self._stage.detail]
        if self._stage is not None and self._stage.seconds is not None:
            parts.append(f"{_whole(math.ceil(max(0.0, self._stage.seconds - spent)))} left")
        else:
            parts.append(_whole(math.floor(spent)))
        line = Text(" · ".join(part for part in parts if part))
        line.truncate(self._console.width, overflow="ellipsis")
        return line


def _whole(seconds: int) -> str:
    return f"{seconds} s" if seconds < 100 else duration(seconds)
