"""A model's run on tasks/digits with a real engine and a provider that does its worst."""

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from controller.agents.llm import LLM
from controller.decision import Decision
from controller.ledger import Halt
from controller.llm import caller as caller_module
from controller.llm import keys
from controller.llm.caller import Caller
from controller.llm.client import Client
from sandbox.containers.host import Host
from sandbox.service import Service
from tests.support import scripted_llm as scenes
from tests.support.files import task_files
from tests.support.scripted_llm import Scene, edit, scripted
from tests.support.tasks import DIGITS
from tests.unit.models import KEY, model
from tests.unit.toy import drive, opened

pytestmark = [pytest.mark.docker, pytest.mark.slow]

WIDER = edit("HIDDEN = 16  # search: log int 4 256", "HIDDEN = 128  # search: log int 4 256")
STEADIER = edit(
    "WEIGHT_DECAY = 0.01  # search: log 1e-6 1e-1",
    "WEIGHT_DECAY = 0.001  # search: log 1e-6 1e-1",
)
SCRIPT = (
    # The first proposal: two repairs, and two tries at the second of them.
    *(scenes.GARBAGE, scenes.REFUSAL, scenes.BUSY, scenes.DOWN, WIDER),
    # The second, asked for while the first is on trial; then asked again, for the champion is new.
    *(scenes.HANG, scenes.DISCONNECT, Scene(text="MOMENTUM = 0.9", usage={"prompt_tokens": -1})),
    # The third.
    *(scenes.MALFORMED, scenes.FLOOD, scenes.ENDLESS, STEADIER),
)


@contextmanager
def watched(host: Host) -> Iterator[list[str]]:
    """What the engine tells of all containers of this sandbox while this lasts."""
    told: list[str] = []
    over = threading.Event()

    def look() -> None:
        chosen = ["--filter", f"label=sealed.instance={host.instance}"]
        while not over.wait(0.3):
            names = subprocess.run(
                ["docker", "ps", "-aq", *chosen], capture_output=True, text=True, check=False
            ).stdout.split()
            told.append(
                subprocess.run(
                    ["docker", "inspect", *names], capture_output=True, text=True, check=False
                ).stdout
            )

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    yield told
    over.set()
    thread.join()


@pytest.mark.claim("key-stays-here")
@pytest.mark.claim("models-have-limits")
def test_a_real_gain_is_kept_through_every_scenario(
    service: Service, host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls agree with what was served, money is never less, and no container has the key."""
    monkeypatch.setenv("SEALED_RUNS", str(tmp_path))
    monkeypatch.setattr(keys, "_taken", {"SEALED_LLM_KEY": KEY})
    monkeypatch.setattr(caller_module, "QUIET_SECONDS", 2.0)
    client = Client(20)
    with (
        scripted(*SCRIPT) as server,
        opened(service, files=task_files(DIGITS), most_experiments=3) as run,
        watched(host) as told,
    ):
        run.ledger.set_models([model(server.url)])
        caller = Caller(run.folder, client)
        end = drive(run, service, LLM(caller, "seed"))
        caller.close()
        experiments, calls = run.ledger.experiments(), run.ledger.calls()
        books, spent = server.books, run.ledger.spending()
    assert end.halt is Halt.experiments, end.detail
    assert experiments[1].decision is Decision.kept, experiments[1].decision_reason
    assert (experiments[1].gain or 0) > 0.02
    champion = max(e.number for e in experiments if e.decision is Decision.kept)
    assert (experiments[champion].score or 9) < (experiments[0].score or 0)
    assert books.calls == spent.calls == len(calls) == len(SCRIPT)
    assert spent.nanodollars >= books.nanodollars
    assert spent.tokens >= books.tokens
    sure = [call for call in calls if call.ended == "reply" and call.completion_tokens < 2000]
    assert len(sure) >= 4
    assert any(json.loads(text) for text in told), "the control: containers were seen"
    assert not any(KEY in text for text in told)
    assert all(KEY.encode() not in file.read_bytes() for file in tmp_path.rglob("*.sqlite*"))
