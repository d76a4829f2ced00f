-- name: letters_dead
SELECT id, incident, channel, reason, state, end_reason, created_at FROM deliveries
WHERE state = 'dead' AND id > ? AND id <= ? AND (? = '' OR channel = ?) AND (? = '' OR incident = ?)
  AND (? = '' OR reason = ? OR end_reason = ?) AND created_at >= ? AND created_at < ? ORDER BY id LIMIT ?;

-- name: letters_parked
SELECT id, incident, channel, reason, state, end_reason, created_at FROM deliveries
WHERE state IN ('pending', 'leased', 'parked') AND state = 'parked' AND id > ? AND id <= ? AND (? = '' OR channel = ?) AND (? = '' OR incident = ?)
  AND (? = '' OR reason = ? OR end_reason = ?) AND created_at >= ? AND created_at < ? ORDER BY id LIMIT ?;

-- name: letter_get
SELECT id, incident, channel, reason, state, end_reason, created_at FROM deliveries WHERE id = ?;

-- name: letters_of_pair
SELECT id, incident, channel, reason, state, end_reason, created_at FROM deliveries
WHERE incident = ? AND channel = ? AND state IN ('pending', 'leased', 'parked', 'dead') ORDER BY id;

-- name: letters_newest
SELECT coalesce(max(id), 0) FROM deliveries;

-- name: pair_told
SELECT coalesce(max(id), 0), coalesce(max(created_at), 0) FROM deliveries
WHERE incident = ? AND channel = ? AND state = 'sent' AND reason <> 'acknowledged';

-- name: letter_revive
UPDATE deliveries SET state = 'pending', reason = ?, end_reason = '', due_at = ?, created_at = ?, ended_at = NULL, counted = 0, plain = 0,
                      replayed = replayed + 1
WHERE id = ? AND state IN ('dead', 'parked');

-- name: letter_supersede
UPDATE deliveries SET state = 'superseded', end_reason = ?, ended_at = ? WHERE id = ? AND state IN ('dead', 'parked');

-- name: letters_waiting
SELECT count(*) FROM deliveries
WHERE state IN ('pending', 'leased', 'parked') AND state = 'pending' AND replayed > 0 AND (? = '' OR channel = ?);
