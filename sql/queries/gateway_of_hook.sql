-- Whose the gateway is that a provider calls by this token, and whom it serves.
SELECT gateway_id, org_id, org_ids FROM gateway_of_hook_v1(%(token)s)
