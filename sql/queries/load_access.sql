-- What the decisions on a batch of Access-Requests need (rule A1).
SELECT * FROM load_access_v1(%s, %s::text[], %s::inet[], %s::text[])
