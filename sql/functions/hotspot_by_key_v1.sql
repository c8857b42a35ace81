-- The hotspot that a guest comes from, by the key in the portal's address; nobody is logged in then. As
-- the owner, as the NAS may be another organisation's than the guests'.
CREATE FUNCTION hotspot_by_key_v1(p_key text, p_now timestamptz) RETURNS TABLE (
    nas_id bigint, org_id bigint, nas_name text, vendor text, addresses text[], uam_secret_sealed bytea
) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT h.nas_id, h.org_id, n.name, n.vendor, h.addresses, h.uam_secret_sealed
    FROM hotspot h JOIN nas n ON n.nas_id = h.nas_id
    WHERE h.key = p_key AND h.closed_at IS NULL AND (n.closed_at IS NULL OR n.closed_at > p_now)
$$;
