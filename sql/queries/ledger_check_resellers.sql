-- Everything in the books of resellers that contradicts something else (rules M4, R1, R2, R3),
-- in one statement, as ledger_check.sql, with the same columns.
-- What resellers were debited for what their customers paid, and what came from one account into another,
-- is nothing in all (rules R1, R2).
SELECT concat(n.account, ' is not nothing in all') AS problem, 0 AS customer_id, p.currency AS subject,
    0 AS expected, sum(p.amount_micros) AS found
FROM (VALUES ('money:reseller'), ('transfer:reseller')) AS n(account)
JOIN posting p ON p.account = n.account
GROUP BY n.account, p.currency HAVING sum(p.amount_micros) <> 0
UNION ALL
SELECT 'sale of a reseller differs from the customer''s payment', s.customer_id,
    concat('sale ', s.sale_id), s.retail_micros - s.back_micros,
    COALESCE(p.amount_micros, 0) - COALESCE(b.back, 0)
FROM reseller_sale s
LEFT JOIN payment p ON p.customer_id = s.customer_id AND p.payment_id = s.payment_id
LEFT JOIN LATERAL (SELECT sum(o.amount_micros) AS back FROM posting o
                   WHERE o.customer_id = s.customer_id AND o.entry_id = s.back_entry_id
                     AND o.account = 'money:reseller') b ON true
WHERE s.retail_micros - s.back_micros <> COALESCE(p.amount_micros, 0) - COALESCE(b.back, 0)
UNION ALL
SELECT 'payment by a reseller without its sale', p.customer_id, concat('payment ', p.payment_id), 1, 0
FROM payment p
WHERE p.channel = 'reseller' AND NOT EXISTS (
    SELECT 1 FROM reseller_sale s
    WHERE s.customer_id = p.customer_id AND s.payment_id = p.payment_id)
UNION ALL
SELECT 'sale of a reseller differs from what its account paid', s.customer_id,
    concat('sale ', s.sale_id), s.retail_micros - s.back_micros,
    COALESCE(h.retail_micros, 0) - COALESCE(b.back, 0)
FROM reseller_sale s
LEFT JOIN reseller_share h ON h.sale_id = s.sale_id AND h.depth = 0
LEFT JOIN LATERAL (SELECT -sum(o.amount_micros) AS back FROM posting o
                   WHERE o.customer_id = h.customer_id AND o.entry_id = h.back_entry_id
                     AND o.account = 'money:reseller') b ON true
WHERE s.retail_micros - s.back_micros <> COALESCE(h.retail_micros, 0) - COALESCE(b.back, 0)
UNION ALL
-- Every entry of an account is a sale's, an undo's, a customer's own purchase's or a transfer's, and moves
-- what that says.
SELECT 'account of a reseller differs from its sales and transfers',
    COALESCE(t.customer_id, p.customer_id),
    concat('entry ', COALESCE(t.entry_id, p.entry_id)), COALESCE(t.told, 0), COALESCE(p.moved, 0)
FROM (SELECT customer_id, entry_id, wallet_micros AS told FROM reseller_share
      WHERE entry_id IS NOT NULL
      UNION ALL
      SELECT customer_id, back_entry_id, back_wallet_micros FROM reseller_share
      WHERE back_entry_id IS NOT NULL
      UNION ALL
      SELECT customer_id, entry_id, wallet_micros FROM reseller_voucher_share
      WHERE entry_id IS NOT NULL
      UNION ALL
      SELECT customer_id, entry_id, wallet_micros FROM self_purchase_share
      WHERE entry_id IS NOT NULL
      UNION ALL
      SELECT customer_id, entry_id, amount_micros FROM reseller_transfer
      UNION ALL
      SELECT from_customer_id, from_entry_id, -amount_micros FROM reseller_transfer
      WHERE from_entry_id IS NOT NULL) t
FULL JOIN (SELECT e.customer_id, e.entry_id,
               COALESCE(sum(o.amount_micros) FILTER (WHERE o.account = 'wallet'), 0) AS moved
           FROM reseller r
           JOIN journal_entry e ON e.customer_id = r.account_customer_id
           LEFT JOIN posting o ON o.customer_id = e.customer_id AND o.entry_id = e.entry_id
           GROUP BY e.customer_id, e.entry_id) p
    ON p.customer_id = t.customer_id AND p.entry_id = t.entry_id
WHERE t.entry_id IS NULL OR p.entry_id IS NULL OR t.told <> p.moved
UNION ALL
-- Who sold pays its cost; each above gets the difference of what is paid below and what it pays.
SELECT 'margin differs from the price lists', h.customer_id, concat(h.what, ' ', h.sale_id),
    CASE WHEN h.depth = 0 THEN -h.cost_micros ELSE b.cost_micros - h.cost_micros END,
    h.wallet_micros
FROM (SELECT 'sale' AS what, customer_id, sale_id, depth, cost_micros, wallet_micros
      FROM reseller_share
      UNION ALL
      SELECT 'sale of vouchers', customer_id, sale_id, depth, cost_micros, wallet_micros
      FROM reseller_voucher_share) h
LEFT JOIN (SELECT 'sale' AS what, sale_id, depth, cost_micros FROM reseller_share
           UNION ALL
           SELECT 'sale of vouchers', sale_id, depth, cost_micros FROM reseller_voucher_share) b
    ON b.what = h.what AND b.sale_id = h.sale_id AND b.depth = h.depth - 1
WHERE h.wallet_micros IS DISTINCT FROM
    CASE WHEN h.depth = 0 THEN -h.cost_micros ELSE b.cost_micros - h.cost_micros END
UNION ALL
-- What a customer paid for what it bought itself, and has got back of it.
SELECT 'purchase by a customer differs from its entries', s.customer_id,
    concat('purchase ', s.purchase_id), s.paid_micros - s.back_micros,
    COALESCE(p.paid, 0) - COALESCE(b.back, 0)
FROM self_purchase s
LEFT JOIN LATERAL (SELECT -sum(o.amount_micros) AS paid FROM posting o
                   WHERE o.customer_id = s.customer_id AND o.entry_id = s.entry_id
                     AND o.account = 'wallet') p ON true
LEFT JOIN LATERAL (SELECT sum(o.amount_micros) AS back FROM journal_entry e
                   JOIN posting o ON o.customer_id = e.customer_id AND o.entry_id = e.entry_id
                   WHERE e.customer_id = s.customer_id AND e.corrects_entry_id = s.entry_id
                     AND o.account = 'wallet') b ON true
WHERE s.paid_micros <> COALESCE(p.paid, 0) OR s.back_micros <> COALESCE(b.back, 0)
UNION ALL
-- What is paid less what is passed on, or what is passed on below less what is passed on.
SELECT 'earned by a customer''s purchase differs from the price lists', h.customer_id,
    concat('purchase ', h.purchase_id),
    CASE WHEN h.depth = 0 THEN COALESCE(s.paid_micros, 0)
        ELSE COALESCE(b.cost_micros, h.cost_micros + h.wallet_micros) END - h.cost_micros, h.wallet_micros
FROM self_purchase_share h
LEFT JOIN self_purchase s ON s.purchase_id = h.purchase_id
LEFT JOIN self_purchase_share b
    ON b.purchase_id = h.purchase_id AND b.depth = h.depth - 1 AND b.paid_micros > 0
WHERE h.paid_micros > 0 AND (
    s.purchase_id IS NULL OR h.paid_micros <> s.paid_micros OR h.wallet_micros < 0
    OR h.wallet_micros <> CASE WHEN h.depth = 0 THEN s.paid_micros
        ELSE COALESCE(b.cost_micros, h.cost_micros + h.wallet_micros) END - h.cost_micros)
UNION ALL
-- Of what was earned as much is taken back as the customer got back of what it paid.
SELECT 'taken back of a customer''s purchase differs from what it got back', h.customer_id,
    concat('purchase ', h.purchase_id),
    round(max(h.wallet_micros)::numeric * s.back_micros / s.paid_micros)::bigint,
    -COALESCE(sum(h.wallet_micros) FILTER (WHERE h.paid_micros < 0), 0)
FROM self_purchase_share h JOIN self_purchase s ON s.purchase_id = h.purchase_id
GROUP BY h.customer_id, h.purchase_id, s.back_micros, s.paid_micros
HAVING round(max(h.wallet_micros)::numeric * s.back_micros / s.paid_micros)::bigint
        <> -COALESCE(sum(h.wallet_micros) FILTER (WHERE h.paid_micros < 0), 0)
    OR count(*) FILTER (WHERE h.paid_micros > 0) <> 1
UNION ALL
SELECT 'purchase by a customer that nobody earns by', s.customer_id,
    concat('purchase ', s.purchase_id), 1, 0
FROM self_purchase s
WHERE NOT EXISTS (SELECT 1 FROM self_purchase_share h WHERE h.purchase_id = s.purchase_id)
UNION ALL
-- What a reseller's money paid for vouchers, at the counter and in the account, is what they are worth
-- (rule R3); negative where they were given back.
SELECT 'vouchers sold by a reseller differ from its money', s.customer_id,
    concat('sale of vouchers ', s.sale_id), s.retail_micros,
    LEAST(COALESCE(p.paid, 0), COALESCE(h.retail_micros, 0))
FROM reseller_voucher_sale s
LEFT JOIN reseller_voucher_share h ON h.sale_id = s.sale_id AND h.depth = 0
LEFT JOIN LATERAL (SELECT -sum(o.amount_micros) AS paid FROM posting o
                   WHERE o.customer_id = s.customer_id AND o.entry_id = s.entry_id
                     AND o.account = 'money:reseller') p ON true
WHERE s.retail_micros <> COALESCE(p.paid, 0) OR s.retail_micros <> COALESCE(h.retail_micros, 0)
UNION ALL
-- Each voucher is of the sale that paid for it, but for those that were given back.
SELECT 'vouchers of a reseller differ from its sales of them', s.customer_id,
    concat('sale of vouchers ', s.sale_id), s.count + COALESCE(b.count, 0), COALESCE(v.count, 0)
FROM reseller_voucher_sale s
LEFT JOIN (SELECT of_sale_id, sum(count) AS count FROM reseller_voucher_sale
           WHERE count < 0 GROUP BY of_sale_id) b ON b.of_sale_id = s.sale_id
LEFT JOIN (SELECT reseller_sale_id, count(*) AS count FROM voucher
           WHERE reseller_sale_id IS NOT NULL AND state NOT IN ('created', 'replaced')
           GROUP BY reseller_sale_id) v ON v.reseller_sale_id = s.sale_id
WHERE s.count > 0 AND s.count + COALESCE(b.count, 0) <> COALESCE(v.count, 0)
UNION ALL
SELECT 'voucher of a reseller that no wallet paid for', COALESCE(v.customer_id, 0),
    concat('voucher ', v.serial), 1, 0
FROM voucher v JOIN reseller r ON r.org_id = v.org_id
WHERE v.reseller_sale_id IS NULL
  AND (v.state IN ('active', 'redeemed') OR v.state = 'expired' AND v.activated_at IS NOT NULL)
ORDER BY 1, 2, 3 LIMIT %(most)s
