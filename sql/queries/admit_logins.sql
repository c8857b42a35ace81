-- Slots, grants, addresses, first-login activation and history of a batch of verified logins (rule A1).
SELECT * FROM admit_logins_v1(%s, %s::text[], %s::bigint[], %s::bigint[], %s::inet[], %s::text[],
                              %s::text[], %s::text[], %s::bigint[], %s::timestamptz[],
                              %s::int[], %s::bigint[], %s::int[], %s::bigint[], %s::int[])
