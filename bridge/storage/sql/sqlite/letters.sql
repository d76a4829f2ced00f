-- name: letters_dead
SELECT id, incident, channel, reason, state, end_reason, created_at FROM deliveries
WHERE state = 'dead' AND id > ? AND id <= ? AND (? = '' OR channel = ?) AND (? = '' OR incident = ?)
  AND (? = '' OR reason = ? OR end_reason = ?) AND created_at >= ? AND created_at < ? ORDER BY id LIMIT ?;

-- name: letters_parked
SELECT id, incident, channel, reason, state, end_reason, created_at FROM deliveries
WHERE (state = 'pending' OR state = 'leased' OR state = 'parked') AND state = 'parked' AND id > ? AND id <= ? AND (? = '' OR channel = ?) AND (? = '' OR incident = ?)
  AND (? = '' OR reason = ? OR end_reason = ?) AND created_at >= ? AND created_at < ? ORDER BY id LIMIT ?;

-- name: letter_get
SELECT id, incident, channel, reason, state, end_reason, created_at FROM deliveries WHERE id = ?;

-- What is dead or waits for the incidents and channels of these deliveries. A notice stands alone, and is found by its id: hence the plus.
-- name: letters_beside
SELECT b.id, b.incident, b.channel, b.reason, b.state, b.end_reason, b.created_at
FROM (SELECT DISTINCT incident, channel FROM deliveries WHERE id IN (SELECT value FROM json_each(?)) AND incident <> '') AS a
JOIN deliveries b ON b.incident = a.incident AND b.channel = a.channel AND b.state IN ('pending', 'leased', 'parked', 'dead')
UNION ALL
SELECT id, incident, channel, reason, state, end_reason, created_at FROM deliveries WHERE id IN (SELECT value FROM json_each(?)) AND +incident = ''
ORDER BY 1;

-- name: pairs_told
SELECT b.incident, b.channel, max(b.id), max(b.created_at)
FROM (SELECT DISTINCT incident, channel FROM deliveries WHERE id IN (SELECT value FROM json_each(?)) AND incident <> '') AS a
JOIN deliveries b ON b.incident = a.incident AND b.channel = a.channel AND b.state = 'sent' AND b.reason NOT IN ('acknowledged', 'unacknowledged')
GROUP BY b.incident, b.channel;

-- name: pairs_firing
SELECT DISTINCT t.incident, t.channel
FROM (SELECT DISTINCT incident, channel FROM deliveries WHERE id IN (SELECT value FROM json_each(?)) AND incident <> '') AS a
JOIN told t ON t.incident = a.incident AND t.channel = a.channel AND t.status <> 'resolved';

-- name: letters_newest
SELECT coalesce(max(id), 0) FROM deliveries;

-- name: letters_revive
UPDATE deliveries SET state = 'pending', reason = found.reason, end_reason = '', due_at = ?, created_at = ?, ended_at = NULL, counted = 0,
                      plain = 0, replayed = replayed + 1
FROM (SELECT json_extract(value, '$[0]') AS id, json_extract(value, '$[1]') AS reason FROM json_each(?)) AS found
WHERE deliveries.id = found.id AND state IN ('dead', 'parked') RETURNING deliveries.id;

-- name: letters_supersede
UPDATE deliveries SET state = 'superseded', end_reason = ?, ended_at = ?
WHERE id IN (SELECT value FROM json_each(?)) AND state IN ('dead', 'parked') RETURNING id;

-- name: letters_waiting
SELECT count(*) FROM deliveries
WHERE (state = 'pending' OR state = 'leased' OR state = 'parked') AND state = 'pending' AND replayed > 0 AND (? = '' OR channel = ?);
