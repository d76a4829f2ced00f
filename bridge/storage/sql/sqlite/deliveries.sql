-- name: delivery_add
INSERT INTO deliveries (incident, channel, receiver, reason, state, end_reason, note, created_at, due_at, attempts, counted, last_error, person)
VALUES (?, ?, ?, ?, ?, '', ?, ?, ?, 0, 0, '', ?);

-- name: deliveries_queued
SELECT id, reason, state, created_at, due_at, attempts, person FROM deliveries
WHERE incident = ? AND channel = ? AND (state = 'pending' OR state = 'leased' OR state = 'parked') ORDER BY id;

-- name: deliveries_queued_of_incident
SELECT id, channel, reason, attempts, state FROM deliveries WHERE incident = ? AND (state = 'pending' OR state = 'leased' OR state = 'parked') ORDER BY id;

-- name: delivery_end
UPDATE deliveries SET state = ?, end_reason = ?, ended_at = ?, attempts = ?, counted = ?, last_error = ?, lease_until = NULL
WHERE id = ? AND epoch = ? AND (state = 'pending' OR state = 'leased' OR state = 'parked');

-- name: delivery_stop
UPDATE deliveries SET state = ?, end_reason = ?, ended_at = ?, lease_until = NULL WHERE id = ? AND state IN ('pending', 'parked');

-- name: delivery_drop
UPDATE deliveries SET state = ?, end_reason = ?, ended_at = ?, lease_until = NULL
WHERE id = ? AND epoch = ? AND (state = 'pending' OR state = 'leased' OR state = 'parked');

-- name: delivery_again
UPDATE deliveries SET state = 'pending', owner = '', lease_until = NULL, due_at = ?, attempts = ?, counted = ?, plain = ?, last_error = ?, end_reason = ?
WHERE id = ? AND epoch = ? AND state IN ('pending', 'leased');

-- name: delivery_inherit
UPDATE deliveries SET reason = ?, person = coalesce(nullif(?, ''), person), created_at = min(created_at, ?), due_at = max(due_at, ?) WHERE id = ? AND state = 'pending';

-- name: delivery_park
UPDATE deliveries SET state = 'parked', end_reason = ?, due_at = ?, lease_until = NULL WHERE id = ? AND epoch = ? AND state IN ('pending', 'leased');

-- name: deliveries_parked_since
SELECT id FROM deliveries WHERE state = 'parked' AND end_reason = ? AND due_at <= ? AND incident <> '' ORDER BY id LIMIT ?;

-- name: delivery_unpark
UPDATE deliveries SET state = 'pending', end_reason = '', due_at = ? WHERE id = ? AND state = 'parked';

-- name: delivery_claim
SELECT id, incident, channel, receiver, reason, note, created_at, attempts, counted, plain, epoch, replayed, person FROM deliveries WHERE id = ? AND state IN ('pending', 'parked');

-- name: deliveries_live
SELECT id, incident, channel, due_at, state, replayed FROM deliveries WHERE (state = 'pending' OR state = 'leased' OR state = 'parked') AND id > ? ORDER BY id LIMIT ?;

-- name: deliveries_too_old
SELECT id, channel, created_at FROM deliveries
WHERE (state = 'pending' OR state = 'leased' OR state = 'parked') AND state <> 'leased' AND created_at <= ? ORDER BY id LIMIT ?;

-- name: delivery_get
SELECT id, incident, channel, receiver, reason, state, end_reason, attempts, created_at, due_at, ended_at, last_error, person FROM deliveries WHERE id = ?;

-- name: deliveries_page
SELECT id, incident, channel, receiver, reason, state, end_reason, attempts, created_at, due_at, ended_at, last_error, person FROM deliveries
WHERE id < ? AND state IN (SELECT value FROM json_each(?)) AND (? = '' OR channel = ?) AND (? = '' OR incident = ?)
  AND (? = '' OR reason = ? OR end_reason = ?) AND created_at >= ? AND created_at < ? ORDER BY id DESC LIMIT ?;

-- The same for one incident, and for dead letters: by their own index.
-- name: deliveries_page_of_incident
SELECT id, incident, channel, receiver, reason, state, end_reason, attempts, created_at, due_at, ended_at, last_error, person FROM deliveries
WHERE id < ? AND state IN (SELECT value FROM json_each(?)) AND (? = '' OR channel = ?) AND ? <> '' AND incident = ?
  AND (? = '' OR reason = ? OR end_reason = ?) AND created_at >= ? AND created_at < ? ORDER BY id DESC LIMIT ?;

-- name: deliveries_page_of_dead
SELECT id, incident, channel, receiver, reason, state, end_reason, attempts, created_at, due_at, ended_at, last_error, person FROM deliveries
WHERE state = 'dead' AND id < ? AND state IN (SELECT value FROM json_each(?)) AND (? = '' OR channel = ?) AND (? = '' OR incident = ?)
  AND (? = '' OR reason = ? OR end_reason = ?) AND created_at >= ? AND created_at < ? ORDER BY id DESC LIMIT ?;

-- name: deliveries_people
SELECT channel, person FROM deliveries WHERE incident = ? AND person <> '' AND state NOT IN ('dead', 'cancelled', 'expired') ORDER BY id;

-- name: deliveries_count
SELECT channel, state, count(*) FROM deliveries WHERE (state = 'pending' OR state = 'leased' OR state = 'parked') GROUP BY channel, state;

-- name: delivery_newest
SELECT max(id) FROM deliveries;

-- name: told_put
INSERT INTO told (incident, channel, alert, episode, status) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (incident, channel, alert) DO UPDATE SET episode = excluded.episode, status = excluded.status;

-- name: told_channels
SELECT DISTINCT channel FROM told WHERE incident = ?;

-- name: told_firing
SELECT DISTINCT channel FROM told WHERE incident = ? AND status <> 'resolved';

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

-- An id may be another timer's by now, and what was due may have been paused.
-- name: timer_take
DELETE FROM timers WHERE id = ? AND kind = ? AND incident = ? AND alert = ? AND due_at = ? AND data = ? AND paused_for IS NULL;

-- name: timer_delete
DELETE FROM timers WHERE id = ?;

-- name: timer_move
UPDATE timers SET due_at = ? WHERE id = ?;

-- name: timers_of_alert
SELECT id, data FROM timers WHERE alert = ? AND alert <> 0;

-- name: steps_delete
DELETE FROM timers WHERE incident = ? AND kind IN ('step', 'window', 'rule', 'snooze', 'acknowledgement');

-- name: quiet_ends_delete
DELETE FROM timers WHERE incident = ? AND kind IN ('snooze', 'acknowledgement');

-- name: steps_pause
UPDATE timers SET paused_for = max(0, due_at - ?) WHERE incident = ? AND kind IN ('step', 'rule') AND paused_for IS NULL;

-- name: steps_resume
UPDATE timers SET due_at = ? + paused_for, paused_for = NULL WHERE incident = ? AND kind IN ('step', 'rule') AND paused_for IS NOT NULL;

-- name: flush_queued
SELECT id, kind, incident, alert, due_at, data FROM timers WHERE incident = ? AND kind = 'flush' LIMIT 1;

-- name: deliveries_claim
SELECT id, incident, channel, receiver, reason, note, created_at, attempts, counted, plain, epoch, replayed, person FROM deliveries
WHERE id IN (SELECT value FROM json_each(?)) AND state IN ('pending', 'parked');

-- name: deliveries_sent
-- `+state` is no use to an index: with one, SQLite goes through all that waits, and through the whole batch for each.
UPDATE deliveries SET state = 'sent', end_reason = '', ended_at = ?, attempts = attempts + 1, last_error = '', lease_until = NULL
FROM (SELECT json_extract(value, '$[0]') AS id, json_extract(value, '$[1]') AS epoch FROM json_each(?)) AS done
WHERE deliveries.id = done.id AND deliveries.epoch = done.epoch AND +(state = 'pending' OR state = 'leased' OR state = 'parked') RETURNING deliveries.id;

-- name: incidents_of_deliveries
SELECT id, source, route, receiver, group_hash, group_labels, labels, state, version, severity, opened_at, updated_at, told_at,
       acknowledged_at, acknowledged_by, resolved_at, resolved_by, escalation, external_url, group_key, truncated, firing, resolved, flushed_at, hidden, snoozed_until, owner, via
FROM incidents
WHERE id IN (SELECT incident FROM deliveries WHERE deliveries.id IN (SELECT value FROM json_each(?)));

-- name: members_of_deliveries
SELECT a.id, a.source, a.org, a.fingerprint, ia.episode, ia.status, a.labels, a.annotations, ia.added_labels, ia.added_annotations, ia.starts_at, ia.ends_at,
       ia.starts_text, ia.ends_text, a.generator_url, a.receiver, a.extra, ia.planned, ia.hidden, ia.hidden_by, t.status, t.episode, d.id
FROM deliveries d JOIN incident_alerts ia ON ia.incident = d.incident JOIN alerts a ON a.id = ia.alert
LEFT JOIN told t ON t.incident = d.incident AND t.channel = d.channel AND t.alert = ia.alert
WHERE d.id IN (SELECT value FROM json_each(?)) AND (ia.status = 'firing' OR t.status IS NOT 'resolved' OR t.episode <> ia.episode) AND (ia.status = 'firing' OR ia.hidden = '')
ORDER BY d.id, ia.status, a.id;

-- name: told_of_deliveries
SELECT DISTINCT d.id FROM deliveries d JOIN told t ON t.incident = d.incident AND t.channel = d.channel
WHERE d.id IN (SELECT value FROM json_each(?));

-- name: receipts_of_deliveries
SELECT d.id, r.data FROM deliveries d JOIN receipts r ON r.incident = d.incident AND r.channel = d.channel
WHERE d.id IN (SELECT value FROM json_each(?));
