-- Messages that are put together in Drafts before they are sent.
--
-- A row here says how far that got. It goes with the outcome `relayed`; where the submission was
-- given up instead, it stays until the draft has been taken away.

CREATE TABLE drafts (
    submission INTEGER PRIMARY KEY REFERENCES submissions (id),
    progress   TEXT NOT NULL        -- JSON of DraftProgress
);
