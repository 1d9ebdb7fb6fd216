# /// attack
# group = "time"
# task = "speed"
# behind = true
# variants = [{ HOW = "asked" }]
# expected = ["scored"]
# canaries = ["score beats 0.5"]
# defences = ["fresh-questions"]
# control = "loop"
# ///
"""Attack: answer from memory. It stands behind the text of `tasks/speed/train.py`.

HOW: `asked` remembers every answer that it gave, also the ones of uncounted questions; `foreseen`
draws the questions of a whole score in `train`, as `prepare.py` does from a known seed, and leaves
their answers in the artifact.

Expected: scored, and no faster than the baseline: no question was there before.
Defence: every question is fresh, drawn from `predictors.rng`, and asked once.
Control: with questions that are asked twice, or drawn from a fixed seed, memory wins.
"""

import json

HOW = "asked"  # asked, foreseen
SEED = 0

honest_load = load  # noqa: F821


def train(data, artifact, seed, seconds):
    known = {}
    if HOW == "foreseen":
        import prepare

        split = json.loads((data / "rehearsal" / "questions.json").read_text())
        rng = np.random.default_rng(SEED)  # noqa: F821
        kinds = prepare.question_makers(split["sentences"], rng)
        for _ in range(split["openings"] * (1 + prepare.ROUNDS)):
            for make in kinds.values():
                pairs = make()
                known[key(pairs)] = prepare.distances(pairs).tolist()
                rng.permutation([True, False])
    (artifact / "known.json").write_text(json.dumps(known))


def load(artifact):
    answer = honest_load(artifact)
    known = json.loads((artifact / "known.json").read_text())

    def remembered(pairs):
        name = key(pairs)
        if name not in known:
            known[name] = answer(pairs)
        return known[name]

    return remembered


def key(pairs):
    """A question's name: its first texts and how many there are."""
    return json.dumps([len(pairs), *(list(pair) for pair in pairs[:4])])
