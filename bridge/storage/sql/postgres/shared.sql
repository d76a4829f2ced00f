-- What only a database needs that several bridges share. Leases are told by the database's clock, in microseconds.

-- name: replica_beat
INSERT INTO replicas (id, started_at, version, schema, seen_until)
VALUES ($1, $2, $3, $4, (extract(epoch FROM statement_timestamp()) * 1000000)::bigint + $5)
ON CONFLICT (id) DO UPDATE SET version = excluded.version, schema = excluded.schema, seen_until = excluded.seen_until;

-- With those that were not seen for a week: they crashed.
-- name: replica_gone
DELETE FROM replicas WHERE id = $1 OR seen_until < (extract(epoch FROM statement_timestamp()) * 1000000)::bigint - 604800000000;

-- name: replicas_live
SELECT id, version, schema FROM replicas WHERE id NOT LIKE 'opening:%' AND seen_until >= (extract(epoch FROM statement_timestamp()) * 1000000)::bigint ORDER BY id;

-- name: lead
UPDATE leader SET owner = $1, lease_until = (extract(epoch FROM statement_timestamp()) * 1000000)::bigint + $2
WHERE id = 1 AND (owner = $1 OR lease_until < (extract(epoch FROM statement_timestamp()) * 1000000)::bigint) RETURNING owner;

-- name: resign
UPDATE leader SET owner = '', lease_until = 0 WHERE id = 1 AND owner = $1;

-- The oldest of its incident and channel alone: what is told stays in order across the bridges. The last column says that it
-- was leased before, to a bridge that recorded no outcome.
-- name: delivery_lease
UPDATE deliveries SET state = 'leased', owner = $2, epoch = epoch + 1,
                      lease_until = (extract(epoch FROM statement_timestamp()) * 1000000)::bigint + $3
FROM (
    SELECT w.id, w.state FROM deliveries w
    WHERE w.id = ANY (ARRAY(SELECT jsonb_array_elements_text($1::jsonb)::bigint)) AND w.due_at <= $4
      AND (w.state = 'pending' OR (w.state = 'leased' AND w.lease_until < (extract(epoch FROM statement_timestamp()) * 1000000)::bigint))
      AND (w.incident = '' OR NOT EXISTS (
          SELECT 1 FROM deliveries b
          WHERE b.incident = w.incident AND b.channel = w.channel AND b.id < w.id AND b.state IN ('pending', 'leased')))
    FOR UPDATE SKIP LOCKED) AS free
WHERE deliveries.id = free.id
RETURNING deliveries.id, incident, channel, receiver, reason, note, created_at, attempts, counted, plain, epoch, replayed, person, free.state = 'leased';

-- name: delivery_renew
UPDATE deliveries SET lease_until = (extract(epoch FROM statement_timestamp()) * 1000000)::bigint + $3
WHERE id = ANY (ARRAY(SELECT jsonb_array_elements_text($1::jsonb)::bigint)) AND owner = $2 AND state = 'leased' RETURNING id;

-- name: deliveries_claimable
SELECT w.id, w.incident, w.channel, w.due_at, w.replayed FROM jsonb_array_elements_text($1::jsonb) AS c(name) CROSS JOIN LATERAL (
    SELECT d.id, d.incident, d.channel, d.due_at, d.replayed FROM deliveries d
    WHERE d.channel = c.name AND d.ended_at IS NULL AND d.due_at <= $2
      AND (d.state = 'pending' OR (d.state = 'leased' AND d.lease_until < (extract(epoch FROM statement_timestamp()) * 1000000)::bigint))
    ORDER BY d.due_at, d.id LIMIT $3) AS w;

-- name: deliveries_hurry
UPDATE deliveries SET due_at = $2 WHERE id IN (
    SELECT d.id FROM deliveries d
    WHERE d.channel = ANY (ARRAY(SELECT jsonb_array_elements_text($1::jsonb))) AND d.ended_at IS NULL AND d.state = 'pending' AND d.due_at > $2
    ORDER BY d.id LIMIT $3);

-- The channels that have anything are found by leaps, one look into the index for each.
-- name: deliveries_homeless
WITH RECURSIVE waiting (channel) AS (
    (SELECT d.channel FROM deliveries d WHERE d.ended_at IS NULL ORDER BY d.channel LIMIT 1)
    UNION ALL
    SELECT (SELECT d.channel FROM deliveries d WHERE d.ended_at IS NULL AND d.channel > waiting.channel ORDER BY d.channel LIMIT 1)
    FROM waiting WHERE waiting.channel IS NOT NULL
)
SELECT d.id, d.incident, d.channel, d.due_at FROM deliveries d
WHERE d.ended_at IS NULL AND d.due_at <= $2
  AND d.channel = ANY (ARRAY(SELECT w.channel FROM waiting w WHERE w.channel <> ALL (ARRAY(SELECT jsonb_array_elements_text($1::jsonb)))))
  AND (d.state = 'pending' OR (d.state = 'leased' AND d.lease_until < (extract(epoch FROM statement_timestamp()) * 1000000)::bigint))
ORDER BY d.due_at, d.id LIMIT $3;

-- name: deliveries_parked
SELECT id, incident, channel, due_at FROM deliveries WHERE ended_at IS NULL AND end_reason <> '' AND state = 'parked' ORDER BY id LIMIT $1;

-- A few at a time, so that bridges share them; those that are held already are kept.
-- name: partitions_take
WITH RECURSIVE pending (id) AS (
    (SELECT r.partition FROM requests r WHERE r.state = 'pending' ORDER BY r.partition LIMIT 1)
    UNION ALL
    SELECT (SELECT r.partition FROM requests r WHERE r.state = 'pending' AND r.partition > pending.id ORDER BY r.partition LIMIT 1)
    FROM pending WHERE pending.id IS NOT NULL
)
INSERT INTO partitions (id, owner, epoch, lease_until)
SELECT p.id, $1::text, 1, (extract(epoch FROM statement_timestamp()) * 1000000)::bigint + $2
FROM pending p LEFT JOIN partitions held ON held.id = p.id
WHERE p.id IS NOT NULL
  AND (held.id IS NULL OR held.owner = $1::text OR held.lease_until < (extract(epoch FROM statement_timestamp()) * 1000000)::bigint)
ORDER BY (held.owner IS NOT DISTINCT FROM $1::text) DESC, p.id LIMIT 8
ON CONFLICT (id) DO UPDATE SET owner = excluded.owner, lease_until = excluded.lease_until,
    epoch = partitions.epoch + CASE WHEN partitions.owner = excluded.owner THEN 0 ELSE 1 END
RETURNING id, epoch;

-- name: partition_held
SELECT 1 FROM partitions WHERE id = $1 AND owner = $2 AND epoch = $3;

-- name: requests_pending_in
SELECT id, source, received_at, digest, body, attempts, partition FROM requests
WHERE state = 'pending' AND partition = ANY (ARRAY(SELECT jsonb_array_elements_text($1::jsonb)::bigint)) ORDER BY id LIMIT $2;
