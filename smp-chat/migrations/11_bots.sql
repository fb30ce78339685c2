-- What programs are told, until they have taken it. The numbers are never used again.
CREATE TABLE feed (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    contact INTEGER NOT NULL REFERENCES contacts (id) ON DELETE CASCADE,
    kind    TEXT NOT NULL,
    item    INTEGER REFERENCES items (id) ON DELETE CASCADE,
    number  INTEGER,                   -- the agent's number of the message that said it
    part    INTEGER                    -- which of its events
) STRICT;
CREATE UNIQUE INDEX feed_contact ON feed (contact, kind) WHERE item IS NULL;
CREATE INDEX feed_item ON feed (item) WHERE item IS NOT NULL;

-- Programs know contacts by their numbers: that of one who was removed must not become somebody else's.
CREATE TABLE contact_numbers (id INTEGER PRIMARY KEY AUTOINCREMENT) STRICT;
INSERT INTO contact_numbers (id) SELECT max(id) FROM contacts HAVING max(id) IS NOT NULL;
DELETE FROM contact_numbers;

ALTER TABLE contacts ADD COLUMN made INTEGER;                          -- Unix time in milliseconds; unknown of earlier ones
ALTER TABLE contacts ADD COLUMN by_address INTEGER NOT NULL DEFAULT 0; -- 1: asked by our contact address

-- What is ours besides the settings: our profile, and what people are told who were let in.
CREATE TABLE own (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
