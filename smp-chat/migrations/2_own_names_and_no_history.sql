-- What contacts call themselves. It becomes their name in the list until they are connected; later it is only told.
ALTER TABLE contacts ADD COLUMN own_name TEXT;
UPDATE contacts SET own_name = name WHERE name_is_ours = 0 AND status IN ('connected', 'ended');

-- Texts that were received, until they are shown: there is no history, so nothing is kept for one.
CREATE TABLE texts (
    id       INTEGER PRIMARY KEY,
    contact  INTEGER NOT NULL REFERENCES contacts (id) ON DELETE CASCADE,
    agent_id INTEGER NOT NULL,              -- the agent's message number in this connection
    part     INTEGER NOT NULL,              -- one agent message may hold several texts: which one this is
    at       INTEGER NOT NULL,              -- Unix time in milliseconds: received by the relay
    text     TEXT,                          -- null once it was shown; the row stays as long as the agent may repeat the event
    UNIQUE (contact, agent_id, part)        -- an event that the agent repeats after a crash changes nothing
) STRICT;
CREATE INDEX texts_new ON texts (id) WHERE text IS NOT NULL;

INSERT INTO texts (contact, agent_id, part, at, text)
    SELECT contact, agent_id, part, at, CASE WHEN state = 'new' THEN text END FROM messages WHERE incoming = 1 ORDER BY id;
DROP TABLE messages;
