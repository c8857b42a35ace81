-- Since when accounting is heard (rule U10): radius says so, everybody may know. It belongs to no
-- organisation.
ALTER TABLE hearing ENABLE ROW LEVEL SECURITY;
CREATE POLICY anyone ON hearing FOR SELECT TO tollway_panel, tollway_worker, tollway_readonly
    USING (true);
CREATE POLICY everything ON hearing TO tollway_radius USING (true) WITH CHECK (true);
GRANT SELECT ON hearing TO tollway_panel, tollway_radius, tollway_worker, tollway_readonly;
GRANT INSERT, UPDATE ON hearing TO tollway_radius;

REVOKE EXECUTE ON FUNCTION hear_v1, heard_since_v1 FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hear_v1 TO tollway_radius;
GRANT EXECUTE ON FUNCTION heard_since_v1 TO tollway_panel, tollway_radius, tollway_worker;
