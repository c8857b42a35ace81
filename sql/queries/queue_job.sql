-- A job for the worker, once (its lock in the queue refuses a second one that waits); it takes the
-- argument that procrastinate gives to periodic jobs.
SELECT procrastinate_defer_jobs_v1(ARRAY[
    ROW('default', %(job)s, 0, NULL, %(job)s, jsonb_build_object('timestamp', %(timestamp)s::bigint), NULL)
    ::procrastinate_job_to_defer_v1])
