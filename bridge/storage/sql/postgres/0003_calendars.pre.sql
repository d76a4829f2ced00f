-- The calendars of schedules as they were read last. `content` is the last good copy, empty if there was none yet; `good_at` is
-- when it came, or when the first attempt was; `digest` is that of the content, `address` that of where it was looked for last; `warned`
-- is 1 while it was said that the copy is old.
CREATE TABLE calendars (
    schedule text COLLATE "C" PRIMARY KEY,
    address text NOT NULL,
    content text NOT NULL,
    digest text NOT NULL,
    good_at bigint NOT NULL,
    tried_at bigint NOT NULL,
    problem text NOT NULL,
    warned bigint NOT NULL
);
