-- Which invitation a contact was joined by: the ID of its queue or of its short link. It opens nothing.
ALTER TABLE contacts ADD COLUMN invitation BLOB;
