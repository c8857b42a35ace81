-- What may still be reserved for sessions of a subscription (rule Q4): what is left of its packages,
-- those that follow included, less what held reservations have not used. NULL: not limited. May be
-- negative where sessions without a reservation run too. The customer is locked by whoever reserves.
CREATE FUNCTION reservable_v1(p_now timestamptz, p_customer_id bigint, p_subscription_id bigint)
RETURNS TABLE (seconds_left bigint, octets_left bigint) LANGUAGE sql STABLE AS $$
    SELECT (bought.seconds_left - held.seconds)::bigint, (bought.octets_left - held.octets)::bigint
    FROM (
        SELECT CASE WHEN count(*) = 0 THEN 0
                    WHEN bool_and(e.seconds_left IS NOT NULL) THEN sum(e.seconds_left)
               END AS seconds_left,
            CASE WHEN count(*) = 0 THEN 0
                 WHEN bool_and(e.octets_left IS NOT NULL) THEN sum(e.octets_left)
            END AS octets_left
        FROM entitlement e
        WHERE e.customer_id = p_customer_id AND e.subscription_id = p_subscription_id
          AND e.ended_at IS NULL AND (e.valid_until IS NULL OR e.valid_until > p_now)
          AND (e.valid_from IS NULL OR e.valid_from <= p_now OR e.follows)
    ) bought
    CROSS JOIN (
        SELECT COALESCE(sum(GREATEST(r.granted_seconds - r.used_seconds, 0)), 0) AS seconds,
            COALESCE(sum(GREATEST(r.granted_octets - r.used_input_octets
                                  - r.used_output_octets, 0)), 0) AS octets
        FROM reservation r
        WHERE r.customer_id = p_customer_id AND r.subscription_id = p_subscription_id
          AND r.state = 'held'
    ) held
$$;
