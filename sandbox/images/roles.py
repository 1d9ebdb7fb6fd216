"""Role images: looked up once, used by id, and refused if something in them could act on us."""

from collections.abc import Mapping
from typing import Any

from sandbox.engine import Engine, Image
from sandbox.errors import ImageUnfit

_BAD_VARIABLES = ("LD_", "NVIDIA_", "PYTHON", "GCONV_PATH", "BASH_ENV")


def fit_image(engine: Engine, tag: str) -> Image:
    """The image of a tag, linted. Raises `ImageUnfit` with every finding."""
    image = engine.image(tag)
    findings = lint(image.config)
    if findings:
        raise ImageUnfit(
            f"The image {tag} is not fit for a role container: {'; '.join(findings)}.",
            "Build it without these; see images/README.md.",
        )
    return image


def lint(config: Mapping[str, Any]) -> list[str]:
    """What of an image's configuration must not be there; empty if it is fit."""
    findings = [
        f"environment variable {name}"
        for name in (entry.split("=", 1)[0] for entry in config.get("Env") or [])
        if name.startswith(_BAD_VARIABLES)
    ]
    for key in ("Volumes", "Healthcheck", "Entrypoint", "OnBuild"):
        if config.get(key):
            findings.append(key.upper())
    return findings


def check_disjoint(agent: Image, scorer: Image) -> None:
    """Raise `ImageUnfit` if the two share a layer: shared inodes are a channel."""
    shared = set(agent.layers) & set(scorer.layers)
    if shared:
        raise ImageUnfit(
            f"Agent and scorer image share {len(shared)} layers.",
            "Build both with `make images`: each is one layer of its own. A task's own images have "
            "no step in common that changes nothing; see tasks/README.md.",
        )
