-- One step of the walk over closed sessions: what no late record can reach goes into the history.
SELECT looked, moved, month_wanted, closed_at, customer_id, session_id
FROM move_closed_sessions_v1(%(now)s, %(closed_at)s, %(customer_id)s, %(session_id)s, %(limit)s)
