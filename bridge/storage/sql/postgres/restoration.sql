-- What waits gets its whole time anew, but for what an acknowledgement has stopped.
-- name: deliveries_rejuvenate
UPDATE deliveries SET created_at = greatest(created_at, $1), due_at = CASE WHEN state = 'parked' THEN due_at ELSE least(due_at, $2) END
WHERE ended_at IS NULL AND NOT (reason IN ('opened', 'changed', 'reminder', 'escalated')
    AND incident IN (SELECT id FROM incidents WHERE state IN ('acknowledged', 'snoozed')));

-- name: delivery_far_ahead
INSERT INTO deliveries (id, incident, channel, receiver, reason, state, end_reason, note, created_at, due_at, attempts, counted, ended_at, last_error)
SELECT coalesce(max(id), 0) + $1, '', '', '', 'notice', 'superseded', 'restored', '', $2, $3, 0, 0, $4, '' FROM deliveries RETURNING id;

-- name: steps_postpone
UPDATE timers SET due_at = $1 WHERE kind IN ('step', 'rule') AND paused_for IS NULL AND due_at < $2;

-- name: channels_busy_since
SELECT DISTINCT channel FROM deliveries WHERE incident = $1 AND (ended_at IS NULL OR (ended_at >= $2 AND state = 'sent'));
