#!/bin/sh
# jobs.sh SCRIPTS: SCRIPTS/jobs tells what the make that called it was told.
set -eu
script=$1/jobs
failed=0

# expect NUMBER OPTION...: what a recipe sees of a make with these options.
expect()
{
	expected=$1
	shift
	found=$(printf 'all:\n\t@%s\n' "$script" | make -s -f - "$@" all)
	if [ "$found" != "$expected" ]; then
		echo "make $*: $found jobs, not $expected"
		failed=1
	fi
}

unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES JOBS
expect "$(nproc)"
expect "$(nproc)" -j
expect 1 -j1
expect 7 -j7
expect 7 -k -j 7
expect 7 --jobs=7
expect 7 -j7 WORD=-j9
export JOBS=5
expect 5 -j7
exit $failed
