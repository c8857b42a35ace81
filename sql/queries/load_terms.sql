-- Terms of a plan version; they never change (rule M6).
SELECT v.*, p.name AS plan_name FROM plan_version v JOIN plan p USING (plan_id)
WHERE v.plan_version_id = %s
