-- Settings that spare work and change no behaviour. A server that does not know one of them goes without it.

-- Room on the page for the next version of a row, so that an update need not touch an index.
-- name: tune_turn
ALTER TABLE turn SET (fillfactor = 10, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 0);

-- name: tune_replicas
ALTER TABLE replicas SET (fillfactor = 30, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0);

-- name: tune_leader
ALTER TABLE leader SET (fillfactor = 10, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0);

-- name: tune_partitions
ALTER TABLE partitions SET (fillfactor = 30, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0);

-- name: tune_meta
ALTER TABLE meta SET (fillfactor = 50, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0);

-- Dead versions of a queue's rows are what makes a queue slow: they are looked for often.
-- name: tune_deliveries
ALTER TABLE deliveries SET (fillfactor = 70, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0.01);

-- name: tune_timers
ALTER TABLE timers SET (autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0.01);

-- name: tune_requests
ALTER TABLE requests SET (fillfactor = 90, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0.02);

-- name: tune_alerts
ALTER TABLE alerts SET (fillfactor = 75, autovacuum_vacuum_scale_factor = 0.05);

-- name: tune_incidents
ALTER TABLE incidents SET (fillfactor = 75, autovacuum_vacuum_scale_factor = 0.05);

-- name: tune_incident_alerts
ALTER TABLE incident_alerts SET (fillfactor = 75, autovacuum_vacuum_scale_factor = 0.05);

-- name: tune_told
ALTER TABLE told SET (fillfactor = 75, autovacuum_vacuum_scale_factor = 0.05);
