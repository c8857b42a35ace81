-- An organisation and every one above it.
SELECT organisations_above_v1(%(org_id)s) AS org_ids
