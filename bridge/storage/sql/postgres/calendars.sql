-- name: calendar_put
INSERT INTO calendars (schedule, address, content, digest, good_at, tried_at, problem, warned)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (schedule) DO UPDATE SET address = excluded.address, content = excluded.content, digest = excluded.digest,
    good_at = excluded.good_at, tried_at = excluded.tried_at, problem = excluded.problem, warned = excluded.warned;

-- name: calendar_failed
UPDATE calendars SET address = $1, tried_at = $2, problem = $3, warned = $4 WHERE schedule = $5;

-- name: calendar_content
SELECT content FROM calendars WHERE schedule = $1;

-- name: calendars_all
SELECT schedule, address, digest, good_at, tried_at, problem, warned FROM calendars ORDER BY schedule;

-- name: calendar_drop
DELETE FROM calendars WHERE schedule = $1;
