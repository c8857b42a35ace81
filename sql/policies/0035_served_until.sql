-- Whoever may move customers writes down until when a bill's days were served (B6).
GRANT UPDATE (served_until) ON invoice TO tollway_panel, tollway_worker;
GRANT SELECT (served_until) ON invoice TO tollway_readonly;
