-- name: alert_get
SELECT id, episode, status, starts_at, ends_at, added_labels, added_annotations, expires_at, timeout FROM alerts WHERE source = $1 AND org = $2 AND fingerprint = $3;

-- name: alert_add
INSERT INTO alerts (id, source, org, fingerprint, episode, status, starts_at, ends_at, last_seen, starts_text, ends_text, labels, annotations,
                    added_labels, added_annotations, generator_url, receiver, extra, expires_at, timeout)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20);

-- name: alert_set
UPDATE alerts SET episode = $1, status = $2, starts_at = $3, ends_at = $4, last_seen = $5, starts_text = $6, ends_text = $7, labels = $8,
                  annotations = $9, added_labels = $10, added_annotations = $11, generator_url = $12, receiver = $13, extra = $14, expires_at = $15, timeout = $16
WHERE id = $17;

-- name: alert_seen
UPDATE alerts SET starts_at = $1, ends_at = $2, last_seen = $3, annotations = $4, generator_url = $5, extra = $6, expires_at = $7, timeout = $8 WHERE id = $9;

-- name: incident_add
INSERT INTO incidents (id, source, route, receiver, group_hash, group_labels, labels, state, version, severity, opened_at, updated_at, told_at,
                       acknowledged_at, acknowledged_by, resolved_at, resolved_by, escalation, external_url, group_key, truncated, firing, resolved,
                       flushed_at, hidden, snoozed_until, owner, via)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28);

-- name: incident_set
UPDATE incidents SET receiver = $1, labels = $2, state = $3, version = $4, severity = $5, updated_at = $6, told_at = $7, acknowledged_at = $8, acknowledged_by = $9,
                     resolved_at = $10, resolved_by = $11, escalation = $12, external_url = $13, group_key = $14, truncated = $15, firing = $16, resolved = $17,
                     flushed_at = $18, hidden = $19, snoozed_until = $20, owner = $21, via = $22
WHERE id = $23;

-- name: incident_get
SELECT id, source, route, receiver, group_hash, group_labels, labels, state, version, severity, opened_at, updated_at, told_at,
       acknowledged_at, acknowledged_by, resolved_at, resolved_by, escalation, external_url, group_key, truncated, firing, resolved, flushed_at, hidden, snoozed_until, owner, via
FROM incidents WHERE id = $1;

-- name: incident_open_by_group
SELECT id, source, route, receiver, group_hash, group_labels, labels, state, version, severity, opened_at, updated_at, told_at,
       acknowledged_at, acknowledged_by, resolved_at, resolved_by, escalation, external_url, group_key, truncated, firing, resolved, flushed_at, hidden, snoozed_until, owner, via
FROM incidents WHERE source = $1 AND route = $2 AND group_hash = $3 AND state <> 'resolved' ORDER BY id LIMIT 1;

-- name: incidents_with_firing
SELECT incident FROM incident_alerts WHERE alert = $1 AND status = 'firing';

-- name: incidents_ended_with_firing
SELECT ia.incident, ia.alert FROM incident_alerts ia JOIN incidents i ON i.id = ia.incident
WHERE ia.alert = ANY (ARRAY(SELECT jsonb_array_elements_text($1::jsonb)::bigint)) AND ia.status = 'firing' AND i.state = 'resolved' ORDER BY ia.incident, ia.alert;

-- name: incidents_of_episode
SELECT incident FROM incident_alerts WHERE alert = $1 AND episode = $2;

-- name: incident_alert_resolved
SELECT 1 FROM incident_alerts WHERE incident = $1 AND alert = $2 AND status = 'resolved';

-- name: incidents_page
SELECT id, source, route, receiver, group_hash, group_labels, labels, state, version, severity, opened_at, updated_at, told_at,
       acknowledged_at, acknowledged_by, resolved_at, resolved_by, escalation, external_url, group_key, truncated, firing, resolved, flushed_at, hidden, snoozed_until, owner, via
FROM incidents WHERE id < $1 AND state = ANY (ARRAY(SELECT jsonb_array_elements_text($2::jsonb))) ORDER BY id DESC LIMIT $3;

-- name: incidents_count
SELECT state, count(*) FROM incidents WHERE state <> 'resolved' GROUP BY state;

-- name: incident_alert_put
INSERT INTO incident_alerts (incident, alert, episode, status, added_labels, added_annotations, starts_at, ends_at, starts_text, ends_text, hidden,
                             hidden_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (incident, alert) DO UPDATE SET episode = excluded.episode, status = excluded.status, starts_at = excluded.starts_at,
    ends_at = excluded.ends_at, starts_text = excluded.starts_text, ends_text = excluded.ends_text,
    added_labels = excluded.added_labels, added_annotations = excluded.added_annotations, hidden = excluded.hidden, hidden_by = excluded.hidden_by,
    planned = CASE incident_alerts.planned WHEN 'resolved' THEN 'again' WHEN 'past' THEN '' ELSE incident_alerts.planned END;

-- name: incident_alert_end
UPDATE incident_alerts SET status = 'resolved', ends_at = $1, ends_text = $2,
                           hidden = CASE WHEN hidden <> 'waits' AND hidden <> '' AND planned IN ('', 'resolved', 'again') THEN 'ended' ELSE '' END, hidden_by = ''
WHERE incident = $3 AND alert = $4 AND status = 'firing';

-- name: incident_alert_enrich
UPDATE incident_alerts SET added_labels = (added_labels::jsonb || $1::jsonb)::text, added_annotations = (added_annotations::jsonb || $2::jsonb)::text
WHERE incident = $3 AND alert = (SELECT id FROM alerts WHERE source = $4 AND org = $5 AND fingerprint = $6);

-- name: incident_severities
SELECT DISTINCT a.labels::jsonb ->> $1::text, ia.added_labels::jsonb ->> $2::text
FROM incident_alerts ia JOIN alerts a ON a.id = ia.alert WHERE ia.incident = $3 AND ia.status = 'firing';

-- name: incident_alerts_all
SELECT a.id, a.source, a.org, a.fingerprint, ia.episode, ia.status, a.labels, a.annotations, ia.added_labels, ia.added_annotations, ia.starts_at, ia.ends_at,
       ia.starts_text, ia.ends_text, a.generator_url, a.receiver, a.extra, ia.planned, ia.hidden, ia.hidden_by
FROM incident_alerts ia JOIN alerts a ON a.id = ia.alert WHERE ia.incident = $1 ORDER BY ia.status, a.id;

-- name: incident_alerts_for_channel
SELECT a.id, a.source, a.org, a.fingerprint, ia.episode, ia.status, a.labels, a.annotations, ia.added_labels, ia.added_annotations, ia.starts_at, ia.ends_at,
       ia.starts_text, ia.ends_text, a.generator_url, a.receiver, a.extra, ia.planned, ia.hidden, ia.hidden_by, t.status, t.episode
FROM incident_alerts ia JOIN alerts a ON a.id = ia.alert LEFT JOIN told t ON t.incident = ia.incident AND t.channel = $1 AND t.alert = ia.alert
WHERE ia.incident = $2 AND (ia.status = 'firing' OR t.status IS DISTINCT FROM 'resolved' OR t.episode <> ia.episode) AND (ia.status = 'firing' OR ia.hidden = '') ORDER BY ia.status, a.id;
