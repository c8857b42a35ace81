-- What was sold by the end of a local day and was not earned then (rule I6): of these customers, of one
-- bill or package, or of all, by pages. `earned_micros` and the like are what the ledger had by that
-- day, `settled_...` what it had by the next posting, NULL where that has not been done. The days of a
-- package are its entitlement's; what was carried on to it from another is not what was sold (B4).
SELECT i.customer_id, i.item_id, i.org_id, i.kind, i.currency, i.net_micros, i.posted_through,
    e.validity_minutes, e.seconds_total - e.carried_seconds AS seconds,
    e.octets_total - e.carried_octets AS octets, e.entitlement_id,
    CASE WHEN e.entitlement_id IS NULL THEN i.first_day
         ELSE (e.valid_from AT TIME ZONE o.time_zone)::date END AS first_day,
    CASE WHEN e.entitlement_id IS NULL THEN i.next_first_day
         ELSE ((e.valid_until - interval '1 microsecond') AT TIME ZONE o.time_zone)::date + 1
         END AS next_first_day,
    (e.ended_at AT TIME ZONE o.time_zone)::date AS used_up_on,
    (LEAST(s.closed_at, c.closed_at) AT TIME ZONE o.time_zone)::date AS lapsed_on,
    m.earned_micros, m.breakage_micros, m.returned_micros,
    CASE WHEN %(day)s::date <= i.posted_through THEN m.settled_earned_micros END
        AS settled_earned_micros,
    CASE WHEN %(day)s::date <= i.posted_through THEN m.settled_breakage_micros END
        AS settled_breakage_micros
FROM deferred_item i
CROSS JOIN operator o
JOIN customer c ON c.customer_id = i.customer_id
LEFT JOIN subscription s ON s.customer_id = i.customer_id AND s.subscription_id = i.subscription_id
LEFT JOIN entitlement e ON e.customer_id = i.customer_id AND e.entitlement_id = i.entitlement_id
CROSS JOIN LATERAL (
    SELECT
        COALESCE(sum(m.earned_micros) FILTER (WHERE m.on_day <= %(day)s), 0)::bigint AS earned_micros,
        COALESCE(sum(m.breakage_micros) FILTER (WHERE m.on_day <= %(day)s), 0)::bigint
            AS breakage_micros,
        COALESCE(sum(m.returned_micros) FILTER (WHERE m.on_day <= %(day)s), 0)::bigint
            AS returned_micros,
        COALESCE(sum(m.earned_micros) FILTER (WHERE m.on_day <= LEAST(%(month_end)s::date,
            i.posted_through)), 0)::bigint AS settled_earned_micros,
        COALESCE(sum(m.breakage_micros) FILTER (WHERE m.on_day <= LEAST(%(month_end)s::date,
            i.posted_through)), 0)::bigint AS settled_breakage_micros
    FROM deferred_move m
    WHERE m.customer_id = i.customer_id AND m.item_id = i.item_id
) m
WHERE i.sold_on <= %(day)s AND (i.finished_on IS NULL OR i.finished_on > %(day)s)
  AND (%(customer_ids)s::bigint[] IS NULL OR i.customer_id = ANY (%(customer_ids)s))
  AND (%(invoice_id)s::bigint IS NULL OR i.invoice_id = %(invoice_id)s)
  AND (%(entitlement_id)s::bigint IS NULL OR i.entitlement_id = %(entitlement_id)s)
  AND (i.customer_id, i.item_id) > (%(after_customer)s::bigint, %(after_item)s::bigint)
ORDER BY i.customer_id, i.item_id LIMIT %(most)s
