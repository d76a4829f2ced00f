-- What `alertbridge audit` reads, in one snapshot. Texts of records to be verified come as the bytes that are stored.

-- name: log_last_seq
SELECT coalesce(max(seq), 0) FROM audit;

-- name: log_raw
SELECT seq, at, attempt, hash, convert_to(chain, 'UTF8'), convert_to(kind, 'UTF8'), convert_to(actor, 'UTF8'), convert_to(source, 'UTF8'),
       convert_to(incident, 'UTF8'), convert_to(delivery, 'UTF8'), convert_to(channel, 'UTF8'), convert_to(reason, 'UTF8'),
       convert_to(digest, 'UTF8'), convert_to(detail, 'UTF8')
FROM audit ORDER BY seq;

-- name: log_last_of
SELECT seq, detail FROM audit WHERE kind = $1 ORDER BY seq DESC LIMIT 1;

-- name: log_checkpoint_count
SELECT count(*) FROM audit_checkpoints;

-- name: log_checkpoints
SELECT id, at, note FROM audit_checkpoints ORDER BY id;

-- name: log_deliveries
SELECT id, state, attempts FROM deliveries ORDER BY id;

-- name: log_delivery_facts
SELECT delivery, seq, kind, attempt FROM audit WHERE delivery <> ''
ORDER BY CASE WHEN delivery ~ '^[0-9]{1,18}$' THEN delivery::bigint ELSE -1 END, delivery, seq;

-- name: log_select
SELECT seq, chain, at, kind, actor, source, incident, delivery, channel, attempt, reason, digest, detail, hash FROM audit
WHERE at >= $1 AND (coalesce(array_length($2::text[], 1), 0) = 0 OR kind = ANY ($2::text[])) AND ($3::text = '' OR incident = $3) AND ($4::text = '' OR delivery = $4)
ORDER BY seq;

-- name: log_select_newest
SELECT * FROM (
    SELECT seq, chain, at, kind, actor, source, incident, delivery, channel, attempt, reason, digest, detail, hash FROM audit
    WHERE at >= $1 AND (coalesce(array_length($2::text[], 1), 0) = 0 OR kind = ANY ($2::text[])) AND ($3::text = '' OR incident = $3) AND ($4::text = '' OR delivery = $4)
    ORDER BY seq DESC LIMIT $5) AS newest
ORDER BY seq;

-- name: log_good_files
SELECT path, text FROM good_files ORDER BY path;
