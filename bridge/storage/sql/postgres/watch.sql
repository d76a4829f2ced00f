-- name: deliveries_oldest_due
SELECT channel, min(due_at) FROM deliveries WHERE ended_at IS NULL AND state = 'pending' AND due_at <= $1 GROUP BY channel;

-- name: deliveries_due_before
SELECT id, incident, channel, due_at, state FROM deliveries WHERE ended_at IS NULL AND state = 'pending' AND channel = $1 AND due_at <= $2 ORDER BY due_at, id LIMIT $3;

-- name: request_oldest_pending
SELECT received_at FROM requests WHERE state = 'pending' ORDER BY id LIMIT 1;

-- name: timers_oldest_due
SELECT kind, min(due_at) FROM timers WHERE paused_for IS NULL AND due_at <= $1 GROUP BY kind;

-- name: audit_last_at
SELECT at FROM audit ORDER BY seq DESC LIMIT 1;

-- name: deliveries_shift
UPDATE deliveries SET due_at = due_at + $1, created_at = created_at + $2 WHERE ended_at IS NULL;

-- Silences, shifts, drills and windows begin and end at an hour of the day, whatever clock showed it wrongly before.
-- name: timers_shift
UPDATE timers SET due_at = due_at + $1 WHERE paused_for IS NULL AND kind NOT IN ('silence', 'recurring', 'handoff', 'drill', 'window');

-- name: requests_shift
UPDATE requests SET received_at = received_at + $1 WHERE state = 'pending';

-- name: incidents_shift
UPDATE incidents SET opened_at = opened_at + $1, told_at = told_at + $2, acknowledged_at = acknowledged_at + $3, updated_at = updated_at + $4,
                     flushed_at = flushed_at + $5, snoozed_until = snoozed_until + $6
WHERE state <> 'resolved';

-- name: incidents_ended_by_hand_shift
UPDATE incidents SET resolved_at = resolved_at + $1 WHERE state = 'resolved' AND resolved_by <> '' AND resolved_at > $2;

-- name: clock_now
SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint);

-- name: alerts_shift
UPDATE alerts SET expires_at = expires_at + $1 WHERE expires_at IS NOT NULL AND status = 'firing';
