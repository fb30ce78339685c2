-- The whole durable state of an agent. Secrets are stored as they are: the file is protected by its permissions (0600 in a 0700
-- directory), and encrypted as a whole if the agent has a secret. Numbers of rows that the application or a peer may remember are never reused.

-- Days on which the agent ran: ages are counted in them, so that a clock that jumps makes nothing old.
CREATE TABLE days (
    day      INTEGER NOT NULL,
    began_at INTEGER NOT NULL                   -- unix seconds
) STRICT;
INSERT INTO days VALUES (0, 0);

-- The users: nothing of one is ever in a session with a relay together with something of another.
CREATE TABLE users (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    relays  BLOB,                               -- store/users.rs; NULL: those of the configuration
    deleted INTEGER NOT NULL                    -- whether its connections are being removed
) STRICT;
INSERT INTO users VALUES (1, NULL, 0);

CREATE TABLE connections (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    state      BLOB    NOT NULL,                -- connection/state.rs
    busy       INTEGER NOT NULL,                -- whether a command is to be done at a relay
    joined     INTEGER NOT NULL,                -- whether it waits to be accepted by the other side
    unfinished INTEGER NOT NULL,                -- an invitation whose queue is being made: nobody has its link
    made_on    INTEGER NOT NULL,                -- day, as below
    request_of INTEGER,                         -- of a request that waits to be accepted: the contact address it came to
    user_id    INTEGER NOT NULL DEFAULT 1       -- never changes
) STRICT;
CREATE INDEX connections_by_request ON connections (request_of) WHERE request_of IS NOT NULL;
CREATE INDEX connections_by_user ON connections (user_id);

-- What each message changes of a connection (connection/state.rs): small, so that many fit on a page.
CREATE TABLE positions (
    connection_id INTEGER PRIMARY KEY REFERENCES connections (id) ON DELETE CASCADE,
    position      BLOB    NOT NULL,
    plain         TEXT                          -- the phase, if a list has no more to tell of the connection
) STRICT;

-- The queues in which this side receives: what finds their connections, and subscribes to them.
CREATE TABLE receive_queues (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    connection_id INTEGER NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    relay         BLOB    NOT NULL,             -- binary address, which has no password
    recipient_id  BLOB    NOT NULL,
    recipient_key BLOB    NOT NULL,             -- private key of our commands, PKCS#8
    sender_id     BLOB    NOT NULL,
    link_id       BLOB,                         -- under which the relay has what belongs to a short link
    user_id       INTEGER NOT NULL DEFAULT 1    -- of the connection
) STRICT;
CREATE UNIQUE INDEX receive_queues_by_id ON receive_queues (recipient_id, relay);
CREATE INDEX receive_queues_by_relay ON receive_queues (relay, user_id);
CREATE INDEX receive_queues_by_connection ON receive_queues (connection_id);
CREATE INDEX receive_queues_by_sender_id ON receive_queues (sender_id);
CREATE INDEX receive_queues_by_link_id ON receive_queues (link_id) WHERE link_id IS NOT NULL;

-- Keys of messages that the ratchet left out.
CREATE TABLE skipped_keys (
    id            INTEGER PRIMARY KEY,
    connection_id INTEGER NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    header_key    BLOB    NOT NULL,
    number        INTEGER NOT NULL,
    message_key   BLOB    NOT NULL,
    UNIQUE (connection_id, header_key, number)
) STRICT;

-- What SEND is to carry, in the order in which it goes out. A row leaves with the relay's OK.
CREATE TABLE outgoing (
    id            INTEGER PRIMARY KEY,
    connection_id INTEGER NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    message_id    INTEGER,                      -- of application messages
    content       BLOB    NOT NULL              -- connection::Outgoing
) STRICT;
CREATE INDEX outgoing_by_connection ON outgoing (connection_id, id);

-- Numbers under which application messages were sent: receipts refer to them.
CREATE TABLE sent_messages (
    connection_id INTEGER NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    number        INTEGER NOT NULL,
    message_id    INTEGER NOT NULL,
    hash          BLOB    NOT NULL,
    sent_on       INTEGER NOT NULL,             -- day
    mismatch_told INTEGER NOT NULL,             -- whether the application knows of a receipt with another hash
    PRIMARY KEY (connection_id, number)
) STRICT, WITHOUT ROWID;

-- The beginning of the SHA-256 of the encrypted messages that were received: a relay repeats a message whose ACK it did not see.
-- By the number of the message before it in its chain, so that those that come one after the other are on the same page.
CREATE TABLE received_messages (
    connection_id INTEGER NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    number        INTEGER NOT NULL,
    hash          BLOB    NOT NULL,
    received_on   INTEGER NOT NULL,             -- day
    PRIMARY KEY (connection_id, number, hash)
) STRICT, WITHOUT ROWID;

-- What the application has yet to acknowledge, in the order in which it happened.
CREATE TABLE events (
    sequence      INTEGER PRIMARY KEY,
    connection_id INTEGER NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    message_id    INTEGER,                      -- of received messages
    content       TEXT    NOT NULL,             -- the event in JSON, without its body
    body          BLOB    NOT NULL
) STRICT;
CREATE INDEX events_by_connection ON events (connection_id, message_id);

-- Queues of deleted connections that their relays still have.
CREATE TABLE deleted_queues (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    relay         BLOB    NOT NULL,
    recipient_id  BLOB    NOT NULL,
    recipient_key BLOB    NOT NULL,
    deleted_on    INTEGER NOT NULL,             -- day
    user_id       INTEGER NOT NULL DEFAULT 1,   -- whose sessions delete it
    connection_id INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Relays that cannot be reached, each in one of the sessions with it.
CREATE TABLE relays_down (
    relay         BLOB    NOT NULL,             -- binary address, which has no password
    user_id       INTEGER NOT NULL,
    connection_id INTEGER NOT NULL,             -- 0: in the session of all connections of the user
    since         INTEGER NOT NULL,             -- unix seconds
    error         TEXT    NOT NULL,             -- in JSON
    PRIMARY KEY (relay, user_id, connection_id)
) STRICT;
