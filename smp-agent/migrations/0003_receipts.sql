-- Whether the application knows that the peer confirmed a message with another hash; it is told so once.
ALTER TABLE sent_messages ADD COLUMN mismatch_told INTEGER NOT NULL DEFAULT 0;
