"""Keys of providers: taken out of the environment at the start, so that no child inherits one.

`SEALED_LLM_KEY_FILE` names a file, which is read again for each call; `SEALED_LLM_KEY` is a key for
every model; otherwise a provider has the variable that it is known by, such as `OPENAI_API_KEY`.
"""

import os
from pathlib import Path

from controller.errors import Unusable

_FILE = "SEALED_LLM_KEY_FILE"
_KEY = "SEALED_LLM_KEY"
_SUFFIX = "_API_KEY"
_KEY_BYTES = 8192
_taken: dict[str, str] = {}


def take() -> None:
    """Take all keys out of this process's environment; for the entry point."""
    for name in [name for name in os.environ if name == _KEY or name.endswith(_SUFFIX)]:
        _taken[name] = os.environ.pop(name)


def key_of(model: str, endpoint: str | None) -> str:
    """The key to call a model with; "" for an endpoint that needs none. Raises `Unusable`."""
    if path := os.environ.get(_FILE):
        if key := _read(Path(path)):
            return key
    elif key := _taken.get(_KEY, "").strip():
        return key
    known_by = model.partition("/")[0].upper().replace("-", "_") + _SUFFIX
    key = "" if endpoint is not None else _taken.get(known_by, "").strip()
    if not key and endpoint is None:
        raise Unusable(f"No key for {model} is set.", f"Set {_FILE}, {_KEY} or {known_by}.")
    return key


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_KEY_BYTES).decode().strip()
    except (OSError, UnicodeDecodeError) as fault:
        raise Unusable(
            f"The file of {_FILE} can't be read: {type(fault).__name__}.",
            "It must be text, and readable for the controller (in Compose: user 10001).",
        ) from None
