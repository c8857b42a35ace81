-- The pools that we lease from, and the tree of organisations that they serve; nothing where
-- there is no such pool.
SELECT o.org_id, o.parent_org_id, p.pool_id, p.name, p.kind
FROM organisation o LEFT JOIN address_pool p ON p.org_id = o.org_id
WHERE EXISTS (SELECT 1 FROM address_pool)
