-- What a source opened lately, and the storm it is in, if any.
-- name: storm_source_get
SELECT began_at, opened, opened_before, over_at, storm, storm_began_at, lasts FROM storm_sources WHERE source = ?;

-- name: storm_source_put
INSERT INTO storm_sources (source, began_at, opened, opened_before, over_at, storm, storm_began_at, lasts) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (source) DO UPDATE SET began_at = excluded.began_at, opened = excluded.opened, opened_before = excluded.opened_before,
    over_at = excluded.over_at, storm = excluded.storm, storm_began_at = excluded.storm_began_at, lasts = excluded.lasts;

-- name: storm_over
UPDATE storm_sources SET lasts = 0 WHERE source = ? AND storm = ?;

-- name: storm_past
UPDATE storm_sources SET storm = '', lasts = 0 WHERE storm = ?;

-- name: storm_member_add
INSERT INTO storm_members (incident, channel, storm) VALUES (?, ?, ?) ON CONFLICT (incident, channel) DO NOTHING;

-- name: storm_of_incident
SELECT channel, storm FROM storm_members WHERE incident = ?;

-- name: storm_severities
SELECT i.severity, count(*), sum(CASE WHEN i.state <> 'resolved' THEN 1 ELSE 0 END)
FROM storm_members m JOIN incidents i ON i.id = m.incident WHERE m.storm = ? AND m.channel = ? GROUP BY i.severity ORDER BY i.severity;

-- Of the newest, which are enough to say what is most frequent.
-- name: storm_routes
SELECT i.route AS name, count(*) AS number
FROM (SELECT incident FROM storm_members WHERE storm = ? AND channel = ? ORDER BY incident DESC LIMIT ?) m JOIN incidents i ON i.id = m.incident
GROUP BY name ORDER BY number DESC, name LIMIT ?;

-- name: storm_names
SELECT coalesce(json_extract(i.labels, '$.alertname'), '') AS name, count(*) AS number
FROM (SELECT incident FROM storm_members WHERE storm = ? AND channel = ? ORDER BY incident DESC LIMIT ?) m JOIN incidents i ON i.id = m.incident
GROUP BY name ORDER BY number DESC, name LIMIT ?;

-- name: storm_open
SELECT 1 FROM storm_members m JOIN incidents i ON i.id = m.incident WHERE m.storm = ? AND i.state <> 'resolved' LIMIT 1;

-- name: storm_members_open
SELECT m.incident FROM storm_members m JOIN incidents i ON i.id = m.incident
WHERE m.storm = ? AND m.channel = ? AND i.state = 'open' ORDER BY m.incident;

-- name: storm_members_acknowledged
SELECT m.incident FROM storm_members m JOIN incidents i ON i.id = m.incident
WHERE m.storm = ? AND m.channel = ? AND i.state IN ('acknowledged', 'snoozed') AND i.acknowledged_at = ? AND i.acknowledged_by = ? ORDER BY m.incident;

-- name: storm_members_drop
DELETE FROM storm_members WHERE storm = ?;

-- name: storm_channel_add
INSERT INTO storm_channels (storm, channel, incident, told_at, total, open, follows, news, paging, pages)
VALUES (?, ?, '', NULL, 0, 0, ?, 0, 0, '[]') ON CONFLICT (storm, channel) DO NOTHING;

-- name: storm_channel_follows
UPDATE storm_channels SET follows = 1 WHERE storm = ? AND channel = ? AND follows = 0;

-- name: storm_channels
SELECT channel, incident, told_at, total, open, follows, news, paging, pages FROM storm_channels WHERE storm = ? ORDER BY channel;

-- name: storm_channel_get
SELECT channel, incident, told_at, total, open, follows, news, paging, pages FROM storm_channels WHERE storm = ? AND channel = ?;

-- name: storm_channel_put
UPDATE storm_channels SET incident = ?, told_at = ?, total = ?, open = ?, news = ?, paging = ?, pages = ?
WHERE storm = ? AND channel = ?;

-- name: storm_channel_of
SELECT storm, channel FROM storm_channels WHERE incident = ? AND incident <> '' LIMIT 1;

-- name: storm_channels_drop
DELETE FROM storm_channels WHERE storm = ?;

-- name: storm_timer
SELECT id, due_at FROM timers WHERE incident = ? AND kind = 'storm' LIMIT 1;

-- What was queued for people when the storm was not yet known, and not tried.
-- name: storm_queued
SELECT d.id, d.incident, d.channel FROM deliveries d JOIN incidents i ON i.id = d.incident
WHERE d.ended_at IS NULL AND d.state = 'pending' AND d.reason = 'opened' AND d.attempts = 0 AND i.source = ? AND i.opened_at >= ? AND i.group_hash <> ?
ORDER BY d.id LIMIT ?;
