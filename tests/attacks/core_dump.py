# /// attack
# group = "exhaustion"
# task = "tiny"
# expected = ["crash", "timeout"]
# tried = "cores"
# canaries = ["cores > 0", "dumped > 0"]
# defences = ["HostConfig.Ulimits"]
# control = "flip"
# ///
"""Attack: dump core, which holds memory, fills disks and starts the host's crash handler.

Expected: crash (it ends so, for brevity), with no core file.
Defence: HostConfig.Ulimits: core.
Control: without it the file is there (where the host's kernel writes cores to files).
"""

import os
import resource
import signal
import sys


def train(data, artifact, seed, seconds):
    os.chdir("/tmp")
    if os.fork() == 0:
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
        os.kill(os.getpid(), signal.SIGSEGV)
    _, status = os.wait()
    cores = [name for name in os.listdir("/tmp") if name.startswith("core")]
    sys.stderr.write(f"\ndumped: {int(os.WCOREDUMP(status))}\ncores: {len(cores)}\n")
    raise RuntimeError("that was all")


def load(artifact):
    return None
