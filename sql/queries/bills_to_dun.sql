-- Open bills of these customers with what decides which steps are due (rule I5), the oldest first.
-- Bills of late fees alone are not dunned, nor are customers that are closed.
SELECT i.customer_id, i.org_id, i.invoice_id, i.subscription_id,
    COALESCE(s.profile_id, c.profile_id) AS profile_id, i.number, i.issued_at, i.due_on,
    i.total_micros - i.paid_micros - i.credited_micros - i.written_off_micros AS open_micros,
    i.currency, c.promise_until, w.wallet_id,
    w.posted_micros - w.unposted_micros - w.reserved_micros AS free_micros,
    s.closed_at IS NULL AND s.plan_version_id IS NOT NULL AS is_served, b.billed_until,
    ARRAY(SELECT e.days FROM dunning_event e
          WHERE e.customer_id = i.customer_id AND e.invoice_id = i.invoice_id) AS done
FROM invoice i
JOIN customer c ON c.customer_id = i.customer_id
LEFT JOIN subscription s ON s.customer_id = i.customer_id AND s.subscription_id = i.subscription_id
JOIN wallet w ON w.customer_id = i.customer_id AND w.wallet_id = COALESCE(s.wallet_id,
    (SELECT min(f.wallet_id) FROM wallet f WHERE f.customer_id = i.customer_id))
LEFT JOIN LATERAL (
    SELECT max(COALESCE(l.plan_until, l.cycle_until)) AS billed_until FROM invoice l
    WHERE l.customer_id = s.customer_id AND l.subscription_id = s.subscription_id
      AND l.voided_at IS NULL
) b ON true
WHERE i.customer_id = ANY (%(customer_ids)s) AND i.paid_at IS NULL AND c.closed_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM dunning_event f
                  WHERE f.customer_id = i.customer_id AND f.fee_invoice_id = i.invoice_id)
ORDER BY i.customer_id, i.due_on, i.invoice_id
