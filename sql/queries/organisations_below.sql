-- An organisation and every one below it.
WITH RECURSIVE below AS (
    SELECT org_id FROM organisation WHERE org_id = %(org_id)s
    UNION ALL
    SELECT child.org_id FROM organisation child JOIN below ON child.parent_org_id = below.org_id
)
SELECT org_id FROM below ORDER BY org_id
