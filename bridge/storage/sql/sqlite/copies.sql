-- What is asked of copies of a database, and done to them, outside of any bridge.

-- name: copy_is_ours
SELECT count(*) FROM sqlite_schema WHERE name IN ('audit', 'deliveries');

-- name: copy_head
SELECT at, seq, chain, lower(hex(hash)) FROM audit ORDER BY seq DESC LIMIT 1;

-- name: copy_forget
DELETE FROM meta WHERE name = ?;

-- name: copy_void_claims
UPDATE deliveries SET state = 'pending', owner = '', lease_until = NULL WHERE state = 'leased';
