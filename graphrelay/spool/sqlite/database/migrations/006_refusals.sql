-- What clients were refused before there was a message (statements/refusals.py). A row that is counted
-- up is written anew, with a new id; there are never more than values.MOST_REFUSALS.
CREATE TABLE refusals (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    since         INTEGER NOT NULL,
    at            INTEGER NOT NULL,
    times         INTEGER NOT NULL,
    client        TEXT    NOT NULL,
    listener      TEXT    NOT NULL,
    stage         TEXT    NOT NULL,
    reply         TEXT    NOT NULL,
    reason        TEXT    NOT NULL,
    login         TEXT    NOT NULL,
    sender        TEXT    NOT NULL,
    recipient     TEXT    NOT NULL,
    sender_key    TEXT    NOT NULL,   -- to compare by, as in messages
    recipient_key TEXT    NOT NULL
);
CREATE INDEX refusals_by_client ON refusals (client, sender, recipient, at);
CREATE INDEX refusals_by_time ON refusals (at);
