-- What customers of a reseller may buy themselves, and what they pay where that is not the plan's price.
SELECT plan_id, retail_micros FROM self_service_list_v1(%(org_id)s)
