-- One balanced entry in the journal of a reseller's account, amounts in micros: moves its wallet, and
-- leaves out lines of zero (rule M4). Returns the entry, NULL where nothing moves. For the functions
-- below only; the account is locked.
CREATE FUNCTION post_account_entry_v1(
    p_customer_id bigint, p_kind text, p_memo text, p_accounts text[], p_micros bigint[],
    p_currency text, p_corrects_entry_id bigint, p_now timestamptz
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    v_wallet wallet;
    v_entry_id bigint;
    v_moved bigint;
BEGIN
    IF (SELECT sum(m) FROM unnest(p_micros) m) <> 0 THEN
        RAISE EXCEPTION '% does not sum to zero: % %', p_kind, p_accounts, p_micros;
    END IF;
    IF NOT EXISTS (SELECT 1 FROM unnest(p_micros) m WHERE m <> 0) THEN
        RETURN NULL;
    END IF;
    SELECT * INTO STRICT v_wallet FROM wallet w WHERE w.customer_id = p_customer_id
    ORDER BY w.wallet_id LIMIT 1;
    IF v_wallet.currency <> p_currency THEN
        RAISE EXCEPTION 'the account is kept in %, not in %', v_wallet.currency, p_currency;
    END IF;
    INSERT INTO journal_entry (customer_id, org_id, at, kind, memo, corrects_entry_id)
    VALUES (p_customer_id, v_wallet.org_id, p_now, p_kind, p_memo, p_corrects_entry_id)
    RETURNING entry_id INTO v_entry_id;
    INSERT INTO posting (customer_id, entry_id, line, org_id, account, wallet_id, amount_micros,
                         currency)
    SELECT p_customer_id, v_entry_id, row_number() OVER (ORDER BY l.position), v_wallet.org_id,
        l.account, CASE WHEN l.account = 'wallet' THEN v_wallet.wallet_id END, l.micros, p_currency
    FROM unnest(p_accounts, p_micros) WITH ORDINALITY AS l(account, micros, position)
    WHERE l.micros <> 0;
    SELECT COALESCE(sum(l.micros), 0) INTO v_moved
    FROM unnest(p_accounts, p_micros) AS l(account, micros) WHERE l.account = 'wallet';
    UPDATE wallet SET posted_micros = posted_micros + v_moved
    WHERE customer_id = p_customer_id AND wallet_id = v_wallet.wallet_id;
    RETURN v_entry_id;
END $$;
