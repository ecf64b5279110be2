#!/bin/sh
# check_output.sh PROGRAM EXPECTED: runs an example in a root of its own, and
# compares what it prints; nothing may be left behind.
set -eu
program=$1
expected=$2

CUBBY_ROOT=$(mktemp -d /dev/shm/cubby-example.XXXXXX)
export CUBBY_ROOT
printed=$(mktemp)
trap 'rm -rf "$CUBBY_ROOT" "$printed"' EXIT
"$program" >"$printed"
diff -u "$expected" "$printed"
left=$(find "$CUBBY_ROOT" -mindepth 2)
if [ -n "$left" ]; then
	echo "left behind: $left"
	exit 1
fi
