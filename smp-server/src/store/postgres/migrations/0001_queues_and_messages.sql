-- Queues, their messages and links, services, and what the store says of itself.
--
-- Integer keys are given by the program and grow, so that the order of messages is the order of their keys. IDs, keys and bodies are as they
-- are on the wire. Days are counted from 1970-01-01, timestamps are seconds since then.

-- One row. Each transaction of the relay changes it, so there is room in its page for the next versions.
CREATE TABLE store (
    one smallint PRIMARY KEY CHECK (one = 1),
    store_id bytea NOT NULL,                -- 16 random bytes, for ever
    clock text NOT NULL,                    -- the relay's clock, as it was last
    epoch bigint NOT NULL,                  -- grows with each process that has this store: what an earlier one writes is refused
    batch bigint NOT NULL,                  -- the last transaction of that process
    backend integer NOT NULL,               -- the server process of the session that holds the lock
    lease_until timestamptz NOT NULL        -- the process that has it is gone if it has not renewed this
) WITH (fillfactor = 10);

INSERT INTO store (one, store_id, clock, epoch, batch, backend, lease_until)
    VALUES (1, decode(replace(gen_random_uuid()::text, '-', ''), 'hex'), '', 0, 0, 0, '-infinity');

CREATE TABLE services (
    service bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    service_id bytea NOT NULL UNIQUE,
    role bigint NOT NULL,                   -- 0 messages, 1 notifications
    certificates bytea NOT NULL,            -- as in the handshake
    fingerprint bytea NOT NULL UNIQUE,
    created_day bigint NOT NULL,
    queue_count bigint NOT NULL,
    ids_hash bytea NOT NULL                 -- XOR of MD5 of the IDs of its queues
);

CREATE TABLE queues (
    queue bigint PRIMARY KEY,
    recipient_id bytea NOT NULL UNIQUE,
    sender_id bytea NOT NULL UNIQUE,
    notifier_id bytea,
    link_id bytea,
    recipient_keys bytea NOT NULL,          -- each with its length in one byte before it
    recipient_dh bytea NOT NULL,
    sender_key bytea,
    mode bigint,                            -- 0 messaging, 1 contact
    status bigint NOT NULL,                 -- 0 active, 1 suspended, 2 blocked
    blocked bytea,                          -- why, as on the wire
    updated_day bigint,
    notifier_key bytea,
    notifier_dh bytea,
    fixed_digest bytea,                     -- SHA-256 of the fixed data of the link
    recipient_service bigint,
    notifier_service bigint
);

CREATE UNIQUE INDEX queues_by_notifier ON queues (notifier_id) WHERE notifier_id IS NOT NULL;
CREATE UNIQUE INDEX queues_by_link ON queues (link_id) WHERE link_id IS NOT NULL;
CREATE INDEX queues_by_day ON queues (updated_day) WHERE updated_day IS NOT NULL;
CREATE INDEX queues_by_recipient_service ON queues (recipient_service, recipient_id) WHERE recipient_service IS NOT NULL;
CREATE INDEX queues_by_notifier_service ON queues (notifier_service, recipient_id) WHERE notifier_service IS NOT NULL;

-- Apart from queues: up to 16 KB that is rarely read.
CREATE TABLE links (
    queue bigint PRIMARY KEY,
    fixed_data bytea NOT NULL,
    user_data bytea NOT NULL
);

-- Rows come and go all the time: without these settings the dead ones take many times the space of the living. The relay vacuums besides.
CREATE TABLE messages (
    message bigint PRIMARY KEY,
    queue bigint NOT NULL,
    timestamp bigint NOT NULL,
    kind bigint NOT NULL,                   -- 0 sent, 1 sent and the recipient is to be notified, 2 quota marker
    message_id bytea NOT NULL,
    body bytea NOT NULL
) WITH (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0,
    toast.autovacuum_vacuum_scale_factor = 0, toast.autovacuum_vacuum_threshold = 4000, toast.autovacuum_vacuum_cost_delay = 0
);
-- What is encrypted cannot be compressed.
ALTER TABLE messages ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE links ALTER COLUMN user_data SET STORAGE EXTERNAL;

CREATE INDEX messages_by_queue ON messages (queue, message);
-- Quota markers do not expire.
CREATE INDEX messages_by_time ON messages (timestamp) WHERE kind < 2;
