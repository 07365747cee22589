-- The journal: the truth. One row an event, positions dense from 1, rows never change.
CREATE TABLE journal (
    position INTEGER PRIMARY KEY,
    event    TEXT NOT NULL  -- canonical bytes (RFC 8785)
) STRICT;

CREATE TRIGGER journal_refuses_update BEFORE UPDATE ON journal
BEGIN
    SELECT RAISE(ABORT, 'the journal is append-only');
END;

CREATE TRIGGER journal_refuses_delete BEFORE DELETE ON journal
BEGIN
    SELECT RAISE(ABORT, 'the journal is append-only');
END;

-- INSERT OR REPLACE would delete without firing the trigger above.
CREATE TRIGGER journal_refuses_replacement BEFORE INSERT ON journal
WHEN EXISTS (SELECT 1 FROM journal WHERE position = NEW.position)
BEGIN
    SELECT RAISE(ABORT, 'the journal is append-only');
END;
