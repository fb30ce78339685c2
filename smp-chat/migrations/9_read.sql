-- Up to which item a conversation was read; and where a contact stands among the others, beside its items: the number of the last item
-- of the book when the contact came, or when its connection last changed.
ALTER TABLE contacts ADD COLUMN read_to INTEGER NOT NULL DEFAULT 0;
ALTER TABLE contacts ADD COLUMN active INTEGER NOT NULL DEFAULT 0;

-- Everything of before counts as read, but for what was not shown yet.
UPDATE contacts SET read_to = coalesce(
    (SELECT min(item) - 1 FROM texts WHERE texts.contact = contacts.id AND text IS NOT NULL AND item IS NOT NULL),
    (SELECT max(id) FROM items WHERE items.contact = contacts.id),
    0);

CREATE INDEX items_theirs ON items (contact, id) WHERE visible = 1 AND ours = 0;
CREATE INDEX items_not_handed_over ON items (id) WHERE ours = 1 AND number IS NULL;
CREATE INDEX texts_new_of ON texts (contact, id) WHERE text IS NOT NULL;
