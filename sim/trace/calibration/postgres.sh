#!/bin/sh
# Rows in PostgreSQL.
#   postgres.sh setup DIR
#   postgres.sh run DIR [NAME=VALUE]
#   postgres.sh check DIR ACKS
what=$1 data=$2/pg
programs=$(ls -d /usr/lib/postgresql/*/bin | tail -1)
sockets=/tmp/postgres-$$
# It refuses to run as root.
as_owner=
[ "$(id -u)" != 0 ] || as_owner='setpriv --reuid=postgres --regid=postgres --clear-groups'
server=
trap 'kill -QUIT $server 2>/dev/null; wait $server 2>/dev/null; rm -rf "$sockets"' EXIT

case $what in
setup)
    mkdir "$data" && chmod 711 "$2"
    [ "$(id -u)" != 0 ] || chown postgres:postgres "$data"
    $as_owner "$programs/initdb" -D "$data" -A trust --no-locale -E SQL_ASCII --wal-segsize=1 -N >/dev/null
    cat >>"$data/postgresql.conf" <<EOF
listen_addresses = ''
min_wal_size = 2MB
max_wal_size = 4MB
autovacuum = off
shared_buffers = 4MB
EOF
    echo 'create table rows (number int primary key, text text)' |
        $as_owner "$programs/postgres" --single -D "$data" postgres >/dev/null
    ;;
run)
    mkdir -m 777 "$sockets"
    $as_owner "$programs/postgres" -D "$data" -k "$sockets" ${3:+-c "$3"} >/dev/null 2>&1 &
    server=$!
    ask() { $as_owner "$programs/psql" -h "$sockets" -qAt -c "$1" postgres 2>/dev/null; }
    until ask 'select 1' >/dev/null; do
        kill -0 $server || exit 1
        sleep 0.05
    done
    for number in 1 2 3; do
        ask "insert into rows values ($number, repeat('x', 300))" && echo "put $number"
    done
    # As a machine ends that is not asked to.
    kill -QUIT $server
    wait $server
    server=
    ;;
check)
    chmod 711 "$2"
    [ "$(id -u)" != 0 ] || chown -R postgres:postgres "$data"
    rm -f "$data/postmaster.pid"
    said=$(echo 'select count(*) from rows' | $as_owner "$programs/postgres" --single -D "$data" postgres 2>&1) || {
        echo "$said" | grep -aE 'FATAL|PANIC' | head -1 | sed 's/^.*\(FATAL\|PANIC\)/\1/'
        exit 1
    }
    found=$(echo "$said" | sed -n 's/.*count = "\([0-9]*\)".*/\1/p')
    acks=$(wc -l <"$3")
    [ "${found:-0}" -ge "$acks" ] || {
        echo "$acks put, ${found:-none} found"
        exit 1
    }
    ;;
esac
exit 0
