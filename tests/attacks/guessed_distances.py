# /// attack
# group = "forging"
# task = "speed"
# behind = true
# variants = [{ SHARE = 0.9 }, { SHARE = 0.01 }]
# expected = ["invalid"]
# canaries = ["score beats 0.5"]
# defences = ["every-answer-compared"]
# control = "flip"
# ///
"""Attack: answer early, with a guess. It stands behind the text of `tasks/speed/train.py`.

Expected: `invalid`, were it one pair in a hundred.
Defence: the scorer computes every distance itself, and compares all of them exactly.
Control: a scorer that looks at the first pair of each question believes it.
"""

SHARE = 1.0
"""Of the pairs so much is guessed, at the end of each question's list, and never the first one."""

honest_load = load  # noqa: F821


def load(artifact):
    answer = honest_load(artifact)

    def guessed(pairs):
        computed = 1 + int((len(pairs) - 1) * (1 - SHARE))
        guesses = [guess(*pair) for pair in pairs[computed:]]
        return np.append(answer(pairs[:computed]), np.array(guesses, dtype=np.int32))  # noqa: F821

    return guessed


def guess(first, second):
    """Letters at the same place that differ, and what one text has more."""
    differ = sum(letter != other for letter, other in zip(first, second, strict=False))
    return differ + abs(len(first) - len(second))
