#!/bin/sh
# The first start makes the cluster: POSTGRES_USER, POSTGRES_PASSWORD_FILE, POSTGRES_INITDB_ARGS.
set -eu

as_postgres() { setpriv --reuid=postgres --regid=postgres --init-groups "$@"; }

chown postgres:postgres "$PGDATA" /run/postgresql
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    # shellcheck disable=SC2086 # a list of words
    as_postgres initdb --username="$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" \
        --auth-host=scram-sha-256 --auth-local=trust ${POSTGRES_INITDB_ARGS:-}
    printf 'host all all all scram-sha-256\n' >>"$PGDATA/pg_hba.conf"
fi
program=$1
shift
exec setpriv --reuid=postgres --regid=postgres --init-groups \
    "$program" -c 'listen_addresses=*' "$@"
