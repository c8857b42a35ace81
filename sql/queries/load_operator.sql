-- Whose installation this is.
SELECT * FROM operator
