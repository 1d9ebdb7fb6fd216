"""Task folders on disk, their files as modules, and their splits."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np

from sealed_task import Folders

ROOT = Path(__file__).parents[2]
DIGITS = ROOT / "tasks" / "digits"
TINY = ROOT / "tests" / "tasks" / "tiny"


def load_module(path: Path) -> ModuleType:
    """A task's `prepare.py` or `train.py`, fresh each time and not in `sys.modules`."""
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def prepared(prepare: ModuleType, folder: Path, salt: int) -> Folders:
    """The four splits below `folder`, laid out as the prepare role lays them out."""
    to = Folders(
        train=folder / "public" / "train",
        rehearsal=folder / "public" / "rehearsal",
        held_out=folder / "sealed" / "held_out",
        vault=folder / "sealed" / "vault",
    )
    for split in (to.train, to.rehearsal, to.held_out, to.vault):
        split.mkdir(parents=True)
    prepare.prepare(to, np.random.default_rng(salt))
    return to
