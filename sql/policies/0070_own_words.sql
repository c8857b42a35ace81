-- The operator's owner says what stands on bills and whom mails come from; no cashier of a shop does.
GRANT UPDATE (postal_address, tax_id, country, e_invoice, mail_from) ON organisation TO tollway_panel;
CREATE POLICY no_letterhead_by_cashier ON organisation AS RESTRICTIVE FOR UPDATE TO tollway_panel
    USING (NOT (SELECT is_cashier_v1()));
GRANT SELECT (sms) ON message_template TO tollway_readonly;
