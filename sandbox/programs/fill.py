"""Writes into each place that takes files until it is refused; says how much and how many.

Several files, so that the quota is met before the limit of one file's size.
"""

import os
import sys

CHUNK = b"\0" * (1 << 20)
FILES, FILE_CHUNKS, MOST_INODES = 64, 64, 200_000

for place in sys.argv[1:]:
    files = written = 0
    try:
        for number in range(MOST_INODES):
            os.close(os.open(f"{place}/{number}", os.O_CREAT | os.O_WRONLY))
            files += 1
    except OSError:
        pass
    for number in range(files):
        os.unlink(f"{place}/{number}")
    try:
        for number in range(FILES):
            with open(f"{place}/{number}", "wb", buffering=0) as file:
                for _ in range(FILE_CHUNKS):
                    written += file.write(CHUNK)
    except OSError:
        pass
    for number in range(FILES):
        if os.path.exists(f"{place}/{number}"):
            os.unlink(f"{place}/{number}")
    print(place, written, files, file=sys.stderr)
