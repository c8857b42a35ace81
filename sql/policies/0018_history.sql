-- The worker moves closed sessions into the history, and drops days that are not kept.
REVOKE EXECUTE ON FUNCTION late_until_v1, move_closed_sessions_v1, drop_old_day_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION late_until_v1, move_closed_sessions_v1, drop_old_day_v1 TO tollway_worker;
