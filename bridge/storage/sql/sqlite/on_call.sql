-- What people do to incidents, and who does it.

-- name: comment_add
INSERT INTO comments (incident, number, at, author, via, text)
SELECT ?, coalesce(max(number), 0) + 1, ?, ?, ?, ? FROM comments WHERE incident = ?;

-- name: comments_of
SELECT at, author, via, text FROM comments WHERE incident = ? ORDER BY number;

-- name: comment_last
SELECT at, author, via, text FROM comments WHERE incident = ? ORDER BY number DESC LIMIT 1;

-- name: responder_add
INSERT INTO responders (incident, who, at, author) VALUES (?, ?, ?, ?);

-- name: responder_there
SELECT 1 FROM responders WHERE incident = ? AND who = ?;

-- name: responders_of
SELECT who, at, author FROM responders WHERE incident = ? ORDER BY at, who;

-- name: timers_of_kind
SELECT id, kind, incident, alert, due_at, data FROM timers WHERE incident = ? AND kind = ? ORDER BY due_at, id;

-- name: timer_next_of
SELECT min(due_at) FROM timers WHERE incident = ? AND kind = ?;

-- name: comments_prune
DELETE FROM comments WHERE incident = ? AND number IN (SELECT number FROM comments WHERE incident = ? ORDER BY number LIMIT ?);

-- name: responders_prune
DELETE FROM responders WHERE incident = ? AND who IN (SELECT who FROM responders WHERE incident = ? ORDER BY who LIMIT ?);

-- Only what is not over is looked at: an index is for that.
-- name: incidents_open_of
SELECT id, labels, severity, state, acknowledged_by, opened_at, count(*) OVER () FROM incidents
WHERE state <> 'resolved' AND (receiver IN (SELECT value FROM json_each(?)) OR escalation IN (SELECT value FROM json_each(?)))
ORDER BY opened_at, id LIMIT ?;
