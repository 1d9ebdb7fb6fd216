"""Runs whose every text is an attempt on who reads it."""

from controller.decision import Decision, Judgement
from controller.ledger import Experiment
from controller.run import Run
from sandbox.api import Outcome, TrialResult

MARKUP = (
    "<script>alert('script')</script>\"'><img src=x onerror=\"alert('image')\">"
    "</code></pre></textarea></title></style><svg onload=alert('svg')></svg>"
    "<style>*{display:none}</style><iframe src='//evil.example/'></iframe>"
    "<meta http-equiv=refresh content='0;url=http://evil.example/'>"
    "<base href='http://evil.example/'><link rel=stylesheet href='http://evil.example/'>"
    "<form action='http://evil.example/'><a href=\"javascript:alert('link')\">here</a>"
    "{{ 7 * 191 }}{% raw %} ${7*191} &lt;script&gt; <!-- ]]> "
)
CONTROL = "\x1b[31mred\x1b[0m \u202eevil\u2066 \x9b2J zero\u200bwidth bell\x07 \x7f"
WIDE = "W" * 3000 + " " + "Z\u0300\u0301\u0302\u0303\u0304" * 50
TEXT = MARKUP + CONTROL + WIDE


def add_hostile(run: Run, *, outcome: Outcome = Outcome.crash, log: str = TEXT) -> Experiment:
    """Record an experiment with hostile text in every field, past all that cleans it earlier."""
    champion = run.ledger.champion()
    assert champion is not None
    run.ledger.propose(
        agent=MARKUP,
        hypothesis=TEXT,
        candidate=f"# {champion.number}\n{TEXT}\n@@ -1 +1 @@\n--- a\n+++ b\nNUL \0\n",
        parent=champion.number,
    )
    run.ledger.start(_unfinished(run), key := run.trial_key(_unfinished(run).number))
    result = TrialResult(
        key=key,
        task=run.row.task_hash,
        outcome=outcome,
        score=None,
        rehearsal_score=float("inf"),
        reason=f"{TEXT}\n{TEXT}",
        log=log,
        log_bytes=len(log),
        seconds=1.0,
        wall_seconds=2.0,
        peak_memory_bytes=10**9,
        examples=0,
        device=MARKUP,
        attempts=1,
    )
    run.ledger.finish_trial(result)
    run.ledger.measure(_unfinished(run))
    judgement = Judgement(decision=Decision.discarded, reason=TEXT)
    run.ledger.decide(_unfinished(run), judgement, "a message\n")
    run.ledger.record(decided := _unfinished(run), run.commit(decided))
    run.ledger.refuse(agent=MARKUP, hypothesis=TEXT, reason=TEXT)
    return run.ledger.experiment(decided.number)


def _unfinished(run: Run) -> Experiment:
    found = run.ledger.unfinished()
    assert found is not None
    return found
