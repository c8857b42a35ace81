-- Accounting is heard (rule U10).
SELECT hear_v1(%s)
