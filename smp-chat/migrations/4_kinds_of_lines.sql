-- What a line to be shown is: words of the contact, or something that the contact did.
ALTER TABLE texts ADD COLUMN kind TEXT NOT NULL DEFAULT 'text';

-- What a contact is typing: shown when it is complete, or when something else comes from them.
CREATE TABLE live (
    contact  INTEGER PRIMARY KEY REFERENCES contacts (id) ON DELETE CASCADE,
    message  BLOB NOT NULL,                 -- the ID of the message that both sides know
    kind     TEXT NOT NULL,
    text     TEXT NOT NULL
) STRICT;
