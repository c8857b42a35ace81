-- Payments by gateways in any state, and money that came in otherwise, newest first, from before a place of this order
-- on. `text`: a customer's number or a part of its name, a number, key or reference of the payment, or its receipt.
-- The page is cut before anything is joined to it.
SELECT m.at, m.source, m.number, m.customer_id, c.name AS customer_name, m.state,
    coalesce(g.channel, p.channel, '') AS channel, coalesce(g.name, '') AS gateway, m.purpose, m.amount_micros,
    m.back_micros, m.currency, m.reference, m.actor, r.number AS receipt_number
FROM (
    (SELECT a.created_at AS at, 1 AS source, a.attempt_id AS number, a.customer_id, a.payment_id, a.gateway_id,
        a.state, a.purpose, a.amount_micros, a.refunded_micros + a.charged_back_micros AS back_micros, a.currency,
        coalesce(a.provider_ref, '') AS reference, a.requested_by AS actor
    FROM payment_attempt a
    WHERE (%(states)s::text[] IS NULL OR a.state = ANY (%(states)s::text[]))
      AND (%(customer)s::bigint IS NULL OR a.customer_id = %(customer)s)
      AND (%(since)s::timestamptz IS NULL OR a.created_at >= %(since)s)
      AND (%(until)s::timestamptz IS NULL OR a.created_at < %(until)s)
      AND (%(at)s::timestamptz IS NULL
           OR (a.created_at, 1, a.attempt_id) < (%(at)s, %(source)s::int, %(number)s::bigint))
      -- A gateway may belong to an organisation above, which whoever asks does not see.
      AND (%(channel)s::text IS NULL
           OR a.gateway_id IN (SELECT gateway_id FROM gateway WHERE channel = %(channel)s)
           OR EXISTS (SELECT FROM payment p WHERE p.customer_id = a.customer_id
                      AND p.payment_id = a.payment_id AND p.channel = %(channel)s))
      AND (%(text)s::text IS NULL
           OR a.attempt_id = %(id)s OR a.customer_id = %(id)s OR a.key = %(text)s OR a.provider_ref = %(text)s
           OR a.customer_id IN (SELECT customer_id FROM customer WHERE strpos(lower(name), lower(%(text)s)) > 0)
           OR (a.customer_id, a.payment_id) IN (SELECT customer_id, payment_id FROM receipt
                                                WHERE number = upper(%(text)s)))
    ORDER BY a.created_at DESC, a.attempt_id DESC
    LIMIT %(limit)s)
    UNION ALL
    (SELECT p.received_at, 0, p.payment_id, p.customer_id, p.payment_id, NULL,
        'received', '', p.amount_micros, 0, p.currency,
        coalesce(p.reference, ''), p.taken_by
    FROM payment p
    WHERE (%(states)s::text[] IS NULL OR 'received' = ANY (%(states)s::text[]))
      AND NOT EXISTS (
          SELECT FROM payment_attempt a WHERE a.customer_id = p.customer_id AND a.payment_id = p.payment_id)
      AND (%(customer)s::bigint IS NULL OR p.customer_id = %(customer)s)
      AND (%(since)s::timestamptz IS NULL OR p.received_at >= %(since)s)
      AND (%(until)s::timestamptz IS NULL OR p.received_at < %(until)s)
      AND (%(at)s::timestamptz IS NULL
           OR (p.received_at, 0, p.payment_id) < (%(at)s, %(source)s::int, %(number)s::bigint))
      AND (%(channel)s::text IS NULL OR p.channel = %(channel)s)
      AND (%(text)s::text IS NULL
           OR p.customer_id = %(id)s OR strpos(lower(p.reference), lower(%(text)s)) > 0
           OR p.customer_id IN (SELECT customer_id FROM customer WHERE strpos(lower(name), lower(%(text)s)) > 0)
           OR (p.customer_id, p.payment_id) IN (SELECT customer_id, payment_id FROM receipt
                                                WHERE number = upper(%(text)s)))
    ORDER BY p.received_at DESC, p.payment_id DESC
    LIMIT %(limit)s)
    ORDER BY at DESC, source DESC, number DESC
    LIMIT %(limit)s
) AS m
JOIN customer c ON c.customer_id = m.customer_id
LEFT JOIN gateway g ON g.gateway_id = m.gateway_id
LEFT JOIN payment p ON p.customer_id = m.customer_id AND p.payment_id = m.payment_id
LEFT JOIN receipt r ON r.customer_id = m.customer_id AND r.payment_id = m.payment_id
ORDER BY m.at DESC, m.source DESC, m.number DESC
