-- Whose a folded user name is, and what its password is checked against. With its owner's rights: at
-- login nobody's organisation is known yet, and no table is opened for it.
CREATE FUNCTION customer_login_v1(p_username text) RETURNS TABLE (
    customer_id bigint, subscription_id bigint, org_id bigint,
    secret_sealed bytea, nt_hash bytea, pbkdf2 text, closed boolean
) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT s.customer_id, s.subscription_id, s.org_id, s.secret_sealed, s.nt_hash, s.pbkdf2,
           s.closed_at IS NOT NULL OR c.closed_at IS NOT NULL
    FROM login l
    JOIN subscription s ON s.customer_id = l.customer_id AND s.subscription_id = l.subscription_id
    JOIN customer c ON c.customer_id = l.customer_id
    WHERE l.username = p_username
$$;
