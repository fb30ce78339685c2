-- Queues, their messages and links, and services.
--
-- Integer keys are given by the program and grow, so that the order of messages is the order of their keys. Texts of IDs, keys and
-- bodies are blobs as they are on the wire. Days are counted from 1970-01-01, timestamps are seconds since then.

CREATE TABLE services (
    service INTEGER PRIMARY KEY,
    service_id BLOB NOT NULL UNIQUE,
    role INTEGER NOT NULL,              -- 0 messages, 1 notifications
    certificates BLOB NOT NULL,         -- as in the handshake
    fingerprint BLOB NOT NULL UNIQUE,
    created_day INTEGER NOT NULL,
    queue_count INTEGER NOT NULL,
    ids_hash BLOB NOT NULL              -- XOR of MD5 of the IDs of its queues
) STRICT;

CREATE TABLE queues (
    queue INTEGER PRIMARY KEY,
    recipient_id BLOB NOT NULL UNIQUE,
    sender_id BLOB NOT NULL UNIQUE,
    notifier_id BLOB,
    link_id BLOB,
    recipient_keys BLOB NOT NULL,       -- each with its length in one byte before it
    recipient_dh BLOB NOT NULL,
    sender_key BLOB,
    mode INTEGER,                       -- 0 messaging, 1 contact
    status INTEGER NOT NULL,            -- 0 active, 1 suspended, 2 blocked
    blocked BLOB,                       -- why, as on the wire
    updated_day INTEGER,
    notifier_key BLOB,
    notifier_dh BLOB,
    fixed_digest BLOB,                  -- SHA-256 of the fixed data of the link
    recipient_service INTEGER,
    notifier_service INTEGER
) STRICT;

CREATE UNIQUE INDEX queues_by_notifier ON queues (notifier_id) WHERE notifier_id IS NOT NULL;
CREATE UNIQUE INDEX queues_by_link ON queues (link_id) WHERE link_id IS NOT NULL;
CREATE INDEX queues_by_day ON queues (updated_day) WHERE updated_day IS NOT NULL;
CREATE INDEX queues_by_recipient_service ON queues (recipient_service, recipient_id) WHERE recipient_service IS NOT NULL;
CREATE INDEX queues_by_notifier_service ON queues (notifier_service, recipient_id) WHERE notifier_service IS NOT NULL;

-- Apart from queues: up to 16 KB that is rarely read.
CREATE TABLE links (
    queue INTEGER PRIMARY KEY,
    fixed_data BLOB NOT NULL,
    user_data BLOB NOT NULL
) STRICT;

CREATE TABLE messages (
    message INTEGER PRIMARY KEY,
    queue INTEGER NOT NULL,
    timestamp INTEGER NOT NULL,
    kind INTEGER NOT NULL,              -- 0 sent, 1 sent and the recipient is to be notified, 2 quota marker
    message_id BLOB NOT NULL,
    body BLOB NOT NULL                  -- last: the columns before it are read without it
) STRICT;

CREATE INDEX messages_by_queue ON messages (queue);
-- Quota markers do not expire.
CREATE INDEX messages_by_time ON messages (timestamp) WHERE kind < 2;
