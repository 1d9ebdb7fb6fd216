"""Takes four times the memory that it is given as an argument, in bytes."""

import sys

held = []
for _ in range(4 * int(sys.argv[1]) // (1 << 20)):
    held.append(b"x" * (1 << 20))
print("survived", len(held), file=sys.stderr)
