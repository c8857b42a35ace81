REVOKE EXECUTE ON FUNCTION load_access_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION load_access_v1 TO tollway_radius, tollway_worker;
-- The meter says that the customer is to be told (rules P6, P8).
GRANT UPDATE (service_notice) ON subscription TO tollway_radius;
GRANT SELECT (service_notice) ON subscription TO tollway_readonly;
GRANT SELECT (alert_percent, topped_up_micros, alert_below_micros, usage_alert_percents, cap_micros,
    cap_lifted_until, cap_floor_micros, cap_until) ON wallet TO tollway_readonly;
GRANT SELECT (alerted_percent, alert_seconds_left, alert_octets_left) ON entitlement
    TO tollway_readonly;
