-- CoA and Disconnect orders by state: those that are open, and those given up in the last day.
SELECT state, count(*) AS orders FROM coa_intent
WHERE state IN ('pending', 'acked')
   OR (state = 'failed' AND finished_at > %(now)s::timestamptz - interval '1 day')
GROUP BY state
