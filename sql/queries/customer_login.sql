-- Whose a folded user name is, and its credential (security.md 8).
SELECT * FROM customer_login_v1(%(username)s)
