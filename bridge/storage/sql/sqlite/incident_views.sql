-- An incident's waits, and what was told of it, for those who ask.

-- name: view_timers
SELECT id, kind, due_at, paused_for, data FROM timers WHERE incident = ? ORDER BY due_at, id;

-- name: view_told
SELECT channel, alert, episode, status FROM told WHERE incident = ? ORDER BY channel, alert;
