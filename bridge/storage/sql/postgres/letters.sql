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

-- name: letters_of_pair
SELECT id, incident, channel, reason, state, end_reason, created_at FROM deliveries
WHERE incident = $1 AND channel = $2 AND state IN ('pending', 'leased', 'parked', 'dead') ORDER BY id;

-- name: letters_newest
SELECT coalesce(max(id), 0) FROM deliveries;

-- name: pair_told
SELECT coalesce(max(id), 0), coalesce(max(created_at), 0) FROM deliveries
WHERE incident = $1 AND channel = $2 AND state = 'sent' AND reason <> 'acknowledged';

-- name: letter_revive
UPDATE deliveries SET state = 'pending', reason = $1, end_reason = '', due_at = $2, created_at = $3, ended_at = NULL, counted = 0, plain = 0,
                      replayed = replayed + 1
WHERE id = $4 AND state IN ('dead', 'parked');

-- name: letter_supersede
UPDATE deliveries SET state = 'superseded', end_reason = $1, ended_at = $2 WHERE id = $3 AND state IN ('dead', 'parked');

-- name: letters_waiting
SELECT count(*) FROM deliveries WHERE ended_at IS NULL AND state = 'pending' AND replayed > 0 AND ($1::text = '' OR channel = $2);
