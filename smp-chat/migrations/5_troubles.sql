-- What is wrong with contacts, until it ends.
CREATE TABLE troubles (
    contact  INTEGER NOT NULL REFERENCES contacts (id) ON DELETE CASCADE,
    kind     TEXT NOT NULL,
    reason   TEXT NOT NULL,
    PRIMARY KEY (contact, kind)
) STRICT;
