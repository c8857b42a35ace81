-- Who does not want statements any more begins anew when it wants them again.
UPDATE customer c SET stated_until = NULL
FROM billing_profile p
WHERE p.profile_id = c.profile_id AND c.stated_until IS NOT NULL
  AND NOT COALESCE(c.monthly_statement, p.monthly_statement)
