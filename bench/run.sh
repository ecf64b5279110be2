#!/bin/sh
# run.sh DIRECTORY PYTHON {PROGRAM FILE}...: lets each program write its file in the
# directory, and makes the page of them, DIRECTORY/report.html. What fails does not
# keep the rest from being measured and shown; the status then is 1.
set -u
directory=$1 python=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd)
status=0

mkdir -p "$directory" || exit 1
# What is shown is to be of this run.
rm -f "$directory/report.html" "$directory/results.json" \
	"$directory/peers.json" "$directory/scale.json"

while [ $# -ge 2 ]; do
	"$1" --json "$directory/$2" || {
		echo "$(basename "$1") ended with status $?" >&2
		status=1
	}
	shift 2
done

echo
if [ -n "$python" ]; then
	"$python" -B "$here/../scripts/bench-report.py" "$directory" || status=1
else
	echo "no page of it: Python 3 was not found" >&2
	status=1
fi
exit $status
