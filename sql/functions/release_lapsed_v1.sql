-- Reservations whose session has ended unseen by the meter, or whose validity is over (rule Q4): of
-- at most p_limit customers; returns how many. Customers whose row somebody holds are left for the
-- next time.
CREATE FUNCTION release_lapsed_v1(p_now timestamptz, p_limit int)
RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    v_customer bigint[];
    v_locked bigint[];
BEGIN
    SELECT array_agg(x.customer_id) INTO v_customer
    FROM (
        SELECT DISTINCT h.customer_id
        FROM reservation h
        LEFT JOIN live_session v
            ON v.customer_id = h.customer_id AND v.session_id = h.session_id
        WHERE h.state = 'held' AND (v.session_id IS NULL OR v.closed_at IS NOT NULL)
          AND (h.session_id IS NOT NULL OR h.valid_until <= p_now)
        LIMIT p_limit
    ) x;
    SELECT array_agg(l.customer_id) INTO v_locked
    FROM (
        SELECT c.customer_id FROM customer c WHERE c.customer_id = ANY (v_customer)
        ORDER BY c.customer_id FOR NO KEY UPDATE SKIP LOCKED
    ) l;
    RETURN settle_grants_v1(p_now, v_locked);
END $$;
