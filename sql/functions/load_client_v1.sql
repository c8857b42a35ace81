-- The NAS at an address, for the dynamic-clients hook (radius.md F11); no row: unknown.
CREATE FUNCTION load_client_v1(p_address inet)
RETURNS TABLE (
    nas_id bigint, name text, vendor text, secret_sealed bytea, coa_port int,
    swap_octets boolean, require_message_authenticator boolean
) LANGUAGE sql STABLE AS $$
    SELECT nas_id, name, vendor, secret_sealed, coa_port, swap_octets, require_message_authenticator
    FROM nas WHERE address = p_address AND closed_at IS NULL
$$;
