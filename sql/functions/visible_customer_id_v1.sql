-- The one customer that this transaction may see and touch; no setting: all of its organisations'.
CREATE FUNCTION visible_customer_id_v1() RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT NULLIF(current_setting('tollway.customer_id', true), '')::bigint $$;
