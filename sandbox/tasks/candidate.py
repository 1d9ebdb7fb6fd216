"""What the host does with a candidate's text: size, encoding, and a search for one import.

It is never parsed, compiled or imported outside a container.
"""

import re
import zlib

from sandbox.api import CANDIDATE_BYTES, CANDIDATE_COMPRESSED_BYTES
from sandbox.errors import BadCandidate

_WARM = ("torch",)


def check_candidate(text: str) -> None:
    """Raise `BadCandidate` for a text that is empty, too large, or no UTF-8."""
    try:
        data = text.encode("utf-8")
    except UnicodeEncodeError:
        raise BadCandidate("The candidate is not UTF-8.", "Save it as UTF-8.") from None
    if not text.strip():
        raise BadCandidate("The candidate is empty.", "Give a file with `train` and `load`.")
    if b"\0" in data:
        raise BadCandidate("The candidate has a NUL character.", "Save it as plain text.")
    if len(data) > CANDIDATE_BYTES:
        raise BadCandidate(
            f"The candidate has {len(data)} bytes; the limit is {CANDIDATE_BYTES}.",
            "Take data or generated tables out of it.",
        )
    compressed = len(zlib.compress(data, 9))
    if compressed > CANDIDATE_COMPRESSED_BYTES:
        raise BadCandidate(
            f"The candidate has {compressed} bytes when compressed; "
            f"the limit is {CANDIDATE_COMPRESSED_BYTES}.",
            "A program is far below it; take data out.",
        )


def warm_modules(text: str) -> tuple[str, ...]:
    """Modules that the runner imports before the clock starts: those that the text imports."""
    return tuple(
        name
        for name in _WARM
        if re.search(rf"^[ \t]*(?:import|from)\b[^#\n]*\b{name}\b", text, re.MULTILINE)
    )
