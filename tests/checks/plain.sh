#!/bin/sh
# plain.sh COMPILER ROOT: without CMake, and with nothing defined or generated,
# the library builds in one command, and each header compiles by itself.
set -eu
compiler=$1 root=$(cd "$2" && pwd)

directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
trap 'exit 1' HUP INT TERM

"$compiler" -shared -fPIC -O1 -I"$root/include" -I"$root/src" \
	"$root"/src/*.c -o "$directory/libcubby.so"
# Without a tracer's header, too, each probe uses what it is given.
"$compiler" -std=gnu11 -fsyntax-only -Wall -Wextra -Werror -DCUBBY_NO_PROBES \
	-I"$root/include" -I"$root/src" "$root"/src/*.c
for header in "$root"/src/*.h; do
	printf '#include "%s"\n' "$header" >"$directory/header.c"
	"$compiler" -std=gnu11 -fsyntax-only -Wall -Wextra -Werror \
		-Wno-unused-function -I"$root/include" -I"$root/src" \
		"$directory/header.c" || { echo "$header: not by itself"; exit 1; }
done
