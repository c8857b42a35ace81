-- Whoever hears of money that is not what was asked for notes it, beside putting it into suspense.
GRANT UPDATE (kept_micros, kept_currency) ON payment_attempt TO tollway_panel, tollway_worker;
-- Attempts that were refused so before are told by what their suspense says.
UPDATE payment_attempt AS attempt
   SET kept_micros = suspense.amount_micros, kept_currency = suspense.currency
  FROM suspense
 WHERE suspense.gateway_id = attempt.gateway_id
   AND suspense.note LIKE 'payment ' || attempt.attempt_id || ': %'
   AND attempt.state IN ('failed', 'cancelled');
