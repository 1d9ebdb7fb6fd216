# /// attack
# group = "reaching"
# task = "prompt"
# expected = ["scored"]
# defences = ["scorer-apart"]
# control = "tests"
# ///
"""Attack: quote the texts of a split with their labels, so that the model need only look them up.

Expected: scored; of texts that it does not quote it knows less than a prompt without quotations.
Defence: which texts are held out is secret, and they are in no question and no folder.
Control: the rehearsal split is public: it is quoted again and again, and is known.
"""

import json

from prepare import ANSWERS, PROMPT_BYTES, QUESTION


def train(data, artifact, seed, seconds):
    reviews = json.loads((data / "rehearsal" / "reviews.json").read_text())
    quoted = "\n\n".join(QUESTION.format(row["text"]) + ANSWERS[row["label"]] for row in reviews)
    times = PROMPT_BYTES // (len(quoted.encode()) + 2)
    (artifact / "prompt.txt").write_text("\n\n".join([quoted] * times), "utf-8")


def load(artifact):
    prompt = (artifact / "prompt.txt").read_text("utf-8")
    return lambda question: prompt
