-- The calendars of schedules as they were read last. `content` is the last good copy, empty if there was none yet; `good_at` is
-- when it came, or when the first attempt was; `digest` is that of the content, `address` that of where it was looked for last; `warned`
-- is 1 while it was said that the copy is old.
CREATE TABLE calendars (
    schedule TEXT PRIMARY KEY,
    address TEXT NOT NULL,
    content TEXT NOT NULL,
    digest TEXT NOT NULL,
    good_at INTEGER NOT NULL,
    tried_at INTEGER NOT NULL,
    problem TEXT NOT NULL,
    warned INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
