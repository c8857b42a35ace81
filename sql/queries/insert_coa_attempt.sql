INSERT INTO coa_attempt (customer_id, intent_id, attempt, org_id, packet, sent_at, answered_at,
                         outcome, error_cause)
VALUES (:customer_id, :intent_id, :attempt, :org_id, :packet, :sent_at, :answered_at, :outcome,
        :error_cause)
ON CONFLICT DO NOTHING
