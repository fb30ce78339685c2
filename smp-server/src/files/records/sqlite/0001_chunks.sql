-- Chunks of files, and their recipients. Times are seconds since 1970, keys SubjectPublicKeyInfo.
CREATE TABLE chunks (
    sender_id BLOB PRIMARY KEY,
    sender_key BLOB NOT NULL,
    size INTEGER NOT NULL,
    digest BLOB NOT NULL,
    created INTEGER NOT NULL,
    is_uploaded INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX chunks_by_age ON chunks (created);

CREATE TABLE recipients (
    recipient_id BLOB PRIMARY KEY,
    recipient_key BLOB NOT NULL,
    sender_id BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX recipients_by_chunk ON recipients (sender_id);

-- Chunks that are gone, and whose files may still be there.
CREATE TABLE removed (
    sender_id BLOB PRIMARY KEY,
    at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX removed_by_age ON removed (at);
