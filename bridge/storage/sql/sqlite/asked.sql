-- What was asked over callbacks and is done.

-- name: asked_add
INSERT INTO asked (channel, key, at) VALUES (?, ?, ?);

-- name: asked_there
SELECT 1 FROM asked WHERE channel = ? AND key = ?;

-- name: asked_prune
DELETE FROM asked WHERE (channel, key) IN (SELECT channel, key FROM asked WHERE at < ? ORDER BY at LIMIT ?);

-- name: told_unended
SELECT i.id FROM incidents i WHERE i.state <> 'resolved' AND EXISTS (SELECT 1 FROM told t WHERE t.incident = i.id AND t.channel = ?) ORDER BY i.id DESC;

-- name: told_newest
SELECT i.id FROM incidents i WHERE i.state <> 'resolved' AND EXISTS (SELECT 1 FROM told t WHERE t.incident = i.id AND t.channel = ?) ORDER BY i.id DESC LIMIT 1;

-- name: told_newest_open
SELECT i.id FROM incidents i WHERE i.state = 'open' AND EXISTS (SELECT 1 FROM told t WHERE t.incident = i.id AND t.channel = ?) ORDER BY i.id DESC LIMIT 1;
