-- One row a subscriber of the file; ids are reserved ahead.
CREATE TEMPORARY TABLE import_row (
    customer_id bigint, wallet_id bigint, subscription_id bigint, entitlement_id bigint,
    entry_id bigint, username text, name text, email text, phone text, profile_id bigint,
    plan_version_id bigint, requires_entitlement boolean, credit_limit_micros bigint,
    secret_sealed bytea, framed_ip inet, allowed_macs text[], valid_until timestamptz,
    seconds_left bigint, octets_left bigint, balance_micros bigint
) ON COMMIT DROP
