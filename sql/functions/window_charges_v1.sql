-- What the part of a usage that no package covers (from and until on the paid axes of its pieces)
-- costs in tariff windows with prices of their own: per window, after a first element with the sums.
-- Steps apply to the cumulative usage of session, version of the plan and window (P3, M6), which the
-- daily slices hold. Units: seconds, octets, micros.
CREATE FUNCTION window_charges_v1(
    p_customer_id bigint, p_session_id bigint, p_plan_version_id bigint, p_usage windowed_usage,
    p_s_from bigint, p_s_until bigint, p_o_from bigint, p_o_until bigint
) RETURNS window_charge[] LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (
        WITH used AS (
            SELECT p.tariff_window,
                sum(GREATEST(LEAST(p.paid_s_until, p_s_until) - GREATEST(p.paid_s_from, p_s_from), 0))
                    AS seconds,
                sum(GREATEST(LEAST(p.paid_o_until, p_o_until) - GREATEST(p.paid_o_from, p_o_from), 0))
                    AS octets
            FROM unnest((p_usage).pieces) p
            WHERE NOT p.is_free AND p.tariff_window <> ''
            GROUP BY p.tariff_window
        ),
        charge AS (
            SELECT u.tariff_window, u.seconds, u.octets,
                COALESCE(ceil((b.seconds + u.seconds) / NULLIF(split_part(w.text, ':', 5)::numeric, 0))
                         * split_part(w.text, ':', 6)::numeric, 0)
                + COALESCE(ceil((b.octets + u.octets) / NULLIF(split_part(w.text, ':', 7)::numeric, 0))
                           * split_part(w.text, ':', 8)::numeric, 0)
                - b.micros AS micros
            FROM used u
            JOIN string_to_table((p_usage).priced_windows, ' ') AS w(text)
                ON split_part(w.text, ':', 1) = u.tariff_window
            CROSS JOIN LATERAL (
                SELECT COALESCE(sum(d.seconds), 0) AS seconds,
                    COALESCE(sum(d.input_octets + d.output_octets), 0) AS octets,
                    COALESCE(sum(d.charged_micros), 0) AS micros
                FROM daily_usage d
                WHERE d.customer_id = p_customer_id AND d.session_id = p_session_id
                  AND d.kind = 'payg' AND d.plan_version_id = p_plan_version_id
                  AND d.tariff_window = u.tariff_window
            ) b
            WHERE u.seconds > 0 OR u.octets > 0
        )
        SELECT ('', COALESCE(sum(seconds), 0), COALESCE(sum(octets), 0), COALESCE(sum(micros), 0)
                )::window_charge
            || array_agg((tariff_window, seconds, octets, micros)::window_charge ORDER BY tariff_window)
        FROM charge
    );
END $$;
