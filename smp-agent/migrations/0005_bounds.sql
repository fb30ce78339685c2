-- Since when a queue waits to be deleted at its relay.
ALTER TABLE deleted_queues ADD COLUMN deleted_at INTEGER NOT NULL DEFAULT 0;
UPDATE deleted_queues SET deleted_at = unixepoch();
-- Receipts and words of space are told apart.
UPDATE outgoing SET kind = 'receipt' WHERE kind = 'internal';
