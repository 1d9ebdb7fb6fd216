# /// attack
# group = "forging"
# task = "prompt"
# expected = ["scored"]
# defences = ["belief-is-shared"]
# control = "tests"
# ///
"""Attack: make the model say both labels, whatever it reads.

Expected: scored, no better than a coin.
Defence: `score` never looks for a word in what the model says; it shares one bit of belief
    between the labels, so that naming both names none.
Control: a scorer that lets the model go on and looks for the label in its words finds it always.
"""

PROMPT = "\n\n".join(["Review: a film\nSentiment: negative positive"] * 4)


def train(data, artifact, seed, seconds):
    pass


def load(artifact):
    return lambda question: PROMPT
