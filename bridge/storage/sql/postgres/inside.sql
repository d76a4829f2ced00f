-- What the storage itself runs, around the units of a group and at an opening.

-- name: turn_take
SELECT next_id, next_seq, last FROM turn WHERE id = 1 FOR UPDATE;

-- name: turn_give
UPDATE turn SET next_id = $1, next_seq = $2, last = $3 WHERE id = 1;

-- name: audit_append
INSERT INTO audit (seq, chain, at, kind, actor, source, incident, delivery, channel, attempt, reason, digest, detail, hash)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::bigint[],
                     $11::text[], $12::text[], $13::text[], $14::bytea[]);

-- name: audit_newest
SELECT seq, chain, hash FROM audit ORDER BY seq DESC LIMIT 1;

-- name: audit_stored
SELECT 1 FROM audit WHERE seq = $1 AND chain = $2 AND hash = $3;

-- name: server_state
SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit', 'synchronous_standby_names')
UNION ALL SELECT 'encoding', pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()
UNION ALL SELECT 'version', version();

-- name: server_role
SELECT pg_is_in_recovery();

-- name: server_session
SELECT pg_backend_pid();

-- name: server_hint
SELECT pg_notify($1, $2);

-- name: schema_there
SELECT 1 FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = 'bridge_schema';

-- name: schema_halves
SELECT number, half FROM bridge_schema ORDER BY number, half;

-- name: schema_applied
INSERT INTO bridge_schema (number, half, applied_at) VALUES ($1, $2, (extract(epoch FROM statement_timestamp()) * 1000000)::bigint);

-- Who is about to start counts as there: a `post` half must not be applied between its look at the schema and its first beat.
-- name: replica_opening
INSERT INTO replicas (id, started_at, seen_until, version, schema)
SELECT 'opening:' || $1::text, now, now + 60000000, $2, $3 FROM (SELECT (extract(epoch FROM statement_timestamp()) * 1000000)::bigint AS now) AS clock;

-- name: replicas_older
SELECT id, version, schema FROM replicas WHERE schema < $1 AND seen_until >= (extract(epoch FROM statement_timestamp()) * 1000000)::bigint;

-- Changes nothing, and makes the commit behind it one that waits for standbys.
-- name: turn_hold
UPDATE turn SET next_id = next_id WHERE id = 1;
