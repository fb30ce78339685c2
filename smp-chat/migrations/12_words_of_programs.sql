-- Words of a program about a contact: another name for it, data of its own, and preferences for this contact only.
ALTER TABLE contacts ADD COLUMN alias TEXT;
ALTER TABLE contacts ADD COLUMN custom TEXT;      -- JSON
ALTER TABLE contacts ADD COLUMN preferences TEXT; -- JSON
-- The profile that a contact had before, where the feed tells of another one: as JSON. Each change is told: one that was told already and not
-- taken yet does not stand for the next.
ALTER TABLE feed ADD COLUMN before TEXT;
DROP INDEX feed_contact;
CREATE UNIQUE INDEX feed_contact ON feed (contact, kind) WHERE item IS NULL AND kind <> 'profile';
CREATE INDEX feed_profiles ON feed (contact, id) WHERE kind = 'profile';
