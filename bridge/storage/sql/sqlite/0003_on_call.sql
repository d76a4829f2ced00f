-- `snoozed_until`: when the snooze of a snoozed incident ends. `owner`: whom it is assigned to, empty for nobody.
ALTER TABLE incidents ADD COLUMN snoozed_until INTEGER;
ALTER TABLE incidents ADD COLUMN owner TEXT NOT NULL DEFAULT '';

-- What people said about an incident, numbered from 1.
CREATE TABLE comments (
    incident TEXT NOT NULL,
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    author TEXT NOT NULL,
    via TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (incident, number)
) STRICT, WITHOUT ROWID;

-- Who was called to an incident by hand: the name of a receiver or channel.
CREATE TABLE responders (
    incident TEXT NOT NULL,
    who TEXT NOT NULL,
    at INTEGER NOT NULL,
    author TEXT NOT NULL,
    PRIMARY KEY (incident, who)
) STRICT, WITHOUT ROWID;

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

-- The people a delivery is for, by name, joined by '/'; empty if it is for nobody in particular.
ALTER TABLE deliveries ADD COLUMN person TEXT NOT NULL DEFAULT '';

-- What services asked for over callbacks, and when: a repetition is not done again. `key` is a digest of the service's own.
CREATE TABLE asked (
    channel TEXT NOT NULL,
    key TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (channel, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX asked_at ON asked (at);

-- Signs of life that are expected. `since`: when it was first expected; `due_at`: when it is missing, or while it is, when it is
-- looked at again; `excused` is 1 if it was given more time since it came last; `timer` looks at it, 0 for none.
CREATE TABLE heartbeats (
    name TEXT PRIMARY KEY,
    since INTEGER NOT NULL,
    last_at INTEGER,
    due_at INTEGER,
    missing_since INTEGER,
    excused INTEGER NOT NULL,
    timer INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Fire drills. `next_at`: when the next window begins; `run`: the test under way since `began_at`, empty for none; `timer` looks at it.
CREATE TABLE drills (
    name TEXT PRIMARY KEY,
    next_at INTEGER,
    run TEXT NOT NULL,
    began_at INTEGER,
    timer INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- How they went. `outcome`: passed, failed, missed. Times are milliseconds since its beginning, -1 for never. `run` sorts by time.
CREATE TABLE drill_results (
    name TEXT NOT NULL,
    run TEXT NOT NULL,
    at INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    delivered_ms INTEGER NOT NULL,
    acknowledged_ms INTEGER NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (name, run)
) STRICT, WITHOUT ROWID;

-- `via`: the way of the act of a person that gave the incident its state, empty where none did.
ALTER TABLE incidents ADD COLUMN via TEXT NOT NULL DEFAULT '';

-- Silences at the Alertmanager that incidents came from, for as long as somebody has them. `silence`: its id there, empty while it is
-- not known; `asked` is 1 if it may have been made; `until`: its own end; `due_at`: when it is looked at next.
CREATE TABLE mirrors (
    incident TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    silence TEXT NOT NULL,
    asked INTEGER NOT NULL,
    until INTEGER,
    problem TEXT NOT NULL
) STRICT, WITHOUT ROWID;
