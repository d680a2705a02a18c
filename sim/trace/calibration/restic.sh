#!/bin/sh
# Backups with restic.
#   restic.sh setup DIR
#   restic.sh run DIR
#   restic.sh check DIR ACKS
folder=$2
export RESTIC_PASSWORD=x RESTIC_REPOSITORY="$folder/repository" RESTIC_PROGRESS_FPS=0

case $1 in
setup)
    restic -q init
    mkdir "$folder/source"
    ;;
run)
    for number in 1 2; do
        head -c 20000 /dev/urandom >"$folder/source/file-$number"
        restic -q --no-cache backup "$folder/source" >/dev/null && echo "backup $number"
    done
    ;;
check)
    output=$(restic -q --no-cache --no-lock check --read-data 2>&1) || {
        echo "$output" | tail -n 1 | sed 's/[0-9a-f]\{8,\}/#/g'
        exit 1
    }
    said=$(wc -l <"$3")
    found=$(restic --no-cache --no-lock snapshots --json | grep -o '"short_id"' | wc -l)
    [ "$found" -ge "$said" ] || {
        echo "$said backups, $found found"
        exit 1
    }
    ;;
esac
