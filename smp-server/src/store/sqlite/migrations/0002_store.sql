-- What the store says of itself; one row.
--
-- The ID is also noted beside the relay's identity, and the session in the lock file: by that a relay knows that a database is
-- the one it served from, and that what was written to it last is still there.

CREATE TABLE store (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    store_id BLOB NOT NULL,             -- 16 random bytes, for ever
    session BLOB NOT NULL,              -- 16 random bytes, others each time that the database is opened
    session_before BLOB NOT NULL,       -- what the lock file said when it was opened
    clock TEXT NOT NULL                 -- the relay's clock, as it was last
) STRICT;

INSERT INTO store (one, store_id, session, session_before, clock) VALUES (1, randomblob(16), x'', x'', '');
