-- name: insert_run
INSERT INTO run (one, id, created_at, task_name, task_hash, program, prepare, settings, agent,
                 agent_source, most_experiments, most_hours, plateau, dockerfile,
                 scorer_dockerfile)
VALUES (1, :id, :now, :task_name, :task_hash, :program, :prepare, :settings, :agent,
        :agent_source, :most_experiments, :most_hours, :plateau, :dockerfile,
        :scorer_dockerfile);

-- name: run
SELECT id, created_at, task_name, task_hash, program, prepare, settings, agent, agent_source,
       most_experiments, most_hours, plateau, dockerfile, scorer_dockerfile
FROM run;

-- name: limit_run
UPDATE run SET most_experiments = coalesce(:most_experiments, most_experiments),
               most_hours = coalesce(:most_hours, most_hours),
               plateau = coalesce(:plateau, plateau);

-- name: accept
INSERT INTO accepted (finding, detail, accepted_at) VALUES (:finding, :detail, :now)
ON CONFLICT (finding, detail) DO UPDATE SET accepted_at = excluded.accepted_at;

-- name: accepted
SELECT finding, detail, accepted_at FROM accepted ORDER BY finding, accepted_at;

-- name: want
UPDATE control SET wanted = :wanted, wanted_at = :now;

-- name: wanted
SELECT wanted, wanted_at FROM control;

-- name: begin_stage
INSERT INTO now (one, experiment, stage, detail, seconds, since)
VALUES (1, :experiment, :stage, :detail, :seconds, :now)
ON CONFLICT (one) DO UPDATE SET experiment = excluded.experiment, stage = excluded.stage,
    detail = excluded.detail, seconds = excluded.seconds, since = excluded.since;

-- name: end_stage
DELETE FROM now;

-- name: now
SELECT experiment, stage, detail, seconds, since FROM now;

-- name: experiments
-- Beside an experiment is the trial that tells what became of it. Its score is that of the trials
-- that it asked for; the first of several is left out, but for the baseline, which was not chosen.
SELECT e.number, e.state, e.agent, e.hypothesis, e.candidate_hash, e.parent, e.proposed_at,
       e.decision, e.decision_reason, e.gain, e.standard_error, e.message, e.decided_at,
       e.commit_id, e.low, e.high, t.key AS trial_key, t.outcome,
       CASE WHEN t.score IS NOT NULL THEN coalesce((
           SELECT avg(c.score) FROM trials AS c
           WHERE c.experiment = e.number AND c.asked_by = e.number
             AND (c.number > 1 OR e.number = 0)
       ), t.score) END AS score,
       t.rehearsal_score, t.reason AS trial_reason, t.log_bytes, t.seconds, t.wall_seconds,
       t.peak_memory_bytes, t.device,
       (SELECT count(*) FROM trials AS c WHERE c.experiment = e.number AND c.outcome IS NOT NULL)
           AS trials
FROM experiments AS e
    LEFT JOIN telling ON telling.experiment = e.number
    LEFT JOIN trials AS t ON t.experiment = e.number AND t.number = telling.number
WHERE (:number IS NULL OR e.number = :number)
  AND (:unfinished IS NULL OR e.state <> 'recorded')
  AND e.number > :after
ORDER BY e.number;

-- name: champion
SELECT max(number) AS number FROM experiments
WHERE state = 'recorded' AND decision = 'kept'
  AND number NOT IN (SELECT experiment FROM dethroned);

-- name: candidates
SELECT number, candidate FROM experiments WHERE :number IS NULL OR number = :number;

-- name: log
SELECT substr(log, -:letters) AS log
FROM trials NATURAL JOIN telling WHERE log IS NOT NULL AND experiment = :number;

-- name: number_of_candidate
SELECT number FROM experiments WHERE candidate_hash = :candidate_hash;

-- name: insert_experiment
INSERT INTO experiments (number, state, agent, hypothesis, candidate, candidate_hash, parent,
                         proposed_at)
SELECT coalesce(max(number) + 1, 0), 'proposed', :agent, :hypothesis, :candidate,
       :candidate_hash, :parent, :now
FROM experiments;

-- name: delete_experiment
DELETE FROM experiments WHERE number = :number AND state IN ('proposed', 'running');

-- name: insert_refusal
INSERT INTO refusals (experiment, agent, hypothesis, reason, refused_at)
SELECT coalesce(max(number) + 1, 0), :agent, :hypothesis, :reason, :now FROM experiments;

-- name: refusals
SELECT number, experiment, agent, hypothesis, reason, refused_at FROM refusals ORDER BY number;

-- name: insert_trial
INSERT INTO trials (key, experiment, number, asked_by, started_at)
VALUES (:key, :experiment, :number, :asked_by, :now);

-- name: trials
SELECT key, experiment, number, asked_by, outcome, score, vault_score, seconds
FROM trials WHERE experiment = :experiment ORDER BY number;

-- name: unfinished_trial
SELECT key, experiment, number, asked_by, outcome, score, vault_score, seconds
FROM trials WHERE asked_by = :asked_by AND outcome IS NULL;

-- name: top_ups
SELECT key, experiment, number, asked_by, outcome, score, vault_score, seconds
FROM trials WHERE asked_by = :asked_by AND experiment <> asked_by ORDER BY number;

-- name: champions_trials
-- Of all that were champions when an experiment began, as they were then.
SELECT t.key, t.experiment, t.number, t.asked_by, t.outcome, t.score, t.vault_score, t.seconds
FROM trials AS t JOIN experiments AS e ON e.number = t.experiment
WHERE e.decision = 'kept' AND t.outcome = 'scored' AND t.score IS NOT NULL
  AND t.asked_by < :number
  AND e.number NOT IN (SELECT experiment FROM dethroned WHERE asked_by < :number)
ORDER BY t.experiment, t.number;

-- name: insert_look
INSERT INTO looks (experiment, number, candidate_trials, champion_trials, comparison)
SELECT :experiment, count(*), :candidate_trials, :champion_trials, :comparison
FROM looks WHERE experiment = :experiment;

-- name: looks
SELECT candidate_trials, champion_trials, comparison
FROM looks WHERE experiment = :experiment ORDER BY number;

-- name: start_experiment
UPDATE experiments SET state = 'running' WHERE number = :number AND state = 'proposed';

-- name: finish_trial
UPDATE trials
SET finished_at = :now, outcome = :outcome, score = :score, rehearsal_score = :rehearsal_score,
    reason = :reason, log = :log, log_bytes = :log_bytes, seconds = :seconds,
    wall_seconds = :wall_seconds, peak_memory_bytes = :peak_memory_bytes, examples = :examples,
    device = :device, attempts = :attempts, vault_score = :vault_score
WHERE key = :key AND outcome IS NULL;

-- name: measure_experiment
UPDATE experiments SET state = 'measured' WHERE number = :number AND state = 'running';

-- name: decide_experiment
UPDATE experiments
SET state = 'decided', decision = :decision, decision_reason = :reason, gain = :gain,
    standard_error = :standard_error, low = :low, high = :high, message = :message, decided_at = :now
WHERE number = :number AND state = 'measured';

-- name: record_experiment
UPDATE experiments SET state = 'recorded', commit_id = :commit_id, recorded_at = :now
WHERE number = :number AND state = 'decided';

-- name: insert_receipt
INSERT INTO receipts (number, line) VALUES (:number, :line);

-- name: receipts
SELECT number, line FROM receipts ORDER BY number;

-- name: count_receipts
SELECT count(*) AS count FROM receipts;

-- name: trial_records
SELECT key, experiment, number, asked_by, outcome, score, rehearsal_score, reason, log, seconds,
       wall_seconds, peak_memory_bytes, examples, device, attempts
FROM trials ORDER BY experiment, number;

-- name: kept_trials
SELECT t.key FROM trials AS t JOIN experiments AS e ON e.number = t.experiment
WHERE e.decision = 'kept' ORDER BY t.experiment, t.number;

-- name: insert_session
INSERT INTO sessions (started_at, seen_at) VALUES (:now, :now);

-- name: see_session
UPDATE sessions SET seen_at = max(:now, seen_at) WHERE number = :session;

-- name: end_session
UPDATE sessions SET halt = :halt, detail = :detail WHERE number = :session;

-- name: sessions
SELECT number, started_at, seen_at, halt, detail FROM sessions ORDER BY number;

-- name: tally
-- Errors and refusals in a row are counted since the last session began: a person who starts a
-- run again gives it another chance.
SELECT
    (SELECT count(*) FROM experiments WHERE number > 0 AND state = 'recorded') AS experiments,
    (SELECT count(*) FROM experiments WHERE number > 0 AND decision = 'kept') AS kept,
    (SELECT count(*) FROM experiments WHERE state = 'recorded' AND number > coalesce(
        (SELECT max(number) FROM experiments WHERE decision = 'kept'), 0)) AS since_kept,
    (SELECT count(*) FROM refusals) AS refused,
    (SELECT count(DISTINCT experiment) FROM trials WHERE outcome = 'dishonest') AS dishonest,
    (SELECT count(*) FROM trials WHERE outcome = 'error'
        AND finished_at >= coalesce((SELECT max(started_at) FROM sessions), '')
        AND experiment > coalesce(
            (SELECT max(experiment) FROM trials WHERE outcome <> 'error'), -1)
    ) AS errors_in_a_row,
    (SELECT count(*) FROM refusals
        WHERE refused_at >= coalesce((SELECT max(started_at) FROM sessions), '')
        AND experiment > (SELECT max(number) FROM experiments)
    ) AS refusals_in_a_row,
    (SELECT coalesce(sum(julianday(seen_at) - julianday(started_at)), 0) * 86400 FROM sessions)
        AS seconds;

-- name: outcomes
SELECT outcome, count(*) AS count FROM trials NATURAL JOIN telling
WHERE experiment > 0 AND outcome IS NOT NULL GROUP BY outcome ORDER BY outcome;
