"""`sealed task check`: what its trials say about a task."""

import re
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from controller.decision.noise import Noise
from controller.task_check import Measured, findings, measure, trials
from controller.task_check.measure import BASELINES, KINDS, knows_nothing
from controller.task_check.power import least, power
from sandbox.api import (
    Check,
    Comparison,
    Goal,
    Keep,
    Outcome,
    Task,
    TaskSettings,
    TrialResult,
    Verdict,
)
from sandbox.tasks.candidate import check_candidate

SETTINGS = TaskSettings(
    metric="bits", goal=Goal.minimize, budget_seconds=10, keep=Keep.margin, min_gain=0.1
)
RESULT = TrialResult(
    key="k",
    task="t",
    outcome=Outcome.scored,
    score=1.0,
    rehearsal_score=1.1,
    vault_score=1.2,
    reason="",
    log="",
    log_bytes=0,
    seconds=9.0,
    wall_seconds=11.0,
    stage_seconds={"building": 0.5, "training": 9.0, "rehearsing": 0.25, "scoring": 0.25},
    peak_memory_bytes=2**20,
    examples=64,
    device="cpu",
    attempts=1,
)
WORSE = replace(RESULT, score=3.0)
BETTER = replace(RESULT, score=2.5)
REFUSED = replace(RESULT, outcome=Outcome.invalid, score=None, reason="wrong shape")


def baselines(*scores: float) -> list[TrialResult]:
    return [replace(RESULT, score=score) for score in scores]


def measured(
    baseline: list[TrialResult] | None = None,
    constant: TrialResult = BETTER,
    again: TrialResult | None = None,
    error: float = 0.01,
) -> Measured:
    """A good task's trials, some of them replaced."""
    trivial = {way: dict.fromkeys(kinds, WORSE) for way, kinds in KINDS.items()}
    trivial["constant"] = {"zeros": REFUSED, "ones": constant, "equal shares": REFUSED}
    pair = Comparison(difference=0.0, standard_error=error, examples=64)
    return Measured(
        baseline=baseline or baselines(1.0, 1.01, 0.99),
        trivial=trivial,
        again=("ones", again or constant),
        pairs=[pair] * 3,
    )


def verdicts(
    found: Measured, *, survey: Sequence[Check] = (), **settings: Any
) -> dict[str, tuple[Verdict, str]]:
    """Verdict and whole text of each finding."""
    task = Task(
        hash="0" * 64,
        name="toy",
        settings=replace(SETTINGS, **settings),
        prepared_at="",
        data_bytes=2**20,
        files=8,
    )
    return {
        check.name: (check.verdict, f"{check.detail} {check.next_step}")
        for check in findings(task, survey, found)
    }


def test_a_good_task_passes() -> None:
    """Nothing is advised where nothing is wrong, and the figures are those of the trials."""
    found = verdicts(measured())
    assert {verdict for verdict, _ in found.values()} == {Verdict.passed}
    assert (
        "1 bits over 64 held-out examples; 1.1 in the rehearsal, 1.2 in the vault"
        in (found["baseline"][1])
    )
    assert "the baseline has 1, answering ones 2.5" in found["direction"][1]
    assert (
        "standard deviation 0.01; from knowing nothing to the baseline it is 150"
        in (found["spread"][1])
    )
    assert "building 0.5, training 9.0, rehearsing 0.2, scoring 0.2; 10.0" in found["seconds"][1]
    assert "About 2880 in 8 hours" in found["experiments"][1]


@pytest.mark.parametrize(
    ("goal", "score", "verdict"),
    [
        (Goal.minimize, 3.0, Verdict.passed),
        (Goal.minimize, 1.0, Verdict.failed),
        (Goal.minimize, 0.5, Verdict.failed),
        (Goal.maximize, 0.5, Verdict.failed),  # the echo has 3
    ],
)
def test_a_metric_that_a_constant_wins_fails(goal: Goal, score: float, verdict: Verdict) -> None:
    """As good as the baseline is enough, in the direction of the goal."""
    found = verdicts(measured(constant=replace(RESULT, score=score)), goal=goal)
    assert found["direction"][0] is verdict
    assert ("Turn `goal` round" in found["direction"][1]) == (verdict is Verdict.failed)


@pytest.mark.parametrize(
    ("score", "min_gain", "error", "verdict"),
    [
        (0.8, 0.3, 0.2, Verdict.warning),
        (0.8, 0.3, 0.0, Verdict.failed),  # no noise
        (0.8, 0.1, 0.2, Verdict.failed),  # min_gain is for less noise
        (0.5, 0.3, 0.2, Verdict.failed),  # more than chance
    ],
)
def test_where_the_noise_is_allowed_for_a_chance_lead_is_a_warning(
    score: float, min_gain: float, error: float, verdict: Verdict
) -> None:
    """What held-out examples can't tell is told so, and is no failure of the metric."""
    constant = replace(RESULT, score=score)
    lead = Comparison(difference=score - 1, standard_error=error, examples=64)
    found = replace(measured(baselines(1, 1, 1), constant), against={"ones": lead})
    checks = verdicts(found, min_gain=min_gain)
    assert checks["direction"][0] is verdict
    assert ("a first train.py that learns more" in checks["direction"][1]) == (
        verdict is Verdict.warning
    )
    assert checks["spread"][0] is Verdict.passed


def test_a_baseline_without_noise_is_no_warning() -> None:
    """The same score with every seed, even where the span is narrow."""
    found = verdicts(measured(baselines(1.0, 1.0, 1.0), constant=replace(RESULT, score=1.001)))
    assert found["spread"][0] is Verdict.passed


def test_under_confirmed_luck_needs_no_margin() -> None:
    """The rule takes the noise into account; what it can find is told."""
    verdict, text = verdicts(measured(baselines(1.0, 1.1, 0.9)), keep=Keep.confirmed)["spread"]
    assert verdict is Verdict.passed
    assert "`confirmed` can tell gains of 0.19 from luck" in text


def test_where_nothing_scores_without_knowing_the_reason_is_told() -> None:
    """Refusing every such answer is as good as scoring it badly."""
    refused = {way: dict.fromkeys(kinds, REFUSED) for way, kinds in KINDS.items()}
    found = verdicts(Measured(baseline=baselines(1.0, 1.01, 0.99), trivial=refused))
    assert found["echo"] == (Verdict.passed, "No score: it ends invalid: wrong shape ")
    assert found["direction"][0] is Verdict.passed
    assert found["spread"][0] is Verdict.passed


def test_a_baseline_without_a_score_is_all_that_is_told() -> None:
    """With its reason, and where to look."""
    found = verdicts(Measured(baseline=[REFUSED], trivial={}))
    assert list(found) == ["settings", "data", "baseline"]
    assert found["baseline"][0] is Verdict.failed
    assert "ends invalid: wrong shape" in found["baseline"][1]


@pytest.mark.parametrize(
    ("change", "name", "says"),
    [
        ({"baseline": baselines(1.0, 1.1, 0.9)}, "spread", "set min_gain to 0.3 or more"),
        ({"baseline": baselines(1.0, 1.6, 0.5)}, "spread", "hardly be told from luck"),
        ({"again": replace(RESULT, score=2.6)}, "scorer", "7% of what there is"),
        ({"again": REFUSED}, "scorer", "and not by chance"),
        (
            {"baseline": [replace(RESULT, stage_seconds={"training": 1, "scoring": 90})] * 3},
            "scoring",
            "9 times the training's budget",
        ),
        (
            {"baseline": [replace(RESULT, stage_seconds={"training": 900.0})] * 3},
            "experiments",
            "Shorten the budget",
        ),
        (
            {"baseline": [replace(RESULT, peak_memory_bytes=2000 * 2**20)] * 3},
            "memory",
            "Raise memory_mib",
        ),
        ({"baseline": [replace(RESULT, vault_score=None)] * 3}, "baseline", "on the vault"),
    ],
    ids=["luck", "noise", "scorer", "whim", "scoring", "night", "memory", "vault"],
)
def test_what_could_be_better_is_a_warning_with_advice(
    change: dict[str, Any], name: str, says: str
) -> None:
    """A warning, and no failure: the task works, and the person decides."""
    verdict, text = verdicts(measured(**change))[name]
    assert verdict is Verdict.warning
    assert says in text


@pytest.mark.parametrize(
    ("change", "name", "says"),
    [
        ({"baseline": baselines(1.0, 2.0, 0.1)}, "spread", "wins with a lucky seed"),
        ({"again": replace(RESULT, score=1.5)}, "scorer", "draw less at random in `score`"),
    ],
    ids=["noise", "scorer"],
)
def test_a_score_that_is_luck_fails(change: dict[str, Any], name: str, says: str) -> None:
    """Whether the luck is the training's or the scorer's."""
    verdict, text = verdicts(measured(**change))[name]
    assert verdict is Verdict.failed
    assert says in text


def test_what_the_sandbox_found_is_told_first() -> None:
    """Between the data and the baseline, and a failure of it is one of the check."""
    leak = Check(name="duplicates", verdict=Verdict.failed, measured=True, detail="All of it.")
    found = verdicts(measured(), survey=[leak])
    assert list(found)[:4] == ["settings", "data", "duplicates", "baseline"]
    assert found["duplicates"] == (Verdict.failed, "All of it. ")


# ---- which gains are found --------------------------------------------------------------------


def test_the_gains_that_the_rule_finds_are_told_with_their_trials() -> None:
    """The noise of a trial is its seeds' and its examples' together; larger gains are surer."""
    found = verdicts(measured(), keep=Keep.confirmed, min_gain=0.0)
    verdict, text = found["gains"]
    assert verdict is Verdict.passed
    shares = [int(share) for share in re.findall(r"(\d+) of 100 gains", text)]
    assert shares == sorted(shares)
    assert shares[0] < 30
    assert re.findall(r"gains of ([\d.]+\d)", text) == ["0.014", "0.028", "0.057"]
    trials = re.search(r"a kept one takes ([\d, ]+) trials", text)
    assert trials
    assert all(7 <= int(count) <= 17 for count in trials[1].split(", "))


def test_a_margin_tells_what_it_keeps_of_nothing() -> None:
    """Gains are multiples of min_gain, where that is above the noise."""
    found = verdicts(measured(), min_gain=0.1)["gains"][1]
    assert "of 0.1, " in found
    assert "100 of 100 gains of 0.4 bits, in one trial each" in found
    assert "of 100 that change nothing it keeps 0." in found
    found = verdicts(measured(), keep=Keep.naive, min_gain=0.0)["gains"][1]
    luck = re.search(r"that change nothing it keeps (\d+)", found)
    assert luck
    assert 40 < int(luck[1]) < 60


@pytest.mark.parametrize("keep", [Keep.confirmed, Keep.margin])
def test_once_the_examples_dominate_more_of_them_buy_more(keep: Keep) -> None:
    """And the other way round, each with the gains that it would make sure."""
    settings = {"keep": keep, "min_gain": 0.0}
    text = verdicts(measured(error=0.05), **settings)["held_out"][1]
    assert "More held-out data buys more than more trials" in text
    assert "s of 0.05" in text
    found = re.search(r"from ([\d.]+) to ([\d.]+) .* to ([\d.]+) ", text)
    assert found
    now, more, steadier = map(float, found.groups())
    assert more < steadier <= now
    assert more == pytest.approx(now / 2, rel=0.2)
    text = verdicts(measured(error=0.001), **settings)["held_out"][1]
    assert "More trials or a steadier train.py buy more than more held-out data" in text


def test_where_nothing_is_noise_more_buys_nothing() -> None:
    """Neither noise; a min_gain above both; one value."""
    still = verdicts(measured(baselines(1.0, 1.0, 1.0), error=0.0))
    assert "one trial tells all" in still["gains"][1]
    assert "held_out" not in still
    assert "buy anything" in verdicts(measured(), min_gain=1.0)["held_out"][1]
    one = [replace(trial, examples=1) for trial in baselines(1.0, 1.01, 0.99)]
    assert "the score is one value" in verdicts(measured(one, error=0.0))["held_out"][1]


def test_a_rule_finds_the_gain_that_is_said_to_be_sure() -> None:
    """Half again as large, for the run's noise is another draw; and of no gain nearly none."""
    settings = replace(SETTINGS, keep=Keep.confirmed, min_gain=0.0)
    noise = Noise(variance=1.0, degrees=4)
    sure = least(settings, noise, 0.5)
    assert 0 < sure.of_examples < 1
    assert max(sure.steadier, sure.more_examples) < sure.now
    assert power(settings, noise, 0.5, 1.5 * sure.now).found > 0.75
    assert power(settings, noise, 0.5, 0.0).found <= 0.01


# ---- the trials -------------------------------------------------------------------------------


def test_the_baseline_runs_several_times_and_the_vault_is_asked_once() -> None:
    """Then each way of knowing nothing; every candidate is one that the sandbox takes."""
    asked: list[tuple[str, bool]] = []

    def run(candidate: str, vault: bool) -> TrialResult:
        check_candidate(candidate)
        asked.append((candidate, vault))
        return RESULT

    compared: list[tuple[TrialResult, TrialResult]] = []
    pair = Comparison(difference=0.0, standard_error=1.0, examples=64)

    def compare(first: TrialResult, second: TrialResult) -> Comparison | None:
        compared.append((first, second))
        return pair if len(compared) > 1 else None

    found = measure(run, compare, "the baseline")
    assert len(asked) == trials()
    assert asked[:BASELINES] == [("the baseline", n == 0) for n in range(BASELINES)]
    assert len(set(asked[BASELINES:-1])) == trials() - BASELINES - 1
    assert asked[-1] == asked[BASELINES] == (knows_nothing("zeros"), False)
    assert not any(vault for _, vault in asked[BASELINES:])
    assert {way: tuple(tried) for way, tried in found.trivial.items()} == KINDS
    assert found.again == ("zeros", RESULT)
    assert found.pairs == [pair] * (BASELINES - 1)
    assert found.against == dict.fromkeys((k for kinds in KINDS.values() for k in kinds), pair)
    assert len(compared) == BASELINES + sum(map(len, KINDS.values()))


def test_without_a_score_of_the_baseline_nothing_more_is_run() -> None:
    """A broken task is told at once."""
    asked: list[str] = []

    def run(candidate: str, vault: bool) -> TrialResult:
        asked.append(candidate)
        return REFUSED

    def compare(_: TrialResult, __: TrialResult) -> Comparison | None:
        raise AssertionError("nothing has a score")

    assert measure(run, compare, "the baseline") == Measured(baseline=[REFUSED], trivial={})
    assert asked == ["the baseline"]
