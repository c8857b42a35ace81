-- The stock schema has no index that the counters' queries can use: each login would read the whole
-- of radacct. Whoever runs them for long adds this one.
CREATE INDEX radacct_username_idx ON radacct (UserName);
