-- name: heartbeat_add
INSERT INTO heartbeats (name, since, last_at, due_at, missing_since, excused, timer)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: heartbeat_put
UPDATE heartbeats SET since = $1, last_at = $2, due_at = $3, missing_since = $4, excused = $5, timer = $6 WHERE name = $7;

-- name: heartbeat_get
SELECT name, since, last_at, due_at, missing_since, excused, timer FROM heartbeats WHERE name = $1;

-- name: heartbeats_all
SELECT name, since, last_at, due_at, missing_since, excused, timer FROM heartbeats ORDER BY name;

-- name: heartbeat_drop
DELETE FROM heartbeats WHERE name = $1;

-- name: heartbeats_shift
UPDATE heartbeats SET last_at = last_at + $1, due_at = due_at + $2, missing_since = missing_since + $3;
