-- name: alert_get
SELECT id, episode, status, starts_at, ends_at, added_labels, added_annotations, expires_at, timeout FROM alerts WHERE source = ? AND org = ? AND fingerprint = ?;

-- name: alert_add
INSERT INTO alerts (source, org, fingerprint, episode, status, starts_at, ends_at, last_seen, starts_text, ends_text, labels, annotations,
                    added_labels, added_annotations, generator_url, receiver, extra, expires_at, timeout)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: alert_set
UPDATE alerts SET episode = ?, status = ?, starts_at = ?, ends_at = ?, last_seen = ?, starts_text = ?, ends_text = ?, labels = ?,
                  annotations = ?, added_labels = ?, added_annotations = ?, generator_url = ?, receiver = ?, extra = ?, expires_at = ?, timeout = ?
WHERE id = ?;

-- name: alert_seen
UPDATE alerts SET starts_at = ?, ends_at = ?, last_seen = ?, annotations = ?, generator_url = ?, extra = ?, expires_at = ?, timeout = ? WHERE id = ?;

-- name: incident_add
INSERT INTO incidents (id, source, route, receiver, group_hash, group_labels, labels, state, version, severity, opened_at, updated_at, told_at,
                       acknowledged_at, acknowledged_by, resolved_at, resolved_by, escalation, external_url, group_key, truncated, firing, resolved,
                       flushed_at, hidden, snoozed_until, owner, via)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: incident_set
UPDATE incidents SET receiver = ?, labels = ?, state = ?, version = ?, severity = ?, updated_at = ?, told_at = ?, acknowledged_at = ?, acknowledged_by = ?,
                     resolved_at = ?, resolved_by = ?, escalation = ?, external_url = ?, group_key = ?, truncated = ?, firing = ?, resolved = ?,
                     flushed_at = ?, hidden = ?, snoozed_until = ?, owner = ?, via = ?
WHERE id = ?;

-- name: incident_get
SELECT id, source, route, receiver, group_hash, group_labels, labels, state, version, severity, opened_at, updated_at, told_at,
       acknowledged_at, acknowledged_by, resolved_at, resolved_by, escalation, external_url, group_key, truncated, firing, resolved, flushed_at, hidden, snoozed_until, owner, via
FROM incidents WHERE id = ?;

-- name: incident_open_by_group
SELECT id, source, route, receiver, group_hash, group_labels, labels, state, version, severity, opened_at, updated_at, told_at,
       acknowledged_at, acknowledged_by, resolved_at, resolved_by, escalation, external_url, group_key, truncated, firing, resolved, flushed_at, hidden, snoozed_until, owner, via
FROM incidents WHERE source = ? AND route = ? AND group_hash = ? AND state <> 'resolved' ORDER BY id LIMIT 1;

-- name: incidents_with_firing
SELECT incident FROM incident_alerts WHERE alert = ? AND status = 'firing';

-- name: incidents_ended_with_firing
SELECT ia.incident, ia.alert FROM incident_alerts ia JOIN incidents i ON i.id = ia.incident
WHERE ia.alert IN (SELECT value FROM json_each(?)) AND ia.status = 'firing' AND i.state = 'resolved' ORDER BY ia.incident, ia.alert;

-- name: incidents_of_episode
SELECT incident FROM incident_alerts WHERE alert = ? AND episode = ?;

-- name: incident_alert_resolved
SELECT 1 FROM incident_alerts WHERE incident = ? AND alert = ? AND status = 'resolved';

-- name: incidents_page
SELECT id, source, route, receiver, group_hash, group_labels, labels, state, version, severity, opened_at, updated_at, told_at,
       acknowledged_at, acknowledged_by, resolved_at, resolved_by, escalation, external_url, group_key, truncated, firing, resolved, flushed_at, hidden, snoozed_until, owner, via
FROM incidents WHERE id < ? AND state IN (SELECT value FROM json_each(?)) ORDER BY id DESC LIMIT ?;

-- name: incidents_count
SELECT state, count(*) FROM incidents WHERE state <> 'resolved' GROUP BY state;

-- name: incident_alert_put
INSERT INTO incident_alerts (incident, alert, episode, status, added_labels, added_annotations, starts_at, ends_at, starts_text, ends_text, hidden,
                             hidden_by)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (incident, alert) DO UPDATE SET episode = excluded.episode, status = excluded.status, starts_at = excluded.starts_at,
    ends_at = excluded.ends_at, starts_text = excluded.starts_text, ends_text = excluded.ends_text,
    added_labels = excluded.added_labels, added_annotations = excluded.added_annotations, hidden = excluded.hidden, hidden_by = excluded.hidden_by,
    planned = CASE incident_alerts.planned WHEN 'resolved' THEN 'again' WHEN 'past' THEN '' ELSE incident_alerts.planned END;

-- name: incident_alert_end
UPDATE incident_alerts SET status = 'resolved', ends_at = ?, ends_text = ?,
                           hidden = CASE WHEN hidden <> 'waits' AND hidden <> '' AND planned IN ('', 'resolved', 'again') THEN 'ended' ELSE '' END, hidden_by = ''
WHERE incident = ? AND alert = ? AND status = 'firing';

-- name: incident_alert_enrich
UPDATE incident_alerts SET added_labels = json_patch(added_labels, ?), added_annotations = json_patch(added_annotations, ?)
WHERE incident = ? AND alert = (SELECT id FROM alerts WHERE source = ? AND org = ? AND fingerprint = ?);

-- name: incident_severities
SELECT DISTINCT (SELECT value FROM json_each(a.labels) WHERE key = ?), (SELECT value FROM json_each(ia.added_labels) WHERE key = ?)
FROM incident_alerts ia JOIN alerts a ON a.id = ia.alert WHERE ia.incident = ? AND ia.status = 'firing';

-- name: incident_alerts_all
SELECT a.id, a.source, a.org, a.fingerprint, ia.episode, ia.status, a.labels, a.annotations, ia.added_labels, ia.added_annotations, ia.starts_at, ia.ends_at,
       ia.starts_text, ia.ends_text, a.generator_url, a.receiver, a.extra, ia.planned, ia.hidden, ia.hidden_by
FROM incident_alerts ia JOIN alerts a ON a.id = ia.alert WHERE ia.incident = ? ORDER BY ia.status, a.id;

-- name: incident_alerts_for_channel
SELECT a.id, a.source, a.org, a.fingerprint, ia.episode, ia.status, a.labels, a.annotations, ia.added_labels, ia.added_annotations, ia.starts_at, ia.ends_at,
       ia.starts_text, ia.ends_text, a.generator_url, a.receiver, a.extra, ia.planned, ia.hidden, ia.hidden_by, t.status, t.episode
FROM incident_alerts ia JOIN alerts a ON a.id = ia.alert LEFT JOIN told t ON t.incident = ia.incident AND t.channel = ? AND t.alert = ia.alert
WHERE ia.incident = ? AND (ia.status = 'firing' OR t.status IS NOT 'resolved' OR t.episode <> ia.episode) AND (ia.status = 'firing' OR ia.hidden = '') ORDER BY ia.status, a.id;
