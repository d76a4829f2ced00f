-- What fires, for those who ask.

-- name: view_heads
SELECT id, fingerprint, last_seen FROM alerts WHERE id > $1 AND status = 'firing' ORDER BY id LIMIT $2;

-- name: view_firing
SELECT id, fingerprint, labels, annotations, added_labels, added_annotations, starts_at, last_seen, generator_url, expires_at FROM alerts
WHERE id = ANY (ARRAY(SELECT jsonb_array_elements_text($1::jsonb)::bigint)) AND status = 'firing';

-- name: view_fingerprints
SELECT id, fingerprint FROM alerts WHERE id = ANY (ARRAY(SELECT jsonb_array_elements_text($1::jsonb)::bigint));

-- name: view_groups
SELECT id, route, receiver, group_labels FROM incidents WHERE state <> 'resolved' AND id > $1 ORDER BY id LIMIT $2;

-- name: view_members
SELECT alert FROM incident_alerts WHERE incident = $1 AND alert > $2 AND status = 'firing' ORDER BY alert LIMIT $3;
