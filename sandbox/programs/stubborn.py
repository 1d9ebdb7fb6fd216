"""Ignores every signal, forks into new sessions, and says the time until it is dead."""

import os
import signal
import sys
import time

for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_IGN)
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
while True:
    print(time.monotonic(), file=sys.stderr, flush=True)
    time.sleep(0.002)
