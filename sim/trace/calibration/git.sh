#!/bin/sh
# Commits in a git repository.
#   git.sh setup DIR
#   git.sh run DIR [-c NAME=VALUE]…
#   git.sh check DIR ACKS
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@localhost GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@localhost
what=$1
cd "$2" || exit 1
shift 2

case $what in
setup)
    git init -q -b main . && git commit -q --allow-empty -m 0
    ;;
run)
    for number in 1 2 3; do
        echo "text $number" >"file-$number"
        git "$@" add . && git "$@" -c gc.auto=0 commit -q -m "$number" && echo "committed $number"
    done
    ;;
check)
    acks=$(wc -l <"$1")
    # Without the names of objects, which differ.
    if ! said=$(git fsck --full 2>&1); then
        echo "$said" | grep -E 'error|fatal|missing|bad' | head -1 | sed 's/[0-9a-f]\{38,\}/…/g; s#/[0-9a-f][0-9a-f]/#/…/#g'
        exit 1
    fi
    found=$(($(git rev-list --count HEAD) - 1)) || exit 1
    [ "$found" -ge "$acks" ] || {
        echo "$acks committed, $found found"
        exit 1
    }
    git status --porcelain >/dev/null
    ;;
esac
