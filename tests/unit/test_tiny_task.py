"""tests/tasks/tiny: what other tests rely on."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sandbox.tasks.settings import parse_program
from sealed_task import Folders, Invalid
from tests.support.predictors import local_predictors
from tests.support.tasks import TINY, load_module, prepared

PREPARE = load_module(TINY / "prepare.py")


@pytest.fixture
def tiny(tmp_path: Path) -> Folders:
    """Its four splits."""
    return prepared(PREPARE, tmp_path, salt=1)


def error_of(tiny: Folders, artifact: Path, scale: float) -> float:
    """Held-out score of the baseline with this constant."""
    train = load_module(TINY / "train.py")
    train.train(tiny.train.parent, artifact, 0, 1.0)
    train.SCALE = scale  # type: ignore[attr-defined]
    return float(PREPARE.score(tiny.held_out, local_predictors(train.load(artifact))).values.mean())


def test_the_best_value_of_its_constant_is_one(tiny: Folders, tmp_path: Path) -> None:
    """Doubling the baseline's 0.5 is a large gain; 1 beats its neighbours and has noise alone."""
    errors = {scale: error_of(tiny, tmp_path, scale) for scale in (0.25, 0.5, 0.9, 1, 1.1, 2)}
    assert min(errors, key=errors.__getitem__) == 1
    assert errors[1] < 0.03 < 1 < errors[0.5]
    assert "SCALE = 0.5  # search: log 0.25 4.0\n" in (TINY / "train.py").read_text("utf-8")


@pytest.mark.parametrize("answer", [lambda x: np.zeros((1,)), lambda x: np.full(len(x), np.nan)])
def test_wrong_answers_are_invalid(tiny: Folders, answer: Any) -> None:
    """One number for all rows, or NaN, gets no score."""
    with pytest.raises(Invalid):
        PREPARE.score(tiny.held_out, local_predictors(answer))


def test_its_settings_are_small() -> None:
    """Attack tests have a budget of one second and little memory."""
    settings, _ = parse_program((TINY / "program.md").read_text("utf-8"))
    assert settings.budget_seconds == 1
    assert settings.memory_mib <= 256
