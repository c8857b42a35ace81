-- Some of the oldest letters beyond what is kept; returns how many.
SELECT drop_old_letters_v1(%(now)s, %(keep_days)s, %(limit)s)
