"""A task's own images: a short Dockerfile that adds packages to the agent or the scorer image.

A Dockerfile is the operator's, as `prepare.py` is; no agent writes it. All the same it says
little: it begins `FROM sealed-agent`, or `FROM sealed-scorer` in `Dockerfile.scorer`, and then
there is `RUN`, and nothing else. What reaches farther (files, other images, environment, users,
mounts, a network of the host) is refused before the engine sees it. The build gets a network,
proxies and certificates, for it installs packages; the containers of the image get none of them.
"""

import hashlib
import io
import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass

from sandbox import limits
from sandbox.api import (
    AGENT_IMAGE,
    SCORER_IMAGE,
    OnProgress,
    Progress,
    Stage,
    TaskFiles,
    TaskSettings,
)
from sandbox.config import Config
from sandbox.engine import Engine
from sandbox.engine_errors import BuildFailed
from sandbox.errors import BadTask, ImageUnfit
from sandbox.log_reader import clean

_INPUTS, _TASK = "sealed.inputs", "sealed.task"
_MOST_BYTES = 16 * 1024
_RUN = re.compile(r"run\s+(?!--)\S", re.IGNORECASE)
_MANUAL = "See «Packages of your own» in tasks/README.md."
_BUNDLE = "sealed-certificates.pem"
_TRUST = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_LAST_LINES = 15
_PYTHON = "/opt/sealed/venv/bin/python"
_PIP = "/usr/local/bin/pip"
_MARK = "/etc/sealed-own-image"
"""Has the image's name: with it, no layer that is made here can be one of another image."""
_BEGIN = (
    f"RUN printf '#!/bin/sh\\nexec {_PYTHON} /opt/sealed/pip.whl/pip \"$@\"\\n' > {_PIP} "
    f"&& chmod 755 {_PIP} && echo {{tag}} > {_MARK}"
)
"""Of pip the role images have the wheel alone, for no trial needs more; the steps need it."""
_END = (
    f"RUN rm -rf {_PIP} /{_BUNDLE} /root/.cache; echo {{tag}} > {_MARK}; "
    "find / -xdev -perm /6000 -exec chmod a-s {{}} +"
)


@dataclass(frozen=True)
class Kind:
    """Which of a task's two images: its file, its setting, and the base it begins with."""

    file: str
    setting: str
    base: str


AGENT = Kind("Dockerfile", "image", AGENT_IMAGE)
SCORER = Kind("Dockerfile.scorer", "scorer_image", SCORER_IMAGE)


@dataclass(frozen=True)
class _Own:
    kind: Kind
    tag: str
    base: str
    """By id: the operator may have named another image as the base."""
    steps: list[str]


def build_own_images(
    engine: Engine,
    config: Config,
    files: TaskFiles,
    settings: TaskSettings,
    on_progress: OnProgress,
) -> None:
    """Build the images that the task's settings name, unless they are there already.

    Does nothing for a task without a Dockerfile. Raises `BadTask` with the build's own words.
    """
    for kind, text, tag, base in (
        (AGENT, files.dockerfile, settings.image, config.agent_image),
        (SCORER, files.scorer_dockerfile, settings.scorer_image, config.scorer_image),
    ):
        if text:
            own = _Own(kind, tag, engine.image(base).id, check(text, kind))
            _build(engine, config, files.name, own, on_progress)


def _build(engine: Engine, config: Config, task: str, own: _Own, on_progress: OnProgress) -> None:
    kind, tag = own.kind, own.tag
    if tag == kind.base:
        raise BadTask(
            f"The task has a {kind.file}, but no image of its own.",
            f"Give it a name in program.md, such as `{kind.setting}: {kind.base}-{task.lower()}`.",
        )
    inputs = hashlib.sha256("\n".join((own.base, *own.steps)).encode()).hexdigest()
    labels = _labels(engine, tag)
    if labels is not None and labels.get(_INPUTS) == inputs:
        return
    if labels is not None and labels.get(_TASK) != task:
        raise BadTask(
            f"An image {tag} is there already, and is not this task's.",
            f"Give another name as `{kind.setting}` in program.md, or remove that image.",
        )
    on_progress(Progress(stage=Stage.preparing, detail=f"building {tag}", seconds=limits.PREPARE))
    bundle = config.ca_bundle.read_bytes() if config.ca_bundle else b""
    arguments = dict(config.proxies)
    if config.package_index:
        arguments["PIP_INDEX_URL"] = config.package_index
    try:
        engine.build(
            _context(_dockerfile(own, arguments, bool(bundle)), bundle, tag),
            tag,
            labels={_INPUTS: inputs, _TASK: task},
            arguments=arguments,
        )
    except BuildFailed as fault:
        lines = clean(str(fault)).strip().splitlines()
        raise BadTask(
            f"The {kind.file} of task {task} does not build: {lines[-1] if lines else ''}",
            "Mend it, then prepare the task again.\n" + "\n".join(lines[-_LAST_LINES:]),
        ) from None


def check(dockerfile: str, kind: Kind) -> list[str]:
    """The `RUN` steps, each as one logical line. Raises `BadTask`."""
    if len(dockerfile.encode()) > _MOST_BYTES:
        raise BadTask(f"The {kind.file} is over {_MOST_BYTES // 1024} KiB.", "Shorten it.")
    lines = dockerfile.splitlines()
    if any(re.match(r"#\s*(syntax|escape|check)\s*=", line.strip(), re.I) for line in lines):
        raise BadTask(f"The {kind.file} has a parser directive.", f"Take it out. {_MANUAL}")
    told = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    steps = "\n".join(told).replace("\\\n", " ").splitlines()
    steps = [" ".join(step.split()) for step in steps]
    first = re.compile(rf"from\s+{re.escape(kind.base)}(:latest)?", re.IGNORECASE)
    if not steps or not first.fullmatch(steps[0]):
        raise BadTask(
            f"The {kind.file} does not begin with `FROM {kind.base}`.", f"Begin it so. {_MANUAL}"
        )
    for step in steps[1:]:
        if not _RUN.match(step) or "<<" in step:
            raise BadTask(
                f"The {kind.file} has a step that is not for a role image: {step[:80]!r}.",
                f"After FROM, use RUN alone, without options and without <<. {_MANUAL}",
            )
    return steps[1:]


def _dockerfile(own: _Own, arguments: Mapping[str, str], has_bundle: bool) -> str:
    lines = [f"FROM {own.base}"]
    # Arguments are there while it builds, and are not kept in the image's environment.
    lines += [f"ARG {name}" for name in arguments]
    if has_bundle:
        lines.append(f"COPY {_BUNDLE} /{_BUNDLE}")
        lines += [f"ARG {name}=/{_BUNDLE}" for name in _TRUST]
    begin, end = (step.format(tag=own.tag) for step in (_BEGIN, _END))
    return "\n".join((*lines, begin, *own.steps, end)) + "\n"


def _context(dockerfile: str, bundle: bytes, tag: str) -> bytes:
    """All that the build is sent: a tar file with the Dockerfile and the certificates."""
    # The certificates become a layer too: lines between them say nothing, but tell images apart.
    bundle += f"\n# {tag}\n".encode()
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
