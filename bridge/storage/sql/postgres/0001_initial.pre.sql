-- Whatever is compared or ordered is compared by its bytes, whatever the database's locale: as in SQLite, and without
-- an index that breaks when an operating system sorts anew.

CREATE TABLE meta (
    name text COLLATE "C" PRIMARY KEY,
    value text NOT NULL
);

-- One row: whoever has locked it writes. `next_id` numbers rows, `next_seq` audit records; both in the order of commits.
-- `last` names the last group of units that was committed.
CREATE TABLE turn (
    id bigint PRIMARY KEY CHECK (id = 1),
    next_id bigint NOT NULL,
    next_seq bigint NOT NULL,
    last text NOT NULL
);
INSERT INTO turn (id, next_id, next_seq, last) VALUES (1, 1, 1, '');

-- The halves of the migrations that were applied.
CREATE TABLE bridge_schema (
    number bigint NOT NULL,
    half text COLLATE "C" NOT NULL CHECK (half IN ('pre', 'post')),
    applied_at bigint NOT NULL,
    PRIMARY KEY (number, half)
);

-- The bridges that share this database. Times of leases are the database's own clock.
CREATE TABLE replicas (
    id text COLLATE "C" PRIMARY KEY,
    started_at bigint NOT NULL,
    seen_until bigint NOT NULL,
    version text NOT NULL,
    schema bigint NOT NULL
);

-- One row: who does what is to be done once for all.
CREATE TABLE leader (
    id bigint PRIMARY KEY CHECK (id = 1),
    owner text COLLATE "C" NOT NULL,
    lease_until bigint NOT NULL
);
INSERT INTO leader (id, owner, lease_until) VALUES (1, '', 0);

-- Who plans the requests of a partition of the journal.
CREATE TABLE partitions (
    id bigint PRIMARY KEY,
    owner text COLLATE "C" NOT NULL,
    epoch bigint NOT NULL,
    lease_until bigint NOT NULL
);

-- One row a request. `state`: pending (waits for hooks that do I/O), planned, poisoned.
CREATE TABLE requests (
    id bigint PRIMARY KEY,
    source text NOT NULL,
    received_at bigint NOT NULL,
    digest text NOT NULL,
    body bytea NOT NULL,
    generation text NOT NULL,
    state text COLLATE "C" NOT NULL CHECK (state IN ('pending', 'planned', 'poisoned')),
    attempts bigint NOT NULL DEFAULT 0,
    partition bigint NOT NULL DEFAULT 0
);
CREATE INDEX requests_pending ON requests (partition, id) WHERE state = 'pending';

-- The reducer's state, one row for each (source, org, fingerprint): the present or last episode.
CREATE TABLE alerts (
    id bigint PRIMARY KEY,
    source text COLLATE "C" NOT NULL,
    org text COLLATE "C" NOT NULL,
    fingerprint text COLLATE "C" NOT NULL,
    episode bigint NOT NULL,
    status text COLLATE "C" NOT NULL CHECK (status IN ('firing', 'resolved')),
    starts_at bigint NOT NULL,
    ends_at bigint,
    last_seen bigint NOT NULL,
    starts_text text NOT NULL,
    ends_text text NOT NULL,
    labels text NOT NULL,
    annotations text NOT NULL,
    added_labels text NOT NULL,
    added_annotations text NOT NULL,
    generator_url text NOT NULL,
    receiver text NOT NULL,
    extra text NOT NULL
);
CREATE UNIQUE INDEX alerts_identity ON alerts (fingerprint, source, org);

CREATE TABLE incidents (
    id text COLLATE "C" PRIMARY KEY,
    source text COLLATE "C" NOT NULL,
    route text COLLATE "C" NOT NULL,
    receiver text NOT NULL,
    group_hash text COLLATE "C" NOT NULL,
    group_labels text NOT NULL,
    labels text NOT NULL,
    state text COLLATE "C" NOT NULL CHECK (state IN ('open', 'acknowledged', 'snoozed', 'resolved')),
    version bigint NOT NULL,
    severity text NOT NULL,
    opened_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    told_at bigint,
    acknowledged_at bigint,
    acknowledged_by text NOT NULL,
    resolved_at bigint,
    resolved_by text NOT NULL,
    escalation text NOT NULL,
    external_url text NOT NULL,
    group_key text NOT NULL,
    truncated bigint NOT NULL,
    firing bigint NOT NULL,
    resolved bigint NOT NULL
);
CREATE INDEX incidents_unended ON incidents (group_hash) WHERE state <> 'resolved';

-- An alert's stay in an incident; the columns are copies of its state there.
CREATE TABLE incident_alerts (
    incident text COLLATE "C" NOT NULL,
    alert bigint NOT NULL,
    episode bigint NOT NULL,
    status text COLLATE "C" NOT NULL CHECK (status IN ('firing', 'resolved')),
    added_labels text NOT NULL,
    added_annotations text NOT NULL,
    starts_at bigint NOT NULL,
    ends_at bigint,
    starts_text text NOT NULL,
    ends_text text NOT NULL,
    PRIMARY KEY (incident, alert)
);
CREATE INDEX incident_alerts_alert ON incident_alerts (alert);

-- `ended_at` is empty while the state is pending, leased or parked. Indexes ask for it and not for the state, so that a
-- lease changes no index; for dead letters they ask for an end with an error.
CREATE TABLE deliveries (
    id bigint PRIMARY KEY,
    incident text COLLATE "C" NOT NULL,
    channel text COLLATE "C" NOT NULL,
    receiver text NOT NULL,
    reason text NOT NULL,
    state text COLLATE "C" NOT NULL CHECK (state IN ('pending', 'leased', 'sent', 'dead', 'superseded', 'cancelled', 'expired', 'parked')),
    end_reason text COLLATE "C" NOT NULL,
    note text NOT NULL,
    created_at bigint NOT NULL,
    due_at bigint NOT NULL,
    attempts bigint NOT NULL,
    counted bigint NOT NULL,
    plain bigint NOT NULL DEFAULT 0,
    ended_at bigint,
    last_error text NOT NULL,
    epoch bigint NOT NULL DEFAULT 0,
    owner text COLLATE "C" NOT NULL DEFAULT '',
    lease_until bigint,
    replayed bigint NOT NULL DEFAULT 0,
    CHECK ((ended_at IS NULL) = (state IN ('pending', 'leased', 'parked')))
);
CREATE INDEX deliveries_unended ON deliveries (channel, due_at) WHERE ended_at IS NULL;
CREATE INDEX deliveries_held ON deliveries (id) WHERE ended_at IS NULL AND end_reason <> '';
CREATE INDEX deliveries_failed ON deliveries (id) WHERE ended_at IS NOT NULL AND last_error <> '';
CREATE INDEX deliveries_incident ON deliveries (incident, channel);

-- Set by outcomes (sent or unknown), never by plans.
CREATE TABLE told (
    incident text COLLATE "C" NOT NULL,
    channel text COLLATE "C" NOT NULL,
    alert bigint NOT NULL,
    episode bigint NOT NULL,
    status text COLLATE "C" NOT NULL,
    PRIMARY KEY (incident, channel, alert)
);

CREATE TABLE receipts (
    incident text COLLATE "C" NOT NULL,
    channel text COLLATE "C" NOT NULL,
    data text NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (incident, channel)
);

-- Business time is a row. `kind`: step, flush, alert, storm. `paused_for` keeps what was left of a wait.
CREATE TABLE timers (
    id bigint PRIMARY KEY,
    kind text COLLATE "C" NOT NULL,
    incident text COLLATE "C" NOT NULL,
    alert bigint NOT NULL DEFAULT 0,
    due_at bigint NOT NULL,
    paused_for bigint,
    data text NOT NULL
);
CREATE INDEX timers_due ON timers (due_at) WHERE paused_for IS NULL;
CREATE INDEX timers_incident ON timers (incident);
CREATE INDEX timers_alert ON timers (alert) WHERE alert <> 0;

-- What a source that may storm opened in this span and in the one before; `storm` names the storm it
-- is in, or was: what came in it is told together still, and it may come back.
CREATE TABLE storm_sources (
    source text COLLATE "C" PRIMARY KEY,
    began_at bigint NOT NULL,
    opened bigint NOT NULL,
    opened_before bigint NOT NULL,
    over_at bigint NOT NULL,
    storm text COLLATE "C" NOT NULL,
    storm_began_at bigint NOT NULL,
    lasts bigint NOT NULL
);

-- Of which incidents a channel hears by digest alone.
CREATE TABLE storm_members (
    incident text COLLATE "C" NOT NULL,
    channel text COLLATE "C" NOT NULL,
    storm text COLLATE "C" NOT NULL,
    PRIMARY KEY (incident, channel)
);
CREATE INDEX storm_members_storm ON storm_members (storm, channel, incident);

-- What a channel was told of a storm last, by which incident. One that does not follow is called, and told of the end. `news`, `paging`: it is to be told, or called. `pages`: the steps it was called for.
CREATE TABLE storm_channels (
    storm text COLLATE "C" NOT NULL,
    channel text COLLATE "C" NOT NULL,
    incident text COLLATE "C" NOT NULL,
    told_at bigint,
    total bigint NOT NULL,
    open bigint NOT NULL,
    follows bigint NOT NULL,
    news bigint NOT NULL,
    paging bigint NOT NULL,
    pages text NOT NULL,
    PRIMARY KEY (storm, channel)
);

CREATE TABLE audit (
    seq bigint PRIMARY KEY,
    chain text NOT NULL,
    at bigint NOT NULL,
    kind text COLLATE "C" NOT NULL,
    actor text NOT NULL,
    source text NOT NULL,
    incident text COLLATE "C" NOT NULL,
    delivery text COLLATE "C" NOT NULL,
    channel text NOT NULL,
    attempt bigint NOT NULL,
    reason text NOT NULL,
    digest text NOT NULL,
    detail text NOT NULL,
    hash bytea NOT NULL
);
CREATE INDEX audit_incident ON audit (incident) WHERE incident <> '';
CREATE INDEX audit_notices ON audit (delivery) WHERE incident = '' AND delivery <> '';

CREATE TABLE audit_checkpoints (
    id bigint PRIMARY KEY,
    at bigint NOT NULL,
    note text NOT NULL
);

-- The last text of each configuration file that validated.
CREATE TABLE good_files (
    path text COLLATE "C" PRIMARY KEY,
    text text NOT NULL,
    at bigint NOT NULL
);
