-- What a reseller and those below it sold between two instants, or their customers bought themselves, and
-- what of that was undone then, by seller, kind and plan; in micros. What who sold keeps of what its customers paid is its commission; of
-- those below, what they brought.
SELECT e.seller_org_id, o.name AS seller_name, e.kind,
    COALESCE(p.name, 'vouchers for money') AS plan_name, sum(e.sold)::bigint AS sold,
    sum(e.undone)::bigint AS undone, sum(e.paid)::bigint AS paid_micros,
    sum(e.cost)::bigint AS cost_micros, sum(e.moved)::bigint AS wallet_micros,
    sum(CASE WHEN e.depth = 0 AND e.kind <> 'self_service' THEN e.paid - e.cost ELSE e.moved END)::bigint AS commission_micros
FROM (
    SELECT 'sale' AS kind, h.depth, h.seller_org_id, h.plan_id, 1 AS sold, 0 AS undone, s.retail_micros AS paid,
        CASE WHEN h.depth = 0 THEN h.cost_micros ELSE h.cost_micros + h.wallet_micros END AS cost,
        h.wallet_micros AS moved
    FROM reseller_share h JOIN reseller_sale s ON s.sale_id = h.sale_id
    WHERE h.org_id = %(org_id)s AND h.at >= %(start)s AND h.at < %(end)s
    UNION ALL
    SELECT 'sale', h.depth, h.seller_org_id, h.plan_id, 0, 1, -s.back_micros,
        -CASE WHEN h.depth = 0 THEN h.back_micros ELSE h.back_micros - h.back_wallet_micros END,
        h.back_wallet_micros
    FROM reseller_share h JOIN reseller_sale s ON s.sale_id = h.sale_id
    WHERE h.org_id = %(org_id)s AND h.undone_at >= %(start)s AND h.undone_at < %(end)s
    UNION ALL
    -- Vouchers count one by one, those given back among them.
    SELECT 'vouchers', h.depth, h.seller_org_id, h.plan_id, greatest(s.count, 0), -least(s.count, 0),
        s.retail_micros,
        CASE WHEN h.depth = 0 THEN h.cost_micros ELSE h.cost_micros + h.wallet_micros END,
        h.wallet_micros
    FROM reseller_voucher_share h JOIN reseller_voucher_sale s ON s.sale_id = h.sale_id
    WHERE h.org_id = %(org_id)s AND h.at >= %(start)s AND h.at < %(end)s
    UNION ALL
    -- What was taken back is a row of its own; the wallet has got the margin, not paid the cost.
    SELECT 'self_service', h.depth, h.seller_org_id, h.plan_id, (h.paid_micros > 0)::int,
        (h.paid_micros < 0)::int, h.paid_micros, h.cost_micros + CASE WHEN h.depth = 0 THEN 0
            ELSE h.wallet_micros END, h.wallet_micros
    FROM self_purchase_share h
    WHERE h.org_id = %(org_id)s AND h.at >= %(start)s AND h.at < %(end)s
) e
JOIN organisation o ON o.org_id = e.seller_org_id
LEFT JOIN plan p ON p.plan_id = e.plan_id
GROUP BY 1, 2, 3, 4 ORDER BY 1, 4, 3
