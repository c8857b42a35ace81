-- What `tollway doctor` looks at in the database, in one row.
SELECT current_setting('server_version_num')::int AS server_version_num,
       current_setting('server_version') AS server_version,
       current_setting('fsync') AS fsync,
       current_setting('full_page_writes') AS full_page_writes,
       current_setting('synchronous_commit') AS synchronous_commit,
       clock_timestamp() AS clock,
       (SELECT count(*) FROM operator) AS operators,
       (SELECT count(*) FROM generate_series(0, 13) AS ahead (days)
        WHERE to_regclass('public.acct_journal_p' || to_char(
                  (%(now)s::timestamptz AT TIME ZONE 'UTC')::date + days, 'YYYYMMDD')) IS NOT NULL
       ) AS journal_days_ahead,
       to_regclass('public.session_history_p' || to_char(
           (%(now)s::timestamptz AT TIME ZONE 'UTC') + interval '1 month', 'YYYYMM')) IS NOT NULL
           AS history_month_ahead,
       (SELECT coalesce(sum(pg_relation_size(parent::regclass)), 0)
        FROM unnest(ARRAY['acct_journal_default', 'login_attempt_default',
                          'session_history_default']) AS parent) AS default_partition_octets,
       (SELECT count(*) FROM live_session v
        WHERE v.closed_at < %(now)s - interval '2 days'
          AND v.terminate_cause IS DISTINCT FROM 'NAS-Reboot'
          AND v.terminate_cause IS DISTINCT FROM 'Lost-Stop'
          AND GREATEST(v.last_event_at, v.last_arrival_at)
              + LEAST(v.session_seconds, 31536000) * interval '1 second'
              < %(now)s - interval '2 days') AS sessions_to_move,
       (SELECT count(*) FROM acct_dead_letter
        WHERE arrived_at > %(now)s - interval '1 day') AS dead_letters,
       (SELECT count(*) FROM coa_intent
        WHERE state = 'failed' AND finished_at > %(now)s - interval '1 day') AS failed_orders,
       (SELECT count(*) FROM coa_intent
        WHERE state = 'pending' AND created_at < %(now)s - interval '10 minutes') AS stuck_orders,
       -- Checkouts left out: payers take their time.
       (SELECT count(*) FROM payment_attempt
        WHERE state IN ('created', 'unknown') AND kind = 'charge'
          AND created_at < %(now)s - interval '1 hour')
       + (SELECT count(*) FROM payment_reversal
          WHERE state IN ('created', 'unknown') AND created_at < %(now)s - interval '1 hour')
           AS stuck_payments,
       (SELECT count(*) FROM suspense WHERE moved_micros < amount_micros) AS in_suspense,
       (SELECT count(*) FROM nas WHERE closed_at IS NULL) AS nas,
       (SELECT count(*) FROM nas WHERE closed_at IS NULL AND NOT require_message_authenticator)
           AS lax_nas,
       ARRAY(SELECT DISTINCT vendor FROM nas WHERE closed_at IS NULL ORDER BY 1) AS vendors,
       ARRAY(SELECT p.name FROM address_pool p
             WHERE (SELECT count(*) FROM pool_leases_v1(%(now)s, p.pool_id) l
                    WHERE l.state <> 'ended')
                   > 0.95 * (SELECT count(*) FROM pool_address a WHERE a.pool_id = p.pool_id)
             ORDER BY 1) AS full_pools,
       ARRAY(SELECT p.name FROM plan p WHERE p.archived_at IS NULL AND EXISTS (
                 SELECT 1 FROM plan_version v WHERE v.plan_id = p.plan_id AND v.sharing = 'strict')
             ORDER BY 1) AS strict_plans,
       -- Who is suspended by these is told an address of ours, where the pool is one of ours.
       ARRAY(SELECT p.name FROM billing_profile p
             WHERE p.suspended_pool IS NOT NULL AND NOT EXISTS (
                 SELECT 1 FROM address_pool a WHERE a.name = p.suspended_pool)
             ORDER BY 1) AS pooling_profiles
