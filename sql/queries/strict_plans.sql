-- Plans whose latest version shares strictly (rule Q4), and the NAS in use with their vendors.
SELECT ARRAY(
        SELECT p.name FROM plan p
        JOIN LATERAL (SELECT v.sharing FROM plan_version v WHERE v.plan_id = p.plan_id
                      ORDER BY v.version DESC LIMIT 1) latest ON latest.sharing = 'strict'
        WHERE p.archived_at IS NULL ORDER BY 1) AS plans,
    ARRAY(SELECT n.name FROM nas n WHERE n.closed_at IS NULL ORDER BY n.name, n.nas_id) AS nas_names,
    ARRAY(SELECT n.vendor FROM nas n WHERE n.closed_at IS NULL ORDER BY n.name, n.nas_id) AS vendors
