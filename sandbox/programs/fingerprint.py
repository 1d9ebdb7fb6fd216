"""Reads one candidate, and answers with a digest that comments and layout don't change.

Whatever it dies of (no Python, too deep, too large), it gives no answer.
"""

import ast
import hashlib
import runpy
import sys
from collections.abc import Iterator

_MOST_BYTES = 1 << 20
_NO_CODE = {"kind", "type_comment"}  # u"x" is "x"


def words(program: ast.AST) -> Iterator[str]:
    """A tree as a sequence that no other tree has; not by recursion, for a tree may be deep.

    A kind of node has always the same fields, and a list says how long it is.
    """
    left: list[object] = [program]
    while left:
        match left.pop():
            case ast.AST() as node:
                yield type(node).__name__
                fields = [value for name, value in ast.iter_fields(node) if name not in _NO_CODE]
                left.extend(reversed(fields))
            case list() as items:
                yield f"[{len(items)}"
                left.extend(reversed(items))
            case value:
                yield repr(value)


def main() -> None:
    """Answer for one candidate."""
    # The package itself would import numpy.
    frames = runpy.run_path("/opt/sealed/lib/sealed_task/frames.py")
    sys.set_int_max_str_digits(0)
    replies = sys.stdout.buffer
    frames["write"](replies, frames["Kind"].READY)
    _, candidate, _ = frames["read"](sys.stdin.buffer, _MOST_BYTES)
    text = "\n".join(words(ast.parse(candidate.decode())))
    answer = hashlib.sha256(b"program\0" + text.encode(errors="surrogatepass")).digest()
    frames["write"](replies, frames["Kind"].DONE, answer)


if __name__ == "__main__":
    main()
