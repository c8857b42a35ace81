-- The meter reads the counters of a session's earlier records again where a 32-bit one may have
-- wrapped; of the journal it sees nothing else.
REVOKE EXECUTE ON FUNCTION unwrapped_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION unwrapped_v1 TO tollway_radius, tollway_worker;
GRANT SELECT (customer_id, session_id, arrived_at, event_at, session_seconds, input_octets,
    output_octets, added_input_octets, added_output_octets) ON acct_journal TO tollway_radius;
