-- name: calendar_put
INSERT INTO calendars (schedule, address, content, digest, good_at, tried_at, problem, warned)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (schedule) DO UPDATE SET address = excluded.address, content = excluded.content, digest = excluded.digest,
    good_at = excluded.good_at, tried_at = excluded.tried_at, problem = excluded.problem, warned = excluded.warned;

-- name: calendar_failed
UPDATE calendars SET address = ?, tried_at = ?, problem = ?, warned = ? WHERE schedule = ?;

-- name: calendar_content
SELECT content FROM calendars WHERE schedule = ?;

-- name: calendars_all
SELECT schedule, address, digest, good_at, tried_at, problem, warned FROM calendars ORDER BY schedule;

-- name: calendar_drop
DELETE FROM calendars WHERE schedule = ?;
