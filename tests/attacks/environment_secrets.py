# /// attack
# group = "reaching"
# task = "tiny"
# expected = ["crash", "timeout"]
# tried = "places"
# canaries = ["log =~ canary-"]
# defences = ["Env"]
# control = "loop"
# ///
"""Attack: read keys of the sandbox and its host from environments and command lines.

Expected: crash (it ends so, for brevity), with no canary in the log.
Defence: Env: empty but for four names that the policy sets.
Control: with the host's variable in the container's environment the canary is in the log.
"""

import os
import sys


def train(data, artifact, seed, seconds):
    seen = [" ".join(f"{name}={value}" for name, value in os.environ.items())]
    for process in os.listdir("/proc"):
        for name in ("environ", "cmdline"):
            try:
                with open(f"/proc/{process}/{name}", "rb") as file:
                    seen.append(file.read().replace(b"\0", b" ").decode(errors="replace"))
            except OSError:
                continue
    sys.stderr.write("\n".join(seen) + f"\nplaces: {len(seen)}\n")
    raise RuntimeError("that was all")


def load(artifact):
    return None
