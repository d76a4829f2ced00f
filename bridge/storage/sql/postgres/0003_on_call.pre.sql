-- `snoozed_until`: when the snooze of a snoozed incident ends. `owner`: whom it is assigned to, empty for nobody.
ALTER TABLE incidents ADD COLUMN snoozed_until bigint;
ALTER TABLE incidents ADD COLUMN owner text NOT NULL DEFAULT '';

-- What people said about an incident, numbered from 1.
CREATE TABLE comments (
    incident text COLLATE "C" NOT NULL,
    number bigint NOT NULL,
    at bigint NOT NULL,
    author text NOT NULL,
    via text NOT NULL,
    text text NOT NULL,
    PRIMARY KEY (incident, number)
);

-- Who was called to an incident by hand: the name of a receiver or channel.
CREATE TABLE responders (
    incident text COLLATE "C" NOT NULL,
    who text COLLATE "C" NOT NULL,
    at bigint NOT NULL,
    author text NOT NULL,
    PRIMARY KEY (incident, who)
);

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

-- The people a delivery is for, by name, joined by '/'; empty if it is for nobody in particular.
ALTER TABLE deliveries ADD COLUMN person text NOT NULL DEFAULT '';

-- What services asked for over callbacks, and when: a repetition is not done again. `key` is a digest of the service's own.
CREATE TABLE asked (
    channel text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (channel, key)
);
CREATE INDEX asked_at ON asked (at);

-- Signs of life that are expected. `since`: when it was first expected; `due_at`: when it is missing, or while it is, when it is
-- looked at again; `excused` is 1 if it was given more time since it came last; `timer` looks at it, 0 for none.
CREATE TABLE heartbeats (
    name text COLLATE "C" PRIMARY KEY,
    since bigint NOT NULL,
    last_at bigint,
    due_at bigint,
    missing_since bigint,
    excused bigint NOT NULL,
    timer bigint NOT NULL
);

-- Fire drills. `next_at`: when the next window begins; `run`: the test under way since `began_at`, empty for none; `timer` looks at it.
CREATE TABLE drills (
    name text COLLATE "C" PRIMARY KEY,
    next_at bigint,
    run text NOT NULL,
    began_at bigint,
    timer bigint NOT NULL
);

-- How they went. `outcome`: passed, failed, missed. Times are milliseconds since its beginning, -1 for never. `run` sorts by time.
CREATE TABLE drill_results (
    name text COLLATE "C" NOT NULL,
    run text COLLATE "C" NOT NULL,
    at bigint NOT NULL,
    outcome text NOT NULL,
    delivered_ms bigint NOT NULL,
    acknowledged_ms bigint NOT NULL,
    detail text NOT NULL,
    PRIMARY KEY (name, run)
);

-- `via`: the way of the act of a person that gave the incident its state, empty where none did.
ALTER TABLE incidents ADD COLUMN via text NOT NULL DEFAULT '';

-- Silences at the Alertmanager that incidents came from, for as long as somebody has them. `silence`: its id there, empty while it is
-- not known; `asked` is 1 if it may have been made; `until`: its own end; `due_at`: when it is looked at next.
CREATE TABLE mirrors (
    incident text COLLATE "C" PRIMARY KEY,
    source text NOT NULL,
    due_at bigint NOT NULL,
    silence text NOT NULL,
    asked bigint NOT NULL,
    until bigint,
    problem text NOT NULL
);
