#!/bin/sh
# check_output.sh PROGRAM EXPECTED: runs an example in a root of its own, and
# compares what it prints; nothing may be left behind.
set -eu
program=$1
expected=$2

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 700 "$root"
mkdir "$root/mailboxes"
CUBBY_ROOT=$root/mailboxes "$program" >"$root/printed"
diff -u "$expected" "$root/printed"
left=$(find "$root/mailboxes" -mindepth 2)
if [ -n "$left" ]; then
	echo "left behind: $left"
	exit 1
fi
