-- The newest row of a table stays, whatever its age: ids must grow for ever, because idempotency keys are made of them.

-- name: audit_first
SELECT seq, at FROM audit ORDER BY seq LIMIT 1;

-- name: audit_span
SELECT count(*), max(at), coalesce(max(CASE WHEN delivery ~ '^[0-9]{1,18}$' THEN delivery::bigint END), 0) FROM audit WHERE seq BETWEEN $1 AND $2;

-- name: audit_ends
SELECT seq, chain, hash, kind FROM audit WHERE seq IN (SELECT max(seq) FROM audit WHERE seq BETWEEN $1 AND $2 GROUP BY chain) ORDER BY seq;

-- name: audit_prune
DELETE FROM audit WHERE seq <= $1;

-- name: checkpoints_oldest
SELECT id, at, note FROM audit_checkpoints ORDER BY id LIMIT $1;

-- name: checkpoints_prune
DELETE FROM audit_checkpoints WHERE id <= $1;

-- name: incidents_to_prune
SELECT i.id, CASE WHEN i.state = 'resolved' AND i.resolved_at < $1
    AND NOT EXISTS (SELECT 1 FROM audit r WHERE r.incident = i.id AND r.incident <> '')
    AND NOT EXISTS (SELECT 1 FROM incident_alerts m WHERE m.incident = i.id AND m.status = 'firing')
    AND NOT EXISTS (SELECT 1 FROM timers t WHERE t.incident = i.id)
    AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.incident = i.id
        AND (d.ended_at IS NULL OR d.id = (SELECT max(id) FROM deliveries))) THEN 1 ELSE 0 END
FROM incidents i WHERE i.id > $2 AND i.id < $3 ORDER BY i.id LIMIT $4;

-- name: incident_may_go
SELECT 1 FROM incidents i WHERE i.id = $1 AND i.state = 'resolved' AND i.resolved_at < $2
    AND NOT EXISTS (SELECT 1 FROM audit r WHERE r.incident = i.id AND r.incident <> '')
    AND NOT EXISTS (SELECT 1 FROM incident_alerts m WHERE m.incident = i.id AND m.status = 'firing')
    AND NOT EXISTS (SELECT 1 FROM timers t WHERE t.incident = i.id)
    AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.incident = i.id
        AND (d.ended_at IS NULL OR d.id = (SELECT max(id) FROM deliveries)));

-- name: told_prune
DELETE FROM told WHERE incident = $1 AND alert IN (SELECT alert FROM told WHERE incident = $2 ORDER BY alert LIMIT $3);

-- name: incident_alerts_prune
DELETE FROM incident_alerts WHERE incident = $1 AND alert IN (SELECT alert FROM incident_alerts WHERE incident = $2 ORDER BY alert LIMIT $3);

-- name: deliveries_prune
DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE incident = $1 ORDER BY id LIMIT $2);

-- name: receipts_prune
DELETE FROM receipts WHERE incident = $1 AND channel IN (SELECT channel FROM receipts WHERE incident = $2 ORDER BY channel LIMIT $3);

-- name: incident_prune
DELETE FROM incidents WHERE id = $1;

-- name: notices_prune
DELETE FROM deliveries WHERE id IN (SELECT d.id FROM deliveries d WHERE d.incident = '' AND d.ended_at < $1
    AND d.id < (SELECT max(id) FROM deliveries)
    AND NOT EXISTS (SELECT 1 FROM audit r WHERE r.incident = '' AND r.delivery <> '' AND r.delivery = d.id::text)
    ORDER BY d.id LIMIT $2);

-- name: requests_to_prune
SELECT id, received_at, length(body), CASE WHEN state = 'pending' OR id = (SELECT max(id) FROM requests) THEN 0 ELSE 1 END
FROM requests WHERE id > $1 ORDER BY id LIMIT $2;

-- name: request_prune
DELETE FROM requests WHERE id = $1 AND state <> 'pending' AND id < (SELECT max(id) FROM requests);

-- name: alerts_to_prune
SELECT a.id, CASE WHEN a.status = 'resolved' AND a.last_seen < $1 AND a.ends_at < $2 AND a.id < (SELECT max(id) FROM alerts)
    AND NOT EXISTS (SELECT 1 FROM incident_alerts m WHERE m.alert = a.id)
    AND NOT EXISTS (SELECT 1 FROM timers t WHERE t.alert = a.id AND t.alert <> 0) THEN 1 ELSE 0 END
FROM alerts a WHERE a.id > $3 ORDER BY a.id LIMIT $4;

-- name: alert_prune
DELETE FROM alerts WHERE id = $1 AND status = 'resolved' AND last_seen < $2 AND ends_at < $3 AND id < (SELECT max(id) FROM alerts)
    AND NOT EXISTS (SELECT 1 FROM incident_alerts m WHERE m.alert = alerts.id)
    AND NOT EXISTS (SELECT 1 FROM timers t WHERE t.alert = alerts.id AND t.alert <> 0);
