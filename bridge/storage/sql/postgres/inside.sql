-- What the storage itself runs, around the units of a group and at an opening.

-- name: turn_take
SELECT next_id, next_seq, last FROM turn WHERE id = 1 FOR UPDATE;

-- name: turn_give
UPDATE turn SET next_id = $1, next_seq = $2, last = $3 WHERE id = 1;

-- name: audit_append
INSERT INTO audit (seq, chain, at, kind, actor, source, incident, delivery, channel, attempt, reason, digest, detail, hash)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::bigint[],
                     $11::text[], $12::text[], $13::text[], $14::bytea[]);

-- name: audit_newest
SELECT seq, chain, hash FROM audit ORDER BY seq DESC LIMIT 1;

-- name: audit_stored
SELECT 1 FROM audit WHERE seq = $1 AND chain = $2 AND hash = $3;
