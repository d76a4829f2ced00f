-- name: delivery_add
INSERT INTO deliveries (incident, channel, receiver, reason, state, end_reason, note, created_at, due_at, attempts, counted, last_error)
VALUES (?, ?, ?, ?, ?, '', ?, ?, ?, 0, 0, '');

-- name: deliveries_queued
SELECT id, reason, state, created_at, due_at, attempts FROM deliveries
WHERE incident = ? AND channel = ? AND state IN ('pending', 'leased', 'parked') ORDER BY id;

-- name: deliveries_queued_of_incident
SELECT id, channel, reason, attempts, state FROM deliveries WHERE incident = ? AND state IN ('pending', 'leased', 'parked') ORDER BY id;

-- name: delivery_end
UPDATE deliveries SET state = ?, end_reason = ?, ended_at = ?, attempts = ?, counted = ?, last_error = ?, lease_until = NULL
WHERE id = ? AND epoch = ? AND state IN ('pending', 'leased', 'parked');

-- name: delivery_stop
UPDATE deliveries SET state = ?, end_reason = ?, ended_at = ?, lease_until = NULL WHERE id = ? AND state IN ('pending', 'parked');

-- name: delivery_drop
UPDATE deliveries SET state = ?, end_reason = ?, ended_at = ?, lease_until = NULL
WHERE id = ? AND epoch = ? AND state IN ('pending', 'leased', 'parked');

-- name: delivery_again
UPDATE deliveries SET state = 'pending', owner = '', lease_until = NULL, due_at = ?, attempts = ?, counted = ?, plain = ?, last_error = ?, end_reason = ?
WHERE id = ? AND epoch = ? AND state IN ('pending', 'leased');

-- name: delivery_inherit
UPDATE deliveries SET reason = ?, created_at = min(created_at, ?), due_at = max(due_at, ?) WHERE id = ? AND state = 'pending';

-- name: delivery_park
UPDATE deliveries SET state = 'parked', end_reason = ?, due_at = ?, lease_until = NULL WHERE id = ? AND epoch = ? AND state IN ('pending', 'leased');

-- name: deliveries_parked_since
SELECT id FROM deliveries WHERE state = 'parked' AND end_reason = ? AND due_at <= ? AND incident <> '' ORDER BY id LIMIT ?;

-- name: delivery_unpark
UPDATE deliveries SET state = 'pending', end_reason = '', due_at = ? WHERE id = ? AND state = 'parked';

-- name: delivery_revive
UPDATE deliveries SET state = 'pending', end_reason = '', due_at = ?, created_at = ?, ended_at = NULL, counted = 0, plain = 0
WHERE id = ? AND state IN ('dead', 'parked');

-- name: delivery_claim
SELECT id, incident, channel, receiver, reason, note, created_at, attempts, counted, plain, epoch FROM deliveries WHERE id = ? AND state IN ('pending', 'parked');

-- name: deliveries_live
SELECT id, incident, channel, due_at, state FROM deliveries WHERE state IN ('pending', 'leased', 'parked') AND id > ? ORDER BY id LIMIT ?;

-- name: deliveries_too_old
SELECT id, channel, created_at FROM deliveries WHERE state IN ('pending', 'parked') AND created_at <= ? ORDER BY id LIMIT ?;

-- name: delivery_get
SELECT id, incident, channel, receiver, reason, state, end_reason, attempts, created_at, due_at, ended_at, last_error FROM deliveries WHERE id = ?;

-- name: deliveries_page
SELECT id, incident, channel, receiver, reason, state, end_reason, attempts, created_at, due_at, ended_at, last_error FROM deliveries
WHERE id < ? AND state IN (SELECT value FROM json_each(?)) AND (? = '' OR channel = ?) AND (? = '' OR incident = ?) ORDER BY id DESC LIMIT ?;

-- name: deliveries_count
SELECT channel, state, count(*) FROM deliveries WHERE state IN ('pending', 'leased', 'parked') GROUP BY channel, state;

-- name: told_put
INSERT INTO told (incident, channel, alert, episode, status) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (incident, channel, alert) DO UPDATE SET episode = excluded.episode, status = excluded.status;

-- name: told_channels
SELECT DISTINCT channel FROM told WHERE incident = ?;

-- name: told_firing
SELECT DISTINCT channel FROM told WHERE incident = ? AND status = 'firing';

-- name: told_any
SELECT 1 FROM told WHERE incident = ? AND channel = ? LIMIT 1;

-- name: receipt_get
SELECT data FROM receipts WHERE incident = ? AND channel = ?;

-- name: receipt_put
INSERT INTO receipts (incident, channel, data, at) VALUES (?, ?, ?, ?)
ON CONFLICT (incident, channel) DO UPDATE SET data = excluded.data, at = excluded.at;

-- name: timer_add
INSERT INTO timers (kind, incident, alert, due_at, data) VALUES (?, ?, ?, ?, ?);

-- name: timers_due
SELECT id, kind, incident, alert, due_at, data FROM timers WHERE paused_for IS NULL AND due_at <= ? ORDER BY due_at, id LIMIT ?;

-- name: timers_next
SELECT min(due_at) FROM timers WHERE paused_for IS NULL;

-- name: timer_get
SELECT id, kind, incident, alert, due_at, data FROM timers WHERE id = ? AND paused_for IS NULL;

-- name: timer_delete
DELETE FROM timers WHERE id = ?;

-- name: timer_move
UPDATE timers SET due_at = ? WHERE id = ?;

-- name: timers_of_alert
SELECT id, data FROM timers WHERE alert = ? AND alert <> 0;

-- name: steps_delete
DELETE FROM timers WHERE incident = ? AND kind = 'step';

-- name: steps_pause
UPDATE timers SET paused_for = max(0, due_at - ?) WHERE incident = ? AND kind = 'step' AND paused_for IS NULL;

-- name: steps_resume
UPDATE timers SET due_at = ? + paused_for, paused_for = NULL WHERE incident = ? AND kind = 'step' AND paused_for IS NOT NULL;

-- name: flush_queued
SELECT id, kind, incident, alert, due_at, data FROM timers WHERE incident = ? AND kind = 'flush' LIMIT 1;
