"""Advisory checks of what the engine says of itself and of the machine it runs on."""

import contextlib
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.api import Advisory, Verdict
from sandbox.doctor.escapes import Component, escapes, is_mended, parse
from sandbox.engine import Engine

_DESKTOP = "Docker Desktop"
_DESKTOP_BYTES = 7 * 2**29
"""What a virtual machine of 4 GiB shows, its kernel's share taken off."""
_TOOLKIT = "nvidia-ctk"


@dataclass(frozen=True)
class Finding:
    """What an advisory check found."""

    verdict: Verdict
    detail: str
    next_step: str = ""


def passed(detail: str) -> Finding:
    """Nothing to advise."""
    return Finding(Verdict.passed, detail)


def unneeded(why: str) -> Finding:
    """The check does not apply."""
    return Finding(Verdict.not_applicable, why)


def warning(detail: str, next_step: str) -> Finding:
    """Something to mend or to accept."""
    return Finding(Verdict.warning, detail, next_step)


@dataclass(frozen=True, kw_only=True)
class Around:
    """What is known of engine and machine."""

    info: Mapping[str, Any]
    """The engine's `info`."""
    version: Mapping[str, Any]
    """The engine's `version`."""
    runtime: str = ""
    """As configured; empty: the engine's own."""
    toolkit: str = ""
    """What NVIDIA's toolkit says of itself; empty: it is not to be asked from here."""

    @classmethod
    def of(cls, engine: Engine, runtime: str) -> "Around":
        """Ask the engine, and the toolkit where the engine is this machine's."""
        toolkit = ""
        if engine.is_local and (tool := shutil.which(_TOOLKIT)):
            with contextlib.suppress(OSError, subprocess.SubprocessError):
                toolkit = subprocess.run(
                    [tool, "--version"], capture_output=True, text=True, timeout=10, check=True
                ).stdout
        return cls(info=engine.info(), version=engine.version(), runtime=runtime, toolkit=toolkit)

    @property
    def own_kernel(self) -> str:
        """The runtime in use, if it puts a kernel of its own under a container; else empty."""
        name = self.runtime or str(self.info.get("DefaultRuntime") or "")
        entry = (self.info.get("Runtimes") or {}).get(name) or {}
        told = f"{name} {entry.get('path') or ''} {entry.get('runtimeType') or ''}".lower()
        return next((kind for kind in ("runsc", "kata") if kind in told), "")

    def component(self, name: str) -> tuple[str, str]:
        """Version and package version of a part of the engine; empty where it is not told."""
        for part in self.version.get("Components") or []:
            if part.get("Name") == name:
                commit = (part.get("Details") or {}).get("GitCommit")
                return str(part.get("Version") or ""), str(commit or "")
        return "", ""

    @property
    def desktop(self) -> str:
        """Docker Desktop with its version; empty elsewhere."""
        name = str((self.version.get("Platform") or {}).get("Name") or "")
        return name if name.startswith(_DESKTOP) else ""


def _versions(
    around: Around, check: Advisory, component: Component, version: str, package: str = ""
) -> Finding:
    """Hold a version against the known escapes."""
    of = [
        escape
        for escape in escapes()
        if escape.component == component
        and (not escape.plugin or (around.info.get("Plugins") or {}).get(escape.plugin))
    ]
    parsed = parse(version)
    if parsed is None:
        newest = max((escape.fixed[-1] for escape in of), key=lambda text: parse(text) or (0,))
        return warning(
            f"Nothing here tells the version of {component}; {newest} closes the last way out.",
            f"Look on the engine's host; if it is that or newer, `--accept {check}`.",
        )
    shown = f"{component} {version.strip()}" + (f" ({package})" if package else "")
    open_to = [escape for escape in of if not is_mended(escape, parsed, package)]
    if not open_to:
        return passed(f"{shown}: no known way out")
    ways = "; ".join(
        f"{escape.id}: {escape.allows} (mended in {', '.join(escape.fixed)}; {escape.source})"
        for escape in open_to
    )
    return warning(
        f"{shown} is open by its number: {ways}.",
        f"Update it. A distribution may have mended it under the old number: if its own page of "
        f"{', '.join(escape.id for escape in open_to)} says so, `--accept {check}`.",
    )


def _engine_version(around: Around) -> Finding:
    version, _ = around.component("Engine")
    version = version or str(around.version.get("Version") or "")
    return _versions(around, Advisory.engine_version, "engine", version)


def _containerd_version(around: Around) -> Finding:
    version, package = around.component("containerd")
    return _versions(around, Advisory.containerd_version, "containerd", version, package)


def _runc_version(around: Around) -> Finding:
    if around.own_kernel:
        return unneeded(f"{around.own_kernel} starts the containers")
    version, package = around.component("runc")
    return _versions(around, Advisory.runc_version, "runc", version, package)


def _toolkit_version(around: Around) -> Finding:
    if "nvidia" not in (around.info.get("Runtimes") or {}):
        return unneeded("The engine has no runtime of NVIDIA's.")
    version = around.toolkit.partition("\n")[0]
    return _versions(around, Advisory.toolkit_version, "toolkit", version)


def _desktop_version(around: Around) -> Finding:
    if not around.desktop:
        return unneeded(f"The engine is not {_DESKTOP}'s.")
    return _versions(around, Advisory.desktop_version, "desktop", around.desktop)


def _desktop_memory(around: Around) -> Finding:
    if not around.desktop:
        return unneeded(f"The engine is not {_DESKTOP}'s.")
    memory = int(around.info.get("MemTotal") or 0)
    if memory < _DESKTOP_BYTES:
        return warning(
            f"{_DESKTOP} has {memory / 2**30:.1f} GiB; five containers of a trial share them.",
            "Give it 4 GiB or more: Settings, Resources.",
        )
    return passed(f"{_DESKTOP} has {memory / 2**30:.1f} GiB")


def _lsm(around: Around) -> Finding:
    if around.own_kernel:
        return unneeded(f"{around.own_kernel} has a kernel of its own")
    names = {"apparmor": "AppArmor", "selinux": "SELinux"}
    options = _security_options(around)
    for option, name in names.items():
        if option in options:
            return passed(f"{name} confines containers")
    return warning(
        "Neither AppArmor nor SELinux confines containers.",
        "Turn one of them on in the engine's host, and restart the engine.",
    )


def _cgroup(around: Around) -> Finding:
    if str(around.info.get("CgroupVersion") or "1") == "2":
        return passed("cgroup v2")
    return warning(
        "The engine uses cgroup v1: its release agent has been a way out (CVE-2022-0492), "
        "and runc's makers have given it up.",
        "Boot the engine's host with `systemd.unified_cgroup_hierarchy=1`.",
    )


def _user_namespace(around: Around) -> Finding:
    if around.own_kernel:
        return unneeded(f"{around.own_kernel} has a kernel of its own")
    options = _security_options(around)
    if "rootless" in options:
        return passed("The engine is rootless.")
    if "userns" in options:
        return passed("Users of containers are others on the host.")
    return warning(
        "Root of a container is root of the host: a way out of runc ends there.",
        "Run the engine rootless, or set SEALED_RUNTIME=runsc.",
    )


def _security_options(around: Around) -> set[str]:
    """Names of what the engine confines containers with."""
    told = around.info.get("SecurityOptions") or []
    return {option.partition("name=")[2].partition(",")[0] for option in told}


AROUND_CHECKS: dict[Advisory, Callable[[Around], Finding]] = {
    Advisory.engine_version: _engine_version,
    Advisory.containerd_version: _containerd_version,
    Advisory.runc_version: _runc_version,
    Advisory.toolkit_version: _toolkit_version,
    Advisory.desktop_version: _desktop_version,
    Advisory.desktop_memory: _desktop_memory,
    Advisory.lsm: _lsm,
    Advisory.cgroup: _cgroup,
    Advisory.user_namespace: _user_namespace,
}
"""Checks of what the engine tells."""
