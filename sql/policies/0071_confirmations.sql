-- The limit is set at the command line only: whoever has a browser of the panel cannot lift it.
GRANT SELECT (confirm_above_micros) ON organisation TO tollway_readonly;
