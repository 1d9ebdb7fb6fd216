"""Files of the sandbox's state: there whole, or not at all."""

import os
from pathlib import Path

from sandbox.errors import NoSpace


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that is there whole or not at all, also after a power cut."""
    draft = path.with_name(path.name + ".draft")
    try:
        with draft.open("wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as fault:
        draft.unlink(missing_ok=True)
        raise NoSpace(
            f"The sandbox can't write its state: {fault.strerror}.", "Free space on its disk."
        ) from None
