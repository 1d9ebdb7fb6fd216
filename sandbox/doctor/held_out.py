"""Whether agent code can reach held-out data: with real data, prepared as a task's is.

The data is a text that comes out of the secret salt, so that not even `prepare.py`, which trainer
and predictor may read, has it in it. A second text is in the public splits: a trainer that does not
find that one looks in the wrong places.
"""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np

from sandbox.api import TaskFiles
from sandbox.containers.container import StartFailed
from sandbox.containers.host import Host
from sandbox.containers.probe import probe_order, run_probe
from sandbox.policy import LABEL, PYTHON, Role, Volumes
from sandbox.tasks.preparation import make_data
from sandbox.tasks.store import TaskStore, data_name

_PREPARE = """\
def prepare(to, rng):
    sealed, public = rng.bytes(16).hex(), rng.bytes(16).hex()
    for folder in (to.held_out, to.vault):
        (folder / "text").write_text(sealed)
    for folder in (to.train, to.rehearsal):
        (folder / "text").write_text(public)


def score(data, predictors):
    raise NotImplementedError("the doctor looks for data, and scores nothing")
"""
_SECONDS = 30


def held_out(host: Host) -> str:
    """Neither trainer nor predictor finds held-out data; the trainer finds its own."""
    files = TaskFiles(name="doctor", program="", train="", prepare=_PREPARE)
    with tempfile.TemporaryDirectory() as folder:
        store = TaskStore(Path(folder), host.instance)
        rng = np.random.default_rng(store.salt(data_name(files)).tolist())
        sealed, public = rng.bytes(16).hex(), rng.bytes(16).hex()
        volumes = store.volumes(data_name(files))
        try:
            # Made here first, as what the reaper may remove: a killed doctor leaves no data behind.
            labels = {LABEL + "instance": host.instance, LABEL + "role": "artifact"}
            for volume in volumes.of_data():
                host.engine.create_volume(volume, labels)
            make_data(host, store, files, host.engine.image(host.config.scorer_image).id)
            for role, own in ((Role.trainer, True), (Role.predictor, False)):
                wrong, right = _seek(host, role, volumes, (sealed, public))
                if wrong:
                    return f"a {role} finds held-out data: {', '.join(wrong)}"
                if bool(right) is not own:
                    return f"a {role} finds of the train data: {', '.join(right) or 'nothing'}"
        finally:
            for volume in volumes.of_data():
                host.engine.remove_volume(volume)
    return ""


def _seek(host: Host, role: Role, volumes: Volumes, texts: Sequence[str]) -> list[list[str]]:
    """For each text the paths where a program in this role's place finds it."""
    order = probe_order(host, host.engine.image(host.config.agent_image).id, volumes=volumes)
    source = resources.files("sandbox.programs").joinpath("seek.py").read_text()
    backwards = ",".join(text[::-1] for text in texts)
    program = [PYTHON, "-I", "-B", "-c", source, backwards, *volumes.of_data()]
    output = run_probe(host, replace(order, role=role), program, _SECONDS).output
    try:
        found: list[list[str]] = json.loads(output)
    except ValueError:
        raise StartFailed(f"the {role} said: {output[-300:] or 'nothing'}") from None
    return found
