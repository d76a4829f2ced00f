-- What is not told now: silenced, inhibited, muted; and when alerts end by themselves.

-- name: inhibitor_add
INSERT INTO inhibitors (rule, equals, alert, fingerprint, is_target) VALUES (?, ?, ?, ?, ?) ON CONFLICT (rule, equals, alert) DO NOTHING;

-- name: inhibitors_delete
DELETE FROM inhibitors WHERE alert = ?;

-- name: inhibitors_of_ended
DELETE FROM inhibitors WHERE NOT EXISTS (SELECT 1 FROM alerts a WHERE a.id = inhibitors.alert AND a.status = 'firing');

-- Of each (rule, equals) the first and the last source; and of those that are no target, too.
-- name: inhibitors_find
SELECT i.rule, i.equals, min(i.alert), max(i.alert), min(i.alert) FILTER (WHERE i.is_target = 0), max(i.alert) FILTER (WHERE i.is_target = 0)
FROM json_each(?) AS s JOIN inhibitors i ON i.rule = json_extract(s.value, '$[0]') AND i.equals = json_extract(s.value, '$[1]') GROUP BY i.rule, i.equals;

-- Pages by hand neither hide nor are hidden.
-- name: alerts_firing_page
SELECT id, fingerprint, labels, added_labels FROM alerts WHERE id > ? AND status = 'firing' AND source <> 'manual' ORDER BY id LIMIT ?;

-- name: alerts_expired
SELECT id, source, org, fingerprint, labels, annotations, starts_at, starts_text, generator_url, receiver, extra, expires_at, timeout FROM alerts
WHERE expires_at IS NOT NULL AND status = 'firing' AND expires_at <= ? ORDER BY expires_at, id LIMIT ?;

-- name: alerts_next_expiry
SELECT min(expires_at) FROM alerts WHERE expires_at IS NOT NULL AND status = 'firing' AND expires_at > ?;

-- name: incident_alert_plan
UPDATE incident_alerts SET planned = ?, hidden = ?, hidden_by = ? WHERE incident = ? AND alert = ?;

-- name: incidents_hidden_by
SELECT DISTINCT incident FROM incident_alerts WHERE hidden_by = ? AND hidden <> '' ORDER BY incident;

-- name: incidents_with_hidden
SELECT DISTINCT incident FROM incident_alerts WHERE hidden <> '' AND hidden_by <> '' AND incident > ? ORDER BY incident LIMIT ?;

-- name: told_withdraw
UPDATE told SET status = 'withdrawn' WHERE incident = ? AND alert = ? AND status = 'firing';

-- name: group_queued
SELECT id, kind, incident, alert, due_at, data FROM timers WHERE incident = ? AND kind = 'group' LIMIT 1;

-- name: incident_alerts_silence
UPDATE incident_alerts SET hidden = 'silenced', hidden_by = ?, planned = CASE WHEN planned = '' AND hidden = '' THEN 'firing' ELSE planned END
WHERE alert IN (SELECT value FROM json_each(?)) AND status = 'firing' AND (hidden = '' OR hidden = 'waits') RETURNING incident;

-- name: alerts_still_firing
SELECT id FROM alerts WHERE id IN (SELECT value FROM json_each(?)) AND status = 'firing';
