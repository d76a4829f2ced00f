-- What happened to incidents, incident by incident and in order, for those who count it.

-- name: numbers_total
SELECT count(*) FROM incidents WHERE id < $1 AND (state <> 'resolved' OR updated_at >= $2);

-- name: numbers_facts
SELECT i.id, i.source, i.route, i.group_hash, i.labels, r.seq, r.at, r.kind, r.actor, r.channel, r.reason, coalesce(d.person, '')
FROM incidents i JOIN audit r ON r.incident = i.id AND r.incident <> ''
    LEFT JOIN deliveries d ON (r.kind = 'sent' OR r.kind = 'late') AND d.id = CASE WHEN r.delivery ~ '^[0-9]{1,18}$' THEN r.delivery::bigint END
WHERE i.id >= $1 AND (i.id > $2 OR r.seq > $3) AND i.id < $4 AND (i.state <> 'resolved' OR i.updated_at >= $5) AND r.at >= $6
    AND (r.kind IN ('opened', 'reopened', 'acknowledged', 'snoozed', 'resolved', 'sent', 'late')
        OR (r.kind = 'suppressed' AND r.reason IN ('silenced', 'inhibited', 'muted', 'ended_untold')))
ORDER BY i.id, r.seq LIMIT $7;
