-- Enters a receipt of a collector's book, whose payment is posted (rule R4). Alone writes paper_receipt: a
-- receipt by which the collector would hold more cash than it may is refused, with SQLSTATE TW004, also
-- where several are entered at once: they queue up on the limit's row, the last lock that each takes.
-- Receipts in another currency than the limit's do not count.
CREATE FUNCTION enter_paper_receipt_v1(
    p_book_id bigint, p_number bigint, p_customer_id bigint, p_payment_id bigint, p_bill_number text,
    p_amount_micros bigint, p_currency text, p_by text, p_now timestamptz
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_book receipt_book;
    v_limit collector_limit;
    v_held bigint;
BEGIN
    SELECT * INTO STRICT v_book FROM receipt_book b WHERE b.book_id = p_book_id;
    IF NOT may_act_for_v1(v_book.org_id) OR visible_customer_id_v1() IS NOT NULL OR is_cashier_v1()
       OR p_number NOT BETWEEN v_book.first_number AND v_book.last_number OR v_book.closed_at IS NOT NULL
       OR NOT EXISTS (
           SELECT 1 FROM payment p
           WHERE p.customer_id = p_customer_id AND p.payment_id = p_payment_id AND p.channel = 'cash'
             AND p.amount_micros = p_amount_micros AND p.currency = p_currency
             AND may_act_for_v1(p.org_id)) THEN
        RAISE EXCEPTION 'receipt % of book % is none of who asks, or of no payment', p_number, p_book_id;
    END IF;
    SELECT * INTO v_limit FROM collector_limit l
    WHERE l.org_id = v_book.org_id AND l.collector = v_book.collector FOR UPDATE;
    -- What those before have entered is seen by a statement that begins after the lock.
    IF v_limit.limit_micros IS NOT NULL AND v_limit.currency = p_currency THEN
        SELECT COALESCE(sum(r.amount_micros), 0)::bigint INTO v_held
        FROM paper_receipt r JOIN receipt_book b ON b.book_id = r.book_id
        WHERE b.org_id = v_book.org_id AND b.collector = v_book.collector
          AND r.settlement_id IS NULL AND r.currency = p_currency;
        IF v_held + p_amount_micros > v_limit.limit_micros THEN
            RAISE EXCEPTION 'collector % would hold more than %', v_book.collector, v_limit.limit_micros
                USING ERRCODE = 'TW004';
        END IF;
    END IF;
    INSERT INTO paper_receipt (book_id, number, org_id, customer_id, payment_id, bill_number,
                               amount_micros, currency, entered_at, entered_by)
    VALUES (p_book_id, p_number, v_book.org_id, p_customer_id, p_payment_id, p_bill_number,
            p_amount_micros, p_currency, p_now, p_by);
END $$;
