-- What the command line knows beyond the agent: names, and the texts that were exchanged.
CREATE TABLE contacts (
    id            INTEGER PRIMARY KEY,
    connection    INTEGER NOT NULL UNIQUE,  -- the agent's connection
    name          TEXT NOT NULL UNIQUE,     -- what the user calls the contact
    name_is_ours  INTEGER NOT NULL,         -- 1: chosen by the user; 0: to be replaced by the contact's own name
    status        TEXT NOT NULL CHECK (status IN ('invited', 'joining', 'connected', 'ended')),
    link          TEXT,                     -- the invitation, while it waits to be used
    verified_code TEXT                      -- the security code that both sides compared
) STRICT;

CREATE TABLE messages (
    id       INTEGER PRIMARY KEY,
    contact  INTEGER NOT NULL REFERENCES contacts (id) ON DELETE CASCADE,
    incoming INTEGER NOT NULL,
    agent_id INTEGER NOT NULL,              -- the agent's message number in this connection
    part     INTEGER NOT NULL,              -- one agent message may hold several texts: which one this is
    at       INTEGER NOT NULL,              -- Unix time in milliseconds: sent by us, or received by the relay
    text     TEXT NOT NULL,
    state    TEXT NOT NULL CHECK (state IN ('queued', 'sent', 'failed', 'new', 'shown')),
    UNIQUE (contact, incoming, agent_id, part) -- an event that the agent repeats after a crash changes nothing
) STRICT;

CREATE INDEX messages_new ON messages (contact, id) WHERE state = 'new';
