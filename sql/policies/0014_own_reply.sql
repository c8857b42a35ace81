-- What one subscriber alone is sent; a function made anew loses its grants.
REVOKE EXECUTE ON FUNCTION load_access_v1, ipv6_taken_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION load_access_v1 TO tollway_radius, tollway_worker;
GRANT EXECUTE ON FUNCTION ipv6_taken_v1 TO tollway_panel, tollway_worker;
