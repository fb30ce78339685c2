-- Items: the messages of conversations. Kept until they are deleted or disappear, or their contact is removed.
CREATE TABLE items (
    id        INTEGER PRIMARY KEY AUTOINCREMENT, -- the number by which people name it: never used again
    contact   INTEGER NOT NULL REFERENCES contacts (id) ON DELETE CASCADE,
    ours      INTEGER NOT NULL,        -- 1: sent from here
    shared_id BLOB,                    -- the ID by which both sides know it
    number    INTEGER,                 -- the agent's number of the message that made it
    part      INTEGER,                 -- one agent message may hold several events: which one this is
    at        INTEGER NOT NULL,        -- Unix time in milliseconds: written here, or received by the relay
    delivery  INTEGER NOT NULL,        -- how far one of ours has come
    visible   INTEGER NOT NULL,        -- whether there is something to show
    typing    INTEGER NOT NULL,        -- whether the contact is still typing it, and it was not shown
    ttl       INTEGER,                 -- seconds after which it disappears
    expires   INTEGER,                 -- Unix time in milliseconds at which it does, once it was shown or sent
    state     TEXT NOT NULL            -- all else, as JSON
) STRICT;
CREATE UNIQUE INDEX items_shared ON items (contact, ours, shared_id) WHERE shared_id IS NOT NULL;
CREATE UNIQUE INDEX items_number ON items (contact, ours, number, part) WHERE number IS NOT NULL;
CREATE INDEX items_visible ON items (contact, id) WHERE visible = 1;
CREATE INDEX items_typing ON items (contact) WHERE typing = 1;
CREATE INDEX items_expires ON items (expires) WHERE expires IS NOT NULL;

-- Which item a line is about.
ALTER TABLE texts ADD COLUMN item INTEGER REFERENCES items (id) ON DELETE SET NULL;
CREATE INDEX texts_item ON texts (item) WHERE item IS NOT NULL;

-- A text that was being typed when this program was updated is shown as it was.
INSERT OR IGNORE INTO texts (contact, agent_id, part, at, kind, text)
    SELECT live.contact, coalesce((SELECT max(agent_id) FROM texts WHERE texts.contact = live.contact), 0), -1000000, 0, live.kind, live.text || ' …'
    FROM live;
DROP TABLE live;

-- The last profiles of contacts, as JSON: apart, for pictures are in them.
CREATE TABLE profiles (
    contact INTEGER PRIMARY KEY REFERENCES contacts (id) ON DELETE CASCADE,
    profile TEXT NOT NULL
) STRICT;

-- The versions of the chat protocol that a contact's app speaks.
ALTER TABLE contacts ADD COLUMN versions TEXT;
