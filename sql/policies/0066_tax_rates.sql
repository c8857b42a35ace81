-- Who may read a row reads what tax it has.
GRANT SELECT (tax_rate_ppm, tax_point) ON plan_version TO tollway_readonly;
GRANT SELECT (tax_rate_ppm) ON charge, usage_charge TO tollway_readonly;
GRANT SELECT (tax_micros) ON invoice_line TO tollway_readonly;
GRANT SELECT (rates) ON credit_note TO tollway_readonly;
