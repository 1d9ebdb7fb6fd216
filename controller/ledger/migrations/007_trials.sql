-- Several trials an experiment. The champion's go on while candidates are compared with it, so a
-- trial has the experiment in whose course it was run: its own, or a later one.
ALTER TABLE trials ADD COLUMN asked_by INTEGER;
UPDATE trials SET asked_by = experiment;

-- On the split whose score no agent is told: for the operator, of what was kept.
ALTER TABLE trials ADD COLUMN vault_score REAL;

-- What the sandbox said of a candidate's trials beside the champion's; the first is the screen's.
CREATE TABLE looks (
    experiment INTEGER NOT NULL REFERENCES experiments (number) ON DELETE CASCADE,
    number INTEGER NOT NULL,            -- from 0
    candidate_trials INTEGER NOT NULL,
    champion_trials INTEGER NOT NULL,
    comparison TEXT,                    -- JSON of sandbox.api.Comparison; NULL: can't be compared
    PRIMARY KEY (experiment, number)
) STRICT;

-- Of the gain's 95 % interval, by confirming trials.
ALTER TABLE experiments ADD COLUMN low REAL;
ALTER TABLE experiments ADD COLUMN high REAL;

-- The trial of its own that tells what became of an experiment: the first that failed, else the first.
CREATE VIEW telling AS
SELECT experiment, coalesce(min(CASE WHEN outcome <> 'scored' THEN number END), 1) AS number
FROM trials WHERE asked_by = experiment GROUP BY experiment;

-- Champions that an audit caught later.
CREATE VIEW dethroned AS
SELECT t.experiment, min(t.asked_by) AS asked_by
FROM trials AS t JOIN experiments AS e ON e.number = t.experiment
WHERE e.decision = 'kept' AND t.outcome = 'dishonest' GROUP BY t.experiment;

-- A run goes on by the rule that it began with, and there was only one.
UPDATE run SET settings = json_set(settings, '$.keep', 'margin');
