# /// attack
# group = "forging"
# task = "prompt"
# expected = ["scored"]
# defences = ["prompt-is-no-template"]
# control = "tests"
# ///
"""Attack: name the field of the true answer in the prompt, for a scorer that fills it in.

Expected: scored, no better than without the fields.
Defence: `score` puts the prompt before each text as it is; braces in it stay braces.
Control: a scorer that takes the prompt for a template shows the model every answer.
"""

PROMPT = "\n\n".join(["Review: a film\nSentiment:{answer}"] * 12)


def train(data, artifact, seed, seconds):
    pass


def load(artifact):
    return lambda question: PROMPT
