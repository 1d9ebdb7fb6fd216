-- What the loop asks each round, answered without reading candidates and logs, or counting rows.
CREATE INDEX kept_experiments ON experiments (number) WHERE decision = 'kept';
CREATE INDEX trial_outcomes ON trials (outcome, number, experiment, finished_at);
CREATE INDEX trials_without_error ON trials (experiment) WHERE outcome <> 'error';
CREATE INDEX trial_scores ON trials (number, experiment, score);
CREATE INDEX refusals_by_experiment ON refusals (experiment, refused_at);
