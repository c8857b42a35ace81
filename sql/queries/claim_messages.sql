-- Takes due messages of a channel for one sender; others pass over them. Each falls due again when the lease ends,
-- so one taken by a sender that died comes back by itself, under the id that it got before its first
-- attempt (of a mail its Message-ID). `mail_from` is the installation's From address. `own_*`: a template of the
-- organisation, or of the operator (organisation 1), in its language; in English, where the product has none of
-- its own in that language (`spoken`). `brand_key` and `footer`: of resellers only.
-- `with_paper`: of these kinds only, or of all others; null: of any.
WITH due AS MATERIALIZED (
    SELECT customer_id, message_id FROM message
    WHERE channel = :channel AND state IN ('queued', 'failed') AND next_attempt_at <= :now
      AND (CAST(:with_paper AS boolean) IS NULL OR (kind = ANY (:paper_kinds)) = :with_paper)
    ORDER BY next_attempt_at, message_id
    LIMIT :limit
    FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE message m SET attempts = m.attempts + 1,
        next_attempt_at = CAST(:leased_until AS timestamptz),
        mail_id = COALESCE(m.mail_id, replace(CAST(gen_random_uuid() AS text), '-', '')
            || CASE m.channel WHEN 'email'
                THEN '@' || split_part(COALESCE(o.mail_from, :mail_from), '@', 2) ELSE '' END)
    FROM due d, organisation o
    WHERE m.customer_id = d.customer_id AND m.message_id = d.message_id AND o.org_id = m.org_id
    RETURNING m.org_id, m.customer_id, m.message_id, m.kind, m.channel, m.language,
        m.addresses, m.facts, m.queued_at,
        m.attempts, m.mail_id, o.name AS organisation_name,
        COALESCE(o.mail_from, :mail_from) AS sender, o.mail_name AS sender_name,
        CASE WHEN o.parent_org_id IS NOT NULL THEN o.brand_key END AS brand_key
)
SELECT t.customer_id, t.org_id, t.message_id, t.kind, t.channel, t.language, t.addresses, t.facts, t.queued_at,
    t.attempts AS attempt, t.mail_id, c.name AS customer_name, t.organisation_name, t.sender,
    t.sender_name, t.brand_key, b.footer,
    t.queued_at <= :oldest AS expired, x.language AS own_language, x.mjml AS own_mjml,
    x.text AS own_text, x.sms AS own_sms
FROM taken t JOIN customer c ON c.customer_id = t.customer_id
LEFT JOIN invoice_design b ON b.org_id = t.org_id AND t.brand_key IS NOT NULL
LEFT JOIN LATERAL (
    SELECT language, mjml, text, sms FROM message_template
    WHERE kind = t.kind AND org_id IN (t.org_id, 1)
      AND (language IN (replace(t.language, '-', '_'),
                        split_part(replace(t.language, '-', '_'), '_', 1))
           OR language = 'en'
              AND NOT split_part(replace(t.language, '-', '_'), '_', 1) = ANY (:spoken))
    ORDER BY org_id = t.org_id DESC, language = replace(t.language, '-', '_') DESC,
        language <> 'en' DESC
    LIMIT 1
) x ON true
ORDER BY t.message_id
