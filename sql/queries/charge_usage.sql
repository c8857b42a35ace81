-- The meter: a batch of accounting records (rules U1-U6).
SELECT charge_usage_v1(%s, %s::int[], %s::text[], %s::text[], %s::inet[], %s::text[],
    %s::timestamptz[], %s::timestamptz[], %s::int[], %s::bigint[], %s::bigint[], %s::bigint[],
    %s::boolean[], %s::inet[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
    %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
