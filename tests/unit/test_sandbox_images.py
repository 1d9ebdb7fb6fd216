"""What an image must not bring along, and cores by number."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.api import Goal, TaskSettings
from sandbox.config import Config
from sandbox.containers.host import Host
from sandbox.containers.sets import cpuset
from sandbox.engine import Image
from sandbox.errors import ImageUnfit
from sandbox.images.roles import check_disjoint, lint


def image(*layers: str) -> Image:
    """An image of these layers."""
    return Image(id="sha256:0", layers=layers, config={}, size=1)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"Env": None, "Volumes": None, "Entrypoint": None, "OnBuild": None, "Healthcheck": None},
        {"Env": [], "Volumes": {}, "Entrypoint": [], "OnBuild": []},
        {"Env": ["PATH=/bin", "LANG=C", "GPG_KEY=0", "MY_LD_X=1", "PYTHA=1"], "Cmd": ["/bin/true"]},
    ],
)
def test_a_plain_image_is_fit(config: dict[str, Any]) -> None:
    """Nothing, or what does nothing, is no finding."""
    assert lint(config) == []


@pytest.mark.parametrize(
    "name",
    ["LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "NVIDIA_VISIBLE_DEVICES",
     "NVIDIA_DRIVER_CAPABILITIES", "NVIDIA_DISABLE_REQUIRE", "PYTHONPATH", "PYTHONSTARTUP",
     "GCONV_PATH", "BASH_ENV"],
)  # fmt: skip
def test_a_variable_that_acts_is_found(name: str) -> None:
    """A variable that loads code into trusted programs, or steers the GPU's hook, is named."""
    for entry in (f"{name}=/x", f"{name}=", name):
        (finding,) = lint({"Env": ["PATH=/bin", entry]})
        assert finding.endswith(name)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Volumes", {"/data": {}}),
        ("Healthcheck", {"Test": ["CMD", "/bin/true"]}),
        ("Entrypoint", ["/entry"]),
        ("OnBuild", ["RUN x"]),
    ],
)
def test_a_setting_that_acts_is_found(key: str, value: Any) -> None:
    """A volume, a health check, an entry point or a build trigger is named."""
    assert lint({key: value}) == [key.upper()]


def test_every_finding_is_told() -> None:
    """An image with several faults names all of them."""
    config = {"Env": ["LD_PRELOAD=x", "PYTHONHOME=y"], "Volumes": {"/v": {}}, "OnBuild": ["RUN"]}
    assert len(lint(config)) == 4


def test_images_without_a_common_layer_pass() -> None:
    """Different layers are different inodes."""
    check_disjoint(image("a", "b"), image("c"))


@pytest.mark.parametrize("agent", [("c",), ("a", "c"), ("c", "b", "d")])
def test_one_common_layer_is_one_too_many(agent: tuple[str, ...]) -> None:
    """A layer that both have, wherever in the stack, is refused with the way out."""
    with pytest.raises(ImageUnfit, match="share 1 layers") as fault:
        check_disjoint(image(*agent), image("x", "c"))
    assert "make images" in fault.value.next_step


class Tagged:
    """An engine that has these images and nothing else."""

    def __init__(self, **layers: str) -> None:
        self._layers = layers

    def image(self, tag: str) -> Image:
        return image(*self._layers[tag])


@pytest.mark.parametrize(
    ("agent", "scorer", "wanted"),
    [
        ("agent", "sealed-scorer", "operators"),
        ("agent", "own", "own"),
        ("operators", "own", None),
        ("operators", "agent", None),
        ("own", "own", None),
        ("own", "sealed-scorer", None),
        ("agent", "agent", None),
    ],
)
def test_a_task_may_bring_a_scorer_image(agent: str, scorer: str, wanted: str | None) -> None:
    """The default is the operator's, and the agent image shares a layer with neither: what the
    operator's scorer image carries stays out of it, whatever a task names."""
    engine: Any = Tagged(agent="a", operators="s", own="so")
    host = Host(
        engine=engine,
        config=Config(home=Path(), socket=Path(), scorer_image="operators"),
        instance="",
        cpus=1,
        memory_bytes=1,
        version="",
        runtimes=frozenset(),
    )
    settings = TaskSettings(
        metric="m", goal=Goal.minimize, budget_seconds=1, image=agent, scorer_image=scorer
    )
    if wanted is None:
        with pytest.raises(ImageUnfit, match="share"):
            host.images(settings)
    else:
        assert host.images(settings) == (engine.image("agent"), engine.image(wanted))


# ---- cores ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cpus", "available", "wanted"),
    [
        (1, 1, "0"),
        (1, 4, "3"),
        (0.1, 4, "3"),
        (1.0, 2, "1"),
        (1.01, 4, "2-3"),
        (2, 4, "2-3"),
        (2.5, 4, "1-3"),
        (4, 4, "0-3"),
        (9, 4, "0-3"),
        (64, 128, "64-127"),
    ],
)
def test_a_trial_has_the_highest_cores(cpus: float, available: int, wanted: str) -> None:
    """As many whole cores as the quota needs, the highest ones, and never more than there are."""
    assert cpuset(cpus, available) == wanted


@given(st.floats(0.1, 1024), st.integers(1, 1024))
def test_any_set_of_cores_exists(cpus: float, available: int) -> None:
    """The kernel's notation names cores that the engine has, enough for the quota if there are."""
    first, _, last = cpuset(cpus, available).partition("-")
    lowest, highest = int(first), int(last or first)
    assert 0 <= lowest <= highest == available - 1
    assert highest - lowest + 1 >= min(cpus, available)
    assert highest - lowest < cpus
