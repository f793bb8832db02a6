-- The mail that we own, and what became of it.
--
-- Moments are whole microseconds since 1970 in UTC. `messages` and `submissions` stay as the mail
-- log when the octets in `bodies` have gone. What is plain SQL here runs on SQLite 3.34 and later.

CREATE TABLE messages (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    queue_id    TEXT    NOT NULL UNIQUE,
    received_at INTEGER NOT NULL,
    sender      TEXT    NOT NULL,   -- reverse path, empty for the null sender
    sender_key  TEXT    NOT NULL,   -- the same, to compare by
    client      TEXT    NOT NULL,
    origin      TEXT    NOT NULL,   -- JSON of Origin
    message_id  TEXT    NOT NULL,
    subject     TEXT    NOT NULL,
    size        INTEGER NOT NULL,   -- prefix and body
    done_at     INTEGER             -- when the last part was done; then no row in bodies is left
);
CREATE INDEX messages_by_sender ON messages (sender_key, id);
CREATE INDEX messages_done ON messages (done_at) WHERE done_at IS NOT NULL;

-- In a table of their own, so that listing the log never reads past them.
CREATE TABLE bodies (
    message INTEGER PRIMARY KEY REFERENCES messages (id),
    size    INTEGER NOT NULL,       -- of the body alone
    file    TEXT,                   -- the name of a large body's file
    prefix  BLOB    NOT NULL,
    octets  BLOB,                   -- or a small body
    CHECK ((octets IS NULL) <> (file IS NULL))
);
CREATE INDEX bodies_in_files ON bodies (file) WHERE file IS NOT NULL;

CREATE TABLE submissions (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    message     INTEGER NOT NULL REFERENCES messages (id),
    part        INTEGER NOT NULL,   -- from 1
    received_at INTEGER NOT NULL,   -- as in messages, so that the queue is read without them
    sender_key  TEXT    NOT NULL,   -- likewise
    size        INTEGER NOT NULL,   -- likewise
    envelope    TEXT    NOT NULL,   -- JSON of Envelope: this part's recipients
    plan        TEXT    NOT NULL,   -- JSON of Plan
    account     TEXT    NOT NULL,   -- its lane
    mailbox     TEXT    NOT NULL,
    attempts    INTEGER NOT NULL DEFAULT 0,   -- begun so far
    state       TEXT    NOT NULL CHECK (state IN ('queued', 'held', 'relayed', 'failed', 'deleted')),
    not_before  INTEGER,            -- queued only
    reason      TEXT    NOT NULL DEFAULT '',
    done_at     INTEGER,
    UNIQUE (message, part),
    CHECK ((state = 'queued') = (not_before IS NOT NULL)),
    CHECK ((state IN ('queued', 'held')) = (done_at IS NULL))
);
-- The queue, in the order of acceptance. It stays small however long the log grows.
CREATE INDEX submissions_open ON submissions (id) WHERE done_at IS NULL;

CREATE TABLE recipients (
    address_key TEXT    NOT NULL,
    submission  INTEGER NOT NULL REFERENCES submissions (id),
    PRIMARY KEY (address_key, submission)
) WITHOUT ROWID;

-- A row here says that a request may be on its way. At start each one is a crash in flight.
CREATE TABLE in_flight (
    submission        INTEGER PRIMARY KEY REFERENCES submissions (id),
    number            INTEGER NOT NULL,
    started_at        INTEGER NOT NULL,
    client_request_id TEXT    NOT NULL
);

-- What came of it: one row for each finished attempt, and for each thing that a person did.
CREATE TABLE log (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    at         INTEGER NOT NULL,
    submission INTEGER NOT NULL REFERENCES submissions (id),
    what       TEXT    NOT NULL,    -- relayed, delayed, failed, uncertain, paused, held, …
    reason     TEXT    NOT NULL,
    number     INTEGER,             -- of the attempt
    started_at INTEGER,
    outcome    TEXT                 -- JSON of Outcome
);
CREATE INDEX log_by_submission ON log (submission, id);
CREATE INDEX log_by_time ON log (at);
