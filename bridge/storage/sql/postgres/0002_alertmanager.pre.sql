-- When a firing alert ends by itself: its sender's endsAt, or where `timeout` is 1 a time given because there was none.
ALTER TABLE alerts ADD COLUMN expires_at bigint;
ALTER TABLE alerts ADD COLUMN timeout bigint NOT NULL DEFAULT 0;
CREATE INDEX alerts_expiring ON alerts (expires_at) WHERE expires_at IS NOT NULL AND status = 'firing';

-- `flushed_at` is the last tick of group_wait and group_interval; `hidden` counts the firing alerts that are not shown.
ALTER TABLE incidents ADD COLUMN flushed_at bigint;
ALTER TABLE incidents ADD COLUMN hidden bigint NOT NULL DEFAULT 0;

-- `planned`: what the last notification was planned to say of it (firing, resolved, nothing). `hidden`: why a firing alert is
-- not shown (waits, silenced, inhibited, muted); `hidden_by`: by which silence, fingerprint or interval.
ALTER TABLE incident_alerts ADD COLUMN planned text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE incident_alerts ADD COLUMN hidden text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE incident_alerts ADD COLUMN hidden_by text COLLATE "C" NOT NULL DEFAULT '';
CREATE INDEX incident_alerts_hidden ON incident_alerts (hidden_by) WHERE hidden <> '';

-- The firing alerts that an inhibition rule takes for a source, by what the labels in `equal` are. `is_target`: it is a target, too.
CREATE TABLE inhibitors (
    rule text COLLATE "C" NOT NULL,
    equals text COLLATE "C" NOT NULL,
    alert bigint NOT NULL,
    fingerprint text NOT NULL,
    is_target bigint NOT NULL,
    PRIMARY KEY (rule, equals, alert)
);
CREATE INDEX inhibitors_alert ON inhibitors (alert);

CREATE TABLE silences (
    id text COLLATE "C" PRIMARY KEY,
    matchers text NOT NULL,
    starts_at bigint NOT NULL,
    ends_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    created_by text NOT NULL,
    comment text NOT NULL,
    annotations text NOT NULL
);
CREATE INDEX silences_ends_at ON silences (ends_at);
