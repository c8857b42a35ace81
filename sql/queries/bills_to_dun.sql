-- Open bills of these customers with what decides which steps are due (rule I5), the oldest first.
-- Bills of late fees alone are not dunned, nor are customers that are closed.
SELECT i.customer_id, i.org_id, i.invoice_id, i.subscription_id,
    COALESCE(s.profile_id, c.profile_id) AS profile_id, i.number, i.issued_at, i.due_on,
    i.total_micros - i.paid_micros - i.credited_micros - i.written_off_micros AS open_micros,
    i.currency, c.promise_until,
    ARRAY(SELECT e.days FROM dunning_event e
          WHERE e.customer_id = i.customer_id AND e.invoice_id = i.invoice_id) AS done
FROM invoice i
JOIN customer c ON c.customer_id = i.customer_id
LEFT JOIN subscription s ON s.customer_id = i.customer_id AND s.subscription_id = i.subscription_id
WHERE i.customer_id = ANY (%(customer_ids)s) AND i.paid_at IS NULL AND c.closed_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM dunning_event f
                  WHERE f.customer_id = i.customer_id AND f.fee_invoice_id = i.invoice_id)
ORDER BY i.customer_id, i.due_on, i.invoice_id
