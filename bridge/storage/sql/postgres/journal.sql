-- name: meta_get
SELECT value FROM meta WHERE name = $1;

-- name: meta_set
INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: request_add
INSERT INTO requests (id, source, received_at, digest, body, generation, state, partition) VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: requests_pending
SELECT id, source, received_at, digest, body, attempts FROM requests WHERE state = 'pending' AND id > $1 ORDER BY id LIMIT $2;

-- name: requests_pending_count
SELECT count(*) FROM requests WHERE state = 'pending';

-- name: request_planned
UPDATE requests SET state = 'planned' WHERE id = $1 AND state = 'pending';

-- name: request_failed
UPDATE requests SET attempts = attempts + 1, state = CASE WHEN attempts + 1 >= $1 THEN 'poisoned' ELSE state END
WHERE id = $2 AND state = 'pending' RETURNING state;

-- name: good_files
SELECT path, text FROM good_files;

-- name: good_file_set
INSERT INTO good_files (path, text, at) VALUES ($1, $2, $3) ON CONFLICT (path) DO UPDATE SET text = excluded.text, at = excluded.at;

-- name: audit_last
SELECT seq, chain, hash FROM audit ORDER BY seq DESC LIMIT 1;

-- name: audit_of_incident
SELECT seq, at, kind, actor, channel, delivery, attempt, reason, detail FROM audit WHERE incident = $1 ORDER BY seq LIMIT $2;

-- name: audit_since
SELECT seq, chain, at, kind, actor, source, incident, delivery, channel, attempt, reason, digest, detail, upper(encode(hash, 'hex')) FROM audit
WHERE seq > $1 AND ($2::text = '' OR kind = $3) AND ($4::text = '' OR incident = $5) ORDER BY seq LIMIT $6;

-- name: audit_heads_since
SELECT seq, chain, hash FROM audit WHERE seq IN (SELECT max(seq) FROM audit WHERE seq > $1 GROUP BY chain) ORDER BY seq;

-- name: checkpoint_add
INSERT INTO audit_checkpoints (id, at, note) SELECT coalesce(max(id), 0) + 1, $1::bigint, $2::text FROM audit_checkpoints;

-- name: checkpoint_last
SELECT note FROM audit_checkpoints ORDER BY id DESC LIMIT 1;

-- name: audit_hash
SELECT seq, chain, hash FROM audit WHERE seq = $1;
