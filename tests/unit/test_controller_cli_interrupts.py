"""Signals that stop the process: never lost, and never in the way of cleaning up."""

import signal
import subprocess
import sys
import time

PROLOGUE = """\
import time
from controller.cli import interrupts

interrupts._AGAIN_SECONDS = 0.3
interrupts.install()


class Slow:
    def __del__(self):
        print("ready", flush=True)
        time.sleep(1)
"""


def run(program: str, number: signal.Signals) -> "subprocess.CompletedProcess[str]":
    """Run a program that says `ready`, and send it one signal then."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROLOGUE + program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.1)
    process.send_signal(number)
    out, errors = process.communicate(timeout=30)
    return subprocess.CompletedProcess(process.args, process.returncode, out, errors)


def test_an_interrupt_that_a_destructor_swallows_comes_again() -> None:
    """Raised inside `__del__` it is printed and dropped; the second one ends the program."""
    done = run(
        "slow = Slow()\ndel slow\nprint('ran on', flush=True)\n"
        "try:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    print('ended')\n",
        signal.SIGTERM,
    )
    assert "Exception ignored" in done.stderr
    assert (done.stdout, done.returncode) == ("ran on\nended\n", 0)


def test_cleaning_up_is_not_cut_off() -> None:
    """Not in `except`, not in `finally`, and not while another error is handled there."""
    done = run(
        """
try:
    try:
        print("ready", flush=True)
        time.sleep(60)
    finally:
        time.sleep(1)
        print("finally")
except KeyboardInterrupt:
    time.sleep(1)
    try:
        raise ValueError
    except ValueError:
        time.sleep(1)
    print("cleaned")
    interrupts.ended()
time.sleep(1)
print("ended")
""",
        signal.SIGINT,
    )
    assert (done.stdout, done.stderr) == ("finally\ncleaned\nended\n", "")
