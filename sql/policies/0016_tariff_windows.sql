-- The meter alone cuts usage into pieces.
REVOKE EXECUTE ON FUNCTION local_instant_v1, tariff_pieces_v1, windowed_usage_v1, window_slices_v1,
    window_charges_v1, window_micros_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION local_instant_v1, tariff_pieces_v1, windowed_usage_v1, window_slices_v1,
    window_charges_v1, window_micros_v1 TO tollway_radius, tollway_worker;
