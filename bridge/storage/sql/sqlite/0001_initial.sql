CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One row a request. `state`: pending (waits for hooks that do I/O), planned, poisoned.
CREATE TABLE requests (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    digest TEXT NOT NULL,
    body BLOB NOT NULL,
    generation TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state = 'pending' OR state = 'planned' OR state = 'poisoned'),
    attempts INTEGER NOT NULL DEFAULT 0,
    partition INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX requests_pending ON requests (id) WHERE state = 'pending';

-- The reducer's state, one row for each (source, org, fingerprint): the present or last episode.
CREATE TABLE alerts (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    org TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    episode INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('firing', 'resolved')),
    starts_at INTEGER NOT NULL,
    ends_at INTEGER,
    last_seen INTEGER NOT NULL,
    starts_text TEXT NOT NULL,
    ends_text TEXT NOT NULL,
    labels TEXT NOT NULL,
    annotations TEXT NOT NULL,
    added_labels TEXT NOT NULL,
    added_annotations TEXT NOT NULL,
    generator_url TEXT NOT NULL,
    receiver TEXT NOT NULL,
    extra TEXT NOT NULL,
    UNIQUE (source, org, fingerprint)
) STRICT;

CREATE TABLE incidents (
    id TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    route TEXT NOT NULL,
    receiver TEXT NOT NULL,
    group_hash TEXT NOT NULL,
    group_labels TEXT NOT NULL,
    labels TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state = 'open' OR state = 'acknowledged' OR state = 'snoozed' OR state = 'resolved'),
    version INTEGER NOT NULL,
    severity TEXT NOT NULL,
    opened_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    told_at INTEGER,
    acknowledged_at INTEGER,
    acknowledged_by TEXT NOT NULL,
    resolved_at INTEGER,
    resolved_by TEXT NOT NULL,
    escalation TEXT NOT NULL,
    external_url TEXT NOT NULL,
    group_key TEXT NOT NULL,
    truncated INTEGER NOT NULL,
    firing INTEGER NOT NULL,
    resolved INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX incidents_unended ON incidents (group_hash) WHERE state <> 'resolved';

-- An alert's stay in an incident; the columns are copies of its state there.
CREATE TABLE incident_alerts (
    incident TEXT NOT NULL,
    alert INTEGER NOT NULL,
    episode INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('firing', 'resolved')),
    added_labels TEXT NOT NULL,
    added_annotations TEXT NOT NULL,
    starts_at INTEGER NOT NULL,
    ends_at INTEGER,
    starts_text TEXT NOT NULL,
    ends_text TEXT NOT NULL,
    PRIMARY KEY (incident, alert)
) STRICT, WITHOUT ROWID;
CREATE INDEX incident_alerts_alert ON incident_alerts (alert, status);

CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY,
    incident TEXT NOT NULL,
    channel TEXT NOT NULL,
    receiver TEXT NOT NULL,
    reason TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state = 'pending' OR state = 'leased' OR state = 'sent' OR state = 'dead' OR state = 'superseded' OR state = 'cancelled' OR state = 'expired' OR state = 'parked'),
    end_reason TEXT NOT NULL,
    note TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    counted INTEGER NOT NULL,
    plain INTEGER NOT NULL DEFAULT 0,
    ended_at INTEGER,
    last_error TEXT NOT NULL,
    epoch INTEGER NOT NULL DEFAULT 0,
    owner TEXT NOT NULL DEFAULT '',
    lease_until INTEGER,
    replayed INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX deliveries_unended ON deliveries (state) WHERE state = 'pending' OR state = 'leased' OR state = 'parked';
CREATE INDEX deliveries_dead ON deliveries (state) WHERE state = 'dead';
CREATE INDEX deliveries_incident ON deliveries (incident, channel);

-- Set by outcomes (sent or unknown), never by plans.
CREATE TABLE told (
    incident TEXT NOT NULL,
    channel TEXT NOT NULL,
    alert INTEGER NOT NULL,
    episode INTEGER NOT NULL,
    status TEXT NOT NULL,
    PRIMARY KEY (incident, channel, alert)
) STRICT, WITHOUT ROWID;

CREATE TABLE receipts (
    incident TEXT NOT NULL,
    channel TEXT NOT NULL,
    data TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (incident, channel)
) STRICT, WITHOUT ROWID;

-- Business time is a row. `kind`: step, flush, alert, storm. `paused_for` keeps what was left of a wait.
CREATE TABLE timers (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    incident TEXT NOT NULL,
    alert INTEGER NOT NULL DEFAULT 0,
    due_at INTEGER NOT NULL,
    paused_for INTEGER,
    data TEXT NOT NULL
) STRICT;
CREATE INDEX timers_due ON timers (due_at) WHERE paused_for IS NULL;
CREATE INDEX timers_incident ON timers (incident);
CREATE INDEX timers_alert ON timers (alert) WHERE alert <> 0;

-- What a source that may storm opened in this span and in the one before; `storm` names the storm it
-- is in, or was: what came in it is told together still, and it may come back.
CREATE TABLE storm_sources (
    source TEXT PRIMARY KEY,
    began_at INTEGER NOT NULL,
    opened INTEGER NOT NULL,
    opened_before INTEGER NOT NULL,
    over_at INTEGER NOT NULL,
    storm TEXT NOT NULL,
    storm_began_at INTEGER NOT NULL,
    lasts INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Of which incidents a channel hears by digest alone.
CREATE TABLE storm_members (
    incident TEXT NOT NULL,
    channel TEXT NOT NULL,
    storm TEXT NOT NULL,
    PRIMARY KEY (incident, channel)
) STRICT, WITHOUT ROWID;
CREATE INDEX storm_members_storm ON storm_members (storm, channel, incident);

-- What a channel was told of a storm last, by which incident. One that does not follow is called, and told of the end. `news`, `paging`: it is to be told, or called. `pages`: the steps it was called for.
CREATE TABLE storm_channels (
    storm TEXT NOT NULL,
    channel TEXT NOT NULL,
    incident TEXT NOT NULL,
    told_at INTEGER,
    total INTEGER NOT NULL,
    open INTEGER NOT NULL,
    follows INTEGER NOT NULL,
    news INTEGER NOT NULL,
    paging INTEGER NOT NULL,
    pages TEXT NOT NULL,
    PRIMARY KEY (storm, channel)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    chain TEXT NOT NULL,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    actor TEXT NOT NULL,
    source TEXT NOT NULL,
    incident TEXT NOT NULL,
    delivery TEXT NOT NULL,
    channel TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    reason TEXT NOT NULL,
    digest TEXT NOT NULL,
    detail TEXT NOT NULL,
    hash BLOB NOT NULL
) STRICT;
CREATE INDEX audit_incident ON audit (incident) WHERE incident <> '';
-- Records of notices: retention asks whether there are any left.
CREATE INDEX audit_notices ON audit (delivery) WHERE incident = '' AND delivery <> '';

CREATE TABLE audit_checkpoints (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    note TEXT NOT NULL
) STRICT;

-- The last text of each configuration file that validated.
CREATE TABLE good_files (
    path TEXT PRIMARY KEY,
    text TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
