-- The meter notes it; whoever brings a customer in line marks that a wallet is above its limit again
-- (rule P12).
REVOKE EXECUTE ON FUNCTION note_wallet_overspend_v1, look_closer_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION note_wallet_overspend_v1, look_closer_v1 TO tollway_radius, tollway_worker;
GRANT UPDATE (lifted_at) ON overspend TO tollway_panel;
