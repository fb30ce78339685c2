-- Contacts whose messages are kept and make no line.
ALTER TABLE contacts ADD COLUMN muted INTEGER NOT NULL DEFAULT 0;
-- Seconds after which messages of this conversation disappear, as the user set it: 0 for never, null for as the contact wishes.
ALTER TABLE contacts ADD COLUMN ttl INTEGER;
