"""Every call to the engine ends in time with an answer or one of our errors, however it lies."""

import contextlib
import inspect
import io
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sandbox import engine as engine_module
from sandbox.config import Config
from sandbox.connection import Connection
from sandbox.containers.host import Host
from sandbox.containers.probe import probe_order
from sandbox.engine import Engine
from sandbox.engine_errors import BuildFailed, Gone
from sandbox.errors import EngineUnavailable, SandboxError
from sandbox.policy import role_spec
from tests.support.lying_engine import (
    Lie,
    LyingEngine,
    babble,
    delayed,
    drip,
    drop,
    hang,
    refuse,
    truncated,
)

pytestmark = pytest.mark.docker

DEADLINE = 1
"""Seconds of each call here."""
SLACK = 3.0
"""Many methods are tried at once, on few cores."""
METHODS = sorted(
    name for name, _ in inspect.getmembers(Engine, inspect.isfunction) if not name.startswith("_")
)
LIES: dict[str, Lie] = {
    "hangs": hang,
    "drips": drip,
    "drops": drop,
    "answers 500": refuse,
    "babbles": babble,
    "is late": delayed(DEADLINE + 0.5),
    "breaks off in the head": truncated(9),
    "breaks off in the body": truncated(300),
}


@pytest.fixture
def hasty(proxy: LyingEngine) -> Iterator[Engine]:
    """The engine as it is seen through the proxy, with a short deadline."""
    engine = Engine(proxy.url, timeout=DEADLINE)
    yield engine
    engine._api.close()


@pytest.fixture
def arguments(host: Host, engine: Engine) -> Iterator[dict[str, Any]]:
    """Something true for every parameter of every method; a new parameter needs its line here."""
    order = probe_order(host, engine.image(host.config.agent_image).id)
    spec = role_spec(order) | {"Cmd": ["true"], "User": "20000", "Env": [], "WorkingDir": "/"}
    name = f"sealed-{host.instance}-calls-{time.monotonic_ns()}"
    container = engine.create(role_spec(order), name)
    attached = engine.attach(container, output=False)
    engine.start(container)
    execution, executed = engine.execute(container, spec)
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        file = tarfile.TarInfo("Dockerfile")
        text = f'FROM {host.config.scorer_image}\nRUN ["false"]\n'.encode()
        file.size = len(text)
        tar.addfile(file, io.BytesIO(text))
    yield {
        "container": container,
        "execution": execution,
        "spec": spec,
        "tag": host.config.scorer_image,
        "name": f"{name}-2",
        "labels": order_labels(spec),
        "options": {},
        "arguments": {},
        "context": context.getvalue(),
        "seconds": DEADLINE,
        "since": 0,
        "until": 1,
        "output": True,
    }
    attached.close()
    executed.close()
    for found in engine.containers({"sealed.instance": host.instance}):
        engine.remove(found["Id"])
    engine.remove_volume(f"{name}-2")
    host.uids.release(order.timer_uid)


def order_labels(spec: dict[str, Any]) -> dict[str, str]:
    """The labels that a container is made with."""
    labels: dict[str, str] = spec["Labels"]
    return labels


def called(engine: Engine, method: str, arguments: dict[str, Any]) -> tuple[float, object]:
    """Seconds that a method took, and what it gave or raised; connections are closed."""
    parameters = inspect.signature(getattr(engine, method)).parameters.values()
    given = {p.name: arguments[p.name] for p in parameters}
    began = time.monotonic()
    try:
        result: object = getattr(engine, method)(**given)
    except Exception as fault:
        result = fault
    spent = time.monotonic() - began
    for part in result if isinstance(result, tuple) else (result,):
        if isinstance(part, Connection):
            part.close()
    return spent, result


def in_a_thread(engine: Engine, arguments: dict[str, Any]) -> dict[str, tuple[float, object]]:
    """Call every method at once."""
    with ThreadPoolExecutor(len(METHODS)) as pool:
        calls = {name: pool.submit(called, engine, name, arguments) for name in METHODS}
    return {name: call.result() for name, call in calls.items()}


@pytest.mark.claim("engine-has-deadlines")
@pytest.mark.parametrize("lie", LIES)
def test_every_call_has_a_deadline(
    proxy: LyingEngine,
    hasty: Engine,
    arguments: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    lie: str,
) -> None:
    """Each method of the class, none left out, ends in two deadlines, and in no strange error."""
    monkeypatch.setattr("sandbox.limits.PREPARE", DEADLINE)
    proxy.tell("", LIES[lie])
    ends = in_a_thread(hasty, arguments)
    assert set(ends) == set(METHODS)
    for name, (seconds, result) in ends.items():
        assert seconds < 2 * DEADLINE + SLACK, name
        if isinstance(result, Exception):
            assert isinstance(result, (SandboxError, Gone, BuildFailed)), (name, result)


def test_behind_a_truthful_proxy_every_call_works(
    proxy: LyingEngine, hasty: Engine, arguments: dict[str, Any]
) -> None:
    """So what the other tests see is the lie's doing; in an order in which each can work."""
    hasty._timeout = 30
    last = ["attach", "kill", "dead_within", "remove", "remove_volume"]
    for name in (*(n for n in METHODS if n not in (*last, "unpause")), *last):
        _, result = called(hasty, name, arguments)
        expected = BuildFailed if name == "build" else object
        assert isinstance(result, expected), (name, result)
        assert name == "build" or not isinstance(result, Exception), (name, result)
        if name == "pause":
            hasty.unpause(arguments["container"])
    assert len(proxy.asked) > len(METHODS)


def test_without_the_deadline_a_dripping_engine_holds_its_caller(
    proxy: LyingEngine, hasty: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control arm: each read of the answer is in time, and the answer is not."""

    def directly(_: float, act: Callable[[], object], *late: object) -> object:
        return act()

    def ask() -> None:
        with contextlib.suppress(EngineUnavailable):  # at the end, when the proxy is closed
            hasty.info()

    proxy.tell("/info", drip)
    with pytest.raises(EngineUnavailable, match="no answer within"):
        hasty.info()
    monkeypatch.setattr(engine_module, "within", directly)
    held = threading.Thread(target=ask)
    held.start()
    held.join(6 * DEADLINE)
    assert held.is_alive()
    proxy.close()
    held.join(10)


def test_a_container_that_comes_too_late_is_removed(
    proxy: LyingEngine, hasty: Engine, engine: Engine, host: Host, arguments: dict[str, Any]
) -> None:
    """Nobody knows of it any more, so nobody else would remove it soon."""
    proxy.tell("/containers/create", delayed(DEADLINE + 0.5))
    with pytest.raises(EngineUnavailable):
        hasty.create(arguments["spec"], arguments["name"])
    labels = {"sealed.instance": host.instance}
    deadline = time.monotonic() + 10
    created = f"DELETE /v{hasty._api.api_version}/containers/"
    while not any(asked.startswith(created) for asked in proxy.asked):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    while len(engine.containers(labels)) > 1:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_an_engine_that_does_not_answer_at_all_is_told_of_in_time(
    proxy: LyingEngine, tmp_path: Path
) -> None:
    """Also the first call of all, which asks for the version."""
    proxy.tell("", hang)
    began = time.monotonic()
    with pytest.raises(EngineUnavailable, match="No container engine answers"):
        Host.of(Config(home=tmp_path, socket=tmp_path / "s"), Engine(proxy.url, timeout=DEADLINE))
    assert time.monotonic() - began < DEADLINE + SLACK
