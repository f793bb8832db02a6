-- The queue of each lane, by whose turn it is: logins, their clients, and the senders of those take
-- turns; large messages (values.LARGE) and small ones take turns of their own; and the oldest of a
-- sender goes first. What is due is read from here a few rows at a time, however long the queue is.
ALTER TABLE submissions ADD COLUMN login TEXT NOT NULL DEFAULT '';   -- as in messages.origin
ALTER TABLE submissions ADD COLUMN client TEXT NOT NULL DEFAULT '';  -- as in messages
UPDATE submissions SET
    client = coalesce((SELECT m.client FROM messages m WHERE m.id = message), ''),
    login = coalesce((SELECT json_extract(m.origin, '$.login') FROM messages m
                      WHERE m.id = message AND json_valid(m.origin)), '')
    WHERE done_at IS NULL;
CREATE INDEX submissions_turns ON submissions
    (account, mailbox, (size >= 1048576), login, client, sender_key, received_at, id, not_before)
    WHERE state = 'queued';
