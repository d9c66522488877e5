#!/bin/sh
# A PostgreSQL server for tests, in a microVM. Prints the id of its workspace; with that id, it is
# as new again, which takes no second installation.
#
# usage: database.sh PORT [WORKSPACE]     psql -h 127.0.0.1 -p PORT -U tester postgres; password: tester
set -eu
port=$1

if [ $# -gt 1 ]; then
    id=$2
    pyro workspace reset "$id" --snapshot installed >&2
else
    id=$(pyro workspace create debian:12 --network --ttl-seconds 0 --name database --id-only)
    pyro workspace exec "$id" --timeout-seconds 1500 -- sh -c 'apt-get update -q &&
        DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends postgresql-15' >&2
    pyro workspace snapshot create "$id" installed >&2
fi

# Sockets in /tmp: the directory for them in /run is not there after a restart.
pyro workspace service start "$id" db --user postgres --autostart --publish "$port:5432" \
    --ready-command 'pg_isready -q -h 127.0.0.1' --ready-timeout-seconds 120 -- \
    /usr/lib/postgresql/15/bin/postgres -D /var/lib/postgresql/15/main -k /tmp \
    -c config_file=/etc/postgresql/15/main/postgresql.conf >&2
pyro workspace exec "$id" --user postgres --cwd /tmp -- \
    psql -h /tmp -c "create role tester superuser login password 'tester'" >&2
echo "$id"
