-- What one payer covers of a usage that tariff windows cut into pieces, by local day and window
-- (U9, Q3): its part lies from p_s_from to p_s_until and p_o_from to p_o_until on the axes of what is
-- not free. p_is_rest: it is what no package covers, and what is free is told with it.
-- p_is_priced: windows with prices of their own stay apart. In PL/pgSQL, which keeps its plan and is
-- never written out in the caller's, as SQL would be at every call of the meter.
CREATE FUNCTION window_slices_v1(
    p_pieces usage_piece[], p_is_rest boolean, p_is_priced boolean,
    p_s_from bigint, p_s_until bigint, p_o_from bigint, p_o_until bigint,
    p_input bigint, p_octets bigint
) RETURNS TABLE (
    local_day date, tariff_window text, is_free boolean, seconds bigint, octets bigint, input bigint
) LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN QUERY
    SELECT x.local_day, x.tariff_window, x.is_free, sum(x.seconds)::bigint,
        sum(x.o_until - x.o_from)::bigint,
        COALESCE(sum(div(p_input::numeric * x.o_until, NULLIF(p_octets, 0))
                     - div(p_input::numeric * x.o_from, NULLIF(p_octets, 0))), 0)::bigint
    FROM (
        SELECT p.local_day, p.tariff_window, true AS is_free, p.s_until - p.s_from AS seconds,
            p.o_from, p.o_until
        FROM unnest(p_pieces) p WHERE p_is_rest AND p.is_free
        UNION ALL
        -- Between the axis of what is paid for and that of all usage lies what was free before.
        SELECT p.local_day, CASE WHEN p_is_priced THEN p.tariff_window ELSE '' END, false,
            GREATEST(LEAST(p_s_until, p.paid_s_until) - GREATEST(p_s_from, p.paid_s_from), 0),
            p.o_from - p.paid_o_from + o.since,
            p.o_from - p.paid_o_from + GREATEST(LEAST(p_o_until, p.paid_o_until), o.since)
        FROM unnest(p_pieces) p
        CROSS JOIN LATERAL (SELECT GREATEST(p_o_from, p.paid_o_from) AS since) o
        WHERE NOT p.is_free
    ) x
    GROUP BY x.local_day, x.tariff_window, x.is_free
    HAVING sum(x.seconds) > 0 OR sum(x.o_until - x.o_from) > 0;
END $$;
