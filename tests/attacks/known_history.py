# /// attack
# group = "reaching"
# task = "trading"
# expected = ["scored"]
# defences = ["no-day-twice"]
# control = "tests"
# ///
"""Attack: carry days, find today among them, and bet on what followed.

Expected: by `row`, counted from where the period may begin, and by `rehearsal`: nothing, for a
period's place is secret, and no day of the rehearsal comes again. By `heart` it gains: the whole
history beside some days of questions gives the place away, which no disguise can help.
Defence: the question has no number of the day; splits are disjoint in time.
Control: with the day's number in the question, or with the same days in every split, it gains.
"""

import numpy as np

WAY = "row"
HISTORY = []
"""Moves of both closes, day by day, in 1e-4: for `row` and `heart`."""
FIRST = 0
"""The row of the first question, as far as one can guess."""
WINDOW = 10
CLOSE = 2


def train(data, artifact, seed, seconds):
    if WAY == "rehearsal":
        closes = np.load(data / "rehearsal" / "moves.npy")[:, :, CLOSE]
    else:
        closes = np.array(HISTORY).reshape(-1, 2)
    np.save(artifact / "closes.npy", closes)


def load(artifact):
    closes = np.load(artifact / "closes.npy")
    windows = np.lib.stride_tricks.sliding_window_view(closes, WINDOW, axis=0)
    shapes = standard(windows).reshape(len(windows), -1)
    seen = []

    def answer(question):
        row, today = (-1, question)
        if isinstance(question, dict):
            row, today = question["row"], question["today"]
        seen.append(today[:, CLOSE])
        if WAY == "row":
            place = row if row >= 0 else FIRST + len(seen) - 1
        elif len(seen) < WINDOW:
            return np.zeros(2)
        else:
            alike = shapes @ standard(np.array(seen[-WINDOW:]).T).ravel() / (2 * WINDOW)
            if alike.max() < 0.9:
                return np.zeros(2)
            place = int(alike.argmax()) + WINDOW - 1
        return np.sign(closes[place + 1]) if place + 1 < len(closes) else np.zeros(2)

    return answer


def standard(days):
    """Each run of days of one index with mean 0 and spread 1, along the last axis."""
    centred = days - days.mean(axis=-1, keepdims=True)
    return centred / centred.std(axis=-1, keepdims=True)
