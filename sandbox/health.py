"""`python -m sandbox.health`: exit status 0 if the sandbox answers and has its engine and images.

A program apart, of the standard library alone: it is run every few seconds beside a trial, and what
the sandbox itself imports would cost a second of processor each time.
"""

import json
import os
import socket
import sys
from contextlib import closing
from http.client import HTTPConnection, HTTPException

_SECONDS = 10
_INFO = "/v1/info"


class _Connection(HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("sandbox", timeout=_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_SECONDS)
        self.sock.connect(self._path)


def look(path: str) -> str:
    """What is wrong with the sandbox that listens at `path`; empty if it is well."""
    try:
        with closing(_Connection(path)) as connection:
            connection.request("POST", _INFO)
            answer = connection.getresponse()
            body = json.loads(answer.read(65536))
    except (OSError, HTTPException, ValueError) as fault:
        return f"The sandbox does not answer at {path}: {fault}."
    if answer.status == 200:
        return ""
    return f"{body.get('message')} {body.get('next_step')}"


if __name__ == "__main__":
    wrong = look(os.environ.get("SEALED_SOCKET", ""))
    if wrong:
        print(wrong, file=sys.stderr)
    raise SystemExit(1 if wrong else 0)
