-- The hotspot that has this key in the portal's address.
SELECT nas_id, org_id, nas_name, vendor, addresses, uam_secret_sealed
FROM hotspot_by_key_v1(%(key)s, %(now)s)
