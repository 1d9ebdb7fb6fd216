"""Reaching held-out data: by path, link, package and network, and by what is told."""

import contextlib
import secrets
import socket
import threading
from collections.abc import Iterator

import pytest

from sandbox.api import Outcome, Task
from sandbox.policy import Order, Role
from tests.support.attacks import (
    HONEST_ROOMS,
    attack,
    canaries,
    gained,
    lines,
    number,
    unconfined,
    without,
)
from tests.support.candidates import Bench, Spec, Weaken
from tests.support.flips import without_defence

pytestmark = [pytest.mark.docker, pytest.mark.attack]

SECRET = "canary-environment"


# ---- by path -----------------------------------------------------------------------------------


@pytest.mark.claim("held-out-unreachable")
def test_held_out_data_is_nowhere_to_be_found(bench: Bench, rooms: Task) -> None:
    """A search by path, /proc, environment and mounts finds no canary."""
    result = bench.run(attack("search_held_out"), rooms)
    assert number(result, "files") > 100
    assert canaries(result) == []


def test_control_a_mounted_volume_is_found(bench: Bench, rooms: Task) -> None:
    """With the sealed volume mounted in the trainer, the same search finds the canary."""
    without_defence(bench, "search_held_out")
    assert canaries(bench.run(attack("search_held_out"), rooms))


@pytest.mark.claim("held-out-unreachable")
def test_links_in_the_artifact_lead_nowhere(bench: Bench) -> None:
    """Links to the labels are broken wherever an artifact is mounted."""
    result = bench.run(attack("symlinked_artifact"))
    assert result.outcome is Outcome.scored
    assert not gained(result.score)


def test_control_links_lead_to_mounted_labels(bench: Bench) -> None:
    """With the sealed volume mounted in predictors, the links answer for the candidate."""
    without_defence(bench, "symlinked_artifact")
    assert bench.run(attack("symlinked_artifact")).score == 0


@pytest.mark.claim("no-labels-in-agent-image")
def test_the_agent_image_ships_no_labels(bench: Bench) -> None:
    """No package with public data sets is in the image that runs agent code."""
    assert lines(bench.run(attack("labels_in_image")), "found") == [""]


def test_control_the_scorer_image_ships_labels(bench: Bench) -> None:
    """The same search finds scikit-learn's data in the scorer's image."""
    without_defence(bench, "labels_in_image")
    (found,) = lines(bench.run(attack("labels_in_image")), "found")
    assert {"sklearn", "digits.csv.gz"} <= set(found.split())


@pytest.mark.claim("no-keys-in-containers")
def test_keys_of_the_host_are_not_in_a_container(bench: Bench) -> None:
    """No variable of the sandbox or the engine is in any environment that agent code can read."""
    bench.patch.setenv("OPENAI_API_KEY", SECRET)
    result = bench.run(attack("environment_secrets"))
    assert number(result, "places") > 3
    assert canaries(result) == []


def test_control_a_passed_key_is_read(bench: Bench) -> None:
    """With the variable in the container's environment, the same attack reads it."""
    bench.weaken(without("Env", [f"OPENAI_API_KEY={SECRET}"], Role.trainer))
    bench.patch.setattr(
        "sandbox.containers.container.differences", lambda *_: []
    )  # it would refuse
    assert SECRET in canaries(bench.run(attack("environment_secrets")))


# ---- by what is told ---------------------------------------------------------------------------


@pytest.mark.claim("sealed-scoring-is-silent")
def test_a_question_is_not_carried_out(bench: Bench) -> None:
    """Of a crash in the sealed scoring, its log and its text are told to nobody."""
    result = bench.run(attack("carry_questions"))
    assert (result.outcome, result.reason) == (Outcome.crash, "crash in the sealed scoring")
    assert canaries(result) == []


def test_control_a_talkative_scoring_carries_it_out(bench: Bench) -> None:
    """A sandbox that treats the sealed scoring like the rehearsal tells the question."""

    without_defence(bench, "carry_questions")
    assert canaries(bench.run(attack("carry_questions")))


@pytest.mark.claim("no-future-in-a-question")
def test_the_next_question_does_not_exist_yet(bench: Bench, rooms: Task) -> None:
    """Asked step by step nothing is foreseen; the rehearsal, asked ahead, is the control arm."""
    result = bench.run(attack("next_question"), rooms)
    assert result.outcome is Outcome.scored
    assert result.score == pytest.approx(HONEST_ROOMS)
    assert result.rehearsal_score == pytest.approx(HONEST_ROOMS - 700 / 13)


# ---- by network --------------------------------------------------------------------------------


@contextlib.contextmanager
def _service_of_the_host() -> Iterator[tuple[int, str]]:
    """Hands a canary to whoever connects: on a port of loopback, and on an abstract socket."""
    abstract = f"sealed-test-{secrets.token_hex(8)}"
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0)))]
        port = listeners[0].getsockname()[1]
        listeners.append(stack.enter_context(socket.socket(socket.AF_UNIX)))
        listeners[1].bind(f"\0{abstract}")
        listeners[1].listen()

        def serve(listener: socket.socket) -> None:
            with contextlib.suppress(OSError):
                while True:
                    with listener.accept()[0] as connection:
                        connection.sendall(b"canary-network")

        threads = [threading.Thread(target=serve, args=(each,), daemon=True) for each in listeners]
        for thread in threads:
            thread.start()
        try:
            yield port, abstract
        finally:
            for listener, thread in zip(listeners, threads, strict=True):
                with contextlib.suppress(OSError):
                    listener.shutdown(socket.SHUT_RDWR)
                thread.join()


def _networked(mode: str) -> Weaken:
    """Take both defences away: there is no network, and no socket for one."""

    def change(spec: Spec, order: Order) -> None:
        without("HostConfig.NetworkMode", mode, Role.trainer)(spec, order)
        unconfined(spec, order)

    return change


@pytest.mark.claim("no-network")
def test_nothing_outside_is_reached(bench: Bench) -> None:
    """No service of the host, no abstract socket, no route and no vsock is there."""
    with _service_of_the_host() as (port, abstract):
        result = bench.run(attack("network", PORT=port, ABSTRACT=abstract))
    assert lines(result, "links") == [""]
    assert lines(result, "way out") == []
    assert canaries(result) == []


def test_control_the_hosts_network_is_reached(bench: Bench) -> None:
    """With the host's network, and sockets for it, both services hand out their canary."""
    bench.weaken(_networked("host"))
    with _service_of_the_host() as (port, abstract):
        result = bench.run(attack("network", PORT=port, ABSTRACT=abstract))
    assert canaries(result) == ["canary-network"] * 2


def test_control_a_bridge_is_a_way_out(bench: Bench) -> None:
    """With a bridge, and sockets for it, there is a route to anywhere."""
    bench.weaken(_networked("bridge"))
    result = bench.run(attack("network", PORT=9))
    assert lines(result, "way out")
    assert lines(result, "links") != [""]
