-- name: letters_dead
SELECT id, incident, channel, reason, state, end_reason, created_at FROM deliveries
WHERE ended_at IS NOT NULL AND last_error <> '' AND state = 'dead' AND id > $1 AND id <= $2
  AND ($3::text = '' OR channel = $4) AND ($5::text = '' OR incident = $6)
  AND ($7::text = '' OR reason = $8 OR end_reason = $9) AND created_at >= $10 AND created_at < $11 ORDER BY id LIMIT $12;

-- name: letters_parked
SELECT id, incident, channel, reason, state, end_reason, created_at FROM deliveries
WHERE ended_at IS NULL AND end_reason <> '' AND state = 'parked' AND id > $1 AND id <= $2
  AND ($3::text = '' OR channel = $4) AND ($5::text = '' OR incident = $6)
  AND ($7::text = '' OR reason = $8 OR end_reason = $9) AND created_at >= $10 AND created_at < $11 ORDER BY id LIMIT $12;

-- name: letter_get
SELECT id, incident, channel, reason, state, end_reason, created_at FROM deliveries WHERE id = $1;

-- What is dead or waits for the incidents and channels of these deliveries. A notice stands alone.
-- name: letters_beside
SELECT b.id, b.incident, b.channel, b.reason, b.state, b.end_reason, b.created_at
FROM (SELECT DISTINCT incident, channel FROM deliveries WHERE id = ANY (ARRAY(SELECT jsonb_array_elements_text($1::jsonb)::bigint)) AND incident <> '') AS a
JOIN deliveries b ON b.incident = a.incident AND b.channel = a.channel AND b.state IN ('pending', 'leased', 'parked', 'dead')
UNION ALL
SELECT id, incident, channel, reason, state, end_reason, created_at FROM deliveries WHERE id = ANY (ARRAY(SELECT jsonb_array_elements_text($2::jsonb)::bigint)) AND incident = ''
ORDER BY 1;

-- name: pairs_told
SELECT b.incident, b.channel, max(b.id), max(b.created_at)
FROM (SELECT DISTINCT incident, channel FROM deliveries WHERE id = ANY (ARRAY(SELECT jsonb_array_elements_text($1::jsonb)::bigint)) AND incident <> '') AS a
JOIN deliveries b ON b.incident = a.incident AND b.channel = a.channel AND b.state = 'sent' AND b.reason NOT IN ('acknowledged', 'unacknowledged')
GROUP BY b.incident, b.channel;

-- name: pairs_firing
SELECT DISTINCT t.incident, t.channel
FROM (SELECT DISTINCT incident, channel FROM deliveries WHERE id = ANY (ARRAY(SELECT jsonb_array_elements_text($1::jsonb)::bigint)) AND incident <> '') AS a
JOIN told t ON t.incident = a.incident AND t.channel = a.channel AND t.status <> 'resolved';

-- name: letters_newest
SELECT coalesce(max(id), 0) FROM deliveries;

-- name: letters_revive
UPDATE deliveries SET state = 'pending', reason = found.reason, end_reason = '', due_at = $1, created_at = $2, ended_at = NULL, counted = 0,
                      plain = 0, replayed = replayed + 1
FROM (SELECT (pair ->> 0)::bigint AS id, pair ->> 1 AS reason FROM jsonb_array_elements($3::jsonb) AS each(pair)) AS found
WHERE deliveries.id = found.id AND state IN ('dead', 'parked') RETURNING deliveries.id;

-- name: letters_supersede
UPDATE deliveries SET state = 'superseded', end_reason = $1, ended_at = $2
WHERE id = ANY (ARRAY(SELECT jsonb_array_elements_text($3::jsonb)::bigint)) AND state IN ('dead', 'parked') RETURNING id;

-- name: letters_waiting
SELECT count(*) FROM deliveries
WHERE ended_at IS NULL AND state = 'pending' AND replayed > 0 AND ($1::text = '' OR channel = $2);
