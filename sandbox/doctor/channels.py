"""Advisory checks that are tried: what a runtime does not enforce, and what containers share."""

import json
from collections.abc import Callable

from sandbox import limits
from sandbox.api import Advisory
from sandbox.container import StartFailed
from sandbox.doctor.around import Finding, passed, warning
from sandbox.doctor.measured import run_program
from sandbox.host import Host

_BITS = 32


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
    """What one container has read of the image's files, another one can't tell."""
    told = _pages(host, "send", _BITS)
    if told is None:
        return passed("A container has no view of the page cache.")
    if len(told["windows"]) < _BITS:
        detail = "All of the image is in memory: whether containers see so was not tried."
    else:
        seen = _pages(host, "receive", *told["windows"]) or {"bits": []}
        same = sum(map(int.__eq__, seen["bits"], told["bits"]))
        if same <= 3 * _BITS // 4:
            return passed(f"{same} of {_BITS} bits came through: chance.")
        detail = f"{same} of {_BITS} bits came through the page cache from container to container."
    return warning(
        detail,
        "It matters where one predictor must not know what another was asked; "
        "SEALED_RUNTIME=runsc puts another kernel in between.",
    )


def _pages(host: Host, *arguments: object) -> dict[str, list[int]] | None:
    """What `programs/pages.py` says; None where it can't look."""
    output = run_program(host, "pages", *arguments).output
    if "'/proc/self/pagemap'" in output:
        return None
    try:
        told: dict[str, list[int]] = json.loads(output)
    except ValueError:
        raise StartFailed(f"the probe said: {output[-300:] or 'nothing'}") from None
    return told


CHANNEL_CHECKS: dict[Advisory, Callable[[Host], Finding]] = {
    Advisory.tmpfs_inodes: tmpfs_inodes,
    Advisory.page_cache: page_cache,
}
"""Checks that take a container or two each."""
