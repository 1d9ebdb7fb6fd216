"""Every bound that is not a task's own setting: who owns it, how much, what happens when it is hit.

Bounds of settings are in `settings.py`; bounds of the contract's messages in `api.py`.
"""

# ---- time, in seconds -------------------------------------------------------------------------
TIMER_GRACE = 0.02
"""The armed timer is the budget plus this; the official end is the sandbox's monotonic clock."""
UNARMED = 900
"""A waiting container that nobody arms ends itself after this."""
START = 60
"""A trusted runner that is not READY by then is our `error`."""
SCORER_LIFE = 3600 * 6
"""The scorer's process is killed after this, whatever became of the sandbox."""
SCORER_OWN = 600
"""What `score` may spend on its own arithmetic, the answers' time not counted; then `error`."""
HOLDER = 10
"""A holder that has not looked through the artifact by then is our `error`."""
DEATH = 15
"""A killed container that is not confirmed dead by then puts its slot into quarantine."""
FREEZE = 2
"""A predictor whose processes can't be frozen within this, while another is timed, is lost."""
ENGINE_CALL = 30
"""Deadline of every call to the engine, a build's steps and the wait for a death apart."""
ASKED = 1.0
"""Between two questions whether a container that says nothing lives: only of a chosen runtime."""
QUARANTINE = 5
"""What could not be removed is tried again after this, for as long as it takes."""
FINGERPRINT = 5
"""A candidate that takes longer to parse has the fingerprint of its bytes."""
IMAGE_SEARCH = 600
"""The search of an agent image for held-out examples is ended after this."""
ASLEEP = 1
"""A trial in which the machine slept longer is our `error`."""
DISK = 2
"""A record that the disk has no space for is written again after this, for as long as it takes."""
PREPARE = 3600
"""`prepare` is killed after this; the task is refused."""
BUILD_LINES = 200
"""What is kept of an image's build to tell why it failed, from its end."""
ATTEMPTS = 3
"""A trial that ends in `error`, or in which the sandbox dies, is tried with one seed this often."""

# ---- bytes ------------------------------------------------------------------------------------
LOG_HEAD = 16 * 1024
"""What is kept of a candidate's log from its beginning."""
LOG_TAIL = 48 * 1024
"""What is kept of it from its end; the rest between is counted."""
LOG_FLOOD = 32 * 1024 * 1024
"""A candidate that writes more ends `over_output`."""
REASON = 2000
"""Longest reason, in characters."""
QUESTION = 256 * 1024 * 1024
"""Longest frame that a scorer may send."""
SCORE = 1024 * 1024 * 1024
"""Longest frame with a score in it."""
FAULT = 4096
"""Longest text of a predictor that says why it can't answer."""
VALUE = 1e150
"""Largest size of one example's value, so that sums and squares of them are finite too."""

# ---- containers -------------------------------------------------------------------------------
PIDS = 512
"""Processes and threads of a container; a fork bomb ends here."""
TMP_BYTES = 256 * 1024 * 1024
"""Size of /tmp, a tmpfs; a write beyond it fails with ENOSPC."""
TMP_INODES = 16384
"""Files in /tmp, likewise."""
CACHE_BYTES = 256 * 1024 * 1024
"""Size of /cache, the one tmpfs where compiled code may run: torch.compile and Triton need it."""
CACHE_INODES = 16384
"""Files in /cache."""
SHM_BYTES = 128 * 1024 * 1024
"""Size of /dev/shm."""
ARTIFACT_INODES = 4096
"""Files in the artifact; its size is the task's `artifact_mib`."""
OPEN_FILES = 4096
"""File descriptors of one process; more fail with EMFILE."""
SCORER_MEMORY_MIB = 4096
"""Memory of the scorer, or the engine's whole memory where that is less."""
PREPARE_MEMORY_MIB = 8192
"""Memory of the prepare role, likewise."""
FREE_DISK_BYTES = 512 * 1024 * 1024
"""Free space that must be left where the sandbox keeps its state."""
