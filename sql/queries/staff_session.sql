-- The person behind a browser session, with every organisation at or below the own one.
WITH RECURSIVE person AS (
    SELECT staff.*, staff_session.created_at AS session_created_at, staff_session.seen_at,
        staff_session.proved_at
    FROM staff_session JOIN staff USING (staff_id)
    WHERE staff_session.token_sha256 = %(token_sha256)s
), below AS (
    SELECT organisation.org_id FROM organisation JOIN person USING (org_id)
    UNION ALL
    SELECT child.org_id FROM organisation child JOIN below ON child.parent_org_id = below.org_id
)
SELECT person.*, ARRAY(SELECT org_id FROM below ORDER BY org_id) AS org_ids FROM person
