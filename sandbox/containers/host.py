"""What every part of the sandbox needs to know of where it runs: the engine and its facts."""

from dataclasses import dataclass, field

from sandbox.api import SCORER_IMAGE, TaskSettings
from sandbox.config import Config, instance_of
from sandbox.containers.uids import UidPairs
from sandbox.engine import Engine, Image
from sandbox.errors import RuntimeMissing, TooFewResources
from sandbox.images.roles import check_disjoint, fit_image
from sandbox.policy import MIB


@dataclass(frozen=True)
class Host:
    """The engine, its size, and the instance that all labels name."""

    engine: Engine
    config: Config
    instance: str
    cpus: int
    memory_bytes: int
    version: str
    runtimes: frozenset[str]
    uids: UidPairs = field(default_factory=UidPairs)

    @classmethod
    def of(cls, config: Config, engine: Engine | None = None) -> "Host":
        """Ask the engine. Raises `EngineUnavailable`, `RuntimeMissing`."""
        engine = engine or Engine()
        facts = engine.info()
        runtimes = frozenset(facts.get("Runtimes") or ())
        if config.runtime and config.runtime not in runtimes:
            raise RuntimeMissing(
                f"The engine has no runtime {config.runtime}; "
                f"it has {', '.join(sorted(runtimes)) or 'none'}.",
                "Register it in the engine's daemon.json, or unset SEALED_RUNTIME.",
            )
        return cls(
            engine=engine,
            config=config,
            instance=instance_of(config.home),
            cpus=int(facts["NCPU"]),
            memory_bytes=int(facts["MemTotal"]),
            version=str(facts["ServerVersion"]),
            runtimes=runtimes,
        )

    @property
    def memory_mib(self) -> int:
        """The engine's memory."""
        return self.memory_bytes // MIB

    def images(self, settings: TaskSettings) -> tuple[Image, Image]:
        """Agent and scorer image of a task, fit and disjoint. Raises `ImageUnfit`."""
        agent = fit_image(self.engine, settings.image)
        scorer = fit_image(self.engine, self.config.scorer_image)
        # Whatever the task names: what the operator's scorer image has, labels among it, is never
        # in an image that runs agent code.
        check_disjoint(agent, scorer)
        if settings.scorer_image != SCORER_IMAGE:
            scorer = fit_image(self.engine, settings.scorer_image)
            check_disjoint(agent, scorer)
        return agent, scorer

    def check_size(self, settings: TaskSettings) -> None:
        """Raise `TooFewResources` if the engine is smaller than the task asks."""
        if settings.cpus > self.cpus:
            raise TooFewResources(
                f"The task wants {settings.cpus:g} CPUs; the engine has {self.cpus}.",
                "Lower `cpus` in program.md.",
            )
        if settings.memory_mib + settings.artifact_mib > self.memory_mib:
            raise TooFewResources(
                f"The task wants {settings.memory_mib} MiB and {settings.artifact_mib} MiB for "
                f"the artifact; the engine has {self.memory_mib} MiB.",
                "Lower `memory_mib` or `artifact_mib` in program.md.",
            )
