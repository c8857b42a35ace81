-- By which channels a customer is told, and where: by mail, by the operator's webhook where the customer
-- has numbers or the operator wants this kind there, and where there is neither way, in the panel alone
-- (docs/adr/0017). One row at least.
CREATE FUNCTION message_channels_v1(
    p_kind text, p_email text, p_alert_addresses text[], p_alert_numbers text[]
) RETURNS TABLE (channel text, addresses text[]) LANGUAGE sql STABLE AS $$
    WITH away AS (
        SELECT 'email' AS channel, a.addresses
        FROM (SELECT COALESCE(NULLIF(p_alert_addresses, '{}'), ARRAY[NULLIF(p_email, '')])) a(addresses)
        WHERE a.addresses[1] IS NOT NULL
        UNION ALL
        SELECT 'webhook', p_alert_numbers
        WHERE p_alert_numbers <> '{}'
           OR EXISTS (SELECT 1 FROM operator o WHERE p_kind = ANY (o.webhook_kinds))
    )
    SELECT w.channel, w.addresses FROM away w
    UNION ALL
    SELECT 'panel', '{}'::text[] WHERE NOT EXISTS (SELECT 1 FROM away)
$$;
