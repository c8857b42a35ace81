-- What a customer's usage comes to that may be posted: of days that are over and of sessions that have
-- ended (rule P2), by wallet, day and tax rate; marked as posted in the same statement. The customer is locked,
-- so the meter waits. Micros.
WITH due AS (
    UPDATE daily_usage u SET posted_micros = u.charged_micros
    FROM daily_usage old
    WHERE u.customer_id = %(customer_id)s AND u.charged_micros <> u.posted_micros
      AND (u.local_day < %(today)s OR NOT EXISTS (
            SELECT 1 FROM live_session v WHERE v.customer_id = u.customer_id
              AND v.session_id = u.session_id AND v.closed_at IS NULL))
      AND old.customer_id = u.customer_id AND old.session_id = u.session_id
      AND old.local_day = u.local_day AND old.kind = u.kind
      AND old.entitlement_id = u.entitlement_id AND old.plan_version_id = u.plan_version_id
      AND old.tariff_window = u.tariff_window
    RETURNING u.subscription_id, u.local_day, u.charged_micros - old.posted_micros AS amount_micros
)
SELECT s.wallet_id, d.local_day, p.tax_rate_ppm, sum(d.amount_micros)::bigint AS amount_micros
FROM due d
JOIN subscription s
    ON s.customer_id = %(customer_id)s AND s.subscription_id = d.subscription_id
JOIN customer c ON c.customer_id = s.customer_id
JOIN billing_profile p ON p.profile_id = COALESCE(s.profile_id, c.profile_id)
GROUP BY s.wallet_id, d.local_day, p.tax_rate_ppm HAVING sum(d.amount_micros) <> 0
ORDER BY s.wallet_id, d.local_day, p.tax_rate_ppm
