-- People who ask to connect by our contact address, and wait for an answer. Their status is 'joining' besides, as the words of that column are fixed.
ALTER TABLE contacts ADD COLUMN asks INTEGER NOT NULL DEFAULT 0;
