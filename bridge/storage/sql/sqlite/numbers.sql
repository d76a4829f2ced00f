-- What happened to incidents, incident by incident and in order, for those who count it.

-- name: numbers_total
SELECT count(*) FROM incidents WHERE id < ? AND (state <> 'resolved' OR updated_at >= ?);

-- name: numbers_facts
SELECT i.id, i.source, i.route, i.group_hash, i.labels, r.seq, r.at, r.kind, r.actor, r.channel, r.reason, coalesce(d.person, '')
FROM incidents i CROSS JOIN audit r ON r.incident = i.id AND r.incident <> ''
    LEFT JOIN deliveries d ON (r.kind = 'sent' OR r.kind = 'late') AND d.id = CAST(r.delivery AS INTEGER)
WHERE i.id >= ? AND (i.id > ? OR r.seq > ?) AND i.id < ? AND (i.state <> 'resolved' OR i.updated_at >= ?) AND r.at >= ?
    AND (r.kind IN ('opened', 'reopened', 'acknowledged', 'snoozed', 'resolved', 'sent', 'late')
        OR (r.kind = 'suppressed' AND r.reason IN ('silenced', 'inhibited', 'muted', 'ended_untold')))
ORDER BY i.id, r.seq LIMIT ?;
