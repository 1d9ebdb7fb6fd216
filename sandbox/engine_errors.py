"""What the engine's failures mean."""

from sandbox.errors import EngineUnavailable, NoSpace, RuntimeMissing, SandboxError, TooFewResources

START_ENGINE = "Start the engine (`scripts/engine.sh ensure`), or set DOCKER_HOST."


class Gone(Exception):
    """The container, volume or exec is not there."""


class BuildFailed(Exception):
    """A step of an image's build failed; the text is the build's output."""


def meaning(text: str) -> SandboxError:
    """The error that the engine's own words stand for."""
    lower = text.lower()
    if "no space left" in lower or "disk quota" in lower:
        return NoSpace(f"The engine's disk is full: {text}.", "Free space (`docker system df`).")
    if "unknown runtime" in lower or "unknown or invalid runtime" in lower:
        return RuntimeMissing(
            f"The engine has no such runtime: {text}.",
            "Register it in the engine's daemon.json, or unset SEALED_RUNTIME.",
        )
    if "could not select device driver" in lower or "nvidia-container-cli" in lower:
        return TooFewResources(
            f"The engine can't give a GPU: {text}.",
            "Install the NVIDIA container toolkit, or set `gpus: 0` in program.md.",
        )
    if "range of cpus" in lower or "requested cpus are not available" in lower:
        return TooFewResources(f"The engine has fewer CPUs: {text}.", "Lower `cpus` in program.md.")
    return EngineUnavailable(f"The engine refused: {text}.", "See the engine's log.")
