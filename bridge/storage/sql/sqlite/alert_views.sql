-- What fires, for those who ask.

-- name: view_heads
SELECT id, fingerprint, last_seen FROM alerts WHERE id > ? AND status = 'firing' ORDER BY id LIMIT ?;

-- name: view_firing
SELECT id, fingerprint, labels, annotations, added_labels, added_annotations, starts_at, last_seen, generator_url, expires_at FROM alerts
WHERE id IN (SELECT value FROM json_each(?)) AND status = 'firing';

-- name: view_fingerprints
SELECT id, fingerprint FROM alerts WHERE id IN (SELECT value FROM json_each(?));

-- name: view_groups
SELECT id, route, receiver, group_labels FROM incidents WHERE state <> 'resolved' AND id > ? ORDER BY id LIMIT ?;

-- name: view_members
SELECT alert FROM incident_alerts WHERE incident = ? AND alert > ? AND status = 'firing' ORDER BY alert LIMIT ?;
