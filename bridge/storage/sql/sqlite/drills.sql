-- name: drill_add
INSERT INTO drills (name, next_at, run, began_at, timer) VALUES (?, ?, ?, ?, ?);

-- name: drill_put
UPDATE drills SET next_at = ?, run = ?, began_at = ?, timer = ? WHERE name = ?;

-- name: drill_get
SELECT name, next_at, run, began_at, timer FROM drills WHERE name = ?;

-- name: drills_all
SELECT name, next_at, run, began_at, timer FROM drills ORDER BY name;

-- name: drill_drop
DELETE FROM drills WHERE name = ?;

-- name: drill_result_add
INSERT INTO drill_results (run, name, at, outcome, delivered_ms, acknowledged_ms, detail)
VALUES (?, ?, ?, ?, ?, ?, ?);

-- name: drill_results
SELECT run, name, at, outcome, delivered_ms, acknowledged_ms, detail FROM drill_results WHERE name = ? ORDER BY run DESC LIMIT ?;

-- name: drill_results_prune
DELETE FROM drill_results WHERE name = ?
  AND run <= (SELECT run FROM drill_results WHERE name = ? ORDER BY run DESC LIMIT 1 OFFSET ?);
