-- Several processes of one relay, each of which has some of the queues.

-- A row for each that lives. It is removed when its process ends, or by others when its lease is over: from then on nothing that the
-- process writes is accepted, and anybody may have its queues. Each transaction of the process changes it.
CREATE TABLE processes (
    process bigint PRIMARY KEY,             -- its epoch, which no other process of this store has had
    place integer NOT NULL UNIQUE,          -- keys of rows that it makes are this, modulo the number of places
    batch bigint NOT NULL,                  -- its last transaction
    backend integer NOT NULL,               -- the server process of the session that holds its lock
    lease_until timestamptz NOT NULL,
    address text NOT NULL                   -- where other processes reach it
) WITH (fillfactor = 10);

-- The process that has a queue; nobody if it is null or the process lives no more.
ALTER TABLE queues ADD COLUMN owner bigint;
-- Room for the next version of a row beside it: an owner is in no index.
ALTER TABLE queues SET (fillfactor = 90);
