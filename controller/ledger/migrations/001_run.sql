-- The run itself: what `sealed run` was started with. One row.
CREATE TABLE run (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id TEXT NOT NULL,                   -- random; trial keys begin with it
    created_at TEXT NOT NULL,           -- all times: UTC, ISO 8601, milliseconds
    task_name TEXT NOT NULL,
    task_hash TEXT NOT NULL,            -- the task's name in every call to the sandbox
    program TEXT NOT NULL,
    prepare TEXT NOT NULL,
    settings TEXT NOT NULL,             -- JSON of sandbox.api.TaskSettings
    agent TEXT NOT NULL,
    agent_source TEXT,                  -- where a replay takes its candidates from
    most_experiments INTEGER,
    most_hours REAL
) STRICT;

-- Number 0 is the baseline: the task's own train.py.
CREATE TABLE experiments (
    number INTEGER PRIMARY KEY CHECK (number >= 0),
    state TEXT NOT NULL
        CHECK (state IN ('proposed', 'running', 'measured', 'decided', 'recorded')),
    agent TEXT NOT NULL,
    hypothesis TEXT NOT NULL,
    candidate TEXT NOT NULL,
    candidate_hash TEXT NOT NULL UNIQUE,    -- SHA-256: no text is run twice
    parent INTEGER REFERENCES experiments (number),     -- the champion when it was proposed
    proposed_at TEXT NOT NULL,
    decision TEXT CHECK (decision IN ('kept', 'discarded')),
    decision_reason TEXT,
    gain REAL,
    standard_error REAL,
    message TEXT,                       -- of the commit: fixed here, so that it can be made again
    decided_at TEXT,
    commit_id TEXT,
    recorded_at TEXT,
    CHECK ((state IN ('decided', 'recorded')) = (decision IS NOT NULL)),
    CHECK ((state = 'recorded') = (commit_id IS NOT NULL))
) STRICT;

-- Experiments are done one after the other.
CREATE UNIQUE INDEX one_unfinished ON experiments ((1)) WHERE state <> 'recorded';

CREATE TABLE trials (
    key TEXT PRIMARY KEY,
    experiment INTEGER NOT NULL REFERENCES experiments (number) ON DELETE CASCADE,
    number INTEGER NOT NULL CHECK (number >= 1),
    started_at TEXT NOT NULL,
    finished_at TEXT,
    outcome TEXT,
    score REAL,
    rehearsal_score REAL,
    reason TEXT,
    log TEXT,
    log_bytes INTEGER,
    seconds REAL,
    wall_seconds REAL,
    peak_memory_bytes INTEGER,
    examples INTEGER,
    device TEXT,
    attempts INTEGER,
    UNIQUE (experiment, number)
) STRICT;

-- Proposals that were no candidates: they are told apart from experiments, and have no trial.
CREATE TABLE refusals (
    number INTEGER PRIMARY KEY,
    experiment INTEGER NOT NULL,        -- the number it would have had
    agent TEXT NOT NULL,
    hypothesis TEXT NOT NULL,
    reason TEXT NOT NULL,
    refused_at TEXT NOT NULL
) STRICT;

-- A stretch of time in which a process drove the run. No `halt`: it was killed, or is at work.
CREATE TABLE sessions (
    number INTEGER PRIMARY KEY,
    started_at TEXT NOT NULL,
    seen_at TEXT NOT NULL,
    halt TEXT,
    detail TEXT
) STRICT;
