"""The agent `llm`: models propose, one call a candidate, and none of them is trusted.

A reply that can't be applied is sent back with the exact reason, a bounded number of times; then
it is a failed proposal. While a candidate is on trial, the next one is asked for already. If the
champion has changed by then, the reply is used where its edit still applies, and dropped where it
does not, or where it would undo the change.

What was replied is in the ledger before it is used, by the number of the proposal; so after a kill
the same replies lead to the same candidate, and no reply is paid for twice.
"""

from collections.abc import Callable
from functools import partial

from msgspec.structs import replace

from controller.candidate import Candidate, Unfit
from controller.halting import Halted, is_last
from controller.ledger import Call
from controller.llm.caller import Caller, Question
from controller.llm.chat import Repair
from controller.llm.context import messages
from controller.llm.ensemble import choose
from controller.llm.past import Memory, Past, digest
from controller.llm.reply import is_whole_file, parsed
from controller.visible import View

REPAIRS = 2
"""How often a reply is sent back."""
_QUOTED_LETTERS = 4000
"""Of a reply that is sent back."""


class LLM:
    """See the module."""

    name = "llm"

    def __init__(self, caller: Caller, seed: str) -> None:
        self._caller = caller
        self._seed = seed
        self._memory = Memory()

    def propose(self, view: View) -> Candidate | Unfit | Halted:
        """The next proposal. Raises `Failed` where a provider rejects the call."""
        self._caller.wait()
        # Prompts are made in another thread, too, and the run's own history is read in this one.
        past = self._memory.of(view)
        with self._caller.ledger() as ledger:
            number = ledger.proposals_of_models()
            last = is_last(ledger.tally(), ledger.limits())
        found = self._early(number, view, past) or self._asked(number, view, past)
        if isinstance(found, Candidate) and not last:
            self._caller.ask_ahead(
                Question(proposal=number + 1, champion=view.champion.number, turn=0),
                self._chooses(number + 1, past),
                partial(messages, view, past),
                pending=found.hypothesis,
            )
        return found

    def _chooses(self, number: int, past: Past) -> Callable[[dict[str, float]], str]:
        return partial(choose, past.briefs, seed=f"{self._seed} {number}")

    def _early(self, number: int, view: View, past: Past) -> Candidate | None:
        """What was asked for under an earlier champion, if it still applies to this one."""
        with self._caller.ledger() as ledger:
            for call in ledger.calls(number):
                if call.champion == view.champion.number or call.ended != "reply":
                    continue
                reply = call.reply or ""
                found = None if is_whole_file(reply) else _candidate(call, view, past)
                if isinstance(found, Candidate):
                    return found
                ledger.mark_stale(call.number)
        return None

    def _asked(self, number: int, view: View, past: Past) -> Candidate | Unfit | Halted:
        chosen, prompt = self._chooses(number, past), partial(messages, view, past)
        repairs: tuple[Repair, ...] = ()
        while True:
            question = Question(proposal=number, champion=view.champion.number, turn=len(repairs))
            call = self._caller.ask(question, chosen, prompt, repairs)
            if isinstance(call, Halted):
                return call
            found = _candidate(call, view, past)
            if isinstance(found, Candidate):
                return found
            if len(repairs) == REPAIRS:
                reason = f"{len(repairs) + 1} replies could not be applied, the last: "
                return replace(found, reason=reason + found.reason)
            reply = (call.reply or "")[:_QUOTED_LETTERS]
            repairs = (*repairs, Repair(reply=reply, reason=found.reason))


def _candidate(call: Call, view: View, past: Past) -> Candidate | Unfit:
    """What a reply makes of the champion."""
    agent = f"llm:{call.model}"
    found = parsed(call.reply or "", view.champion.candidate)
    if isinstance(found, Candidate):
        same = digest(found.source)
        for brief in past.briefs:
            if brief.digest == same:
                reason = f"It is experiment {brief.number}, unchanged."
                return Unfit(hypothesis=found.hypothesis, reason=reason, agent=agent)
    return replace(found, agent=agent)
