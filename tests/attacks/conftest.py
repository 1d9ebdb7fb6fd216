"""Fixtures of the attacks: the task `rooms`, the naive loop, and the trainer's deadline."""

import pytest

from sandbox.api import Task
from sandbox.service import Service
from tests.conftest import roomy
from tests.support.attacks import ROOMS, Deadline
from tests.support.candidates import Bench
from tests.support.files import task_files
from tests.support.naive_loop import NaiveLoop

UNDER_GVISOR = {
    "test_a_hog_dies_alone",
    "test_a_loss_is_the_candidates_own",
    "test_a_score_cannot_be_forged_in_the_candidates_process",
    "test_a_trainer_cannot_send_a_score",
    "test_a_trial_finds_nothing_of_an_earlier_one",
    "test_an_answer_without_its_question_is_invalid",
    "test_data_and_image_cannot_be_written",
    "test_descriptors_end_at_the_limit",
    "test_held_out_data_is_nowhere_to_be_found",
    "test_holes_of_an_artifact_carry_nothing",
    "test_keys_of_the_host_are_not_in_a_container",
    "test_load_is_no_second_training",
    "test_memory_policies_of_an_artifact_carry_nothing",
    "test_no_door_opens",
    "test_no_lock_on_a_shared_file_is_had",
    "test_no_process_outlives_the_budget",
    "test_nobody_sees_who_uses_a_file",
    "test_nothing_outside_is_reached",
    "test_the_32_bit_door_is_shut",
    "test_the_artifact_is_full_when_it_should_be",
    "test_the_next_question_does_not_exist_yet",
    "test_the_timer_cannot_be_touched",
}
"""Attacks that `make test` runs under gVisor, too; `make test-all` runs all of them there."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """An attack runs under the engine's own runtime and under gVisor.

    Its control arm takes the defence out under the engine's own: that the attack gains without it
    is a fact about the attack, and where gVisor's kernel is a second defence, nothing is gained.
    """
    if "runtime" not in metafunc.fixturenames:
        return
    runtimes = [pytest.param("", id="default")]
    name = metafunc.function.__name__
    if not name.startswith(("test_control_", "test_leftover_")):
        marks = [] if name in UNDER_GVISOR else [pytest.mark.slow]
        runtimes.append(pytest.param("runsc", id="gvisor", marks=marks))
    metafunc.parametrize("runtime", runtimes, indirect=True, scope="session")


@pytest.fixture(scope="session")
def unhurried(service: Service) -> Task:
    """The tiny task with time for slow forks, gVisor's or a busy machine's."""
    return service.prepare(roomy(8, 512))


@pytest.fixture(scope="session")
def rooms(service: Service) -> Task:
    """The task `tests/tasks/rooms`, prepared."""
    return service.prepare(task_files(ROOMS))


@pytest.fixture(scope="session")
def naive(service: Service) -> NaiveLoop:
    """The loop as it is commonly built."""
    return NaiveLoop(service)


@pytest.fixture
def deadline(bench: Bench) -> Deadline:
    """Notes when trainers of the tiny task had to be dead."""
    return Deadline(bench.patch, bench.task.settings.budget_seconds)
