-- name: delivery_add
INSERT INTO deliveries (id, incident, channel, receiver, reason, state, end_reason, note, created_at, due_at, attempts, counted, last_error, person)
VALUES ($1, $2, $3, $4, $5, $6, '', $7, $8, $9, 0, 0, '', $10);

-- name: deliveries_queued
SELECT id, reason, state, created_at, due_at, attempts, person FROM deliveries
WHERE incident = $1 AND channel = $2 AND state IN ('pending', 'leased', 'parked') ORDER BY id;

-- name: deliveries_queued_of_incident
SELECT id, channel, reason, attempts, state FROM deliveries WHERE incident = $1 AND state IN ('pending', 'leased', 'parked') ORDER BY id;

-- name: delivery_end
UPDATE deliveries SET state = $1, end_reason = $2, ended_at = $3, attempts = $4, counted = $5, last_error = $6, lease_until = NULL
WHERE id = $7 AND epoch = $8 AND state IN ('pending', 'leased', 'parked');

-- name: delivery_stop
UPDATE deliveries SET state = $1, end_reason = $2, ended_at = $3, lease_until = NULL WHERE id = $4 AND state IN ('pending', 'parked');

-- name: delivery_drop
UPDATE deliveries SET state = $1, end_reason = $2, ended_at = $3, lease_until = NULL
WHERE id = $4 AND epoch = $5 AND state IN ('pending', 'leased', 'parked');

-- name: delivery_again
UPDATE deliveries SET state = 'pending', owner = '', lease_until = NULL, due_at = $1, attempts = $2, counted = $3, plain = $4, last_error = $5, end_reason = $6
WHERE id = $7 AND epoch = $8 AND state IN ('pending', 'leased');

-- name: delivery_inherit
UPDATE deliveries SET reason = $1, person = coalesce(nullif($2, ''), person), created_at = least(created_at, $3), due_at = greatest(due_at, $4) WHERE id = $5 AND state = 'pending';

-- name: delivery_park
UPDATE deliveries SET state = 'parked', end_reason = $1, due_at = $2, lease_until = NULL WHERE id = $3 AND epoch = $4 AND state IN ('pending', 'leased');

-- name: deliveries_parked_since
SELECT id FROM deliveries WHERE ended_at IS NULL AND end_reason <> '' AND state = 'parked' AND end_reason = $1 AND due_at <= $2 AND incident <> '' ORDER BY id LIMIT $3;

-- name: delivery_unpark
UPDATE deliveries SET state = 'pending', end_reason = '', due_at = $1 WHERE id = $2 AND state = 'parked';

-- name: delivery_claim
SELECT id, incident, channel, receiver, reason, note, created_at, attempts, counted, plain, epoch, replayed, person FROM deliveries WHERE id = $1 AND state IN ('pending', 'parked');

-- name: deliveries_live
SELECT id, incident, channel, due_at, state, replayed FROM deliveries WHERE ended_at IS NULL AND id > $1 ORDER BY id LIMIT $2;

-- name: deliveries_too_old
SELECT id, channel, created_at FROM deliveries WHERE ended_at IS NULL AND state IN ('pending', 'parked') AND created_at <= $1 ORDER BY id LIMIT $2;

-- name: delivery_get
SELECT id, incident, channel, receiver, reason, state, end_reason, attempts, created_at, due_at, ended_at, last_error, person FROM deliveries WHERE id = $1;

-- name: deliveries_page
SELECT id, incident, channel, receiver, reason, state, end_reason, attempts, created_at, due_at, ended_at, last_error, person FROM deliveries
WHERE id < $1 AND state = ANY (ARRAY(SELECT jsonb_array_elements_text($2::jsonb))) AND ($3::text = '' OR channel = $4) AND ($5::text = '' OR incident = $6)
  AND ($7::text = '' OR reason = $8 OR end_reason = $9) AND created_at >= $10 AND created_at < $11 ORDER BY id DESC LIMIT $12;

-- The same for one incident, and for dead letters: by their own index.
-- name: deliveries_page_of_incident
SELECT id, incident, channel, receiver, reason, state, end_reason, attempts, created_at, due_at, ended_at, last_error, person FROM deliveries
WHERE id < $1 AND state = ANY (ARRAY(SELECT jsonb_array_elements_text($2::jsonb))) AND ($3::text = '' OR channel = $4) AND $5::text <> '' AND incident = $6
  AND ($7::text = '' OR reason = $8 OR end_reason = $9) AND created_at >= $10 AND created_at < $11 ORDER BY id DESC LIMIT $12;

-- name: deliveries_page_of_dead
SELECT id, incident, channel, receiver, reason, state, end_reason, attempts, created_at, due_at, ended_at, last_error, person FROM deliveries
WHERE ended_at IS NOT NULL AND last_error <> '' AND state = 'dead' AND id < $1 AND state = ANY (ARRAY(SELECT jsonb_array_elements_text($2::jsonb))) AND ($3::text = '' OR channel = $4) AND ($5::text = '' OR incident = $6)
  AND ($7::text = '' OR reason = $8 OR end_reason = $9) AND created_at >= $10 AND created_at < $11 ORDER BY id DESC LIMIT $12;

-- name: deliveries_people
SELECT channel, person FROM deliveries WHERE incident = $1 AND person <> '' AND state NOT IN ('dead', 'cancelled', 'expired') ORDER BY id;

-- name: deliveries_count
SELECT channel, state, count(*) FROM deliveries WHERE ended_at IS NULL GROUP BY channel, state;

-- name: delivery_newest
SELECT max(id) FROM deliveries;

-- name: told_put
INSERT INTO told (incident, channel, alert, episode, status) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (incident, channel, alert) DO UPDATE SET episode = excluded.episode, status = excluded.status;

-- name: told_channels
SELECT DISTINCT channel FROM told WHERE incident = $1;

-- name: told_firing
SELECT DISTINCT channel FROM told WHERE incident = $1 AND status <> 'resolved';

-- name: told_any
SELECT 1 FROM told WHERE incident = $1 AND channel = $2 LIMIT 1;

-- name: receipt_get
SELECT data FROM receipts WHERE incident = $1 AND channel = $2;

-- name: receipt_put
INSERT INTO receipts (incident, channel, data, at) VALUES ($1, $2, $3, $4)
ON CONFLICT (incident, channel) DO UPDATE SET data = excluded.data, at = excluded.at;

-- name: timer_add
INSERT INTO timers (id, kind, incident, alert, due_at, data) VALUES ($1, $2, $3, $4, $5, $6);

-- name: timers_due
SELECT id, kind, incident, alert, due_at, data FROM timers WHERE paused_for IS NULL AND due_at <= $1 ORDER BY due_at, id LIMIT $2;

-- name: timers_next
SELECT min(due_at) FROM timers WHERE paused_for IS NULL;

-- name: timer_get
SELECT id, kind, incident, alert, due_at, data FROM timers WHERE id = $1 AND paused_for IS NULL;

-- An id may be another timer's by now, and what was due may have been paused.
-- name: timer_take
DELETE FROM timers WHERE id = $1 AND kind = $2 AND incident = $3 AND alert = $4 AND due_at = $5 AND data = $6 AND paused_for IS NULL;

-- name: timer_delete
DELETE FROM timers WHERE id = $1;

-- name: timer_move
UPDATE timers SET due_at = $1 WHERE id = $2;

-- name: timers_of_alert
SELECT id, data FROM timers WHERE alert = $1 AND alert <> 0;

-- name: steps_delete
DELETE FROM timers WHERE incident = $1 AND kind IN ('step', 'window', 'rule', 'snooze', 'acknowledgement');

-- name: quiet_ends_delete
DELETE FROM timers WHERE incident = $1 AND kind IN ('snooze', 'acknowledgement');

-- name: steps_pause
UPDATE timers SET paused_for = greatest(0, due_at - $1) WHERE incident = $2 AND kind IN ('step', 'rule') AND paused_for IS NULL;

-- name: steps_resume
UPDATE timers SET due_at = $1 + paused_for, paused_for = NULL WHERE incident = $2 AND kind IN ('step', 'rule') AND paused_for IS NOT NULL;

-- name: flush_queued
SELECT id, kind, incident, alert, due_at, data FROM timers WHERE incident = $1 AND kind = 'flush' LIMIT 1;

-- name: deliveries_claim
SELECT id, incident, channel, receiver, reason, note, created_at, attempts, counted, plain, epoch, replayed, person FROM deliveries
WHERE id = ANY (ARRAY(SELECT jsonb_array_elements_text($1::jsonb)::bigint)) AND state IN ('pending', 'parked');

-- name: deliveries_sent
UPDATE deliveries SET state = 'sent', end_reason = '', ended_at = $1, attempts = attempts + 1, last_error = '', lease_until = NULL
WHERE id = ANY (ARRAY(SELECT (pair ->> 0)::bigint FROM jsonb_array_elements($2::jsonb) AS done(pair)))
  AND ((id, epoch) IN (SELECT (pair ->> 0)::bigint, (pair ->> 1)::bigint FROM jsonb_array_elements($2::jsonb) AS done(pair))) IS TRUE
  AND state IN ('pending', 'leased', 'parked') RETURNING id;

-- name: incidents_of_deliveries
SELECT id, source, route, receiver, group_hash, group_labels, labels, state, version, severity, opened_at, updated_at, told_at,
       acknowledged_at, acknowledged_by, resolved_at, resolved_by, escalation, external_url, group_key, truncated, firing, resolved, flushed_at, hidden, snoozed_until, owner, via
FROM incidents
WHERE id IN (SELECT incident FROM deliveries WHERE deliveries.id = ANY (ARRAY(SELECT jsonb_array_elements_text($1::jsonb)::bigint)));

-- name: members_of_deliveries
SELECT a.id, a.source, a.org, a.fingerprint, ia.episode, ia.status, a.labels, a.annotations, ia.added_labels, ia.added_annotations, ia.starts_at, ia.ends_at,
       ia.starts_text, ia.ends_text, a.generator_url, a.receiver, a.extra, ia.planned, ia.hidden, ia.hidden_by, t.status, t.episode, d.id
FROM deliveries d JOIN incident_alerts ia ON ia.incident = d.incident JOIN alerts a ON a.id = ia.alert
LEFT JOIN told t ON t.incident = ia.incident AND t.alert = ia.alert AND t.channel = d.channel
WHERE d.id = ANY (ARRAY(SELECT jsonb_array_elements_text($1::jsonb)::bigint)) AND (ia.status = 'firing' OR t.status IS DISTINCT FROM 'resolved' OR t.episode <> ia.episode) AND (ia.status = 'firing' OR ia.hidden = '')
ORDER BY d.id, ia.status, a.id;

-- name: told_of_deliveries
SELECT DISTINCT d.id FROM deliveries d JOIN told t ON t.incident = d.incident AND t.channel = d.channel
WHERE d.id = ANY (ARRAY(SELECT jsonb_array_elements_text($1::jsonb)::bigint));

-- name: receipts_of_deliveries
SELECT d.id, r.data FROM deliveries d JOIN receipts r ON r.incident = d.incident AND r.channel = d.channel
WHERE d.id = ANY (ARRAY(SELECT jsonb_array_elements_text($1::jsonb)::bigint));
