-- The hooks say when a package that renews by itself has begun or is used up (rule P10).
REVOKE EXECUTE ON FUNCTION load_access_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION load_access_v1 TO tollway_radius, tollway_worker;
GRANT UPDATE (renews_at) ON subscription TO tollway_radius;
GRANT SELECT (on_hold_since, renews, renews_at) ON subscription TO tollway_readonly;
