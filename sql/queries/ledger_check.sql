-- Everything in the books of money that contradicts something else (rules M4, P2, I2, I4, I6, R3), in
-- one statement, so that all of it is seen at one instant (resellers: ledger_check_resellers.sql). One row a finding: what is wrong, whose it is,
-- what it should be and what it is, in micros; for numbers of bills, how many there should be.
SELECT 'entry does not sum to zero' AS problem, p.customer_id, concat('entry ', p.entry_id) AS subject,
    0::numeric AS expected, sum(p.amount_micros) AS found
FROM posting p GROUP BY p.customer_id, p.entry_id, p.currency HAVING sum(p.amount_micros) <> 0
UNION ALL
SELECT 'entry without postings', e.customer_id, concat('entry ', e.entry_id), 1, 0
FROM journal_entry e
WHERE NOT EXISTS (SELECT 1 FROM posting p
                  WHERE p.customer_id = e.customer_id AND p.entry_id = e.entry_id)
UNION ALL
SELECT 'posting without an entry', p.customer_id, concat('entry ', p.entry_id), 0, sum(p.amount_micros)
FROM posting p
WHERE NOT EXISTS (SELECT 1 FROM journal_entry e
                  WHERE e.customer_id = p.customer_id AND e.entry_id = p.entry_id)
GROUP BY p.customer_id, p.entry_id
UNION ALL
SELECT 'wallet differs from its postings', w.customer_id, concat('wallet ', w.wallet_id),
    COALESCE(p.posted, 0), w.posted_micros
FROM wallet w
LEFT JOIN (SELECT customer_id, wallet_id, sum(amount_micros) AS posted FROM posting
           WHERE wallet_id IS NOT NULL GROUP BY customer_id, wallet_id) p
    ON p.customer_id = w.customer_id AND p.wallet_id = w.wallet_id
WHERE w.posted_micros <> COALESCE(p.posted, 0)
UNION ALL
SELECT 'posting in another currency than its wallet', p.customer_id, concat('wallet ', p.wallet_id),
    0, sum(p.amount_micros)
FROM posting p JOIN wallet w ON w.customer_id = p.customer_id AND w.wallet_id = p.wallet_id
WHERE w.currency <> p.currency GROUP BY p.customer_id, p.wallet_id
UNION ALL
SELECT 'usage charged and not posted differs from the wallets''', c.customer_id,
    concat('customer ', c.customer_id), COALESCE(u.open, 0), c.unposted
FROM (SELECT customer_id, sum(unposted_micros) AS unposted FROM wallet GROUP BY customer_id) c
LEFT JOIN (SELECT customer_id, sum(charged_micros - posted_micros) AS open FROM daily_usage
           WHERE charged_micros <> posted_micros GROUP BY customer_id) u
    ON u.customer_id = c.customer_id
WHERE c.unposted <> COALESCE(u.open, 0)
UNION ALL
SELECT 'usage posted differs from its postings', COALESCE(u.customer_id, p.customer_id),
    concat('customer ', COALESCE(u.customer_id, p.customer_id)), COALESCE(u.posted, 0),
    COALESCE(p.posted, 0)
FROM (SELECT customer_id, sum(posted_micros) AS posted FROM daily_usage
      WHERE posted_micros <> 0 GROUP BY customer_id) u
FULL JOIN (SELECT p.customer_id, -sum(p.amount_micros) AS posted
           FROM posting p JOIN journal_entry e
               ON e.customer_id = p.customer_id AND e.entry_id = p.entry_id
           WHERE e.kind = 'usage' AND p.account = 'wallet' GROUP BY p.customer_id) p
    ON p.customer_id = u.customer_id
WHERE COALESCE(u.posted, 0) <> COALESCE(p.posted, 0)
UNION ALL
-- Every micro of posted usage is in one piece; a piece is on one bill, or on none yet, or was paid from
-- the wallet for good (rule P2).
SELECT 'usage posted differs from its pieces', COALESCE(u.customer_id, c.customer_id),
    concat('customer ', COALESCE(u.customer_id, c.customer_id)), COALESCE(u.posted, 0),
    COALESCE(c.posted, 0)
FROM (SELECT customer_id, sum(posted_micros) AS posted FROM daily_usage
      WHERE posted_micros <> 0 GROUP BY customer_id) u
FULL JOIN (SELECT customer_id, sum(gross_micros) AS posted FROM usage_charge
           GROUP BY customer_id) c ON c.customer_id = u.customer_id
WHERE COALESCE(u.posted, 0) <> COALESCE(c.posted, 0)
UNION ALL
SELECT 'usage differs from its entry', c.customer_id, concat('entry ', c.entry_id),
    COALESCE(p.posted, 0), c.posted
FROM (SELECT customer_id, entry_id, sum(gross_micros) AS posted FROM usage_charge
      WHERE entry_id IS NOT NULL GROUP BY customer_id, entry_id) c
LEFT JOIN (SELECT customer_id, entry_id, -sum(amount_micros) AS posted FROM posting
           WHERE account = 'wallet' GROUP BY customer_id, entry_id) p
    ON p.customer_id = c.customer_id AND p.entry_id = c.entry_id
WHERE c.posted <> COALESCE(p.posted, 0)
UNION ALL
SELECT 'bill differs from the usage on it', COALESCE(l.customer_id, c.customer_id),
    concat('bill ', COALESCE(l.invoice_id, c.invoice_id)), COALESCE(c.rated, 0), COALESCE(l.rated, 0)
FROM (SELECT l.customer_id, l.invoice_id, sum(l.usage_micros) AS rated
      FROM invoice_line l
      JOIN invoice i ON i.customer_id = l.customer_id AND i.invoice_id = l.invoice_id
      WHERE l.usage_micros IS NOT NULL AND i.voided_at IS NULL
      GROUP BY l.customer_id, l.invoice_id) l
FULL JOIN (SELECT customer_id, invoice_id, sum(gross_micros) AS rated FROM usage_charge
           WHERE invoice_id IS NOT NULL GROUP BY customer_id, invoice_id) c
    ON c.customer_id = l.customer_id AND c.invoice_id = l.invoice_id
WHERE COALESCE(l.rated, 0) <> COALESCE(c.rated, 0)
UNION ALL
SELECT 'tax to be billed differs from the usage on no bill', COALESCE(c.customer_id, p.customer_id),
    concat('customer ', COALESCE(c.customer_id, p.customer_id)), COALESCE(c.tax, 0),
    COALESCE(p.tax, 0)
FROM (SELECT customer_id, sum(tax_micros) AS tax FROM usage_charge
      WHERE to_bill AND invoice_id IS NULL GROUP BY customer_id) c
FULL JOIN (SELECT customer_id, sum(amount_micros) AS tax FROM posting
           WHERE account = 'tax:unbilled' GROUP BY customer_id) p ON p.customer_id = c.customer_id
WHERE COALESCE(c.tax, 0) <> COALESCE(p.tax, 0)
UNION ALL
SELECT 'bill differs from its lines', i.customer_id, i.number,
    COALESCE(l.net, 0) + i.tax_micros + i.rounding_micros, i.total_micros
FROM invoice i
LEFT JOIN (SELECT customer_id, invoice_id, sum(amount_micros) AS net FROM invoice_line
           GROUP BY customer_id, invoice_id) l
    ON l.customer_id = i.customer_id AND l.invoice_id = i.invoice_id
WHERE i.total_micros <> COALESCE(l.net, 0) + i.tax_micros + i.rounding_micros
UNION ALL
SELECT 'bill differs from what was allocated to it', i.customer_id, i.number,
    COALESCE(a.paid, 0), i.paid_micros
FROM invoice i
LEFT JOIN (SELECT customer_id, invoice_id, sum(amount_micros) AS paid FROM payment_allocation
           GROUP BY customer_id, invoice_id) a
    ON a.customer_id = i.customer_id AND a.invoice_id = i.invoice_id
WHERE i.paid_micros <> COALESCE(a.paid, 0)
UNION ALL
SELECT 'what is owed differs from the open bills', COALESCE(i.customer_id, r.customer_id),
    concat('customer ', COALESCE(i.customer_id, r.customer_id)), COALESCE(i.owed, 0),
    COALESCE(r.owed, 0)
FROM (SELECT customer_id,
          sum(total_micros - paid_micros - credited_micros - written_off_micros) AS owed FROM invoice
      GROUP BY customer_id) i
FULL JOIN (SELECT customer_id, -sum(amount_micros) AS owed FROM posting
           WHERE account = 'receivable' GROUP BY customer_id) r ON r.customer_id = i.customer_id
WHERE COALESCE(i.owed, 0) <> COALESCE(r.owed, 0)
UNION ALL
SELECT 'bill differs from its credit notes', i.customer_id, i.number,
    COALESCE(n.credited, 0), i.credited_micros
FROM invoice i
LEFT JOIN (SELECT customer_id, invoice_id, sum(total_micros) AS credited FROM credit_note
           GROUP BY customer_id, invoice_id) n
    ON n.customer_id = i.customer_id AND n.invoice_id = i.invoice_id
WHERE i.credited_micros <> COALESCE(n.credited, 0)
UNION ALL
SELECT 'credit note differs from its entry', n.customer_id, n.number, n.total_micros,
    COALESCE(p.credited, 0)
FROM credit_note n
LEFT JOIN (SELECT customer_id, entry_id, sum(amount_micros) AS credited FROM posting
           WHERE account IN ('wallet', 'receivable') GROUP BY customer_id, entry_id) p
    ON p.customer_id = n.customer_id AND p.entry_id = n.entry_id
WHERE n.total_micros <> COALESCE(p.credited, 0)
UNION ALL
SELECT 'bill differs from what was written off of it', i.customer_id, i.number,
    COALESCE(w.amount_micros, 0) - COALESCE(r.recovered, 0), i.written_off_micros
FROM invoice i
LEFT JOIN write_off w ON w.customer_id = i.customer_id AND w.invoice_id = i.invoice_id
LEFT JOIN (SELECT customer_id, invoice_id, sum(amount_micros) AS recovered FROM recovery
           GROUP BY customer_id, invoice_id) r
    ON r.customer_id = i.customer_id AND r.invoice_id = i.invoice_id
WHERE i.written_off_micros <> COALESCE(w.amount_micros, 0) - COALESCE(r.recovered, 0)
UNION ALL
SELECT 'write-off differs from its entry', w.customer_id, concat('bill ', w.invoice_id),
    w.amount_micros, COALESCE(p.lost, 0)
FROM write_off w
LEFT JOIN (SELECT customer_id, entry_id, -sum(amount_micros) AS lost FROM posting
           WHERE account IN ('bad_debt', 'tax:unpaid') GROUP BY customer_id, entry_id) p
    ON p.customer_id = w.customer_id AND p.entry_id = w.entry_id
WHERE w.amount_micros <> COALESCE(p.lost, 0)
UNION ALL
SELECT 'recovery differs from its entry', r.customer_id, concat('bill ', r.invoice_id),
    r.amount_micros, COALESCE(p.paid, 0)
FROM recovery r
LEFT JOIN (SELECT customer_id, entry_id,
               -sum(amount_micros) FILTER (WHERE account = 'wallet') AS paid,
               sum(amount_micros) FILTER (WHERE account = 'bad_debt') AS less_lost,
               COALESCE(sum(amount_micros) FILTER (WHERE account = 'tax'), 0) AS tax
           FROM posting GROUP BY customer_id, entry_id) p
    ON p.customer_id = r.customer_id AND p.entry_id = r.entry_id
WHERE (p.paid, p.less_lost, p.tax) IS DISTINCT FROM
    (r.amount_micros::numeric, (r.amount_micros - r.tax_micros)::numeric, r.tax_micros::numeric)
UNION ALL
SELECT 'numbers of bills have gaps', 0, concat(s.series, ' of organisation ', s.org_id),
    s.next_number - 1, count(n.number)
FROM invoice_series s
LEFT JOIN (SELECT org_id, number FROM invoice UNION ALL SELECT org_id, number FROM credit_note
           UNION ALL SELECT org_id, number FROM receipt
           UNION ALL SELECT org_id, number FROM prepayment_invoice) n
    ON n.org_id = s.org_id AND n.number LIKE s.series || '-%%'
GROUP BY s.org_id, s.series, s.next_number HAVING count(n.number) <> s.next_number - 1
UNION ALL
SELECT 'payment without its entry', p.customer_id, concat('payment ', p.payment_id),
    p.amount_micros, COALESCE(o.credited, 0)
FROM payment p
LEFT JOIN (SELECT customer_id, entry_id, wallet_id, sum(amount_micros) AS credited FROM posting
           WHERE wallet_id IS NOT NULL GROUP BY customer_id, entry_id, wallet_id) o
    ON o.customer_id = p.customer_id AND o.entry_id = p.entry_id AND o.wallet_id = p.wallet_id
WHERE p.amount_micros <> COALESCE(o.credited, 0)
UNION ALL
-- What a provider took is in the books once, less what went back of it (rules P1, M5).
SELECT 'payment by a gateway differs from its money', a.customer_id, concat('payment ', a.attempt_id),
    a.amount_micros, COALESCE(p.amount_micros, 0)
FROM payment_attempt a
LEFT JOIN payment p ON p.customer_id = a.customer_id AND p.payment_id = a.payment_id
    AND p.currency = a.currency
WHERE a.payment_id IS NOT NULL AND a.amount_micros IS DISTINCT FROM p.amount_micros
UNION ALL
SELECT 'money is of two payments by gateways', a.customer_id, concat('money ', a.payment_id), 1, count(*)
FROM payment_attempt a WHERE a.payment_id IS NOT NULL
GROUP BY a.customer_id, a.payment_id HAVING count(*) > 1
UNION ALL
SELECT 'payment differs from what went back of it', a.customer_id, concat('payment ', a.attempt_id),
    COALESCE(r.gone, 0), a.refunded_micros + a.charged_back_micros
FROM payment_attempt a
LEFT JOIN (SELECT customer_id, attempt_id, sum(amount_micros) AS gone FROM payment_reversal
           WHERE state = 'succeeded' GROUP BY customer_id, attempt_id) r
    ON r.customer_id = a.customer_id AND r.attempt_id = a.attempt_id
WHERE a.refunded_micros + a.charged_back_micros <> COALESCE(r.gone, 0)
UNION ALL
SELECT 'refunds on their way differ from their account', COALESCE(r.customer_id, p.customer_id),
    concat('customer ', COALESCE(r.customer_id, p.customer_id)), COALESCE(r.waits, 0),
    COALESCE(p.waits, 0)
FROM (SELECT customer_id, sum(amount_micros) AS waits FROM payment_reversal
      WHERE state IN ('created', 'pending', 'unknown') AND entry_id IS NOT NULL
      GROUP BY customer_id) r
FULL JOIN (SELECT customer_id, sum(amount_micros) AS waits FROM posting
           WHERE account = 'refund:pending' GROUP BY customer_id) p ON p.customer_id = r.customer_id
WHERE COALESCE(r.waits, 0) <> COALESCE(p.waits, 0)
UNION ALL
SELECT 'money in suspense differs from its moves', 0, concat('suspense ', s.suspense_id),
    COALESCE(m.moved, 0), s.moved_micros
FROM suspense s
LEFT JOIN (SELECT suspense_id,
               sum(CASE WHEN undoes_id IS NULL THEN amount_micros ELSE -amount_micros END) AS moved
           FROM suspense_move GROUP BY suspense_id) m ON m.suspense_id = s.suspense_id
WHERE s.moved_micros <> COALESCE(m.moved, 0)
UNION ALL
SELECT 'payment without a receipt', p.customer_id, concat('payment ', p.payment_id), 1, 0
FROM payment p
WHERE p.payment_id > (SELECT min(r.payment_id) FROM receipt r) AND NOT EXISTS (
    SELECT 1 FROM receipt r WHERE r.customer_id = p.customer_id AND r.payment_id = p.payment_id)
UNION ALL
SELECT 'receipt differs from its lines', r.customer_id, r.number, COALESCE(l.net, 0), r.net_micros
FROM receipt r
LEFT JOIN LATERAL (SELECT sum(l.net_micros) AS net
                   FROM jsonb_to_recordset(r.lines) AS l(net_micros bigint)) l ON true
WHERE r.net_micros <> COALESCE(l.net, 0)
UNION ALL
-- The lines of a bill have its tax between them, rate by rate (rule I1).
SELECT 'bill differs from the tax of its lines', i.customer_id, i.number, i.tax_micros, l.tax
FROM invoice i
JOIN (SELECT customer_id, invoice_id, sum(tax_micros) AS tax FROM invoice_line
      GROUP BY customer_id, invoice_id HAVING bool_and(tax_micros IS NOT NULL)) l
    ON l.customer_id = i.customer_id AND l.invoice_id = i.invoice_id
WHERE l.tax <> i.tax_micros
UNION ALL
SELECT 'credit note differs from its tax rates', n.customer_id, n.number, n.net_micros + n.tax_micros,
    r.net + r.tax
FROM credit_note n
CROSS JOIN LATERAL (
    SELECT sum(x.net_micros) AS net, sum(x.tax_micros) AS tax, sum(x.rounding_micros) AS rounding
    FROM jsonb_to_recordset(n.rates) AS x(
        net_micros bigint, tax_micros bigint, rounding_micros bigint)) r
WHERE n.rates IS NOT NULL AND (r.net, r.tax, r.rounding) IS DISTINCT FROM
    (n.net_micros::numeric, n.tax_micros::numeric, n.rounding_micros::numeric)
UNION ALL
SELECT 'more of a tax rate is credited than was billed', r.customer_id, concat('bill ', r.invoice_id),
    l.net + l.tax, r.net + r.tax
FROM (SELECT n.customer_id, n.invoice_id, x.tax_rate_ppm, sum(x.net_micros) AS net,
          sum(x.tax_micros) AS tax
      FROM credit_note n
      CROSS JOIN LATERAL jsonb_to_recordset(n.rates) AS x(
          tax_rate_ppm int, net_micros bigint, tax_micros bigint)
      WHERE n.rates IS NOT NULL GROUP BY n.customer_id, n.invoice_id, x.tax_rate_ppm) r
JOIN (SELECT customer_id, invoice_id, tax_rate_ppm, sum(amount_micros) AS net, sum(tax_micros) AS tax
      FROM invoice_line GROUP BY customer_id, invoice_id, tax_rate_ppm) l
    ON l.customer_id = r.customer_id AND l.invoice_id = r.invoice_id
        AND l.tax_rate_ppm = r.tax_rate_ppm
WHERE l.net > 0 AND (r.net > l.net OR r.tax > l.tax)
UNION ALL
SELECT 'receipt differs from its sale', r.customer_id, r.number, COALESCE(p.tax, 0), r.tax_micros
FROM receipt r
JOIN journal_entry e
    ON e.customer_id = r.customer_id AND e.entry_id = r.entry_id AND e.kind = 'sale'
LEFT JOIN (SELECT customer_id, entry_id, sum(amount_micros) FILTER (WHERE account = 'tax') AS tax,
               -sum(amount_micros) FILTER (WHERE account = 'wallet') AS total
           FROM posting GROUP BY customer_id, entry_id) p
    ON p.customer_id = r.customer_id AND p.entry_id = r.entry_id
WHERE (COALESCE(p.tax, 0), p.total) IS DISTINCT FROM (r.tax_micros::numeric, r.total_micros::numeric)
UNION ALL
SELECT 'what is deferred differs from what is still to be earned',
    COALESCE(i.customer_id, p.customer_id),
    concat('customer ', COALESCE(i.customer_id, p.customer_id)), COALESCE(i.open, 0),
    COALESCE(p.deferred, 0)
FROM (SELECT customer_id, kind, currency,
          sum(net_micros - earned_micros - breakage_micros - returned_micros) AS open
      FROM deferred_item GROUP BY customer_id, kind, currency) i
FULL JOIN (SELECT customer_id, account, currency, sum(amount_micros) AS deferred FROM posting
           WHERE account LIKE 'deferred:%%' GROUP BY customer_id, account, currency) p
    ON p.customer_id = i.customer_id AND p.account = concat('deferred:', i.kind)
        AND p.currency = i.currency
WHERE COALESCE(i.open, 0) <> COALESCE(p.deferred, 0)
UNION ALL
SELECT 'what was sold differs from its moves', i.customer_id, concat('item ', i.item_id),
    COALESCE(m.moved, 0), i.earned_micros + i.breakage_micros + i.returned_micros
FROM deferred_item i
LEFT JOIN (SELECT customer_id, item_id, sum(earned_micros) AS earned,
               sum(breakage_micros) AS breakage,
               sum(earned_micros + breakage_micros + returned_micros) AS moved
           FROM deferred_move GROUP BY customer_id, item_id) m
    ON m.customer_id = i.customer_id AND m.item_id = i.item_id
WHERE (COALESCE(m.earned, 0), COALESCE(m.breakage, 0), COALESCE(m.moved, 0)) IS DISTINCT FROM
    (i.earned_micros::numeric, i.breakage_micros::numeric,
     (i.earned_micros + i.breakage_micros + i.returned_micros)::numeric)
UNION ALL
SELECT 'tax that is not due yet differs from the open bills', COALESCE(b.customer_id, p.customer_id),
    concat('customer ', COALESCE(b.customer_id, p.customer_id)), COALESCE(b.waiting, 0),
    COALESCE(p.waiting, 0)
FROM (SELECT i.customer_id, sum(t.tax - CASE WHEN i.paid_micros >= t.total THEN t.tax
              ELSE div(t.tax * i.paid_micros, t.total) END) AS waiting
      FROM invoice i
      LEFT JOIN (SELECT customer_id, invoice_id, sum(tax_micros) AS tax FROM credit_note
                 GROUP BY customer_id, invoice_id) n
          ON n.customer_id = i.customer_id AND n.invoice_id = i.invoice_id
      LEFT JOIN (SELECT w.customer_id, w.invoice_id, -sum(p.amount_micros) AS tax
                 FROM write_off w
                 JOIN posting p ON p.customer_id = w.customer_id AND p.entry_id = w.entry_id
                 WHERE p.account = 'tax:unpaid' GROUP BY w.customer_id, w.invoice_id) w
          ON w.customer_id = i.customer_id AND w.invoice_id = i.invoice_id
      LEFT JOIN (SELECT customer_id, invoice_id, sum(tax_micros) AS tax FROM recovery
                 GROUP BY customer_id, invoice_id) r
          ON r.customer_id = i.customer_id AND r.invoice_id = i.invoice_id
      CROSS JOIN LATERAL (SELECT
          i.tax_micros - COALESCE(n.tax, 0) - COALESCE(w.tax, 0) + COALESCE(r.tax, 0) AS tax,
          i.total_micros - i.credited_micros - i.written_off_micros AS total) t
      WHERE i.tax_point = 'payment' GROUP BY i.customer_id) b
FULL JOIN (SELECT customer_id, sum(amount_micros) AS waiting FROM posting
           WHERE account = 'tax:unpaid' GROUP BY customer_id) p ON p.customer_id = b.customer_id
WHERE COALESCE(b.waiting, 0) <> COALESCE(p.waiting, 0)
UNION ALL
-- What is owed for vouchers is what those are worth that can still be redeemed (rule R3).
SELECT 'what is owed for vouchers differs from those that can be redeemed', 0,
    concat('vouchers in ', COALESCE(v.currency, p.currency)), COALESCE(v.face, 0), COALESCE(p.owed, 0)
FROM (SELECT b.currency, sum(b.face_micros) AS face
      FROM voucher v JOIN voucher_batch b ON b.batch_id = v.batch_id
      WHERE v.state = 'active' GROUP BY b.currency) v
FULL JOIN (SELECT currency, sum(amount_micros) AS owed FROM posting
           WHERE account = 'money:voucher' GROUP BY currency) p ON p.currency = v.currency
WHERE COALESCE(v.face, 0) <> COALESCE(p.owed, 0)
UNION ALL
-- Each was redeemed by one payment of what it is worth, and each such payment by one voucher.
SELECT 'redeemed voucher differs from its payment', COALESCE(v.customer_id, p.customer_id),
    COALESCE('voucher ' || v.serial, 'payment ' || p.payment_id), COALESCE(v.face, 0),
    COALESCE(p.amount_micros, 0)
FROM (SELECT v.customer_id, v.payment_id, v.serial, b.face_micros AS face, b.currency
      FROM voucher v JOIN voucher_batch b ON b.batch_id = v.batch_id
      WHERE v.state = 'redeemed' AND b.face_micros > 0) v
FULL JOIN (SELECT customer_id, payment_id, amount_micros, currency FROM payment
           WHERE channel = 'voucher') p
    ON p.customer_id = v.customer_id AND p.payment_id = v.payment_id
WHERE (v.face, v.currency) IS DISTINCT FROM (p.amount_micros, p.currency)
UNION ALL
SELECT 'payment by several vouchers', v.customer_id, concat('payment ', v.payment_id), 1, count(*)
FROM voucher v WHERE v.state = 'redeemed' AND v.payment_id IS NOT NULL
GROUP BY v.customer_id, v.payment_id HAVING count(*) > 1
UNION ALL
-- What vouchers were sold for is in the entry of their sale.
SELECT 'vouchers sold differ from their entry', v.sold_customer_id, concat('entry ', v.sold_entry_id),
    v.face, COALESCE(p.sold, 0)
FROM (SELECT v.sold_customer_id, v.sold_entry_id, sum(b.face_micros) AS face
      FROM voucher v JOIN voucher_batch b ON b.batch_id = v.batch_id
      WHERE v.sold_entry_id IS NOT NULL AND v.state <> 'replaced'
      GROUP BY v.sold_customer_id, v.sold_entry_id) v
LEFT JOIN (SELECT customer_id, entry_id, sum(amount_micros) AS sold FROM posting
           WHERE account = 'money:voucher' GROUP BY customer_id, entry_id) p
    ON p.customer_id = v.sold_customer_id AND p.entry_id = v.sold_entry_id
WHERE v.face <> COALESCE(p.sold, 0)
UNION ALL
-- What is in a cashier's shift is what the entry moved, at a reseller's counter as the reseller's money, and a closed one expects what was taken (R4).
SELECT 'money of a shift differs from its entry', s.customer_id, concat('entry ', s.entry_id),
    s.amount_micros, -COALESCE(p.moved, 0)
FROM shift_entry s
LEFT JOIN LATERAL (SELECT sum(o.amount_micros) AS moved FROM posting o
                   WHERE o.customer_id = s.customer_id AND o.entry_id = s.entry_id
                     AND o.account IN (concat('money:', s.channel), 'money:reseller')) p ON true
WHERE s.amount_micros <> -COALESCE(p.moved, 0)
UNION ALL
SELECT 'shift expects another amount than it took', 0, concat('shift ', s.shift_id),
    s.float_micros + COALESCE(e.cash, 0) + COALESCE(h.handed, 0), s.expected_micros
FROM shift s
LEFT JOIN (SELECT shift_id, sum(amount_micros) AS cash FROM shift_entry
           WHERE channel = 'cash' GROUP BY shift_id) e ON e.shift_id = s.shift_id
LEFT JOIN (SELECT shift_id, sum(counted_micros) AS handed FROM collector_settlement
           GROUP BY shift_id) h ON h.shift_id = s.shift_id
WHERE s.expected_micros <> s.float_micros + COALESCE(e.cash, 0) + COALESCE(h.handed, 0)
UNION ALL
-- A collector's receipt is a payment in cash, and a settlement expects what its receipts say (R4).
SELECT 'receipt of a collector differs from its payment', r.customer_id,
    concat('book ', r.book_id, ' number ', r.number), r.amount_micros, COALESCE(p.amount_micros, 0)
FROM paper_receipt r
LEFT JOIN payment p ON p.customer_id = r.customer_id AND p.payment_id = r.payment_id
    AND p.channel = 'cash'
WHERE r.amount_micros IS DISTINCT FROM p.amount_micros
UNION ALL
SELECT 'settlement of a collector differs from its receipts', 0,
    concat('settlement ', s.settlement_id), s.expected_micros, COALESCE(r.receipts, 0)
FROM collector_settlement s
LEFT JOIN (SELECT settlement_id, sum(amount_micros) AS receipts FROM paper_receipt
           GROUP BY settlement_id) r ON r.settlement_id = s.settlement_id
WHERE s.expected_micros <> COALESCE(r.receipts, 0)
ORDER BY 1, 2, 3 LIMIT %(most)s
