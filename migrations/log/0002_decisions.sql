-- The last decision that touched a key, a stream among others, by its last id in the outbox: while that is there, not
-- everybody can know what was decided.
ALTER TABLE streams ADD COLUMN decision BIGINT;

-- Nodes of the version before count a stream and store their decision about it without saying here which one it was:
-- when they commit, it is the last one of their session. To go when no such node can be there any more.
CREATE FUNCTION note_decision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE streams SET decision = currval(pg_get_serial_sequence('outbox', 'id')) WHERE stream = NEW.stream;
    RETURN NULL;
EXCEPTION WHEN object_not_in_prerequisite_state THEN
    -- Nothing was decided in this session: an installation is taken over.
    RETURN NULL;
END
$$;

CREATE CONSTRAINT TRIGGER note_decision AFTER UPDATE ON streams DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.version <> OLD.version AND NEW.decision IS NOT DISTINCT FROM OLD.decision)
    EXECUTE FUNCTION note_decision();
