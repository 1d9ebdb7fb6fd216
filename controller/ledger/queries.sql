-- name: insert_run
INSERT INTO run (one, id, created_at, task_name, task_hash, program, prepare, settings, agent,
                 agent_source, control, most_experiments, most_hours, plateau, dockerfile,
                 scorer_dockerfile, most_dollars, most_tokens, most_calls, most_dollars_a_day,
                 most_tokens_a_day, most_calls_a_day, most_hours_a_day, salt)
VALUES (1, :id, :now, :task_name, :task_hash, :program, :prepare, :settings, :agent,
        :agent_source, :control, :most_experiments, :most_hours, :plateau, :dockerfile,
        :scorer_dockerfile, :most_dollars, :most_tokens, :most_calls, :most_dollars_a_day,
        :most_tokens_a_day, :most_calls_a_day, :most_hours_a_day, :salt);

-- name: run
SELECT id, created_at, task_name, task_hash, program, prepare, settings, agent, agent_source,
       control, most_experiments, most_hours, plateau, dockerfile, scorer_dockerfile,
       most_dollars, most_tokens, most_calls, most_dollars_a_day, most_tokens_a_day,
       most_calls_a_day, most_hours_a_day, salt
FROM run;

-- name: limit_run
UPDATE run SET most_experiments = coalesce(:most_experiments, most_experiments),
               most_hours = coalesce(:most_hours, most_hours),
               plateau = coalesce(:plateau, plateau),
               most_dollars = coalesce(:most_dollars, most_dollars),
               most_tokens = coalesce(:most_tokens, most_tokens),
               most_calls = coalesce(:most_calls, most_calls),
               most_dollars_a_day = coalesce(:most_dollars_a_day, most_dollars_a_day),
               most_tokens_a_day = coalesce(:most_tokens_a_day, most_tokens_a_day),
               most_calls_a_day = coalesce(:most_calls_a_day, most_calls_a_day),
               most_hours_a_day = coalesce(:most_hours_a_day, most_hours_a_day);

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
-- From `first` to `last`, or, without `first`, the highest number alone. Beside an experiment is the
-- trial that tells what became of it. Its score is that of the trials that it asked for; the first
-- of several is left out, but for the baseline, which was not chosen.
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
           AS trials,
       CASE WHEN e.decision = 'kept' THEN (
           SELECT min(d.asked_by) FROM trials AS d
           WHERE d.experiment = e.number AND d.outcome = 'dishonest'
       ) END AS dethroned_by
FROM experiments AS e
    LEFT JOIN trials AS t ON t.experiment = e.number AND t.number = coalesce((
        SELECT min(f.number) FROM trials AS f
        WHERE f.experiment = e.number AND f.asked_by = e.number AND f.outcome <> 'scored'
    ), 1)
WHERE e.number BETWEEN coalesce(:first, (SELECT max(number) FROM experiments)) AND :last
ORDER BY e.number;

-- name: champion
-- At most one kept experiment is not recorded yet.
SELECT number FROM experiments WHERE decision = 'kept' AND state = 'recorded'
    AND number NOT IN (SELECT experiment FROM dethroned)
ORDER BY number DESC LIMIT 1;

-- name: scores
-- As beside `experiments`, of those whose trials were all scored: one walk through one index.
SELECT asked_by AS number,
       coalesce(avg(CASE WHEN number > 1 OR experiment = 0 THEN score END), max(score)) AS score,
       asked_by IN (
           SELECT number FROM experiments WHERE decision = 'kept'
               AND number NOT IN (SELECT experiment FROM dethroned)
       ) AS kept
FROM trials
WHERE asked_by = experiment
GROUP BY asked_by
HAVING max(CASE WHEN number = 1 THEN score END) IS NOT NULL
   AND NOT coalesce(max(outcome <> 'scored'), 0)
ORDER BY asked_by;

-- name: candidates
SELECT number, candidate FROM experiments WHERE number BETWEEN :first AND :last;

-- name: log
SELECT substr(log, -:letters) AS log
FROM trials NATURAL JOIN telling WHERE log IS NOT NULL AND experiment = :number;

-- name: number_of_candidate
SELECT number FROM experiments WHERE candidate_hash = :candidate_hash;

-- name: number_of_fingerprint
SELECT min(number) AS number FROM experiments WHERE fingerprint = :fingerprint;

-- name: without_fingerprint
SELECT number FROM experiments WHERE fingerprint IS NULL ORDER BY number;

-- name: set_fingerprint
UPDATE experiments SET fingerprint = :fingerprint WHERE number = :number;

-- name: insert_experiment
INSERT INTO experiments (number, state, agent, hypothesis, candidate, candidate_hash, fingerprint,
                         parent, proposed_at)
SELECT coalesce(max(number) + 1, 0), 'proposed', :agent, :hypothesis, :candidate,
       :candidate_hash, :fingerprint, :parent, :now
FROM experiments;

-- name: delete_experiment
DELETE FROM experiments WHERE number = :number AND state IN ('proposed', 'running');

-- name: insert_refusal
INSERT INTO refusals (experiment, agent, hypothesis, reason, refused_at)
SELECT coalesce(max(number) + 1, 0), :agent, :hypothesis, :reason, :now FROM experiments;

-- name: refusals
SELECT number, experiment, agent, hypothesis, reason, refused_at FROM refusals
WHERE experiment > :after ORDER BY number;

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

-- name: last_trial
SELECT coalesce(max(number), 0) AS number FROM trials WHERE experiment = :experiment;

-- name: champions
-- All that were champions when an experiment began, as it was then.
SELECT number FROM experiments
WHERE decision = 'kept' AND number < :number
  AND number NOT IN (SELECT experiment FROM dethroned WHERE asked_by < :number)
ORDER BY number;

-- name: scored_before
-- The latest ones of a candidate, of those that were asked for before an experiment began.
SELECT key, experiment, number, asked_by, outcome, score, vault_score, seconds
FROM trials
WHERE experiment = :experiment AND asked_by < :before AND outcome = 'scored' AND score IS NOT NULL
ORDER BY number DESC LIMIT :most;

-- name: noise_floor
SELECT score FROM trials
WHERE asked_by = 0 AND experiment = 0 AND score IS NOT NULL ORDER BY number;

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
-- They are numbered from 0 without a gap: the last one's number needs no walk through all.
SELECT coalesce(max(number) + 1, 0) AS count FROM receipts;

-- name: trial_records
SELECT key, experiment, number, asked_by, outcome, score, rehearsal_score, reason, log, seconds,
       wall_seconds, peak_memory_bytes, examples, device, attempts
FROM trials ORDER BY experiment, number;

-- name: kept_trials
SELECT t.key FROM experiments AS e CROSS JOIN trials AS t ON t.experiment = e.number
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
-- Numbers of experiments and of refusals have no gaps, so that what was recorded need not be
-- counted. Errors and refusals in a row are counted since the last session began: a person who
-- starts a run again gives it another chance.
WITH last (recorded, kept) AS (
    SELECT
        coalesce((SELECT number FROM experiments WHERE state = 'recorded'
                  ORDER BY number DESC LIMIT 1), 0),
        coalesce((SELECT max(number) FROM experiments WHERE decision = 'kept'), 0)
)
SELECT
    (SELECT recorded FROM last) AS experiments,
    (SELECT count(*) FROM experiments WHERE number > 0 AND decision = 'kept'
        AND number NOT IN (SELECT experiment FROM dethroned)) AS kept,
    (SELECT count(*) FROM dethroned WHERE experiment > 0) AS dethroned,
    (SELECT max(recorded - kept, 0) FROM last) AS since_kept,
    (SELECT coalesce(max(number), 0) FROM refusals) AS refused,
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
        AS seconds,
    (SELECT coalesce(sum(julianday(seen_at) - julianday(max(started_at, :today))), 0) * 86400
        FROM sessions WHERE seen_at > :today) AS seconds_today;

-- name: outcomes
-- By the trial that tells, as in `telling`: the first that failed, else the first. Beside `min`,
-- SQLite gives the outcome of the row that has it.
SELECT outcome, count(*) AS count FROM (
    SELECT outcome, min((outcome = 'scored') * 1000000 + number) FROM trials
    WHERE asked_by = experiment AND experiment > 0 AND outcome IS NOT NULL GROUP BY asked_by
) GROUP BY outcome ORDER BY outcome;

-- name: kept
SELECT number FROM experiments
WHERE decision = 'kept' AND state = 'recorded' AND number > 0 ORDER BY number;

-- name: commits
SELECT number, commit_id FROM experiments WHERE commit_id IS NOT NULL ORDER BY number;

-- name: recorded_by_agent
-- The baseline is nobody's.
SELECT agent, count(*) AS count FROM experiments WHERE state = 'recorded' AND number > 0
GROUP BY agent;

-- name: refused_by_agent
SELECT agent, count(*) AS count FROM refusals GROUP BY agent;

-- name: insert_call
INSERT INTO calls (proposal, champion, turn, model, prompt_tokens, completion_tokens, nanodollars,
                   reserved_at)
VALUES (:proposal, :champion, :turn, :model, :prompt_tokens, :completion_tokens, :nanodollars, :now);

-- name: settle_call
UPDATE calls
SET settled_at = :now, ended = :ended, reply = :reply, prompt_tokens = :prompt_tokens,
    completion_tokens = :completion_tokens, nanodollars = :nanodollars
WHERE number = :number AND settled_at IS NULL;

-- name: mark_stale
UPDATE calls SET ended = 'stale' WHERE number = :number AND ended = 'reply';

-- name: calls
SELECT number, proposal, champion, turn, model, prompt_tokens, completion_tokens, nanodollars,
       reserved_at, settled_at, ended, reply
FROM calls WHERE :proposal IS NULL OR proposal = :proposal ORDER BY number;

-- name: spending
SELECT count(*) AS calls, coalesce(sum(prompt_tokens + completion_tokens), 0) AS tokens,
       coalesce(sum(nanodollars), 0) AS nanodollars
FROM calls WHERE reserved_at >= :since;

-- name: failures_in_a_row
SELECT count(*) AS count FROM calls WHERE number > coalesce(
    (SELECT max(number) FROM calls WHERE ended IN ('reply', 'stale')), 0);

-- name: spending_of_models
SELECT model, sum(nanodollars) AS nanodollars FROM calls GROUP BY model ORDER BY min(number);

-- name: cost_of_experiment
-- Its proposal's number is how many proposals of models came before it.
SELECT count(*) AS calls, coalesce(sum(prompt_tokens + completion_tokens), 0) AS tokens,
       coalesce(sum(nanodollars), 0) AS nanodollars
FROM calls
WHERE EXISTS (SELECT 1 FROM experiments WHERE number = :number AND agent GLOB 'llm:*')
  AND proposal = (SELECT count(*) FROM experiments WHERE number < :number AND agent GLOB 'llm:*')
               + (SELECT count(*) FROM refusals WHERE experiment <= :number AND agent GLOB 'llm:*');

-- name: proposals_of_models
SELECT (SELECT count(*) FROM experiments WHERE agent GLOB 'llm:*')
     + (SELECT count(*) FROM refusals WHERE agent GLOB 'llm:*') AS count;

-- name: clear_models
DELETE FROM models;

-- name: insert_model
INSERT INTO models (name, endpoint, price_in, price_out, reply_tokens)
VALUES (:name, :endpoint, :price_in, :price_out, :reply_tokens);

-- name: models
SELECT name, endpoint, price_in, price_out, reply_tokens FROM models ORDER BY number;
