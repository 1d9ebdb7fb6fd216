"""The agent llm against a provider that does what it is told, over real HTTP."""

from datetime import datetime
from pathlib import Path

import pytest

from controller.agents.llm import REPAIRS
from controller.decision import Decision
from controller.errors import Failed
from controller.ledger import Halt
from controller.llm import caller as caller_module
from controller.llm import keys
from controller.llm.caller import ATTEMPTS
from controller.llm.client import Client
from controller.llm.models import Wish, resolved
from tests.support import scripted_llm as scenes
from tests.support.scripted_llm import Scene, good
from tests.unit.models import BETTER, GELU, KEY, REPLY_TOKENS, WIDER, Played, playing


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of a test are its own; waiting is short, and the key is a canary."""
    monkeypatch.setenv("SEALED_RUNS", str(tmp_path / "runs"))
    monkeypatch.delenv("SEALED_LLM_KEY_FILE", raising=False)
    monkeypatch.setitem(keys._taken, "SEALED_LLM_KEY", KEY)
    monkeypatch.setattr(caller_module, "QUIET_SECONDS", 1.0)
    monkeypatch.setattr(caller_module.tenacity, "wait_random_exponential", lambda **_: lambda _: 0)


def stamp(text: str | None) -> float:
    """A time of the ledger in seconds."""
    assert text is not None
    return datetime.fromisoformat(text).timestamp()


def test_gains_are_kept_and_the_books_agree_to_the_unit(client: Client) -> None:
    """Three good replies: each is an experiment with its model, hypothesis and cost."""
    with playing(client, BETTER, WIDER, GELU) as played:
        assert played.drive(3).halt is Halt.experiments
        experiments = played.run.ledger.experiments()
        assert [e.decision for e in experiments] == [Decision.kept] * 4
        assert [e.agent for e in experiments[1:]] == ["llm:openai/scripted"] * 3
        assert experiments[1].hypothesis == "A larger step learns faster."
        assert played.server.books.calls == 3, "after the last experiment nothing is asked ahead"
        assert played.agrees()
        costs = [played.run.ledger.cost_of(n) for n in range(4)]
        assert [cost.calls for cost in costs] == [0, 1, 1, 1]
        assert sum(cost.nanodollars for cost in costs) == played.server.books.nanodollars


# ---- replies that can't be applied --------------------------------------------------------------


@pytest.mark.parametrize("scene", [scenes.GARBAGE, scenes.REFUSAL, good("")])
def test_a_reply_without_an_edit_is_sent_back_and_then_a_failed_proposal(
    client: Client, scene: Scene
) -> None:
    """A bounded number of times, each with the reason; it is no experiment, and all is paid."""
    with playing(client, *[scene] * (REPAIRS + 1), BETTER) as played:
        played.drive(1)
        ledger = played.run.ledger
        (refusal,) = ledger.refusals()
        assert refusal.reason.startswith(f"{REPAIRS + 1} replies could not be applied, the last: ")
        assert "no code" in refusal.reason
        assert refusal.agent == "llm:openai/scripted"
        assert len(ledger.experiments()) == 2
        assert played.server.books.calls == REPAIRS + 2
        assert played.agrees()


def test_the_exact_reason_goes_back_and_the_next_reply_is_used(client: Client) -> None:
    """The repair is asked of the same model, with its own reply before it."""
    wrong = scenes.edit("LEARNING_RATE = 1", "LEARNING_RATE = 2")
    with playing(client, wrong, BETTER) as played:
        played.drive(1)
        assert played.run.ledger.refusals() == []
        assert len(played.run.ledger.experiments()) == 2
        repair = played.server.books.prompts[1]
    assert len(repair) == len(played.server.books.prompts[0]) + 2
    assert repair[-2]["role"] == "assistant"
    assert "LEARNING_RATE = 1" in repair[-2]["content"]
    assert "is found nowhere in train.py, not once." in repair[-1]["content"]


# ---- providers that don't serve -----------------------------------------------------------------


def test_a_rate_limit_is_waited_for_as_long_as_it_says(client: Client) -> None:
    """Retry-After is honoured; a refused call is counted and costs nothing."""
    with playing(client, scenes.BUSY, BETTER) as played:
        played.drive(1)
        first, second = played.run.ledger.calls()
        assert (first.ended, first.nanodollars) == ("busy", 0)
        assert stamp(second.reserved_at) - stamp(first.settled_at) >= 1.0
        assert played.agrees()


def test_one_that_asks_for_long_patience_pauses_the_run(client: Client) -> None:
    """At once, with the reason, and for as long as it asks."""
    with playing(client, Scene(status=429, wait="1800")) as played:
        end = played.drive(1)
    assert (end.halt, end.wait_seconds) == (Halt.provider, 1800)
    assert played.server.books.calls == 1


def test_one_that_is_down_pauses_the_run_which_goes_on_by_itself(client: Client) -> None:
    """After a few tries; the next session has lost nothing, and waits grow."""
    with playing(client, *[scenes.DOWN] * 2 * ATTEMPTS, BETTER) as played:
        first = played.drive(1)
        second = played.drive(1)
        assert (first.halt, second.halt) == (Halt.provider, Halt.provider)
        assert first.detail.startswith("openai/scripted does not answer: ")
        assert KEY not in first.detail
        assert (first.wait_seconds or 0) < (second.wait_seconds or 0)
        assert played.drive(1).halt is Halt.experiments
        assert played.agrees()


def test_a_key_that_is_rejected_ends_the_run_with_the_next_step(client: Client) -> None:
    """Asking again helps nobody; the error has no key in it, though the server's text had."""
    with playing(client, scenes.REJECTED) as played, pytest.raises(Failed) as caught:
        played.drive(1)
    assert "[key]" in str(caught.value)
    assert KEY not in str(caught.value)
    assert "--model, --endpoint and the key" in caught.value.next_step
    assert played.server.books.calls == 1


@pytest.mark.claim("replies-are-bounded")
@pytest.mark.parametrize(
    "scene",
    [
        scenes.HANG,
        scenes.DISCONNECT,
        scenes.MALFORMED,
        scenes.FLOOD,
        pytest.param(scenes.DRIP, marks=pytest.mark.slow),
    ],
)
def test_what_breaks_off_is_asked_again_and_counts_at_its_worst(
    client: Client, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bounded in bytes and seconds; it may have been billed, so nothing less is counted."""
    with playing(client, scene, BETTER) as played:
        monkeypatch.setattr(client, "_seconds", 4.0)
        assert played.drive(1).halt is Halt.experiments
        first, second = played.run.ledger.calls()
        assert (first.ended, first.completion_tokens) == ("broken", REPLY_TOKENS)
        assert first.nanodollars > second.nanodollars
        assert played.server.books.calls == 2
        assert played.run.ledger.spending().tokens >= played.server.books.tokens


@pytest.mark.claim("replies-are-bounded")
def test_an_endless_stream_is_cut(client: Client) -> None:
    """It is a reply that is too long: paid for at its worst, and sent back."""
    with playing(client, scenes.ENDLESS, BETTER) as played:
        played.drive(1)
        first, second = played.run.ledger.calls()
    assert (first.ended, first.completion_tokens, second.turn) == ("reply", REPLY_TOKENS, 1)
    assert len(first.reply or "") == caller_module.REPLY_LETTERS


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": -5, "completion_tokens": -5},
        {"prompt_tokens": 10**12, "completion_tokens": 10**12},
        {"prompt_tokens": 0, "completion_tokens": 0},
        {"prompt_tokens": 10**30, "completion_tokens": None},
    ],
)
def test_figures_that_cannot_be_true_count_as_the_most(
    client: Client, usage: dict[str, int | None]
) -> None:
    """Neither less than what was served, nor more than was reserved."""
    told = Scene(text=BETTER.text, usage=usage)
    with playing(client, told) as played:
        played.drive(1)
        (call,) = played.run.ledger.calls()
        books = played.server.books
    assert call.ended in ("reply", "broken")
    assert books.nanodollars <= call.nanodollars < 10**9


def test_where_no_figures_are_told_the_own_count_is_taken(client: Client) -> None:
    """It is a count of tokens, not nothing."""
    with playing(client, Scene(text=BETTER.text, usage=None)) as played:
        played.drive(1)
        (call,) = played.run.ledger.calls()
    assert call.prompt_tokens > 200
    assert call.completion_tokens > 20


# ---- limits -------------------------------------------------------------------------------------


@pytest.mark.claim("models-have-limits")
@pytest.mark.parametrize(
    ("limit", "most", "halt"),
    [
        ("most_calls", 2, Halt.calls),
        ("most_tokens", 9000, Halt.tokens),
        ("most_dollars", 0.05, Halt.dollars),
        ("most_calls_a_day", 2, Halt.day),
        ("most_tokens_a_day", 9000, Halt.day),
        ("most_dollars_a_day", 0.05, Halt.day),
    ],
)
def test_a_limit_is_never_passed(client: Client, limit: str, most: float, halt: Halt) -> None:
    """No call is made that could go beyond; without the limit, the same script does."""
    line = "HIDDEN = {}  # search: int 8 256"
    replies = [scenes.edit(line.format(32), line.format(n)) for n in range(200, 240)]

    def served(name: str, played: Played) -> float:
        books = played.server.books
        kinds = {"calls": books.calls, "tokens": books.tokens, "dollars": books.nanodollars / 1e9}
        return next(value for kind, value in kinds.items() if kind in name)

    with playing(client, *replies) as played:
        end = played.drive(18, **{limit: most})
        assert end.halt is halt
        assert 0 < served(limit, played) <= most
        assert played.agrees()
        assert played.drive(18, **{limit: 10**6}).halt is Halt.experiments
        assert served(limit, played) > most


def test_hours_of_a_day_are_counted(client: Client) -> None:
    """A run that has had them waits for the next day."""
    with playing(client, BETTER) as played:
        assert played.drive(None, most_hours_a_day=0).halt is Halt.day


# ---- prices and keys ----------------------------------------------------------------------------


def test_an_unknown_price_is_refused_and_a_declared_one_is_taken(client: Client) -> None:
    """At an endpoint of one's own a known name has no known price; zero has to be said."""
    known = resolved(Wish(names=("openai/gpt-4o-mini",)), [], client)
    assert (known[0].price_in, known[0].price_out) == (0.15, 0.6)
    for wish in (
        Wish(names=("openai/nonsense",)),
        Wish(names=("openai/gpt-4o-mini",), endpoint="http://127.0.0.1:1/v1"),
        Wish(names=("openai/gpt-4o-mini",), price_in=0.0),
    ):
        with pytest.raises(Exception, match="an unknown price is not zero"):
            resolved(wish, [], client)
    free = Wish(names=("openai/x",), endpoint="http://h/v1", price_in=0.0, price_out=0.0)
    assert resolved(free, [], client)[0].price_in == 0


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        (Wish(), "needs a model"),
        (Wish(names=("gpt",)), "names no model"),
        (Wish(names=("openai/a b",)), "names no model"),
        (Wish(names=("openai/x",), endpoint="http://me:secret@h/v1"), "no password in it"),
        (Wish(names=("openai/x",), endpoint="file:///etc"), "must be http"),
    ],
)
def test_what_names_no_model_is_told(client: Client, wish: Wish, message: str) -> None:
    """With the next step, and without what may be a password."""
    with pytest.raises(Exception, match=message) as caught:
        resolved(wish, [], client)
    assert "secret" not in str(caught.value)


# ---- asked ahead --------------------------------------------------------------------------------


def test_the_next_proposal_is_asked_for_while_a_trial_runs(client: Client) -> None:
    """Its edit still applies to the champion that the trial made, so it is used, and paid once."""
    slow = good(BETTER.text.replace("\n>>>>", "\n# fake: wait=1.5\n>>>>"))
    with playing(client, slow, WIDER) as played:
        played.drive(2)
        _, first, second = played.run.ledger.experiments()
        calls = played.run.ledger.calls()
        assert played.agrees()
    assert (first.decision, second.parent) == (Decision.kept, 1)
    assert [call.champion for call in calls] == [0, 0]
    assert stamp(calls[1].settled_at) < stamp(first.decided_at), "the trial was still running"


@pytest.mark.parametrize(
    "ahead",
    [
        scenes.edit("LEARNING_RATE = 3e-3  # search: log 1e-4 1e-1", "LEARNING_RATE = 1e-3"),
        good("```python\nLEARNING_RATE = 1e-3\nHIDDEN = 32\n```"),
    ],
    ids=["the lines have changed", "a whole file"],
)
def test_a_reply_that_came_too_late_is_dropped_and_stays_paid(client: Client, ahead: Scene) -> None:
    """It would undo what was kept meanwhile, or can't be applied: another one is asked for."""
    with playing(client, BETTER, ahead, WIDER) as played:
        played.drive(2)
        endings = [(call.champion, call.ended) for call in played.run.ledger.calls()]
        _, _, second = played.run.ledger.experiments()
        assert endings == [(0, "reply"), (0, "stale"), (1, "reply")]
        assert second.hypothesis == "More units."
        assert played.agrees()
