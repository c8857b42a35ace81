-- Whether one of these IPv6 addresses or prefixes overlaps what another subscription holds (A6),
-- in any organisation: so it is asked with the owner's eyes, and tells no more than yes or no.
-- Who asks holds the lock until its transaction ends: of two that want the same, one waits.
CREATE FUNCTION ipv6_taken_v1(
    p_now timestamptz, p_subscription_id bigint, p_wanted inet[]
) RETURNS boolean LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('fixed IPv6'));
    RETURN EXISTS (
        SELECT 1 FROM unnest(p_wanted) AS w(wanted)
        JOIN subscription s ON s.framed_ipv6_prefix && w.wanted
            OR s.delegated_ipv6_prefix && w.wanted OR s.framed_ipv6_address && w.wanted
        WHERE s.subscription_id <> p_subscription_id
          AND (s.closed_at IS NULL OR s.closed_at > p_now)
    );
END $$;
