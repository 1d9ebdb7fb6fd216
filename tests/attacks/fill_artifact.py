# /// attack
# group = "exhaustion"
# task = "tiny"
# expected = ["crash", "timeout"]
# tried = "files"
# canaries = ["written > 8388608", "files > 4096"]
# defences = ["artifact-quota"]
# control = "flip"
# ///
"""Attack: fill the artifact: its bytes, its inodes (bounded at a fifth more than is allowed).

Expected: crash (it ends so, for brevity); 8 MiB and 4096 inodes were all.
Defence: `artifact_options`: a tmpfs with `size` and `nr_inodes`.
Control: without them all of it is written.
"""

import os
import sys

MOST_BYTES, MOST_FILES = 10 << 20, 4915


def train(data, artifact, seed, seconds):
    written = files = 0
    try:
        with (artifact / "large").open("wb", buffering=0) as file:
            while written < MOST_BYTES:
                written += file.write(bytes(1 << 18))
    except OSError:
        pass
    (artifact / "large").unlink()
    try:
        for number in range(MOST_FILES):
            os.close(os.open(f"/artifact/{number}", os.O_CREAT | os.O_WRONLY))
            files += 1
    except OSError:
        pass
    sys.stderr.write(f"\nwritten: {written}\nfiles: {files}\n")
    raise RuntimeError("that was all")


def load(artifact):
    return None
