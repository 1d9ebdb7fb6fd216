-- Of the noise in what agents are told of scores. It is in nothing that they read.
ALTER TABLE run ADD COLUMN salt TEXT NOT NULL DEFAULT '';
UPDATE run SET salt = lower(hex(randomblob(16)));
