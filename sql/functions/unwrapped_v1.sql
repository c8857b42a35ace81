-- One counter of 32 bits of a session, derived anew from all that was read of it and one reading more
-- (rules U2, U4): {total, wraps}. In the order of session time, a counter that fell has wrapped when
-- the rate allows it; of readings at one second the lower is the earlier. Called for records whose
-- place among the others decides what they mean: mostly for late ones. Every other record is one more
-- step of this loop, and the session's row remembers where it stands.
--
-- A reading without session time is placed by its event time, counted from the session's start; the
-- meter does not ask for a record whose event time may be no more than its arrival.
-- p_total is what the session's row says: where what the journal added is not that, a part of it is no
-- longer kept, and the answer is NULL. p_from_at, p_until_at: between these the session's records
-- arrived; they choose the days, whose primary keys serve the rest. Reads nobody else's rows: the
-- customer is locked.
CREATE FUNCTION unwrapped_v1(
    p_customer_id bigint, p_session_id bigint, p_from_at timestamptz, p_until_at timestamptz,
    p_started_at timestamptz, p_is_input boolean, p_total bigint, p_at_seconds bigint,
    p_octets bigint, p_plausible_octets_per_second bigint
) RETURNS bigint[] LANGUAGE plpgsql STABLE AS $$
DECLARE
    c_wrap constant bigint := 4294967296;
    v_reading record;
    v_total bigint := 0;
    v_wraps bigint := 0;
    v_at_seconds bigint := 0;
    v_octets bigint;
    v_added bigint := 0;
BEGIN
    FOR v_reading IN
        SELECT COALESCE(j.session_seconds, GREATEST(
                floor(extract(epoch FROM j.event_at - p_started_at))::bigint, 0)) AS at_seconds,
            CASE WHEN p_is_input THEN j.input_octets ELSE j.output_octets END AS octets,
            CASE WHEN p_is_input THEN j.added_input_octets ELSE j.added_output_octets END AS added
        FROM acct_journal j
        WHERE j.customer_id = p_customer_id AND j.session_id = p_session_id
          AND j.arrived_at >= p_from_at AND j.arrived_at < p_until_at
        UNION ALL
        SELECT p_at_seconds, p_octets, 0
        ORDER BY at_seconds, octets
    LOOP
        v_added := v_added + v_reading.added;
        CONTINUE WHEN v_reading.octets IS NULL;
        v_octets := v_reading.octets + v_wraps * c_wrap;
        IF v_octets < v_total AND v_octets + c_wrap - v_total
                <= GREATEST(v_reading.at_seconds - v_at_seconds, 1) * p_plausible_octets_per_second THEN
            v_wraps := v_wraps + 1;
            v_octets := v_octets + c_wrap;
        END IF;
        v_total := GREATEST(v_total, v_octets);
        v_at_seconds := v_reading.at_seconds;
    END LOOP;
    IF v_added <> p_total THEN
        RETURN NULL;
    END IF;
    RETURN ARRAY[v_total, v_wraps];
END $$;
