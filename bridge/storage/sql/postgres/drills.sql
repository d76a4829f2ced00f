-- name: drill_add
INSERT INTO drills (name, next_at, run, began_at, timer) VALUES ($1, $2, $3, $4, $5);

-- name: drill_put
UPDATE drills SET next_at = $1, run = $2, began_at = $3, timer = $4 WHERE name = $5;

-- name: drill_get
SELECT name, next_at, run, began_at, timer FROM drills WHERE name = $1;

-- name: drills_all
SELECT name, next_at, run, began_at, timer FROM drills ORDER BY name;

-- name: drill_drop
DELETE FROM drills WHERE name = $1;

-- name: drill_result_add
INSERT INTO drill_results (run, name, at, outcome, delivered_ms, acknowledged_ms, detail)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: drill_results
SELECT run, name, at, outcome, delivered_ms, acknowledged_ms, detail FROM drill_results WHERE name = $1 ORDER BY run DESC LIMIT $2;

-- name: drill_results_prune
DELETE FROM drill_results WHERE name = $1
  AND run <= (SELECT run FROM drill_results WHERE name = $2 ORDER BY run DESC LIMIT 1 OFFSET $3);
