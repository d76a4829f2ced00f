-- What is asked of a server that is copied from or loaded into, outside of any bridge.

-- name: copy_rows
SELECT (SELECT count(*) FROM meta) + (SELECT count(*) FROM requests) + (SELECT count(*) FROM alerts) + (SELECT count(*) FROM incidents)
    + (SELECT count(*) FROM incident_alerts) + (SELECT count(*) FROM deliveries) + (SELECT count(*) FROM told) + (SELECT count(*) FROM receipts)
    + (SELECT count(*) FROM timers) + (SELECT count(*) FROM audit) + (SELECT count(*) FROM audit_checkpoints) + (SELECT count(*) FROM good_files);

-- name: copy_in_use
SELECT 'its table audit has rows' WHERE EXISTS (SELECT 1 FROM audit)
UNION ALL SELECT 'its table requests has rows' WHERE EXISTS (SELECT 1 FROM requests)
UNION ALL SELECT 'its table incidents has rows' WHERE EXISTS (SELECT 1 FROM incidents)
UNION ALL SELECT 'its table deliveries has rows' WHERE EXISTS (SELECT 1 FROM deliveries)
UNION ALL SELECT 'its table alerts has rows' WHERE EXISTS (SELECT 1 FROM alerts)
UNION ALL SELECT 'its table meta has rows' WHERE EXISTS (SELECT 1 FROM meta)
UNION ALL SELECT 'a bridge runs on it' WHERE EXISTS (
    SELECT 1 FROM replicas WHERE id NOT LIKE 'opening:%' AND seen_until >= (extract(epoch FROM statement_timestamp()) * 1000000)::bigint);

-- name: copy_turn
UPDATE turn SET next_id = $1, next_seq = $2, last = '' WHERE id = 1;
