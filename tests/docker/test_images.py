"""The role images as built: what they hold, and what they must not."""

import subprocess

import pytest

from sandbox.engine import Engine
from sandbox.images.roles import check_disjoint, fit_image

pytestmark = pytest.mark.docker

PYTHON = ("/opt/sealed/venv/bin/python", "-I", "-B", "-c")
ROLES = ["agent", "scorer"]


def run(role: str, *command: str, user: str = "20000:20000") -> str:
    """What a command prints in a read-only container of a role's image, without a network."""
    options = ("--rm", "--network=none", "--read-only", f"--user={user}")
    done = subprocess.run(
        ["docker", "run", *options, f"sealed-{role}", *command],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def has(role: str, *modules: str) -> set[str]:
    """Those of the modules that the image's interpreter finds."""
    code = f"import importlib.util as u; print(*[m for m in {modules} if u.find_spec(m)])"
    return set(run(role, *PYTHON, code).split())


def test_agent_and_scorer_images_are_one_layer_each_and_share_none(engine: Engine) -> None:
    """Containers that share a layer share its inodes, and those are a channel."""
    agent, scorer = fit_image(engine, "sealed-agent"), fit_image(engine, "sealed-scorer")
    assert len(agent.layers) == len(scorer.layers) == 1
    check_disjoint(agent, scorer)


@pytest.mark.parametrize("role", ROLES)
def test_image_says_its_role(engine: Engine, role: str) -> None:
    """In a label for the engine's eyes, and in the file that keeps the layers apart."""
    image = engine.image(f"sealed-{role}")
    assert image.config["Labels"]["sealed.image"] == role
    assert run(role, "cat", "/etc/sealed-image").strip() == role


@pytest.mark.parametrize("role", ROLES)
def test_no_file_raises_a_privilege(engine: Engine, role: str) -> None:
    """Neither by its mode nor by a file capability."""
    assert run(role, "find", "/", "-xdev", "-perm", "/6000", user="0") == ""
    code = (
        "import os; print(*[p for d, _, names in os.walk('/usr') for n in names "
        "if 'security.capability' in os.listxattr(p := os.path.join(d, n), follow_symlinks=False)])"
    )
    assert run(role, *PYTHON, code, user="0").strip() == ""


def test_agent_image_trains_with_torch(engine: Engine) -> None:
    """As an unprivileged user, isolated, on a read-only root."""
    code = (
        "import numpy, torch; m = torch.nn.Linear(2, 1); m(torch.ones(3, 2)).sum().backward();"
        "print(m.bias.grad.item())"
    )
    assert run("agent", *PYTHON, code).strip() == "3.0"


def test_agent_image_has_no_package_that_carries_labels(engine: Engine) -> None:
    """scikit-learn ships the answers of tasks; pip could only fetch more."""
    assert has("agent", "numpy", "torch", "sklearn", "scipy", "pip") == {"numpy", "torch"}


def test_scorer_image_has_what_scorers_use_and_no_torch(engine: Engine) -> None:
    """A scorer reads no model, so what loads models is not there."""
    found = has("scorer", "numpy", "scipy", "sklearn", "torch", "pip")
    assert found == {"numpy", "scipy", "sklearn"}


@pytest.mark.parametrize("role", ROLES)
def test_imports_are_compiled_already(engine: Engine, role: str) -> None:
    """A read-only container could not keep what an import compiles: each trial would pay again."""
    code = (
        "import sys; sys.path.insert(0, '/opt/sealed/lib'); import numpy, json, sealed_task, os;"
        "print(*[m.__file__ for m in (numpy, json, sealed_task)"
        " if not os.path.exists(m.__cached__)])"
    )
    assert run(role, *PYTHON, code).strip() == ""


def test_the_controllers_image_has_the_attacks(engine: Engine) -> None:
    """`sealed selftest` finds its catalogue and its tasks there, and no test beside them."""
    words = ("docker", "run", "--rm", "--network=none", "sealed-controller", "selftest")
    done = subprocess.run(
        [*words, "--attack", "no-such-attack"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 4, done.stderr
    assert all(name in done.stderr for name in ("fake_score_line", "fork_bomb", "idle_hogs"))
    assert "test_" not in done.stderr
