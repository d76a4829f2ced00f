-- What people do to incidents, and who does it.

-- name: comment_add
INSERT INTO comments (incident, number, at, author, via, text)
SELECT $1::text, coalesce(max(number), 0) + 1, $2::bigint, $3::text, $4::text, $5::text FROM comments WHERE incident = $6;

-- name: comments_of
SELECT at, author, via, text FROM comments WHERE incident = $1 ORDER BY number;

-- name: comment_last
SELECT at, author, via, text FROM comments WHERE incident = $1 ORDER BY number DESC LIMIT 1;

-- name: responder_add
INSERT INTO responders (incident, who, at, author) VALUES ($1, $2, $3, $4);

-- name: responder_there
SELECT 1 FROM responders WHERE incident = $1 AND who = $2;

-- name: responders_of
SELECT who, at, author FROM responders WHERE incident = $1 ORDER BY at, who;

-- name: timers_of_kind
SELECT id, kind, incident, alert, due_at, data FROM timers WHERE incident = $1 AND kind = $2 ORDER BY due_at, id;

-- name: timer_next_of
SELECT min(due_at) FROM timers WHERE incident = $1 AND kind = $2;

-- name: comments_prune
DELETE FROM comments WHERE incident = $1 AND number IN (SELECT number FROM comments WHERE incident = $2 ORDER BY number LIMIT $3);

-- name: responders_prune
DELETE FROM responders WHERE incident = $1 AND who IN (SELECT who FROM responders WHERE incident = $2 ORDER BY who LIMIT $3);

-- Only what is not over is looked at: an index is for that.
-- name: incidents_open_of
SELECT id, labels, severity, state, acknowledged_by, opened_at, count(*) OVER () FROM incidents
WHERE state <> 'resolved' AND (receiver IN (SELECT jsonb_array_elements_text($1::jsonb)) OR escalation IN (SELECT jsonb_array_elements_text($2::jsonb)))
ORDER BY opened_at, id LIMIT $3;
