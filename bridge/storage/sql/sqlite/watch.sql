-- name: deliveries_oldest_due
SELECT channel, min(due_at) FROM deliveries WHERE state = 'pending' AND due_at <= ? GROUP BY channel;

-- name: deliveries_due_before
SELECT id, incident, channel, due_at, state FROM deliveries WHERE state = 'pending' AND channel = ? AND due_at <= ? ORDER BY due_at, id LIMIT ?;

-- name: request_oldest_pending
SELECT received_at FROM requests WHERE state = 'pending' ORDER BY id LIMIT 1;

-- name: timers_oldest_due
SELECT kind, min(due_at) FROM timers WHERE paused_for IS NULL AND due_at <= ? GROUP BY kind;

-- name: audit_last_at
SELECT at FROM audit ORDER BY seq DESC LIMIT 1;

-- name: deliveries_shift
UPDATE deliveries SET due_at = due_at + ?, created_at = created_at + ? WHERE (state = 'pending' OR state = 'leased' OR state = 'parked');

-- Silences, shifts, drills and windows begin and end at an hour of the day, whatever clock showed it wrongly before.
-- name: timers_shift
UPDATE timers SET due_at = due_at + ? WHERE paused_for IS NULL AND kind NOT IN ('silence', 'recurring', 'handoff', 'drill', 'window');

-- name: requests_shift
UPDATE requests SET received_at = received_at + ? WHERE state = 'pending';

-- name: incidents_shift
UPDATE incidents SET opened_at = opened_at + ?, told_at = told_at + ?, acknowledged_at = acknowledged_at + ?, updated_at = updated_at + ?,
                     flushed_at = flushed_at + ?, snoozed_until = snoozed_until + ?
WHERE state <> 'resolved';

-- name: incidents_ended_by_hand_shift
UPDATE incidents SET resolved_at = resolved_at + ? WHERE state = 'resolved' AND resolved_by <> '' AND resolved_at > ?;

-- name: clock_now
SELECT CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER);

-- name: alerts_shift
UPDATE alerts SET expires_at = expires_at + ? WHERE expires_at IS NOT NULL AND status = 'firing';
