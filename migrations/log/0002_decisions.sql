-- The last decision that touched a key, a stream among others, by its last id in the outbox: while that is there, not
-- everybody can know what was decided.
ALTER TABLE streams ADD COLUMN decision BIGINT;
