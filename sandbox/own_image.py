"""A task's own agent image: a short Dockerfile that adds packages to the agent image.

The Dockerfile is the operator's, as `prepare.py` is; no agent writes it. All the same it says
little: it begins `FROM sealed-agent`, and then there is `RUN`, and nothing else. What reaches
farther (files, other images, environment, users, mounts, a network of the host) is refused before
the engine sees it. The build gets a network, proxies and certificates, for it installs packages;
the containers of the image get none of them.
"""

import hashlib
import io
import re
import tarfile
from collections.abc import Mapping

from sandbox import limits
from sandbox.api import AGENT_IMAGE, OnProgress, Progress, Stage, TaskFiles, TaskSettings
from sandbox.config import Config
from sandbox.engine import Engine
from sandbox.engine_errors import BuildFailed
from sandbox.errors import BadTask, ImageUnfit
from sandbox.log_reader import clean

_INPUTS, _TASK = "sealed.inputs", "sealed.task"
_MOST_BYTES = 16 * 1024
_FROM = re.compile(r"from\s+" + re.escape(AGENT_IMAGE) + r"(:latest)?", re.IGNORECASE)
_RUN = re.compile(r"run\s+(?!--)\S", re.IGNORECASE)
_MANUAL = "See «Packages of your own» in tasks/README.md."
_BUNDLE = "sealed-certificates.pem"
_TRUST = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_LAST_LINES = 15
_PYTHON = "/opt/sealed/venv/bin/python"
_PIP = "/usr/local/bin/pip"
_BEGIN = (
    f"RUN printf '#!/bin/sh\\nexec {_PYTHON} /opt/sealed/pip.whl/pip \"$@\"\\n' > {_PIP} "
    f"&& chmod 755 {_PIP}"
)
"""Of pip the agent image has the wheel alone, for agent code needs none; the steps need it."""
_END = f"RUN rm -rf {_PIP} /{_BUNDLE} /root/.cache; find / -xdev -perm /6000 -exec chmod a-s {{}} +"


def build_own_image(
    engine: Engine,
    config: Config,
    files: TaskFiles,
    settings: TaskSettings,
    on_progress: OnProgress,
) -> None:
    """Build the image that the task's settings name, unless it is there already.

    Does nothing for a task without a Dockerfile. Raises `BadTask` with the build's own words.
    """
    if not files.dockerfile:
        return
    steps = check(files.dockerfile)
    tag = settings.image
    if tag == AGENT_IMAGE:
        raise BadTask(
            "The task has a Dockerfile, but no image of its own.",
            f"Give it a name in program.md, such as `image: sealed-agent-{files.name.lower()}`.",
        )
    base = engine.image(config.agent_image).id
    inputs = hashlib.sha256("\n".join((base, *steps)).encode()).hexdigest()
    labels = _labels(engine, tag)
    if labels is not None and labels.get(_INPUTS) == inputs:
        return
    if labels is not None and labels.get(_TASK) != files.name:
        raise BadTask(
            f"An image {tag} is there already, and is not this task's.",
            "Give another name as `image` in program.md, or remove that image.",
        )
    on_progress(Progress(stage=Stage.preparing, detail=f"building {tag}", seconds=limits.PREPARE))
    bundle = config.ca_bundle.read_bytes() if config.ca_bundle else b""
    arguments = dict(config.proxies)
    if config.package_index:
        arguments["PIP_INDEX_URL"] = config.package_index
    try:
        engine.build(
            _context(_dockerfile(base, steps, arguments, bool(bundle)), bundle),
            tag,
            labels={_INPUTS: inputs, _TASK: files.name},
            arguments=arguments,
        )
    except BuildFailed as fault:
        lines = clean(str(fault)).strip().splitlines()
        raise BadTask(
            f"The Dockerfile of task {files.name} does not build: {lines[-1] if lines else ''}",
            "Mend it, then prepare the task again.\n" + "\n".join(lines[-_LAST_LINES:]),
        ) from None


def check(dockerfile: str) -> list[str]:
    """The `RUN` steps, each as one logical line. Raises `BadTask`."""
    if len(dockerfile.encode()) > _MOST_BYTES:
        raise BadTask(f"The Dockerfile is over {_MOST_BYTES // 1024} KiB.", "Shorten it.")
    lines = dockerfile.splitlines()
    if any(re.match(r"#\s*(syntax|escape|check)\s*=", line.strip(), re.I) for line in lines):
        raise BadTask("The Dockerfile has a parser directive.", f"Take it out. {_MANUAL}")
    told = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    steps = "\n".join(told).replace("\\\n", " ").splitlines()
    steps = [" ".join(step.split()) for step in steps]
    if not steps or not _FROM.fullmatch(steps[0]):
        raise BadTask(
            f"The Dockerfile does not begin with `FROM {AGENT_IMAGE}`.", f"Begin it so. {_MANUAL}"
        )
    for step in steps[1:]:
        if not _RUN.match(step) or "<<" in step:
            raise BadTask(
                f"The Dockerfile has a step that is not for an agent image: {step[:80]!r}.",
                f"After FROM, use RUN alone, without options and without <<. {_MANUAL}",
            )
    return steps[1:]


def _dockerfile(base: str, steps: list[str], arguments: Mapping[str, str], has_bundle: bool) -> str:
    lines = [f"FROM {base}"]
    # Arguments are there while it builds, and are not kept in the image's environment.
    lines += [f"ARG {name}" for name in arguments]
    if has_bundle:
        lines.append(f"COPY {_BUNDLE} /{_BUNDLE}")
        lines += [f"ARG {name}=/{_BUNDLE}" for name in _TRUST]
    return "\n".join((*lines, _BEGIN, *steps, _END)) + "\n"


def _context(dockerfile: str, bundle: bytes) -> bytes:
    """All that the build is sent: a tar file with the Dockerfile and the certificates."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, data in (("Dockerfile", dockerfile.encode()), (_BUNDLE, bundle)):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def _labels(engine: Engine, tag: str) -> Mapping[str, str] | None:
    try:
        labels = engine.image(tag).config.get("Labels") or {}
    except ImageUnfit:
        return None
    return {str(name): str(value) for name, value in labels.items()}
