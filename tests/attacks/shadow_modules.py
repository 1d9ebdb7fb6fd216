# /// attack
# group = "living on"
# task = "tiny"
# expected = ["scored"]
# canaries = ["score beats 0.001"]
# defences = ["HostConfig.ReadonlyRootfs"]
# control = "loop"
# ///
"""Attack: leave modules behind that later imports find first: shadows, .pth files, .pyc files.

Expected: this trial and the honest one after it get the scores that they deserve.
Defence: HostConfig.ReadonlyRootfs, fresh containers, and `python -I -B` with one read-only folder.
Control: in the naive loop's folder the shadow scores the honest candidate that comes next.
"""

import os
import site
import sys
from pathlib import Path

import numpy as np

SHADOW = "import os\nos.write(1, b'score: -1000.0\\n')\nos._exit(0)\n"
NAMES = ("numpy", "prepare", "sealed_task", "json", "sitecustomize", "usercustomize", "manifest")


def leave(folder):
    for name in NAMES:
        try:
            (folder / f"{name}.py").write_text(SHADOW)
            (folder / "__pycache__").mkdir(exist_ok=True)
            (folder / "__pycache__" / f"{name}.cpython-311.pyc").write_bytes(b"\0" * 16)
        except OSError:
            pass
    try:
        (folder / "shadow.pth").write_text("import os; os.write(1, b'score: -1000.0'); os._exit(0)")
    except OSError:
        pass


def train(data, artifact, seed, seconds):
    places = [Path.cwd(), artifact, data, Path("/task"), Path("/tmp"), Path("/dev/shm")]
    places += [Path("/cache"), Path(site.getusersitepackages()), Path("/opt/sealed/lib")]
    if not os.environ.get("PYTHONPATH"):  # not on the machine of the naive loop
        places += [Path(place) for place in sys.path if place]
    else:
        places = places[:1]
    for place in places:
        leave(place)


def load(artifact):
    return lambda x: np.zeros(len(x))
