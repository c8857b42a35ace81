-- Whoever hears of money that is not what was asked for notes it, beside putting it into suspense.
GRANT UPDATE (kept_micros, kept_currency) ON payment_attempt TO tollway_panel, tollway_worker;
