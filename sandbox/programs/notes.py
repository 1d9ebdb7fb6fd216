"""A note from one container to a later one, in what the kernel remembers of an image's files.

`send pages COUNT` and `send names COUNT` leave random bits and print where, and how long it took:
`receive pages PLACE…` and `receive names PLACE…` print the bits that they find there. A page of a
large file is in memory, if somebody has read it: reading it is fast. A name that is not there is
known to be missing, if somebody has looked it up: looking it up again is a little faster.
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import islice

PAGE, WINDOW = 4096, 128
PROBED, WRITTEN = 32, 96
"""Pages of a window: one shows whether anybody has been there, the other is the bit."""
SLOW = 4
"""How many times longer than the same read again it takes to read from the disk."""
NAMES = 20
"""Names for a bit; a single lookup is too noisy."""


def nanoseconds(act: Callable[[], object]) -> int:
    """How long it takes."""
    began = time.perf_counter_ns()
    act()
    return time.perf_counter_ns() - began


# ---- pages -------------------------------------------------------------------------------------


def largest() -> str:
    """Path of the image's largest file."""
    paths = (
        os.path.join(folder, name)
        for root in ("/opt", "/usr")
        for folder, _, names in os.walk(root)
        for name in names
    )
    return max((p for p in paths if os.path.isfile(p)), key=lambda p: (os.path.getsize(p), p))


class File:
    """The file whose pages are the bits; places are numbers of windows."""

    def __init__(self) -> None:
        self.descriptor = os.open(largest(), os.O_RDONLY)
        self.windows = os.fstat(self.descriptor).st_size // PAGE // WINDOW

    def read(self, window: int, page: int) -> None:
        os.pread(self.descriptor, 1, (window * WINDOW + page) * PAGE)

    def cached(self, window: int, page: int) -> bool:
        read = partial(self.read, window, page)
        first = nanoseconds(read)
        return first < SLOW * nanoseconds(read)

    def places(self, count: int) -> list[int]:
        """At most so many windows that nobody has read."""
        return list(islice((w for w in range(self.windows) if not self.cached(w, PROBED)), count))

    def write(self, window: int) -> None:
        self.read(window, WRITTEN)

    def bits(self, windows: list[int]) -> list[int]:
        return [int(self.cached(window, WRITTEN)) for window in windows]


# ---- names -------------------------------------------------------------------------------------


class Folder:
    """The folder that has not these names; places are random numbers, the first is a reference."""

    def places(self, count: int) -> list[int]:
        reference, *places = (int.from_bytes(os.urandom(6), "big") for _ in range(count + 1))
        self.write(reference)
        return [reference, *places]

    def look(self, place: int) -> float:
        """Nanoseconds of the median of its names."""
        names = (f"/opt/sealed/{place}-{n}" for n in range(NAMES))
        return statistics.median(nanoseconds(partial(os.path.lexists, name)) for name in names)

    def write(self, place: int) -> None:
        self.look(place)

    def bits(self, places: list[int]) -> list[int]:
        reference, *rest = places
        unknown = [self.look(int.from_bytes(os.urandom(6), "big")) for _ in range(NAMES)]
        middle = (self.look(reference) + statistics.median(unknown)) / 2
        return [1, *(int(self.look(place) < middle) for place in rest)]


def main() -> None:
    act, way, *arguments = sys.argv[1:]
    channel = File() if way == "pages" else Folder()
    if act == "send":
        places = channel.places(int(arguments[0]))
        bits = [os.urandom(1)[0] & 1 for _ in places]
        bits[:1] = [1] * len(bits[:1])  # of names the first is the reference
        began = time.perf_counter()
        for place, bit in zip(places, bits, strict=True):
            if bit:
                channel.write(place)
        said: dict[str, object] = {"places": places, "bits": bits}
    else:
        began = time.perf_counter()
        said = {"bits": channel.bits([int(place) for place in arguments])}
    said["seconds"] = time.perf_counter() - began
    print(json.dumps(said, indent=0), file=sys.stderr)  # a long line of a log is cut


main()
