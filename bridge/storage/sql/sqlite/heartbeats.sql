-- name: heartbeat_add
INSERT INTO heartbeats (name, since, last_at, due_at, missing_since, excused, timer)
VALUES (?, ?, ?, ?, ?, ?, ?);

-- name: heartbeat_put
UPDATE heartbeats SET since = ?, last_at = ?, due_at = ?, missing_since = ?, excused = ?, timer = ? WHERE name = ?;

-- name: heartbeat_get
SELECT name, since, last_at, due_at, missing_since, excused, timer FROM heartbeats WHERE name = ?;

-- name: heartbeats_all
SELECT name, since, last_at, due_at, missing_since, excused, timer FROM heartbeats ORDER BY name;

-- name: heartbeat_drop
DELETE FROM heartbeats WHERE name = ?;

-- name: heartbeats_shift
UPDATE heartbeats SET last_at = last_at + ?, due_at = due_at + ?, missing_since = missing_since + ?;
