-- History, throttle and first-login activation of a batch of finished logins (rule A1).
SELECT record_logins_v1(%s, %s::text[], %s::bigint[], %s::bigint[], %s::inet[], %s::text[],
                        %s::text[], %s::text[], %s::bigint[], %s::timestamptz[])
