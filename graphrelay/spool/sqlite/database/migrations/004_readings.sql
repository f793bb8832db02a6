-- What is being read to be sent: how many processes have begun with it, and which one was the last.
-- The row goes when its attempt is begun, so one that is there at start is of a process that ended.
CREATE TABLE readings (
    submission INTEGER PRIMARY KEY REFERENCES submissions (id) ON DELETE CASCADE,
    starts INTEGER NOT NULL,
    process TEXT NOT NULL
) STRICT;
