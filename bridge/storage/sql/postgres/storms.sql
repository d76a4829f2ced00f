-- What a source opened lately, and the storm it is in, if any.
-- name: storm_source_get
SELECT began_at, opened, opened_before, over_at, storm, storm_began_at, lasts FROM storm_sources WHERE source = $1;

-- name: storm_source_put
INSERT INTO storm_sources (source, began_at, opened, opened_before, over_at, storm, storm_began_at, lasts) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (source) DO UPDATE SET began_at = excluded.began_at, opened = excluded.opened, opened_before = excluded.opened_before,
    over_at = excluded.over_at, storm = excluded.storm, storm_began_at = excluded.storm_began_at, lasts = excluded.lasts;

-- name: storm_over
UPDATE storm_sources SET lasts = 0 WHERE source = $1 AND storm = $2;

-- name: storm_past
UPDATE storm_sources SET storm = '', lasts = 0 WHERE storm = $1;

-- name: storm_member_add
INSERT INTO storm_members (incident, channel, storm) VALUES ($1, $2, $3) ON CONFLICT (incident, channel) DO NOTHING;

-- name: storm_of_incident
SELECT channel, storm FROM storm_members WHERE incident = $1;

-- name: storm_severities
SELECT i.severity, count(*), sum(CASE WHEN i.state <> 'resolved' THEN 1 ELSE 0 END)
FROM storm_members m JOIN incidents i ON i.id = m.incident WHERE m.storm = $1 AND m.channel = $2 GROUP BY i.severity ORDER BY i.severity;

-- Of the newest, which are enough to say what is most frequent.
-- name: storm_routes
SELECT i.route AS name, count(*) AS number
FROM (SELECT incident FROM storm_members WHERE storm = $1 AND channel = $2 ORDER BY incident DESC LIMIT $3) m JOIN incidents i ON i.id = m.incident
GROUP BY name ORDER BY number DESC, name LIMIT $4;

-- name: storm_names
SELECT coalesce(i.labels::jsonb ->> 'alertname', '') AS name, count(*) AS number
FROM (SELECT incident FROM storm_members WHERE storm = $1 AND channel = $2 ORDER BY incident DESC LIMIT $3) m JOIN incidents i ON i.id = m.incident
GROUP BY name ORDER BY number DESC, name LIMIT $4;

-- name: storm_open
SELECT 1 FROM storm_members m JOIN incidents i ON i.id = m.incident WHERE m.storm = $1 AND i.state <> 'resolved' LIMIT 1;

-- name: storm_members_open
SELECT m.incident FROM storm_members m JOIN incidents i ON i.id = m.incident
WHERE m.storm = $1 AND m.channel = $2 AND i.state = 'open' ORDER BY m.incident;

-- name: storm_members_acknowledged
SELECT m.incident FROM storm_members m JOIN incidents i ON i.id = m.incident
WHERE m.storm = $1 AND m.channel = $2 AND i.state IN ('acknowledged', 'snoozed') AND i.acknowledged_at = $3 AND i.acknowledged_by = $4 ORDER BY m.incident;

-- name: storm_members_drop
DELETE FROM storm_members WHERE storm = $1;

-- Not VALUES: whether there was one already is asked for, and what adds VALUES may be sent later.
-- name: storm_channel_add
INSERT INTO storm_channels (storm, channel, incident, told_at, total, open, follows, news, paging, pages)
SELECT $1, $2, '', NULL, 0, 0, $3, 0, 0, '[]' ON CONFLICT (storm, channel) DO NOTHING;

-- name: storm_channel_follows
UPDATE storm_channels SET follows = 1 WHERE storm = $1 AND channel = $2 AND follows = 0;

-- name: storm_channels
SELECT channel, incident, told_at, total, open, follows, news, paging, pages FROM storm_channels WHERE storm = $1 ORDER BY channel;

-- name: storm_channel_get
SELECT channel, incident, told_at, total, open, follows, news, paging, pages FROM storm_channels WHERE storm = $1 AND channel = $2;

-- name: storm_channel_put
UPDATE storm_channels SET incident = $1, told_at = $2, total = $3, open = $4, news = $5, paging = $6, pages = $7
WHERE storm = $8 AND channel = $9;

-- name: storm_channel_of
SELECT storm, channel FROM storm_channels WHERE incident = $1 AND incident <> '' LIMIT 1;

-- name: storm_channels_drop
DELETE FROM storm_channels WHERE storm = $1;

-- name: storm_timer
SELECT id, due_at FROM timers WHERE incident = $1 AND kind = 'storm' LIMIT 1;

-- What was queued for people when the storm was not yet known, and not tried.
-- name: storm_queued
SELECT d.id, d.incident, d.channel FROM deliveries d JOIN incidents i ON i.id = d.incident
WHERE d.ended_at IS NULL AND d.state = 'pending' AND d.reason = 'opened' AND d.attempts = 0 AND i.source = $1 AND i.opened_at >= $2 AND i.group_hash <> $3
ORDER BY d.id LIMIT $4;
