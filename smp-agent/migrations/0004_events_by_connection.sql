-- Events that are no messages: of some kinds a connection has one at most.
CREATE INDEX events_by_connection ON events (connection_id) WHERE message_id IS NULL;
