# /// attack
# group = "time"
# task = "speed"
# behind = true
# variants = [{ HOW = "array" }, { HOW = "thread" }]
# expected = ["scored", "invalid"]
# canaries = ["score beats 0.5"]
# defences = ["clock-of-the-sandbox"]
# control = "loop"
# ///
"""Attack: return before the work is done. It stands behind the text of `tasks/speed/train.py`.

HOW: `array` and `list` are objects that compute when somebody looks into them; `thread` returns an
array that a thread fills later, while the next question is on its way; `generator` yields; `clock`
does the work, but turns back every clock of its process.

Expected: no gain. What looks into an answer is part of the answer's time, and what is not there
when it is sent is wrong: `array`, `list` and `clock` score what the baseline does, the others
are `invalid`.
Defence: an answer is bytes, complete and final when the sandbox's clock stops.
Control: a timer in the same process, around the call alone, believes all of them.
"""

import threading
import time

HOW = "array"  # array, list, thread, generator, clock

honest_load = load  # noqa: F821


class LateArray:
    def __init__(self, work):
        self.work = work

    def __array__(self, dtype=None, copy=None):
        return self.work()


class LateList:
    def __init__(self, work):
        self.work = work

    def __len__(self):
        self.found = self.work().tolist()
        return len(self.found)

    def __getitem__(self, place):
        return self.found[place]


def load(artifact):
    answer = honest_load(artifact)

    def fill(pairs, target):
        target[:] = answer(pairs)

    def late(pairs):
        if HOW == "array":
            return LateArray(lambda: answer(pairs))
        if HOW == "list":
            return LateList(lambda: answer(pairs))
        if HOW == "generator":
            return (number for number in answer(pairs).tolist())
        target = np.zeros(len(pairs), dtype=np.int32)  # noqa: F821
        threading.Thread(target=fill, args=(pairs, target)).start()
        return target

    return hidden(answer) if HOW == "clock" else late


def hidden(answer):
    """The same function; its seconds are taken out of what every clock of the process says."""
    names = ("perf_counter", "monotonic", "time", "process_time")
    clocks = {name: getattr(time, name) for name in names}
    back = dict.fromkeys(names, 0.0)
    for name in names:
        setattr(time, name, lambda name=name: clocks[name]() - back[name])

    def wrapped(pairs):
        began = {name: clock() for name, clock in clocks.items()}
        found = answer(pairs)
        for name, clock in clocks.items():
            back[name] += 0.95 * (clock() - began[name])
        return found

    return wrapped
