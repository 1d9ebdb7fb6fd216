# /// attack
# group = "living on"
# task = "rooms"
# expected = ["scored"]
# canaries = ["score beats 0.001", "rehearsal beats 0.001"]
# defences = ["HostConfig.Mounts"]
# control = "loop"
# ///
"""Attack: what the first predictor is told, it leaves for the second: in files, names, times,
attributes, shared memory, abstract sockets, locks, and a process that means to stay.

Expected: scored, with exactly what an honest candidate pays.
Defence: HostConfig.Mounts: a predictor's artifact is read-only; all else is the container's own;
the first one's death is confirmed before the second begins.
Control: with an artifact that predictors may write to, the second one knows the number.
"""

import os
import socket
import time
from pathlib import Path

import numpy as np

PLACES = [
    Path(place) for place in ("/artifact", "/tmp", "/dev/shm", "/cache", "/task", "/dev/mqueue")
]


def train(data, artifact, seed, seconds):
    artifact.chmod(0o777)
    (artifact / "note").write_text("")
    (artifact / "note").chmod(0o666)


def load(artifact):
    return answer


def answer(question):
    if question["ask"] == "remember":
        remember(question["number"])
    if question["ask"] == "recall":
        return np.float64(recall())
    return np.zeros(4 if question["ask"] == "free" else ())


def remember(number):
    for place in PLACES:
        for leave in (
            lambda place=place: (place / f"number-{number}").write_text(""),
            lambda place=place: (place / "note").write_text(str(number)),
            lambda place=place: os.utime(place / "note", (number, number)),
            lambda place=place: os.setxattr(place / "note", "user.number", str(number).encode()),
        ):
            try:
                leave()
            except OSError:
                pass
    if os.fork() == 0:
        os.setsid()
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("\0number")
            listener.listen()
            while True:
                listener.accept()[0].send(str(number).encode())


def recall():
    for place in PLACES:
        try:
            for path in place.iterdir():
                if path.name.startswith("number-"):
                    return int(path.name[7:])
            if (place / "note").read_text():
                return int((place / "note").read_text())
            if os.listxattr(place / "note"):
                return int(os.getxattr(place / "note", "user.number"))
            if abs((place / "note").stat().st_mtime - time.time()) > 1e6:
                return int((place / "note").stat().st_mtime)
        except OSError:
            pass
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect("\0number")
            return int(connection.recv(64))
    except OSError:
        return 0
