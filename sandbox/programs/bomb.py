"""Forks until it is refused, up to the number in its argument; says how far it came.

Half of the children leave an orphan behind that ends at once: an init that does not reap fills up.
"""

import os
import sys
import time

children = []
for _ in range(int(sys.argv[1])):
    try:
        child = os.fork()
    except OSError:
        break
    if child == 0:
        time.sleep(20)
        os._exit(0)
    children.append(child)
print("children", len(children), file=sys.stderr)
for child in children:
    os.kill(child, 9)
    os.waitpid(child, 0)
for _ in range(20):
    if os.fork() == 0:
        if os.fork() == 0:
            os._exit(0)
        os._exit(0)
    os.wait()
time.sleep(0.3)
zombies = sum(
    open(f"/proc/{name}/stat").read().rsplit(")", 1)[1].split()[0] == "Z"
    for name in os.listdir("/proc")
    if name.isdigit()
)
print("zombies", zombies, file=sys.stderr)
