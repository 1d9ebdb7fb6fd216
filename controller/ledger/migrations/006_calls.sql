-- What a model is asked, and what that costs. A row is there before its call, with the most that the
-- call can cost; once it is over, with what counts. A kill in between leaves the reservation standing.
CREATE TABLE calls (
    number INTEGER PRIMARY KEY,
    proposal INTEGER NOT NULL,          -- of the models, from 0
    champion INTEGER NOT NULL,          -- the experiment whose candidate the prompt showed
    turn INTEGER NOT NULL,              -- 0; each repair is one more
    model TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    nanodollars INTEGER NOT NULL,       -- whole ones, so that sums are exact
    reserved_at TEXT NOT NULL,
    settled_at TEXT,
    ended TEXT,                         -- reply, or what went wrong
    reply TEXT                          -- untrusted
) STRICT;
CREATE INDEX calls_of_a_proposal ON calls (proposal, champion, turn);

-- The models of a run, in the order in which they were given, with what they cost.
CREATE TABLE models (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    endpoint TEXT,                      -- NULL: the provider's own
    price_in REAL NOT NULL,             -- dollars for a million tokens
    price_out REAL NOT NULL,
    reply_tokens INTEGER NOT NULL       -- most of one reply
) STRICT;

-- Halt, or wait until the next day, before a call that could go beyond.
ALTER TABLE run ADD COLUMN most_dollars REAL;
ALTER TABLE run ADD COLUMN most_tokens INTEGER;
ALTER TABLE run ADD COLUMN most_calls INTEGER;
ALTER TABLE run ADD COLUMN most_dollars_a_day REAL;
ALTER TABLE run ADD COLUMN most_tokens_a_day INTEGER;
ALTER TABLE run ADD COLUMN most_calls_a_day INTEGER;
ALTER TABLE run ADD COLUMN most_hours_a_day REAL;
