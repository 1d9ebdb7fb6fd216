-- Of the candidate, by the sandbox: comments and layout don't change it. NULL: not asked for yet.
ALTER TABLE experiments ADD COLUMN fingerprint TEXT;
CREATE INDEX experiments_by_fingerprint ON experiments (fingerprint);

-- Share of the experiments that the plain search proposes, beside the run's agent. NULL: none.
ALTER TABLE run ADD COLUMN control REAL;
