-- The whole durable state of an agent. Secrets are stored as they are: the file is protected by its permissions
-- only (0600 in a 0700 directory). Numbers of rows that the application or a peer may remember are never reused.

CREATE TABLE connections (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    role            TEXT    NOT NULL CHECK (role IN ('initiator', 'joiner')),
    phase           TEXT    NOT NULL,           -- connection::Phase
    agent_version   INTEGER NOT NULL,           -- agreed, only raised
    pq_support      INTEGER NOT NULL,           -- agreed
    own_info        BLOB    NOT NULL,           -- what the peer gets with the confirmation
    link            TEXT,                       -- of the initiator: the invitation
    initial_keys    BLOB,                       -- first ratchet keys, until they are used up
    ratchet         BLOB,                       -- ratchet state
    sent_number     INTEGER NOT NULL,           -- message number and hash chain (chapter 6), both directions
    sent_hash       BLOB    NOT NULL,
    received_number INTEGER NOT NULL,
    received_hash   BLOB    NOT NULL,
    last_message    INTEGER NOT NULL,           -- last number given to the application
    created_at      INTEGER NOT NULL            -- unix seconds
) STRICT;

-- The queue in which this side receives. The IDs and the mode are null until the relay has made the queue.
CREATE TABLE receive_queues (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    connection_id  INTEGER NOT NULL UNIQUE REFERENCES connections (id) ON DELETE CASCADE,
    relay          BLOB    NOT NULL,            -- binary address, which has no password
    client_version INTEGER NOT NULL,            -- agreed once the peer is known
    recipient_key  BLOB    NOT NULL,            -- private key of our commands, PKCS#8
    relay_dh_key   BLOB    NOT NULL,            -- private X25519 key for the relay's encryption of bodies
    e2e_key        BLOB    NOT NULL,            -- private X25519 key for the sender's encryption of bodies
    recipient_id   BLOB,
    sender_id      BLOB,
    mode           TEXT CHECK (mode IN ('messaging', 'contact')),
    relay_secret   BLOB,                        -- X25519 secret with the relay
    e2e_secret     BLOB,                        -- X25519 secret with the sender, known from the confirmation on
    sender_key     BLOB                         -- the sender's public key while KEY has yet to set it
) STRICT;
CREATE UNIQUE INDEX receive_queues_by_id ON receive_queues (recipient_id, relay);

-- The queue to which this side sends.
CREATE TABLE send_queues (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    connection_id  INTEGER NOT NULL UNIQUE REFERENCES connections (id) ON DELETE CASCADE,
    relay          BLOB    NOT NULL,
    client_version INTEGER NOT NULL,
    sender_id      BLOB    NOT NULL,
    mode           TEXT CHECK (mode IN ('messaging', 'contact')),
    sender_key     BLOB    NOT NULL,            -- private key of our commands, PKCS#8
    e2e_public     BLOB    NOT NULL,            -- our public X25519 key, sent in the confirmation
    e2e_secret     BLOB    NOT NULL
) STRICT;

-- Keys of messages that the ratchet left out.
CREATE TABLE skipped_keys (
    id            INTEGER PRIMARY KEY,
    connection_id INTEGER NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    header_key    BLOB    NOT NULL,
    number        INTEGER NOT NULL,
    message_key   BLOB    NOT NULL,
    UNIQUE (connection_id, header_key, number)
) STRICT;

-- Bodies of SEND, complete and encrypted, in the order in which they go out. A row leaves with the relay's OK.
CREATE TABLE outgoing (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    connection_id INTEGER NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    kind          TEXT    NOT NULL,             -- connection::OutgoingKind
    message_id    INTEGER,                      -- of application messages
    authorized    INTEGER NOT NULL,             -- 0: confirmation to a queue that its recipient secures
    notify        INTEGER NOT NULL,             -- message flag
    body          BLOB    NOT NULL
) STRICT;
CREATE INDEX outgoing_by_connection ON outgoing (connection_id, id);

-- Numbers under which application messages were sent: receipts refer to them.
CREATE TABLE sent_messages (
    connection_id INTEGER NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    number        INTEGER NOT NULL,
    message_id    INTEGER NOT NULL,
    hash          BLOB    NOT NULL,
    sent_at       INTEGER NOT NULL,             -- unix seconds
    PRIMARY KEY (connection_id, number)
) STRICT, WITHOUT ROWID;

-- SHA-256 of the encrypted messages that were received: a relay repeats a message whose ACK it did not see.
CREATE TABLE received_messages (
    connection_id INTEGER NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    hash          BLOB    NOT NULL,
    received_at   INTEGER NOT NULL,             -- unix seconds
    PRIMARY KEY (connection_id, hash)
) STRICT, WITHOUT ROWID;

-- What the application has yet to acknowledge, in the order in which it happened.
CREATE TABLE events (
    sequence      INTEGER PRIMARY KEY AUTOINCREMENT,
    connection_id INTEGER NOT NULL REFERENCES connections (id) ON DELETE CASCADE,
    message_id    INTEGER,                      -- of received messages
    content       TEXT    NOT NULL,             -- the event in JSON, without its body
    body          BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX events_by_message ON events (connection_id, message_id) WHERE message_id IS NOT NULL;

-- Queues of deleted connections that their relays still have.
CREATE TABLE deleted_queues (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    relay         BLOB NOT NULL,
    recipient_id  BLOB NOT NULL,
    recipient_key BLOB NOT NULL
) STRICT;
