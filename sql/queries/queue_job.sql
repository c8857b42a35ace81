-- A job for the worker, once (its lock in the queue refuses a second one that waits); it takes the
-- argument that procrastinate gives to periodic jobs, and the name that the worker knows it by.
SELECT procrastinate_defer_jobs_v1(ARRAY[
    ROW('default', 'tollway:' || %(job)s::text, 0, NULL, %(job)s::text,
        jsonb_build_object('timestamp', %(timestamp)s::bigint), NULL)
    ::procrastinate_job_to_defer_v1])
