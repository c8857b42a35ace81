-- What a batch of verified (or refused) logins writes (rule A1): the history of attempts (A3),
-- the throttle's counts (A4) and the start of first-login packages (B2).
-- outcome: accept | suspended | reject; p_at is when each was answered. Returns how many packages were started.
CREATE FUNCTION record_logins_v1(
    p_now timestamptz, p_username text[], p_customer_id bigint[], p_subscription_id bigint[],
    p_nas_address inet[], p_station text[], p_outcome text[],
    p_reason text[], p_entitlement_id bigint[], p_at timestamptz[]
) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    c_throttle_window constant interval := interval '5 minutes';
    v_login   record;
    v_started int := 0;
BEGIN
    INSERT INTO login_attempt (at, customer_id, username, org_id, subscription_id, nas_id,
                               calling_station, outcome, reason)
    SELECT a.at, a.customer_id, a.username, l.org_id, a.subscription_id, COALESCE(n.nas_id, 0),
           a.station, a.outcome, a.reason
    FROM unnest(p_username, p_customer_id, p_subscription_id, p_nas_address, p_station,
                p_outcome, p_reason, p_at)
        AS a(username, customer_id, subscription_id, nas_address, station, outcome, reason, at)
    LEFT JOIN nas n ON n.address = a.nas_address
    LEFT JOIN login l ON l.username = a.username;

    -- One batch a name at a time, names in one order everywhere: batches that forgive and count the
    -- same names cannot block each other. Locks on rows would not do, as a row that another batch
    -- is just adding cannot be locked in its turn.
    PERFORM pg_advisory_xact_lock(names.key)
    FROM (SELECT DISTINCT hashtextextended(name, 0) AS key FROM unnest(p_username) AS name
          ORDER BY key) AS names;

    IF 'bad-password' = ANY (p_reason) THEN
        INSERT INTO login_throttle AS t (username, calling_station, failures, window_started_at)
        SELECT a.username, k.station, count(*), p_now
        FROM unnest(p_username, p_station, p_reason) AS a(username, station, reason)
        CROSS JOIN LATERAL (SELECT DISTINCT unnest(ARRAY['', a.station])) AS k(station)
        WHERE a.reason = 'bad-password' AND k.station IS NOT NULL
        GROUP BY a.username, k.station
        ORDER BY a.username, k.station
        ON CONFLICT (username, calling_station) DO UPDATE SET
            failures = EXCLUDED.failures
                + CASE WHEN t.window_started_at > p_now - c_throttle_window THEN t.failures ELSE 0 END,
            window_started_at = CASE WHEN t.window_started_at > p_now - c_throttle_window
                THEN t.window_started_at ELSE p_now END;
    END IF;

    DELETE FROM login_throttle t USING unnest(p_username, p_station, p_outcome)
        AS a(username, station, outcome)
    WHERE a.outcome <> 'reject' AND t.username = a.username AND t.calling_station = a.station;

    IF array_length(array_remove(p_entitlement_id, 0), 1) > 0 THEN
        PERFORM 1 FROM customer WHERE customer_id IN (
            SELECT a.customer_id FROM unnest(p_customer_id, p_entitlement_id) AS a(customer_id, e)
            WHERE a.e <> 0)
        ORDER BY customer_id FOR NO KEY UPDATE;
        FOR v_login IN
            SELECT DISTINCT a.customer_id, a.subscription_id, a.e
            FROM unnest(p_customer_id, p_subscription_id, p_entitlement_id)
                AS a(customer_id, subscription_id, e)
            WHERE a.e <> 0
        LOOP
            UPDATE entitlement SET valid_from = p_now,
                valid_until = p_now + validity_minutes * interval '1 minute'
            WHERE customer_id = v_login.customer_id AND entitlement_id = v_login.e
              AND valid_from IS NULL;
            IF FOUND THEN
                v_started := v_started + 1;
                PERFORM plan_chain_v1(v_login.customer_id, v_login.subscription_id, p_now, p_now);
                UPDATE subscription s SET
                    -- Its end is known now, and so when it is to be bought again (P10).
                    renews_at = CASE WHEN s.renews THEN p_now ELSE s.renews_at END,
                    service_next_change_at = (
                    SELECT valid_until FROM entitlement e
                    WHERE e.customer_id = v_login.customer_id AND e.entitlement_id = v_login.e)
                WHERE s.customer_id = v_login.customer_id
                  AND s.subscription_id = v_login.subscription_id;
            END IF;
        END LOOP;
    END IF;
    RETURN v_started;
END $$;
