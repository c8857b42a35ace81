-- Set as the other limits are: by who is above the reseller (rule R1).
GRANT UPDATE (max_nas, max_plans) ON reseller TO tollway_panel, tollway_worker;
