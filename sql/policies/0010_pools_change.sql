-- Pools are extended and removed; slots that nobody asked for again are swept away.
GRANT UPDATE (ranges) ON address_pool TO tollway_panel, tollway_worker;
GRANT DELETE ON address_pool, pool_address TO tollway_panel, tollway_worker;
