-- name: silence_put
INSERT INTO silences (id, matchers, starts_at, ends_at, updated_at, created_by, comment, annotations)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET matchers = excluded.matchers, starts_at = excluded.starts_at, ends_at = excluded.ends_at,
    updated_at = excluded.updated_at, created_by = excluded.created_by, comment = excluded.comment, annotations = excluded.annotations;

-- name: silence_get
SELECT id, matchers, starts_at, ends_at, updated_at, created_by, comment, annotations FROM silences WHERE id = ?;

-- name: silences_all
SELECT id, matchers, starts_at, ends_at, updated_at, created_by, comment, annotations FROM silences ORDER BY id;

-- name: silences_ending_after
SELECT id, matchers, starts_at, ends_at, updated_at, created_by, comment, annotations FROM silences WHERE ends_at > ? ORDER BY id;

-- name: silences_count
SELECT count(*) FROM silences;

-- name: silences_prune
DELETE FROM silences WHERE id IN (SELECT id FROM silences WHERE ends_at < ? ORDER BY ends_at LIMIT ?);

-- name: silence_timers_drop
DELETE FROM timers WHERE kind = 'silence' AND data = ?;
