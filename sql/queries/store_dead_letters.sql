-- Records that belong to no session (radius.md F5).
INSERT INTO acct_dead_letter (arrived_at, nas_address, reason, raw)
SELECT * FROM unnest(%s::timestamptz[], %s::inet[], %s::text[], %s::text[])
RETURNING 1
