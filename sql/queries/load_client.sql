-- The NAS at an address (radius.md F11).
SELECT * FROM load_client_v1(%s::inet)
