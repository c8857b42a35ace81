-- Of a reseller, by the key in the address of its customers' login page; nobody is logged in.
SELECT name, accent, logo, footer FROM brand_of_key_v1(%(key)s)
