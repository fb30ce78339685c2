-- Of a joiner while it fetches the invitation behind a short link: the link, its relay, and the private key that secures
-- the queue. It is stored before it is first sent, so that the relay sees the same key however often it is asked.
ALTER TABLE connections ADD COLUMN link_fetch BLOB;

-- Of an initiator: the short form of the invitation, if there is one; and under which ID its relay has what belongs to it.
ALTER TABLE connections ADD COLUMN short_link TEXT;
ALTER TABLE receive_queues ADD COLUMN link_id BLOB;
