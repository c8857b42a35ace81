-- Who may read a package reads what it took over.
GRANT SELECT (rolls_over) ON plan_version TO tollway_readonly;
GRANT SELECT (rolls_over, carried_from_id, carried_seconds, carried_octets, carried_at) ON entitlement
    TO tollway_readonly;
