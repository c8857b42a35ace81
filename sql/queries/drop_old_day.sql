-- The oldest day beyond what is kept; its name, or NULL.
SELECT drop_old_day_v1(%(now)s, %(parent)s, %(keep_days)s)
