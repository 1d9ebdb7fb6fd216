"""Experiments of several trials: the loop does what the rule asks for, and stores it."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from controller.decision import Ask, Decision, Evidence, Judgement
from controller.decision.rules import judge
from controller.halting import Halted
from controller.ledger import Experiment, Halt, State
from controller.measuring import evidence
from controller.runs import runs_root
from controller.status import status_of
from controller.vault import revealed_trials
from sandbox.api import OnProgress, Outcome, TrialRequest, TrialResult, no_progress
from sandbox.fake.sandbox import FakeSandbox
from tests.unit.command import Sealed, document, replayed
from tests.unit.toy import Scripted, Watched, candidates, drive, ledger_of, opened, with_settings
from tests.unit.web import asking, page

FILES = replace(
    with_settings(keep="confirmed", min_gain=0),
    train="# fake: score=1 spread=0.01 noise=0.1\n",
)
BETTER = "score=0 spread=0.01 noise=0.1"
"""By ten times the noise."""


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of a test are its own."""
    monkeypatch.setenv("SEALED_RUNS", str(tmp_path / "runs"))


class Asked(FakeSandbox):
    """A fake that remembers what it was asked for, and does as it is told with some trials."""

    def __init__(self, *, vault: float = 0.0, dishonest: str = "") -> None:
        """`vault`: by how much candidates score higher there; `dishonest`: the end of a key."""
        super().__init__()
        self.requests: list[TrialRequest] = []
        self._vault = vault
        self._dishonest = dishonest

    def run(self, request: TrialRequest, on_progress: OnProgress = no_progress) -> TrialResult:
        """See `api.Sandbox`."""
        self.requests.append(request)
        result = super().run(request, on_progress)
        if result.vault_score is not None and "-0-" not in request.key:
            result = replace(result, vault_score=result.vault_score + self._vault)
        if self._dishonest and request.key.endswith(self._dishonest):
            return replace(result, outcome=Outcome.dishonest, score=None)
        return result


def went(sandbox: FakeSandbox, *told: str) -> tuple[Halted, list[Experiment]]:
    """A run of candidates with these directives, on a baseline whose score is 1 ± 0.1."""
    with opened(sandbox, files=FILES) as run:
        end = drive(run, sandbox, Scripted(*candidates(*told)))
        return end, run.ledger.experiments()


def keys(sandbox: FakeSandbox) -> list[str]:
    """Experiment and number of each trial, in the order in which they were run."""
    return [key.split("-", 1)[1] for key in sandbox.executed]


def test_the_noise_floor_the_screen_and_the_confirming_trials_come_in_this_order() -> None:
    """Five seeds of the baseline; a loser once; a winner and its champion in turn."""
    sandbox = Asked()
    _, (baseline, loser, winner) = went(sandbox, "score=2", BETTER)
    floor, pairs = [f"0-{n}" for n in range(1, 6)], ["2-2", "0-6", "2-3", "0-7", "2-4", "0-8"]
    assert keys(sandbox)[:13] == [*floor, "1-1", "2-1", *pairs]
    assert (baseline.trials, loser.trials) == (5 + winner.trials - 1, 1)
    assert (loser.decision, winner.decision) == (Decision.discarded, Decision.kept)
    assert winner.gain == pytest.approx(1, abs=0.2)
    assert winner.low is not None
    assert winner.high is not None
    assert winner.low < 1 < winner.high


def test_the_score_of_an_experiment_is_that_of_its_confirming_trials() -> None:
    """The screen was chosen for its luck; the baseline's trials were not, and later ones come."""
    sandbox = Asked()
    _, (baseline, winner) = went(sandbox, BETTER)
    found: dict[int, list[float]] = {0: [], 1: []}
    for key in sandbox.executed:
        experiment, number = map(int, key.split("-")[1:])
        score = sandbox.result(key).score
        assert score is not None
        if (number > 1) if experiment else (number <= 5):
            found[experiment].append(score)
    assert baseline.score == pytest.approx(sum(found[0]) / 5)
    assert winner.score == pytest.approx(sum(found[1]) / len(found[1]))


def test_every_step_can_be_recomputed_from_the_ledger() -> None:
    """With each prefix of what happened the rule asks for what then came, and at last decides."""
    with opened(sandbox := FakeSandbox(), files=FILES) as run:
        drive(run, sandbox, Scripted(*candidates("score=1.01 noise=0.1", BETTER, "score=0.9")))
        settings = run.row.settings
    with ledger_of() as ledger:
        for experiment in ledger.experiments()[1:]:
            whole = evidence(ledger, experiment)
            counts = dict.fromkeys(Ask, 0)
            while isinstance(ask := judge(_prefix(whole, counts), settings), Ask):
                counts[ask] += 1
            assert _prefix(whole, counts) == whole
            assert (ask.decision, ask.reason) == (experiment.decision, experiment.decision_reason)
            assert (ask.gain, ask.low) == (experiment.gain, experiment.low)


def _prefix(whole: Evidence, counts: dict[Ask, int]) -> Evidence:
    return replace(
        whole,
        candidate=whole.candidate[: counts[Ask.candidate]],
        top_ups=whole.top_ups[: counts[Ask.champion]],
        looks=whole.looks[: counts[Ask.comparison]],
    )


def test_a_candidate_that_fails_later_is_told_as_what_it_is() -> None:
    """It is discarded with the outcome of the trial that failed, and that has no score."""
    _, (_, failed) = went(FakeSandbox(), f"{BETTER} later=crash")
    assert (failed.decision, failed.outcome, failed.score) == (
        Decision.discarded,
        Outcome.crash,
        None,
    )
    with ledger_of() as ledger:
        assert ledger.outcomes() == {Outcome.crash: 1}


def test_a_champion_that_is_caught_in_a_top_up_is_dethroned() -> None:
    """The next candidate is made from the champion before it, which `main` is again."""
    sandbox = Asked(dishonest="-1-5")
    with opened(sandbox, files=FILES) as run:
        agent = Scripted(*candidates("score=-9 noise=0.05", "score=-50", "score=2"))
        end = drive(run, sandbox, agent)
        _, caught, with_it, after = run.ledger.experiments()
        assert caught.decision is Decision.kept
        assert with_it.decision is Decision.discarded
        assert "dishonest" in (with_it.decision_reason or "")
        assert (with_it.parent, after.parent) == (1, 0)
        champion = run.ledger.champion()
        assert champion is not None
        assert (champion.number, run.repository.main()) == (0, champion.commit_id)
        assert run.ledger.tally().dishonest == 1
        assert run.view().champion.number == 0
    assert end.halt is Halt.exhausted
    assert [view.champion.number for view in agent.views] == [0, 1, 0, 0]


def test_the_vault_is_asked_in_confirming_trials_alone() -> None:
    """A screen does not need it, and it costs a scoring."""
    sandbox = Asked()
    went(sandbox, "score=2", BETTER)
    for request in sandbox.requests:
        assert request.vault == (not request.key.endswith("-1"))


@pytest.mark.claim("vault-is-sealed")
def test_the_vault_is_in_nothing_that_an_agent_is_given() -> None:
    """Two runs that differ in vault scores alone look the same from there, commits included."""
    told, decided = [], []
    for name, vault in (("a", 0.0), ("b", 0.75)):
        sandbox = Asked(vault=vault)
        with opened(sandbox, files=FILES, name=name) as run:
            drive(run, sandbox, Scripted(*candidates(BETTER, "score=2")))
            view = run.view()
            view = replace(view, experiments=list(view.experiments))
            told.append((view, [e.message for e in run.ledger.experiments()]))
            decided.append([(e.decision, e.gain) for e in run.ledger.experiments()])
            assert {t.vault_score for t in run.ledger.trials(1)} != {None}
    assert told[0] == told[1]
    assert decided[0] == decided[1]


@pytest.mark.claim("vault-is-sealed")
def test_the_vault_is_revealed_of_kept_candidates_alone() -> None:
    """An operator who chose by it would fit the run to it."""
    went(Asked(), "score=0.95 noise=0.01 later=crash", "score=0.7 noise=0.6", BETTER)
    with ledger_of() as ledger:
        for experiment in ledger.experiments():
            shown = [t for t in revealed_trials(ledger, experiment) if t.vault_score is not None]
            stored = [t for t in ledger.trials(experiment.number) if t.vault_score is not None]
            assert shown == (stored if experiment.decision is Decision.kept else [])


@pytest.mark.parametrize(("vault", "alarm"), [(0.0, False), (0.9, True)])
def test_a_gap_beyond_chance_is_an_alarm(vault: float, alarm: bool) -> None:
    """The champion's gain is 1 on the held-out split; the vault confirms it, or a tenth of it."""
    went(Asked(vault=vault), BETTER)
    gap = status_of(runs_root() / "run").vault
    assert gap is not None
    assert gap.alarm == alarm
    assert gap.low <= vault <= gap.high
    assert gap.held_out - gap.vault == pytest.approx(gap.gap)


def test_a_person_who_stops_it_between_trials_loses_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was measured is there when the run goes on."""
    sandbox = Asked()
    with opened(sandbox, files=FILES) as run:
        with monkeypatch.context() as patch:
            patch.setattr(run, "is_stopped", lambda: len(sandbox.executed) == 3)
            patch.setattr("controller.loop.held", lambda _: _stopped(sandbox))
            assert drive(run, sandbox).halt is Halt.stopped
        unfinished = run.ledger.unfinished()
        assert unfinished is not None
        assert (unfinished.state, unfinished.trials) == (State.running, 3)
        drive(run, sandbox, Scripted())
        assert keys(sandbox) == [f"0-{n}" for n in range(1, 6)]


def _stopped(sandbox: FakeSandbox) -> Halted | None:
    return Halted(halt=Halt.stopped, detail="") if len(sandbox.executed) == 3 else None


def test_progress_says_what_a_trial_is_for() -> None:
    """The noise floor as so many of so many seeds."""
    details = []

    class Listening(Watched):
        def progress(self, progress):  # type: ignore[no-untyped-def]
            details.append(progress.detail)

    sandbox = FakeSandbox()
    with opened(sandbox, files=FILES) as run:
        drive(run, sandbox, Scripted(*candidates(BETTER)), Listening())
    told = list(dict.fromkeys(detail.removesuffix(", vault") for detail in details))
    assert told[:5] == [f"noise floor, seed {n} of 5" for n in range(1, 6)]
    assert {"", "confirming, trial 1", "champion 0 again, to compare with"} <= set(told)


def test_the_page_has_noise_vault_and_trials() -> None:
    """Of a kept experiment all of it; of one that is not kept no score on the vault."""
    went(Asked(vault=0.9), BETTER)
    with asking() as client:
        run = client.get("/index.json").json()["run"]
        shown, kept = page(client, "/").text, page(client, "/runs/run/experiments/1").text
        trials = client.get("/runs/run/experiments/1.json").json()["trials"]
    assert run["noise"]["trials"] == 5
    assert run["vault"]["alarm"]
    assert "Noise between seeds" in shown
    assert "believe the vault" in shown
    assert "the screen" in kept
    assert "95 %" in kept
    assert [trial["vault_score"] is None for trial in trials] == [
        True,
        *[False] * (len(trials) - 1),
    ]


def test_the_command_line_has_noise_vault_and_trials(sealed: Sealed) -> None:
    """Said beforehand, told in words when it is measured, and shown afterwards."""
    for name, text in (("program.md", FILES.program), ("train.py", FILES.train)):
        (Path("tasks") / "toy" / name).write_text(text)
    replayed(sealed, f"# fake: {BETTER}\n")
    status = sealed("status", "run").output
    assert "noise:       seeds differ by" in status
    assert "vault:       gain" in status
    out = sealed("experiment", "show", "run", "1").output
    assert "the screen" in out
    assert "confirming" in out
    assert "95 %" in out
    assert document(sealed("experiment", "show", "run", "0", "--json"))["tried"][4]["asked_by"] == 0


def test_a_judgement_needs_no_more_than_was_measured() -> None:
    """Whatever state it is killed in, what is measured can be decided on."""
    went(FakeSandbox(), BETTER, "score=2")
    with ledger_of() as ledger:
        row = ledger.run()
        assert row is not None
        for experiment in ledger.experiments()[1:]:
            assert isinstance(judge(evidence(ledger, experiment), row.settings), Judgement)
