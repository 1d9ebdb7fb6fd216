"""What the operator sets for this sandbox: read once from `SEALED_*`, frozen.

Nothing here can weaken a container: these settings say where things are, and choose a runtime.
"""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.api import AGENT_IMAGE, SCORER_IMAGE
from sandbox.errors import BadRequest

PROXY_NAMES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


@dataclass(frozen=True, kw_only=True)
class Config:
    """Every field's line here is its documentation."""

    home: Path
    """`SEALED_HOME`: state of the sandbox; default `$XDG_STATE_HOME/sealed`."""
    socket: Path
    """`SEALED_SOCKET`: where the API listens; default `sandbox.sock` in the home."""
    on_demand: bool = True
    """Whether a client starts the sandbox: not where `SEALED_SOCKET` names one that others run."""
    agent_image: str = AGENT_IMAGE
    """`SEALED_AGENT_IMAGE`: image of the doctor's probes; tasks name their own."""
    scorer_image: str = SCORER_IMAGE
    """`SEALED_SCORER_IMAGE`: image of scorer, holder and prepare role; a task may name its own."""
    runtime: str = ""
    """`SEALED_RUNTIME`: OCI runtime by the engine's name for it, such as `runsc`."""
    gpus: tuple[str, ...] | None = None
    """`SEALED_GPUS`: UUIDs, separated by commas; default: those that the engine shows."""
    ca_bundle: Path | None = None
    """`SEALED_CA_BUNDLE`: certificates that the prepare role trusts, as one PEM file.

    Default: what `SSL_CERT_FILE` or `REQUESTS_CA_BUNDLE` tell this machine's programs to trust.
    """
    package_index: str = ""
    """`PIP_INDEX_URL`: a mirror, for the prepare role and for images that tasks bring."""
    proxies: Mapping[str, str] = field(default_factory=dict)
    """`http_proxy` and its kin: handed to the prepare role alone."""


def from_environment(environment: Mapping[str, str] = os.environ) -> Config:
    """The configuration of this process. Raises `BadRequest` for a setting that can't be used."""
    state = environment.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    home = Path(environment.get("SEALED_HOME") or Path(state) / "sealed").absolute()
    bundle = environment.get("SEALED_CA_BUNDLE")
    if bundle is None:
        theirs = (environment.get(name) or "" for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"))
        bundle = next((file for file in theirs if Path(file).is_file()), None)
    if bundle and not Path(bundle).is_file():
        raise BadRequest(f"SEALED_CA_BUNDLE names no file: {bundle}.", "Give a PEM file.")
    gpus = environment.get("SEALED_GPUS")
    return Config(
        home=home,
        socket=Path(environment.get("SEALED_SOCKET") or home / "sandbox.sock"),
        on_demand=not environment.get("SEALED_SOCKET"),
        agent_image=environment.get("SEALED_AGENT_IMAGE") or AGENT_IMAGE,
        scorer_image=environment.get("SEALED_SCORER_IMAGE") or SCORER_IMAGE,
        runtime=environment.get("SEALED_RUNTIME") or "",
        gpus=None if gpus is None else tuple(u.strip() for u in gpus.split(",") if u.strip()),
        ca_bundle=Path(bundle) if bundle else None,
        package_index=environment.get("PIP_INDEX_URL") or "",
        proxies={name: environment[name] for name in PROXY_NAMES if environment.get(name)},
    )


def instance_of(home: Path) -> str:
    """The random name of the state below `home`, made at first use."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = home / "instance"
    if not file.exists():
        draft = home / f"instance.{secrets.token_hex(4)}"
        draft.write_text(secrets.token_hex(6))
        try:
            os.link(draft, file)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return file.read_text().strip()
