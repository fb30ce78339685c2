-- The tables of version 3, as an agent of that time made them.
CREATE TABLE days (
    day      INTEGER NOT NULL,
    began_at INTEGER NOT NULL
) STRICT;
INSERT INTO days VALUES (0, 0);
CREATE TABLE connections (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    state      BLOB    NOT NULL,
    busy       INTEGER NOT NULL,
    joined     INTEGER NOT NULL,
    unfinished INTEGER NOT NULL,
    made_on    INTEGER NOT NULL,
    request_of INTEGER
) STRICT;
CREATE INDEX connections_by_request ON connections (request_of) WHERE request_of IS NOT NULL;
CREATE TABLE positions (
    connection_id INTEGER PRIMARY KEY REFERENCES connections (id) ON DELETE CASCADE,
    position      BLOB    NOT NULL
) STRICT;
CREATE TABLE receive_queues (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    connection_id INTEGER NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    relay         BLOB    NOT NULL,
    recipient_id  BLOB    NOT NULL,
    recipient_key BLOB    NOT NULL,
    sender_id     BLOB    NOT NULL,
    link_id       BLOB
) STRICT;
CREATE UNIQUE INDEX receive_queues_by_id ON receive_queues (recipient_id, relay);
CREATE INDEX receive_queues_by_relay ON receive_queues (relay);
CREATE INDEX receive_queues_by_connection ON receive_queues (connection_id);
CREATE INDEX receive_queues_by_sender_id ON receive_queues (sender_id);
CREATE INDEX receive_queues_by_link_id ON receive_queues (link_id) WHERE link_id IS NOT NULL;
CREATE TABLE skipped_keys (
    id            INTEGER PRIMARY KEY,
    connection_id INTEGER NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    header_key    BLOB    NOT NULL,
    number        INTEGER NOT NULL,
    message_key   BLOB    NOT NULL,
    UNIQUE (connection_id, header_key, number)
) STRICT;
CREATE TABLE outgoing (
    id            INTEGER PRIMARY KEY,
    connection_id INTEGER NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    message_id    INTEGER,
    content       BLOB    NOT NULL
) STRICT;
CREATE INDEX outgoing_by_connection ON outgoing (connection_id, id);
CREATE TABLE sent_messages (
    connection_id INTEGER NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    number        INTEGER NOT NULL,
    message_id    INTEGER NOT NULL,
    hash          BLOB    NOT NULL,
    sent_on       INTEGER NOT NULL,
    mismatch_told INTEGER NOT NULL,
    PRIMARY KEY (connection_id, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE received_messages (
    connection_id INTEGER NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    number        INTEGER NOT NULL,
    hash          BLOB    NOT NULL,
    received_on   INTEGER NOT NULL,
    PRIMARY KEY (connection_id, number, hash)
) STRICT, WITHOUT ROWID;
CREATE TABLE events (
    sequence      INTEGER PRIMARY KEY,
    connection_id INTEGER NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    message_id    INTEGER,
    content       TEXT    NOT NULL,
    body          BLOB    NOT NULL
) STRICT;
CREATE INDEX events_by_connection ON events (connection_id, message_id);
CREATE TABLE deleted_queues (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    relay         BLOB    NOT NULL,
    recipient_id  BLOB    NOT NULL,
    recipient_key BLOB    NOT NULL,
    deleted_on    INTEGER NOT NULL
) STRICT;
PRAGMA user_version = 3;
