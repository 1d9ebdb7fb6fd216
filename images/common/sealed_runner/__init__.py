"""The trusted programs that the role containers start with.

    agent.py     trainer and predictor: the one `exec`, imports warm, then the candidate
    scorer.py    the scorer's main process: `prepare.score` on one split after another
    prepare.py   the prepare role's main process: make the data, or hash it again

Each is started by absolute path with `python -I -B`; nothing is read from the environment.
"""
