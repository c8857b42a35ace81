-- What the usage of these customers comes to that may be posted: of days that are over and of sessions
-- that have ended, or all of it with `to_the_end` (rule P2), by wallet, day, tax rate, subscription and
-- tariff window; marked as posted in the same statement. The customers are locked, so the meter waits.
-- Seconds, octets, micros.
WITH due AS (
    UPDATE daily_usage u SET posted_micros = u.charged_micros, posted_seconds = u.seconds,
        posted_octets = u.input_octets + u.output_octets
    FROM daily_usage old
    WHERE u.customer_id IN (SELECT w.customer_id FROM wallet w
                            WHERE w.customer_id = ANY (%(customer_ids)s) AND w.unposted_micros <> 0)
      AND (u.charged_micros <> u.posted_micros OR u.kind = 'payg' AND (u.seconds <> u.posted_seconds
            OR u.input_octets + u.output_octets <> u.posted_octets))
      AND (%(to_the_end)s OR u.local_day < %(today)s OR NOT EXISTS (
            SELECT 1 FROM live_session v WHERE v.customer_id = u.customer_id
              AND v.session_id = u.session_id AND v.closed_at IS NULL))
      AND old.customer_id = u.customer_id AND old.session_id = u.session_id
      AND old.local_day = u.local_day AND old.kind = u.kind
      AND old.entitlement_id = u.entitlement_id AND old.plan_version_id = u.plan_version_id
      AND old.tariff_window = u.tariff_window
    RETURNING u.customer_id, u.subscription_id, u.local_day, u.tariff_window, u.plan_version_id,
        u.charged_micros - old.posted_micros AS gross_micros,
        u.seconds - old.posted_seconds AS seconds,
        u.input_octets + u.output_octets - old.posted_octets AS octets
)
SELECT d.customer_id, s.org_id, d.subscription_id, s.wallet_id, w.currency, d.local_day,
    d.tariff_window, COALESCE(v.tax_rate_ppm, p.tax_rate_ppm) AS tax_rate_ppm,
    v.tax_rate_ppm AS own_tax_rate_ppm,
    p.kind = 'monthly' AND p.automatic_bill AND p.bills_from IS NOT NULL AS to_bill,
    sum(d.seconds)::bigint AS seconds, sum(d.octets)::bigint AS octets,
    sum(d.gross_micros)::bigint AS gross_micros
FROM due d
JOIN subscription s ON s.customer_id = d.customer_id AND s.subscription_id = d.subscription_id
JOIN customer c ON c.customer_id = d.customer_id
JOIN wallet w ON w.customer_id = s.customer_id AND w.wallet_id = s.wallet_id
JOIN billing_profile p ON p.profile_id = COALESCE(s.profile_id, c.profile_id)
LEFT JOIN plan_version v ON v.plan_version_id = d.plan_version_id
GROUP BY d.customer_id, s.org_id, d.subscription_id, s.wallet_id, w.currency, d.local_day,
    d.tariff_window, p.profile_id, v.tax_rate_ppm
ORDER BY d.customer_id, s.wallet_id, d.local_day, d.subscription_id, d.tariff_window,
    v.tax_rate_ppm
