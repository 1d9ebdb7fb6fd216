"""The process that calls models: its deadlines, its memory, and what it was given."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from controller.llm.client import Client
from controller.llm.provider import MEMORY_BYTES, Answer, Ask, Fault, Trouble
from tests.support import scripted_llm as scenes
from tests.support.scripted_llm import Scene, ScriptedLLM, good, scripted


def ask(
    client: Client, server: ScriptedLLM, stopped: Callable[[], bool] = lambda: False
) -> Answer | Fault:
    """One call of the scripted model."""
    return client.ask(
        Ask(
            model="openai/scripted",
            endpoint=server.url,
            key="sk-canary",
            messages=[{"role": "user", "content": "Hello"}],
            most_tokens=100,
            most_letters=10_000_000,
            quiet_seconds=3.0,
        ),
        stopped,
    )


@pytest.mark.claim("replies-are-bounded")
@pytest.mark.parametrize("scene", [scenes.DRIP, pytest.param(scenes.HANG, marks=pytest.mark.slow)])
def test_a_call_has_a_deadline_whatever_comes(
    client: Client, monkeypatch: pytest.MonkeyPatch, scene: Scene
) -> None:
    """A word now and then keeps no call alive, and the one after it gets its own answer."""
    monkeypatch.setattr(client, "_seconds", 1.5)
    with scripted(good("warm"), scene, good("next")) as server:
        assert isinstance(ask(client, server), Answer)
        found = ask(client, server)
        assert found == Fault(trouble=Trouble.broken, message="It was not over after 1.5 s.")
        after = ask(client, server)
    assert isinstance(after, Answer)
    assert after.text == "next"


def test_a_person_ends_a_call(client: Client) -> None:
    """Within a moment, in the middle of it."""
    with scripted(good("warm"), scenes.HANG) as server:
        ask(client, server)
        found = ask(client, server, stopped=lambda: server.books.calls == 2)
    assert found == Fault(trouble=Trouble.broken, message="The call was stopped.")


@pytest.mark.claim("replies-are-bounded")
@pytest.mark.slow
def test_a_reply_of_100_megabytes_is_not_held(client: Client) -> None:
    """Not in one line, which no library would see the end of, and not as the text of an error."""
    with scripted(good("warm"), scenes.FLOOD, Scene(status=500, error="x" * 10**8)) as server:
        ask(client, server)
        for _ in range(2):
            assert isinstance(ask(client, server), Fault)
            if client._process is not None:
                status = Path(f"/proc/{client._process.pid}/status").read_text()
                peak = int(status.split("VmHWM:")[1].split()[0]) * 1024
                assert peak < MEMORY_BYTES + (1 << 28)


@pytest.mark.slow
def test_a_process_that_was_killed_is_replaced(client: Client) -> None:
    """The call that it was in has failed; the next one is made."""
    with scripted(good("warm"), good("next")) as server:
        ask(client, server)
        process = client._process
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert isinstance(ask(client, server), Fault)
        assert isinstance(ask(client, server), Answer)
        assert server.books.calls == 2
