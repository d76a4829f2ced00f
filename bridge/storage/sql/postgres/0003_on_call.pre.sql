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
