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
