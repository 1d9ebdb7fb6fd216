"""Writes into each place that takes files until it is refused; says how many, or how much.

`files PLACE…` makes empty files; `bytes PLACE…` fills several, so that the quota is met before the
limit of one file's size.
"""

import os
import sys

CHUNK = b"\0" * (1 << 20)
FILES, FILE_CHUNKS, MOST_INODES = 64, 64, 50_000


def files(place: str) -> int:
    """How many empty files it takes."""
    made = 0
    try:
        for number in range(MOST_INODES):
            os.close(os.open(f"{place}/{number}", os.O_CREAT | os.O_WRONLY))
            made += 1
    except OSError:
        pass
    return made


def written(place: str) -> int:
    """How many bytes it takes."""
    count = 0
    try:
        for number in range(FILES):
            with open(f"{place}/{number}", "wb", buffering=0) as file:
                for _ in range(FILE_CHUNKS):
                    count += file.write(CHUNK)
    except OSError:
        pass
    return count


fill = files if sys.argv[1] == "files" else written
for place in sys.argv[2:]:
    print(place, fill(place), file=sys.stderr)
