-- When a firing alert ends by itself: its sender's endsAt, or where `timeout` is 1 a time given because there was none.
ALTER TABLE alerts ADD COLUMN expires_at INTEGER;
ALTER TABLE alerts ADD COLUMN timeout INTEGER NOT NULL DEFAULT 0;
CREATE INDEX alerts_expiring ON alerts (expires_at) WHERE expires_at IS NOT NULL AND status = 'firing';

-- `flushed_at` is the last tick of group_wait and group_interval; `hidden` counts the firing alerts that are not shown.
ALTER TABLE incidents ADD COLUMN flushed_at INTEGER;
ALTER TABLE incidents ADD COLUMN hidden INTEGER NOT NULL DEFAULT 0;

-- `planned`: what the last notification was planned to say of it (firing, resolved, nothing). `hidden`: why a firing alert is
-- not shown (waits, silenced, inhibited, muted); `hidden_by`: by which silence, fingerprint or interval.
ALTER TABLE incident_alerts ADD COLUMN planned TEXT NOT NULL DEFAULT '';
ALTER TABLE incident_alerts ADD COLUMN hidden TEXT NOT NULL DEFAULT '';
ALTER TABLE incident_alerts ADD COLUMN hidden_by TEXT NOT NULL DEFAULT '';
CREATE INDEX incident_alerts_hidden ON incident_alerts (hidden_by) WHERE hidden <> '';

-- The firing alerts that an inhibition rule takes for a source, by what the labels in `equal` are. `is_target`: it is a target, too.
CREATE TABLE inhibitors (
    rule TEXT NOT NULL,
    equals TEXT NOT NULL,
    alert INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,
    is_target INTEGER NOT NULL,
    PRIMARY KEY (rule, equals, alert)
) STRICT, WITHOUT ROWID;
CREATE INDEX inhibitors_alert ON inhibitors (alert);

CREATE TABLE silences (
    id TEXT PRIMARY KEY,
    matchers TEXT NOT NULL,
    starts_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    comment TEXT NOT NULL,
    annotations TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX silences_ends_at ON silences (ends_at);
