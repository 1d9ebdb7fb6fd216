"""Advisory checks that are tried: what a runtime does not enforce, and what containers share."""

from collections.abc import Callable

from sandbox import limits
from sandbox.api import Advisory
from sandbox.containers.container import StartFailed
from sandbox.containers.host import Host
from sandbox.doctor.around import Finding, passed, warning
from sandbox.doctor.leftovers import leftovers
from sandbox.doctor.measured import run_program


def tmpfs_inodes(host: Host) -> Finding:
    """A tmpfs takes no more files than it may; where it does, memory is what bounds them."""
    places = {"/tmp": limits.TMP_INODES, "/cache": limits.CACHE_INODES}  # noqa: S108
    output = run_program(host, "fill", "files", *places).output
    rows = [line.split() for line in output.splitlines()]
    if [row[0] for row in rows] != list(places):
        raise StartFailed(f"the probe said: {output[-300:] or 'nothing'}")
    over = [f"{place} took {files}" for place, files in rows if int(files) > places[place]]
    if not over:
        return passed("holds")
    return warning(
        f"HostConfig.Tmpfs: the runtime does not enforce `nr_inodes`: {', '.join(over)} files.",
        "Files of a tmpfs count as the container's memory, which is limited.",
    )


def page_cache(host: Host) -> Finding:
    """What one container has read or looked up in the image, a later one can't tell."""
    carried = [
        f"{left.bits_per_second:,.0f} bits a second by the image's {left.way}"
        for left in leftovers(host)
        if left.carries
    ]
    if not carried:
        return passed("No note came through.")
    return warning(
        f"Containers tell each other {', '.join(carried)}.",
        "It matters where one predictor must not know what another was asked. Nothing here closes "
        "it, gVisor neither: SECURITY.md has both figures.",
    )


CHANNEL_CHECKS: dict[Advisory, Callable[[Host], Finding]] = {
    Advisory.tmpfs_inodes: tmpfs_inodes,
    Advisory.page_cache: page_cache,
}
"""Checks that take a container or two each."""
