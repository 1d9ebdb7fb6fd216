-- The sandbox's receipts of this run, in their order: lines of JSON, as they were signed.
CREATE TABLE receipts (
    number INTEGER PRIMARY KEY CHECK (number >= 0),
    line TEXT NOT NULL
) STRICT;
