-- What is not told now: silenced, inhibited, muted; and when alerts end by themselves.

-- name: inhibitor_add
INSERT INTO inhibitors (rule, equals, alert, fingerprint, is_target) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (rule, equals, alert) DO NOTHING;

-- name: inhibitors_delete
DELETE FROM inhibitors WHERE alert = $1;

-- name: inhibitors_of_ended
DELETE FROM inhibitors WHERE NOT EXISTS (SELECT 1 FROM alerts a WHERE a.id = inhibitors.alert AND a.status = 'firing');

-- Of each (rule, equals) the first and the last source; and of those that are no target, too.
-- name: inhibitors_find
SELECT i.rule, i.equals, min(i.alert), max(i.alert), min(i.alert) FILTER (WHERE i.is_target = 0), max(i.alert) FILTER (WHERE i.is_target = 0)
FROM jsonb_array_elements($1::jsonb) AS s(pair) JOIN inhibitors i ON i.rule = s.pair ->> 0 AND i.equals = s.pair ->> 1 GROUP BY i.rule, i.equals;

-- Pages by hand neither hide nor are hidden.
-- name: alerts_firing_page
SELECT id, fingerprint, labels, added_labels FROM alerts WHERE id > $1 AND status = 'firing' AND source <> 'manual' ORDER BY id LIMIT $2;

-- name: alerts_expired
SELECT id, source, org, fingerprint, labels, annotations, starts_at, starts_text, generator_url, receiver, extra, expires_at, timeout FROM alerts
WHERE expires_at IS NOT NULL AND status = 'firing' AND expires_at <= $1 ORDER BY expires_at, id LIMIT $2;

-- name: alerts_next_expiry
SELECT min(expires_at) FROM alerts WHERE expires_at IS NOT NULL AND status = 'firing' AND expires_at > $1;

-- name: incident_alert_plan
UPDATE incident_alerts SET planned = $1, hidden = $2, hidden_by = $3 WHERE incident = $4 AND alert = $5;

-- name: incidents_hidden_by
SELECT DISTINCT incident FROM incident_alerts WHERE hidden_by = $1 AND hidden <> '' ORDER BY incident;

-- name: incidents_with_hidden
SELECT DISTINCT incident FROM incident_alerts WHERE hidden <> '' AND hidden_by <> '' AND incident > $1 ORDER BY incident LIMIT $2;

-- name: told_withdraw
UPDATE told SET status = 'withdrawn' WHERE incident = $1 AND alert = $2 AND status = 'firing';

-- name: group_queued
SELECT id, kind, incident, alert, due_at, data FROM timers WHERE incident = $1 AND kind = 'group' LIMIT 1;

-- name: incident_alerts_silence
UPDATE incident_alerts SET hidden = 'silenced', hidden_by = $1, planned = CASE WHEN planned = '' AND hidden = '' THEN 'firing' ELSE planned END
WHERE alert = ANY (ARRAY(SELECT jsonb_array_elements_text($2::jsonb)::bigint)) AND status = 'firing' AND (hidden = '' OR hidden = 'waits') RETURNING incident;

-- name: alerts_still_firing
SELECT id FROM alerts WHERE id = ANY (ARRAY(SELECT jsonb_array_elements_text($1::jsonb)::bigint)) AND status = 'firing';
