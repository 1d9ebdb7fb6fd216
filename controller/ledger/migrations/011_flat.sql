-- What status, page and opening ask of all experiments, answered without reading candidates.
CREATE INDEX experiments_by_agent ON experiments (agent, state);
CREATE INDEX experiment_commits ON experiments (number, commit_id);

-- What the loop asks of a champion's trials, answered without reading logs: it may have thousands.
CREATE INDEX trials_of_experiment ON trials (experiment, outcome, asked_by);

-- A walk through `trials_asked_by` answers what it was for.
DROP INDEX trial_scores;
