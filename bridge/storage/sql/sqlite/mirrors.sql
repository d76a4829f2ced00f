-- name: mirror_want
INSERT INTO mirrors (incident, source, due_at, silence, asked, until, problem) VALUES (?, ?, ?, '', 0, NULL, '')
ON CONFLICT (incident) DO UPDATE SET due_at = excluded.due_at, problem = '';

-- name: mirrors_due
SELECT m.incident, m.source, m.due_at, m.silence, m.asked, m.until, m.problem FROM mirrors m LEFT JOIN incidents i ON i.id = m.incident
WHERE m.due_at <= ? OR m.due_at > ? OR (m.problem = '' AND coalesce(i.state, '') NOT IN ('acknowledged', 'snoozed'))
ORDER BY m.due_at, m.incident LIMIT ?;

-- name: mirrors_failing
SELECT source, max(problem) FROM mirrors WHERE problem <> '' GROUP BY source ORDER BY source;

-- name: mirror_set
UPDATE mirrors SET due_at = ?, silence = ?, asked = ?, until = ?, problem = ? WHERE incident = ?;

-- name: mirror_drop
DELETE FROM mirrors WHERE incident = ?;
