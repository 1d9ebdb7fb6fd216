-- Advisory findings of the doctor that a person accepted by name, each with what was found.
CREATE TABLE accepted (
    finding TEXT NOT NULL,              -- the check's name
    detail TEXT NOT NULL,               -- what was found
    accepted_at TEXT NOT NULL,          -- when a session last began with it
    PRIMARY KEY (finding, detail)
) STRICT;
