-- What a person wants of the run; the process that drives it obeys. One row.
CREATE TABLE control (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    wanted TEXT NOT NULL CHECK (wanted IN ('running', 'paused', 'stopped')),
    wanted_at TEXT NOT NULL
) STRICT;
INSERT INTO control (one, wanted, wanted_at) VALUES (1, 'running', '');

-- What the process that drives the run is doing. No row: nothing, or it was killed.
CREATE TABLE now (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    experiment INTEGER NOT NULL,
    stage TEXT NOT NULL,
    detail TEXT NOT NULL,
    seconds REAL,                       -- how long the stage lasts at most
    since TEXT NOT NULL
) STRICT;

-- Of the task's own agent image; empty: it has none.
ALTER TABLE run ADD COLUMN dockerfile TEXT NOT NULL DEFAULT '';

-- Halt after so many experiments in a row that were not kept.
ALTER TABLE run ADD COLUMN plateau INTEGER;
