-- Drafts that no submission goes on with, although it is not done: one that names recipients from
-- before it was divided, or one in whose place another was begun.
--
-- A row stays until the draft has been taken away. Its lane stands here since the submission may
-- move to another one.

CREATE TABLE left_drafts (
    id         INTEGER PRIMARY KEY,
    draft      TEXT    NOT NULL UNIQUE,   -- its immutable id
    submission INTEGER NOT NULL REFERENCES submissions (id),
    account    TEXT    NOT NULL,
    mailbox    TEXT    NOT NULL
);
CREATE INDEX left_drafts_by_submission ON left_drafts (submission);
