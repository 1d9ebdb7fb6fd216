-- Of the task's own scorer image; empty: it has none.
ALTER TABLE run ADD COLUMN scorer_dockerfile TEXT NOT NULL DEFAULT '';
