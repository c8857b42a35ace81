-- Subscriptions of these customers that the bill run is for, with what decides their next bill (B7);
-- of closed ones those that have usage, or a charge, which no bill holds.
SELECT s.customer_id, s.org_id, s.subscription_id, s.wallet_id, s.username, s.created_at, s.billed_from,
    s.plan_version_id, p.profile_id, p.bills_from, b.billed_until, s.on_hold_since, s.renews_at,
    w.currency AS wallet_currency,
    COALESCE(w.posted_micros - w.unposted_micros - w.reserved_micros, 0) AS free_micros,
    COALESCE(w.credit_limit_micros, 0) AS credit_limit_micros, b.owed_micros,
    s.closed_at IS NOT NULL OR c.closed_at IS NOT NULL AS is_closed, s.packages_until, b.has_void
FROM subscription s
JOIN customer c ON c.customer_id = s.customer_id
JOIN billing_profile p ON p.profile_id = COALESCE(s.profile_id, c.profile_id)
LEFT JOIN wallet w ON w.customer_id = s.customer_id AND w.wallet_id = s.wallet_id
LEFT JOIN LATERAL (
    SELECT max(COALESCE(i.plan_until, i.cycle_until)) FILTER (WHERE i.voided_at IS NULL) AS billed_until,
        COALESCE(sum(i.total_micros - i.paid_micros - i.credited_micros - i.written_off_micros),
            0)::bigint AS owed_micros,
        COALESCE(bool_or(i.voided_at IS NOT NULL), false) AS has_void
    FROM invoice i
    WHERE i.customer_id = s.customer_id AND i.subscription_id = s.subscription_id
) b ON true
WHERE s.customer_id = ANY (%(customer_ids)s)
  AND (s.closed_at IS NULL AND c.closed_at IS NULL OR EXISTS (
        SELECT 1 FROM usage_charge u WHERE u.customer_id = s.customer_id
          AND u.subscription_id = s.subscription_id AND u.to_bill AND u.invoice_id IS NULL)
    OR EXISTS (
        SELECT 1 FROM charge x WHERE x.customer_id = s.customer_id
          AND x.subscription_id = s.subscription_id AND x.kind = 'one_off' AND x.waived_at IS NULL
          AND NOT EXISTS (
            SELECT 1 FROM invoice_line l
            JOIN invoice i ON i.customer_id = l.customer_id AND i.invoice_id = l.invoice_id
            WHERE l.customer_id = x.customer_id AND l.charge_id = x.charge_id
              AND i.voided_at IS NULL)))
  AND p.kind = 'monthly' AND p.automatic_bill AND p.bills_from IS NOT NULL
  AND s.plan_version_id IS NOT NULL
ORDER BY s.customer_id, s.subscription_id
