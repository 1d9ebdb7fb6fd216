"""Reaching held-out data: by path, link, package and network, and through another predictor."""

import contextlib
import secrets
import socket
import threading
from collections.abc import Iterator

import pytest

from sandbox import trial
from sandbox.api import Outcome, Task, TrialResult
from sandbox.policy import Order, Role
from tests.support.attacks import (
    HONEST_ROOMS,
    attack,
    canaries,
    gained,
    lines,
    mount_sealed,
    number,
    unconfined,
    without,
)
from tests.support.candidates import Bench, Spec, Weaken

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
    bench.weaken(mount_sealed(Role.trainer))
    assert canaries(bench.run(attack("search_held_out"), rooms))


@pytest.mark.claim("held-out-unreachable")
def test_links_in_the_artifact_lead_nowhere(bench: Bench) -> None:
    """Links to the labels are broken wherever an artifact is mounted."""
    result = bench.run(attack("symlinked_artifact"))
    assert result.outcome is Outcome.scored
    assert not gained(result.score)


def test_control_links_lead_to_mounted_labels(bench: Bench) -> None:
    """With the sealed volume mounted in predictors, the links answer for the candidate."""
    bench.weaken(mount_sealed(Role.predictor))
    assert bench.run(attack("symlinked_artifact")).score == 0


@pytest.mark.claim("no-labels-in-agent-image")
def test_the_agent_image_ships_no_labels(bench: Bench) -> None:
    """No package with public data sets is in the image that runs agent code."""
    assert lines(bench.run(attack("labels_in_image")), "found") == [""]


def test_control_the_scorer_image_ships_labels(bench: Bench) -> None:
    """The same search finds scikit-learn's data in the scorer's image."""
    scorer = bench.service.info().images["sealed-scorer"]
    bench.weaken(without("Image", scorer, Role.trainer))
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
    bench.patch.setattr("sandbox.container.differences", lambda *_: [])  # it would refuse
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

    def talkative(self: trial._Trial, split: str) -> None:
        relay = self._relay()
        try:
            self._ask(relay, split)
        finally:
            assert relay.current is not None
            self.report.log += relay.current.log.text()

    bench.patch.setattr(trial._Trial, "score", talkative)
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


# ---- through another predictor -----------------------------------------------------------------


@pytest.mark.claim("rooms-are-apart")
def test_a_predictor_leaves_nothing_for_the_next(bench: Bench, rooms: Task) -> None:
    """Files, names, times, attributes, shared memory, sockets and daemons end with a predictor."""
    result = bench.run(attack("rooms_memory"), rooms)
    assert result.outcome is Outcome.scored
    assert result.score == pytest.approx(HONEST_ROOMS)
    assert result.rehearsal_score == pytest.approx(HONEST_ROOMS)


def test_control_a_writable_artifact_is_a_memory(bench: Bench, rooms: Task) -> None:
    """With an artifact that predictors may write to, the next one knows what it was not told."""

    def writable(spec: Spec, order: Order) -> None:
        for mount in spec["HostConfig"]["Mounts"]:
            if mount["Target"] == "/artifact" and order.role is Role.predictor:
                mount["ReadOnly"] = False

    bench.weaken(writable)
    result = bench.run(attack("rooms_memory"), rooms)
    assert result.score == pytest.approx(HONEST_ROOMS - 100)


@pytest.mark.claim("rooms-are-apart")
@pytest.mark.parametrize("how", ["hole", "beyond", "allocated", "hidden"])
def test_holes_of_an_artifact_carry_nothing(bench: Bench, rooms: Task, how: str) -> None:
    """A place in a file that reading fills is refused, or nobody can see that it was filled."""
    result = bench.run(attack("sparse_artifact", HOW=how), rooms)
    _assert_apart(result)
    assert result.attempts == 1


def test_control_without_the_look_at_holes_they_carry(bench: Bench, rooms: Task) -> None:
    """Without the look at the artifact, the next predictor knows what it was not told."""
    bench.patch.setattr(trial._Trial, "_check_artifact", lambda _: None)
    result = bench.run(attack("sparse_artifact"), rooms)
    assert result.score == pytest.approx(HONEST_ROOMS - 100)


@pytest.mark.claim("rooms-are-apart")
def test_collapsed_pages_of_an_artifact_carry_nothing(bench: Bench, rooms: Task) -> None:
    """How the kernel keeps an artifact in memory is not for a predictor to change."""
    _assert_apart(bench.run(attack("collapsed_artifact"), rooms))


def test_control_without_the_seccomp_list_collapsed_pages_carry(bench: Bench, rooms: Task) -> None:
    """Where pages can be collapsed, the next predictor knows what it was not told."""
    bench.weaken(unconfined)
    result = bench.run(attack("collapsed_artifact"), rooms)
    assert result.score == pytest.approx(HONEST_ROOMS - 100)


@pytest.mark.claim("rooms-are-apart")
def test_memory_policies_of_an_artifact_carry_nothing(bench: Bench, rooms: Task) -> None:
    """Where the kernel should keep an artifact's pages is not for a predictor to say, or to ask."""
    _assert_apart(bench.run(attack("memory_policy"), rooms))


def test_control_without_the_seccomp_list_policies_carry(bench: Bench, rooms: Task) -> None:
    """Where policies can be set, the next predictor knows what it was not told."""
    bench.weaken(unconfined)
    result = bench.run(attack("memory_policy"), rooms)
    assert result.score == pytest.approx(HONEST_ROOMS - 100)


def test_leftover_the_page_cache(bench: Bench, rooms: Task) -> None:
    """Not promised under runc: the image's cached pages carry a note, and nothing but the note."""
    result = bench.run(attack("page_cache"), rooms)
    assert result.outcome is Outcome.scored, result
    assert result.score in (pytest.approx(HONEST_ROOMS), pytest.approx(HONEST_ROOMS - 100))


def _assert_apart(result: TrialResult) -> None:
    """Neither scoring's second predictor knew the number."""
    assert result.outcome in (Outcome.scored, Outcome.invalid, Outcome.crash)
    for score in (result.score, result.rehearsal_score):
        assert score is None or score == pytest.approx(HONEST_ROOMS)
