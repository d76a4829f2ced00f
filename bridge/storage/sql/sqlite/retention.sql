-- The newest row of a table stays, whatever its age: ids must grow for ever, because idempotency keys are made of them.

-- name: audit_first
SELECT seq, at FROM audit ORDER BY seq LIMIT 1;

-- name: audit_span
SELECT count(*), max(at), coalesce(max(CAST(CASE WHEN delivery <> '' THEN delivery END AS INTEGER)), 0) FROM audit WHERE seq BETWEEN ? AND ?;

-- name: audit_ends
SELECT seq, chain, hash, kind FROM audit WHERE seq IN (SELECT max(seq) FROM audit WHERE seq BETWEEN ? AND ? GROUP BY chain) ORDER BY seq;

-- name: audit_prune
DELETE FROM audit WHERE seq <= ?;

-- name: checkpoints_oldest
SELECT id, at, note FROM audit_checkpoints ORDER BY id LIMIT ?;

-- name: checkpoints_prune
DELETE FROM audit_checkpoints WHERE id <= ?;

-- name: incidents_to_prune
SELECT i.id, CASE WHEN i.state = 'resolved' AND i.resolved_at < ?
    AND NOT EXISTS (SELECT 1 FROM audit r WHERE r.incident = i.id AND r.incident <> '')
    AND NOT EXISTS (SELECT 1 FROM incident_alerts m WHERE m.incident = i.id AND m.status = 'firing')
    AND NOT EXISTS (SELECT 1 FROM timers t WHERE t.incident = i.id)
    AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.incident = i.id
        AND ((d.state = 'pending' OR d.state = 'leased' OR d.state = 'parked') OR d.id = (SELECT max(id) FROM deliveries))) THEN 1 ELSE 0 END
FROM incidents i WHERE i.id > ? AND i.id < ? ORDER BY i.id LIMIT ?;

-- name: incident_may_go
SELECT 1 FROM incidents i WHERE i.id = ? AND i.state = 'resolved' AND i.resolved_at < ?
    AND NOT EXISTS (SELECT 1 FROM audit r WHERE r.incident = i.id AND r.incident <> '')
    AND NOT EXISTS (SELECT 1 FROM incident_alerts m WHERE m.incident = i.id AND m.status = 'firing')
    AND NOT EXISTS (SELECT 1 FROM timers t WHERE t.incident = i.id)
    AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.incident = i.id
        AND ((d.state = 'pending' OR d.state = 'leased' OR d.state = 'parked') OR d.id = (SELECT max(id) FROM deliveries)));

-- name: told_prune
DELETE FROM told WHERE incident = ? AND alert IN (SELECT alert FROM told WHERE incident = ? ORDER BY alert LIMIT ?);

-- name: incident_alerts_prune
DELETE FROM incident_alerts WHERE incident = ? AND alert IN (SELECT alert FROM incident_alerts WHERE incident = ? ORDER BY alert LIMIT ?);

-- name: deliveries_prune
DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE incident = ? ORDER BY id LIMIT ?);

-- name: receipts_prune
DELETE FROM receipts WHERE incident = ? AND channel IN (SELECT channel FROM receipts WHERE incident = ? ORDER BY channel LIMIT ?);

-- name: incident_prune
DELETE FROM incidents WHERE id = ?;

-- name: notices_prune
DELETE FROM deliveries WHERE id IN (SELECT d.id FROM deliveries d WHERE d.incident = '' AND d.ended_at < ?
    AND d.state IN ('sent', 'dead', 'superseded', 'cancelled', 'expired') AND d.id < (SELECT max(id) FROM deliveries)
    AND NOT EXISTS (SELECT 1 FROM audit r WHERE r.incident = '' AND r.delivery <> '' AND r.delivery = CAST(d.id AS TEXT))
    ORDER BY d.id LIMIT ?);

-- name: requests_to_prune
SELECT id, received_at, length(body), CASE WHEN state = 'pending' OR id = (SELECT max(id) FROM requests) THEN 0 ELSE 1 END
FROM requests WHERE id > ? ORDER BY id LIMIT ?;

-- name: request_prune
DELETE FROM requests WHERE id = ? AND state <> 'pending' AND id < (SELECT max(id) FROM requests);

-- name: alerts_to_prune
SELECT a.id, CASE WHEN a.status = 'resolved' AND a.last_seen < ? AND a.ends_at < ? AND a.id < (SELECT max(id) FROM alerts)
    AND NOT EXISTS (SELECT 1 FROM incident_alerts m WHERE m.alert = a.id)
    AND NOT EXISTS (SELECT 1 FROM timers t WHERE t.alert = a.id AND t.alert <> 0) THEN 1 ELSE 0 END
FROM alerts a WHERE a.id > ? ORDER BY a.id LIMIT ?;

-- name: alert_prune
DELETE FROM alerts WHERE id = ? AND status = 'resolved' AND last_seen < ? AND ends_at < ? AND id < (SELECT max(id) FROM alerts)
    AND NOT EXISTS (SELECT 1 FROM incident_alerts m WHERE m.alert = alerts.id)
    AND NOT EXISTS (SELECT 1 FROM timers t WHERE t.alert = alerts.id AND t.alert <> 0);
