-- A billing profile with its revision.
SELECT * FROM billing_profile WHERE profile_id = %s
