-- Posted usage of these customers that no bill holds, by subscription, calendar month, tariff window and
-- tax rate of its own (rule I1), with the pieces that it is made of. `billed_this_month`: a bill of the subscription
-- that is of a cycle or holds usage was issued since the instant `month_began`. Seconds, octets, micros.
SELECT u.customer_id, u.subscription_id, date_trunc('month', u.local_day)::date AS month,
    u.tariff_window, sum(u.seconds)::bigint AS seconds, sum(u.octets)::bigint AS octets,
    sum(u.gross_micros)::bigint AS gross_micros, sum(u.tax_micros)::bigint AS tax_micros,
    u.tax_rate_ppm, w.currency, array_agg(u.usage_charge_id ORDER BY u.usage_charge_id) AS usage_charge_ids,
    EXISTS (SELECT 1 FROM invoice i
            WHERE i.customer_id = u.customer_id AND i.subscription_id = u.subscription_id
              AND i.issued_at >= %(month_began)s AND i.voided_at IS NULL
              AND (i.cycle_until IS NOT NULL OR EXISTS (
                    SELECT 1 FROM invoice_line l
                    WHERE l.customer_id = i.customer_id AND l.invoice_id = i.invoice_id
                      AND l.usage_micros IS NOT NULL))) AS billed_this_month
FROM usage_charge u
JOIN wallet w ON w.customer_id = u.customer_id AND w.wallet_id = u.wallet_id
WHERE u.customer_id = ANY (%(customer_ids)s) AND u.to_bill AND u.invoice_id IS NULL
GROUP BY u.customer_id, u.subscription_id, month, u.tariff_window, u.tax_rate_ppm, w.currency
ORDER BY u.customer_id, u.subscription_id, month, u.tariff_window, u.tax_rate_ppm
