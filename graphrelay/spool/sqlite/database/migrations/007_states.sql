-- The same check in other words: for IN with more than two values SQLite makes a table in memory, for
-- each message that is accepted and for each that is done, which costs as much as an index. Nothing
-- that is stored changes, so the text of the schema is changed in place
-- (https://www.sqlite.org/lang_altertable.html#otheralter).
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql,
    'state IN (''queued'', ''held'', ''relayed'', ''failed'', ''deleted'')',
    'state = ''queued'' OR state = ''held'' OR state = ''relayed'' OR state = ''failed'' OR state = ''deleted''')
    WHERE type = 'table' AND name = 'submissions';
PRAGMA writable_schema = RESET;
