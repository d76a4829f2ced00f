-- name: meta_get
SELECT value FROM meta WHERE name = ?;

-- name: meta_set
INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: request_add
INSERT INTO requests (source, received_at, digest, body, generation, state, partition) VALUES (?, ?, ?, ?, ?, ?, ?);

-- name: requests_pending
SELECT id, source, received_at, digest, body, attempts FROM requests WHERE state = 'pending' AND id > ? ORDER BY id LIMIT ?;

-- name: requests_pending_count
SELECT count(*) FROM requests WHERE state = 'pending';

-- name: request_planned
UPDATE requests SET state = 'planned' WHERE id = ? AND state = 'pending';

-- name: request_failed
UPDATE requests SET attempts = attempts + 1, state = CASE WHEN attempts + 1 >= ? THEN 'poisoned' ELSE state END
WHERE id = ? AND state = 'pending' RETURNING state;

-- name: good_files
SELECT path, text FROM good_files;

-- name: good_file_set
INSERT INTO good_files (path, text, at) VALUES (?, ?, ?) ON CONFLICT (path) DO UPDATE SET text = excluded.text, at = excluded.at;

-- name: audit_append
INSERT INTO audit (seq, chain, at, kind, actor, source, incident, delivery, channel, attempt, reason, digest, detail, hash)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: audit_last
SELECT seq, chain, hash FROM audit ORDER BY seq DESC LIMIT 1;

-- name: audit_of_incident
SELECT seq, at, kind, actor, channel, delivery, attempt, reason, detail FROM audit WHERE incident = ? ORDER BY seq LIMIT ?;

-- name: audit_since
SELECT seq, chain, at, kind, actor, source, incident, delivery, channel, attempt, reason, digest, detail, hex(hash) FROM audit
WHERE seq > ? AND (? = '' OR kind = ?) AND (? = '' OR incident = ?) ORDER BY seq LIMIT ?;

-- name: audit_heads_since
SELECT seq, chain, hash FROM audit WHERE seq IN (SELECT max(seq) FROM audit WHERE seq > ? GROUP BY chain) ORDER BY seq;

-- name: checkpoint_add
INSERT INTO audit_checkpoints (at, note) VALUES (?, ?);

-- name: checkpoint_last
SELECT note FROM audit_checkpoints ORDER BY id DESC LIMIT 1;

-- name: audit_hash
SELECT seq, chain, hash FROM audit WHERE seq = ?;
