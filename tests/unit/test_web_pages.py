"""The status page: what it shows, and that the JSON beside it says the same."""

import json
from pathlib import Path

import httpx
import pytest

from controller.decision import Decision
from controller.ledger import Halt, Wanted
from controller.runs import want
from controller.supervisor import Doing, Serving
from controller.web import views
from sandbox.api import Progress, Stage
from tests.support.page import served_page
from tests.unit.toy import Scripted, candidates, drive, fake, ledger_of, opened
from tests.unit.web import asking, make_run, page


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs of a test are its own."""
    monkeypatch.setenv("SEALED_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


SINCE = "2026-11-23T03:04:05.678Z"


def test_without_runs_the_page_says_how_to_begin() -> None:
    """An empty folder, or none, is no error."""
    with asking() as client:
        assert "sealed run tasks/digits" in page(client, "/").text
        assert "There is none yet." in page(client, "/runs").text
        assert client.get("/index.json").json() == {"serving": None, "standing": None, "run": None}
        assert client.get("/runs.json").json() == {"items": []}


def test_the_best_comes_first() -> None:
    """Score, gain over the baseline in the unit and in per cent, which experiment, when."""
    make_run()
    with asking() as client:
        shown = page(client, "/")
        run = client.get("/index.json").json()["run"]
    assert [tag for tag, _ in shown.elements].count("h1") == 1
    assert shown.text.index("Best so far") < shown.text.index("Now") < shown.text.index("Scores")
    baseline, best = run["baseline"], run["best"]
    assert (best["number"], best["score"]) == (3, 0.2)
    assert best["gain"] == pytest.approx(baseline - 0.2)
    assert best["percent"] == pytest.approx(100 * (baseline - 0.2) / baseline)
    assert "0.2 bits" in shown.text
    assert f"{best['gain']:.6g} better" in shown.text
    assert best["decided_at"] == ledger_of().experiment(3).decided_at


def test_a_run_has_its_experiments_newest_first() -> None:
    """Number, decision, outcome, score, gain, seconds and hypothesis of each."""
    make_run()
    with asking() as client:
        shown = page(client, "/runs/run")
        rows = client.get("/runs/run.json").json()["rows"]
    assert [row["number"] for row in rows] == [4, 3, 2, 1, 0]
    assert [row["outcome"] for row in rows] == ["scored", "scored", "crash", "scored", "scored"]
    kept = [row["number"] for row in rows if row["decision"] == Decision.kept]
    assert kept == [3, 1, 0]
    for column in ("decision", "outcome", "bits", "gain", "seconds", "hypothesis"):
        assert column in shown.text
    assert "4 discarded scored 0.250000 −0.05 " in shown.text
    assert "halted (experiments): 4 experiments are done." in shown.text
    assert "git clone http://127.0.0.1:" in shown.text


def test_an_experiment_has_a_page_of_its_own() -> None:
    """Decision with reason, scores, the diff by lines, the log and the candidate."""
    make_run("run", 'score=0.1 log="epoch one"')
    with asking() as client:
        shown = page(client, "/runs/run/experiments/1")
        found = client.get("/runs/run/experiments/1.json").json()
    assert "kept 0.1 bits" in shown.text
    assert "The gain of" in shown.text
    assert "epoch one" in shown.text
    assert "LEARNING_RATE = 3e-3" in shown.text  # a line that it removed
    classes = [attrs.get("class") for tag, attrs in shown.elements if tag == "span"]
    assert {"head", "where", "added", "removed"} <= set(classes)
    assert classes.count("removed") == 3
    assert found["candidate"] == ledger_of().candidate(1)
    assert found["experiment"]["log_bytes"] == len("epoch one")
    assert found["diff"].startswith("--- train.py of experiment 0\n+++ train.py of experiment 1\n")
    assert "/runs/run/experiments/0" in shown.links()


def test_long_runs_are_shown_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest first, a hundred a page; a page that is not there says so."""
    assert views.PAGE_ROWS == 100
    monkeypatch.setattr(views, "PAGE_ROWS", 10)
    make_run("run", *[0.5 + n / 1000 for n in range(23)])
    with asking() as client:
        first, last = (client.get("/runs/run.json", params={"page": n}).json() for n in (1, 3))
        assert [row["number"] for row in first["rows"]] == list(range(23, 13, -1))
        assert [row["number"] for row in last["rows"]] == list(range(3, -1, -1))
        assert (first["page"], first["pages"], len(first["scores"])) == (1, 3, 24)
        second = page(client, "/runs/run?page=2")
        assert {"/runs/run?page=1", "/runs/run?page=3"} <= set(second.links())
        for number in ("0", "4", "-1", "x", "1.0", "99999999999999999999", ""):
            page(client, f"/runs/run?page={number}", status=404)


def test_the_list_has_the_newest_run_first(runs: Path) -> None:
    """A run that can't be read is listed with the reason, and hides no other."""
    make_run("b")
    make_run("a")
    (runs / "broken").mkdir()
    (runs / "broken" / "ledger.sqlite").write_bytes(b"no database, but long enough to be asked")
    with asking() as client:
        items = client.get("/runs.json").json()["items"]
        assert [item["run"] for item in items] == ["a", "b", "broken"]
        assert "not a database" in items[2]["problem"]
        assert "not a database" in page(client, "/runs").text
        assert client.get("/index.json").json()["run"]["run"] == "a"
        assert "not a database" in page(client, "/runs/broken", status=500).text


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/runs/nothing",
        "/runs/run/experiments/9",
        "/runs/run/experiments/99999999999",
        "/runs/run/experiments/x",
        "/runs/run/experiments/-1",
        "/static/app.py",
        "/git/nothing.git/HEAD",
    ],
)
def test_what_is_not_there_is_a_page_with_a_next_step(path: str) -> None:
    """404, as a page or as JSON, never a trace."""
    make_run()
    with asking() as client:
        assert "Next:" in page(client, path, status=404).text
        answer = client.get(f"{path}.json")
        assert answer.status_code == 404
        assert set(answer.json()) == {"error", "next_step"}


def test_while_a_task_is_prepared_the_page_says_so() -> None:
    """The stage and the seconds that are left; an older run is shown below it."""
    serving = Serving(
        task="digits",
        doing=Doing.preparing,
        since="2999-01-01T00:00:00Z",
        stage=Progress(stage=Stage.preparing, seconds=60, detail="baseline"),
    )
    with asking(serving) as client:
        text = page(client, "/").text
        assert "preparing the task digits: preparing the task's data (baseline)" in text
        assert "s left" in text
        make_run("older")
        assert "Below is the newest run that there is." in page(client, "/").text
        told = client.get("/index.json").json()
        assert told["serving"]["stage"]["seconds"] == 60
        assert told["standing"]["ends_at"] == "2999-01-01T00:01:00.000Z"
        assert told["run"]["run"] == "older"


@pytest.mark.parametrize("doing", [Doing.waiting, Doing.halted])
@pytest.mark.parametrize("run", [None, "run"])
def test_a_problem_is_told_with_its_next_step(doing: Doing, run: str | None) -> None:
    """Before the first run, and of a run that is there."""
    if run:
        make_run(run)
    serving = Serving(
        task="toy",
        doing=doing,
        since=SINCE,
        run=run,
        problem="No container engine answers.",
        next_step="`scripts/engine.sh ensure` says what is missing.",
    )
    with asking(serving) as client:
        shown = page(client, "/")
    assert "No container engine answers." in shown.text
    assert "scripts/engine.sh ensure says what is missing." in shown.text
    assert doing.value in shown.text


@pytest.mark.parametrize("halt", list(Halt))
def test_every_halt_is_told_with_its_reason_and_a_next_step(halt: Halt) -> None:
    """Whatever ended a session, a person learns what to do."""
    sandbox = fake()
    with opened(sandbox, most_experiments=1) as run:
        drive(run, sandbox)
        run.ledger.begin_session()
        run.ledger.end_session(halt, "It came to this.")
    with asking() as client:
        told = client.get("/runs/run.json").json()["standing"]
        shown = page(client, "/runs/run").text
    assert told["text"] == f"halted ({halt}): It came to this."
    assert told["next_step"]
    assert told["next_step"].replace("`", "") in shown


def test_a_killed_run_is_told_from_a_halted_one() -> None:
    """No process has its lock, and none said why it ended."""
    sandbox = fake()
    with opened(sandbox, most_experiments=1) as run:
        drive(run, sandbox)
        run.ledger.begin_session()
    with asking() as client:
        assert client.get("/runs/run.json").json()["standing"]["word"] == "killed"


def test_what_a_driven_run_does_is_told_stage_by_stage() -> None:
    """Proposing, the stage with its end, deciding, paused, stopping."""
    sandbox = fake()
    with opened(sandbox, most_experiments=1) as run, asking() as client:
        drive(run, sandbox, Scripted(*candidates(0.1)))

        def standing() -> dict[str, str]:
            told = client.get("/runs/run.json").json()
            assert told["standing"]["text"] in page(client, "/").text
            found: dict[str, str] = told["standing"]
            return found

        assert standing()["word"] == "proposing"
        run.ledger.propose(agent="a", hypothesis="h", candidate="# c\n", parent=1)
        experiment = run.ledger.experiment(2)
        run.ledger.start(experiment, run.trial_key(2))
        run.ledger.begin_stage(2, Progress(stage=Stage.training, seconds=20))
        assert standing()["text"] == "experiment 2: training"
        since = run.ledger.now()
        assert since is not None
        assert standing()["ends_at"] > since.since
        want(run.folder, Wanted.paused)
        assert standing()["word"] == "pausing"
        want(run.folder, Wanted.stopped)
        assert standing()["word"] == "stopping"
        want(run.folder, Wanted.running)
        assert page(client, "/runs/run/experiments/2").text.count("running") >= 1
        assert client.get("/runs/run.json").json()["current"]["number"] == 2


def test_a_driven_run_is_paused_between_experiments() -> None:
    """A person's wish is told as such."""
    sandbox = fake()
    with opened(sandbox, most_experiments=1) as run, asking() as client:
        drive(run, sandbox)
        want(run.folder, Wanted.paused)
        standing = client.get("/runs/run.json").json()["standing"]
    assert standing["word"] == "paused"
    assert "sealed resume run" in standing["next_step"]


def test_a_run_without_any_score_has_a_page() -> None:
    """The baseline that crashed: no best, no chart, and the reason."""
    sandbox = fake()
    with opened(sandbox) as run:
        run.ledger.start(run.ledger.experiment(0), run.trial_key(0))
    with asking() as client:
        assert "no score yet" in page(client, "/runs/run").text
        told = client.get("/runs/run.json").json()
    assert (told["best"], told["scores"]) == (None, [])


def test_a_score_that_is_no_number_is_null_and_a_dash() -> None:
    """Infinity is no JSON, and nothing to draw."""
    make_run("run", "score=inf", "score=nan", 0.2)
    with asking() as client:
        told = json.loads(client.get("/runs/run.json").text, parse_constant=pytest.fail)
        page(client, "/runs/run")
        page(client, "/runs/run/experiments/1")
    assert [row["score"] for row in told["rows"]][1:3] == [None, None]


def test_the_page_refreshes_itself_also_without_scripts() -> None:
    """A driven run quickly; one that rests, now and then."""
    make_run()

    def seconds() -> str:
        shown = page(client, "/runs/run")
        refresh = [attrs for tag, attrs in shown.elements if tag == "meta"][-1]
        assert refresh["http-equiv"] == "refresh"
        return str(refresh["content"])

    with asking() as client:
        assert seconds() == "15"
        with opened(fake()):
            assert seconds() == "2"


def test_health_looks_at_nothing(runs: Path) -> None:
    """It answers while ledgers can't be read, and asks nobody how a run stands."""
    runs.write_text("no folder at all")
    asked: list[None] = []
    with served_page(lambda: asked.append(None)) as url:
        assert httpx.get(f"{url}/healthz").json() == {"ok": True}
    assert asked == []
