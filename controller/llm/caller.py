"""Asks a run's models: within its limits, again where that may help, and never twice for one reply.

Each call is a row of the ledger before it is made. A reply that is stored is given again when the
same question comes again, which is how a run goes on after a kill.
"""

import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import structlog
import tenacity
from msgspec import Struct

from controller.errors import ControllerError, Failed
from controller.halting import Halted, unaffordable
from controller.ledger import Call, Halt, Ledger, Model, Wanted
from controller.llm.chat import Message, Repair, Standing
from controller.llm.client import Client
from controller.llm.cost import FREE, counted, most
from controller.llm.keys import key_of
from controller.llm.provider import Answer, Ask, Fault, Trouble
from controller.runs import LEDGER, wanted

log = structlog.get_logger(__name__)

CALL_SECONDS = 600.0
"""Most of one call."""
QUIET_SECONDS = 120.0
REPLY_LETTERS = 300_000
"""A candidate of 64 KiB and its hypothesis are less."""
ATTEMPTS = 3
"""Before the run waits, visibly; each is a call that counts."""
PATIENCE_SECONDS = 30.0
"""A provider that asks to be left alone for longer is waited for by the run, visibly."""
_LONGEST_WAIT_SECONDS = 900.0
_LOOK_SECONDS = 0.2


class Question(Struct, frozen=True, kw_only=True):
    """What names a reply for ever."""

    proposal: int
    """Of the run's models, from 0."""
    champion: int
    turn: int


class Caller:
    """Asks the models of one run; thread-safe, one call at a time."""

    def __init__(self, folder: Path, client: Client) -> None:
        """`folder`: the run's; its ledger has models and limits."""
        self._folder = folder
        self._client = client
        self._lock = threading.Lock()
        self._ahead: threading.Thread | None = None

    def close(self) -> None:
        """End the call that is going on; what was reserved for it stays counted."""
        self._client.close()
        self.wait()

    def wait(self) -> None:
        """Until what was asked ahead is answered, or has failed."""
        if self._ahead is not None:
            self._ahead.join()

    def ask_ahead(
        self,
        question: Question,
        choose: Callable[[dict[str, float]], str],
        prompt: Callable[[Standing], list[Message]],
        pending: str,
    ) -> None:
        """The same as `ask`, in a thread; the reply will be in the ledger."""

        def ask() -> None:
            try:
                self.ask(question, choose, prompt, pending=pending)
            except (ControllerError, OSError, sqlite3.Error) as fault:
                log.warning("asked ahead in vain", why=str(fault))  # it will be met again, and told

        self.wait()
        self._ahead = threading.Thread(target=ask, name="ask ahead", daemon=True)
        self._ahead.start()

    def ledger(self) -> Ledger:
        """The run's ledger, for the thread that asks."""
        return Ledger(self._folder / LEDGER, writing=True)

    def ask(
        self,
        question: Question,
        choose: Callable[[dict[str, float]], str],
        prompt: Callable[[Standing], list[Message]],
        repairs: tuple[Repair, ...] = (),
        pending: str = "",
    ) -> Call | Halted:
        """The reply to a question: the one that is stored, or a new one.

        `choose` gets the dollars that each model has cost and names one. `Halted`: there is no
        money for it, a person stops the run, or the provider does not serve. Raises `Failed` for
        what asking again does not mend.
        """
        with self._lock, self.ledger() as ledger:
            if (found := stored(ledger, question)) is not None:
                return found
            models = {f"llm:{model.name}": model for model in ledger.models()}
            spent = dict.fromkeys(models, 0.0) | ledger.spent()
            name = _asked_first(ledger, question) or choose({name: spent[name] for name in models})
            model = models.get(name) or next(iter(models.values()))
            messages = prompt(_standing(ledger, repairs, pending))
            return self._asked(ledger, question, model, messages)

    def _asked(
        self, ledger: Ledger, question: Question, model: Model, messages: list[Message]
    ) -> Call | Halted:
        def attempt() -> Answer | Fault | Halted:
            return self._attempt(ledger, question, model, messages)

        def wait(state: tenacity.RetryCallState) -> float:
            told = state.outcome.result() if state.outcome else None
            asked = told.retry_after if isinstance(told, Fault) else None
            return max(asked or 0.0, tenacity.wait_random_exponential(max=10)(state))

        def passes(result: Answer | Fault | Halted) -> bool:
            return (
                isinstance(result, Fault)
                and result.trouble is not Trouble.rejected
                and (result.retry_after or 0) <= PATIENCE_SECONDS
                and not self._stopped()
            )

        result = tenacity.Retrying(
            retry=tenacity.retry_if_result(passes),
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            wait=wait,
            sleep=self._sleep,
            retry_error_callback=lambda state: state.outcome and state.outcome.result(),
        )(attempt)
        if isinstance(result, Halted):
            return result
        if isinstance(result, Fault):
            if self._stopped():
                return Halted(halt=Halt.stopped, detail="A person stopped it.")
            return _no_service(ledger, model, result)
        answered = stored(ledger, question)
        assert answered is not None
        return answered

    def _attempt(
        self, ledger: Ledger, question: Question, model: Model, messages: list[Message]
    ) -> Answer | Fault | Halted:
        limit = most(messages, model)
        limits = ledger.limits()
        end = unaffordable(ledger.spending(), ledger.spending(today=True), limit, limits)
        if end is not None:
            return end
        ask = Ask(
            model=model.name,
            endpoint=model.endpoint,
            key=key_of(model.name, model.endpoint),
            messages=[{"role": m.role.value, "content": m.content} for m in messages],
            most_tokens=model.reply_tokens,
            most_letters=REPLY_LETTERS,
            quiet_seconds=QUIET_SECONDS,
        )
        number = ledger.reserve(
            proposal=question.proposal,
            champion=question.champion,
            turn=question.turn,
            model=model.name,
            most=limit,
        )
        result = self._client.ask(ask, self._stopped)
        if isinstance(result, Answer):
            cost = counted(result, messages, model)
            text = result.text.encode(errors="replace").decode()
            ledger.settle(number, cost, ended="reply", reply=text)
        else:
            billed = result.trouble is Trouble.broken
            ledger.settle(number, limit if billed else FREE, ended=result.trouble, reply=None)
        return result

    def _stopped(self) -> bool:
        return wanted(self._folder) is Wanted.stopped

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self._stopped():
            time.sleep(min(_LOOK_SECONDS, seconds))


def stored(ledger: Ledger, question: Question) -> Call | None:
    """The reply to exactly this question, if it was given already."""
    for call in ledger.calls(question.proposal):
        same = (call.champion, call.turn) == (question.champion, question.turn)
        if same and call.ended == "reply":
            return call
    return None


def _asked_first(ledger: Ledger, question: Question) -> str | None:
    """The model that a repair goes to: the one that is to be repaired."""
    first = stored(ledger, Question(proposal=question.proposal, champion=question.champion, turn=0))
    return None if first is None else f"llm:{first.model}"


def _no_service(ledger: Ledger, model: Model, fault: Fault) -> Halted:
    """The run waits: longer each time, and as long as the provider asks. Raises `Failed`."""
    if fault.trouble is Trouble.rejected:
        raise Failed(
            f"{model.name} can't be asked: {fault.message}",
            "Look at --model, --endpoint and the key.",
        )
    tries = min(10, ledger.failures_in_a_row() // ATTEMPTS)
    growing = min(_LONGEST_WAIT_SECONDS, 10.0 * 2**tries)
    return Halted(
        halt=Halt.provider,
        detail=f"{model.name} does not answer: {fault.message}",
        wait_seconds=max(growing, min(fault.retry_after or 0.0, 3600.0)),
    )


def _standing(ledger: Ledger, repairs: tuple[Repair, ...], pending: str) -> Standing:
    limits, tally = ledger.limits(), ledger.tally()
    spent, today = ledger.spending(), ledger.spending(today=True)
    seconds = None if limits.most_hours is None else limits.most_hours * 3600
    return Standing(
        seconds_left=_left((seconds, tally.seconds)),
        experiments_left=_whole(_left((limits.most_experiments, tally.experiments))),
        dollars_left=_left(
            (limits.most_dollars, spent.dollars), (limits.most_dollars_a_day, today.dollars)
        ),
        tokens_left=_whole(
            _left((limits.most_tokens, spent.tokens), (limits.most_tokens_a_day, today.tokens))
        ),
        calls_left=_whole(
            _left((limits.most_calls, spent.calls), (limits.most_calls_a_day, today.calls))
        ),
        repairs=repairs,
        pending=pending,
    )


def _left(*pairs: tuple[float | None, float]) -> float | None:
    found = [max(0.0, limit - used) for limit, used in pairs if limit is not None]
    return min(found) if found else None


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)
