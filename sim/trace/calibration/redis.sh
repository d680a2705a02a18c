#!/bin/sh
# Values in Redis, with an append-only file.
#   redis.sh run DIR always|everysec|no
#   redis.sh check DIR ACKS
what=$1 folder=$2
socket=$(mktemp -u /tmp/redis-XXXXXX)
server=
trap 'kill -KILL $server 2>/dev/null; rm -f "$socket"' EXIT

# Starts the server, and waits until it answers or is gone.
serve() {
    redis-server --port 0 --unixsocket "$socket" --dir "$folder" --appendonly yes --appendfsync "$1" --save '' \
        --loglevel warning >"$socket.log" 2>&1 &
    server=$!
    until redis-cli -s "$socket" ping 2>/dev/null | grep -q PONG; do
        kill -0 $server 2>/dev/null || return 1
        sleep 0.02
    done
}

case $what in
run)
    serve "$3" || exit 1
    for number in 1 2 3 4 5; do
        [ "$(redis-cli -s "$socket" set "key-$number" "$number")" = OK ] && echo "set $number"
    done
    # As a process ends that is not asked to.
    kill -KILL $server
    wait $server 2>/dev/null
    server=
    ;;
check)
    if ! serve no; then
        tail -1 "$socket.log" | sed 's/^[^#]*# //'
        exit 1
    fi
    number=1
    while [ "$number" -le "$(wc -l <"$3")" ]; do
        [ "$(redis-cli -s "$socket" get "key-$number")" = "$number" ] || {
            echo "key-$number was set and is not there"
            exit 1
        }
        number=$((number + 1))
    done
    ;;
esac
rm -f "$socket.log"
exit 0
