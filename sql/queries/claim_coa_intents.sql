-- Takes due orders to sessions that still run; each falls due again after its back-off, so one
-- taken by a sender that died comes back by itself. `unknown_answers`: how often the NAS has said
-- that it does not know the session; `fenced`: a CoA has put it into the walled garden last;
-- `grant_*` and `restricted`: the limits of the grant that it holds now (rule Q4).
WITH due AS MATERIALIZED (
    SELECT i.customer_id, i.intent_id
    FROM coa_intent i
    WHERE i.state IN ('pending', 'acked') AND i.next_attempt_at <= :now
      AND i.nas_id <> ALL (CAST(:busy AS bigint[]))
      AND EXISTS (SELECT FROM live_session s
                  WHERE s.customer_id = i.customer_id AND s.session_id = i.session_id
                    AND s.closed_at IS NULL)
    ORDER BY i.next_attempt_at
    LIMIT :limit
    FOR UPDATE OF i SKIP LOCKED
), taken AS (
    UPDATE coa_intent i SET attempts = i.attempts + 1,
        next_attempt_at = CAST(:now AS timestamptz)
            + (ARRAY[1, 2, 5, 15, 60, 300])[LEAST(i.attempts + 1, 6)] * interval '1 second'
    FROM due d
    WHERE i.customer_id = d.customer_id AND i.intent_id = d.intent_id
    RETURNING i.*
)
SELECT t.customer_id, t.intent_id, t.org_id, t.subscription_id, t.session_id, t.nas_id, t.goal,
    t.created_at, t.attempts AS attempt, s.username, s.acct_session_id,
    host(s.framed_ip) AS framed_ip, s.calling_station,
    s.session_class, s.started_at, s.last_event_at, s.session_seconds,
    s.input_octets + s.output_octets AS session_octets, s.input_octets AS session_input_octets,
    host(n.address) AS nas_address,
    n.vendor AS nas_vendor, n.secret_sealed AS nas_secret_sealed, n.coa_port AS nas_coa_port,
    t.escalated,
    (SELECT count(*) FROM coa_attempt a
     WHERE a.customer_id = t.customer_id AND a.intent_id = t.intent_id
       AND a.error_cause = 'Session-Context-Not-Found')::int AS unknown_answers,
    COALESCE((SELECT o.goal = 'suspend' FROM coa_intent o
              WHERE o.customer_id = t.customer_id AND o.session_id = t.session_id
                AND o.moved_by_coa ORDER BY o.intent_id DESC LIMIT 1), false) AS fenced,
    t.reason, r.limit_seconds AS grant_seconds, r.granted_octets AS grant_octets,
    r.limit_input_octets AS grant_input_octets, r.limit_output_octets AS grant_output_octets,
    r.restricted_at IS NOT NULL AS restricted, p.restricted_up_kbps, p.restricted_down_kbps,
    p.interim_seconds AS grant_interim_seconds
FROM taken t
LEFT JOIN reservation r ON r.customer_id = t.customer_id AND r.session_id = t.session_id
    AND r.state = 'held'
LEFT JOIN plan_version p ON p.plan_version_id = r.plan_version_id
JOIN live_session s ON s.customer_id = t.customer_id AND s.session_id = t.session_id
JOIN nas n ON n.nas_id = t.nas_id
ORDER BY t.intent_id
