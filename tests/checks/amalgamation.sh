#!/bin/sh
# amalgamation.sh ROOT COMPILER C++COMPILER CMOCKA_HEADERS CMOCKA_LIBRARY: the
# library as one source compiles alone and without a warning, exports what its
# headers declare and nothing else, serves a C99 and a C++ program, and passes
# the tests of a few units.
set -eu
root=$(cd "$1" && pwd) compiler=$2 cxx=$3 headers=$4 cmocka=$5

directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
trap 'exit 1' HUP INT TERM
"$root"/scripts/amalgamate "$directory/cubby"
cd "$directory"

"$compiler" -std=gnu11 -O2 -Wall -Wextra -Werror -c cubby/cubby.c -o cubby.o
# sys/sdt.h has a section of its own, weak and hidden.
others=$(nm -g --defined-only cubby.o |
	awk '$3 !~ /^cubby_/ && $3 != "_.stapsdt.base" { print $3 }')
test -z "$others" || { echo "exported too: $others"; exit 1; }

cat >user.c <<'END'
#include "cubby/cubby.h"
#include "cubby/cubby_sync.h"
#include <stdio.h>
#include <string.h>

/* A name that the library has for itself. */
int shm_open_at(void);
int shm_open_at(void) { return 0; }

int
main(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_mailbox *jobs;
	char buffer[8];
	size_t size;

	options.order = CUBBY_ORDER_ARRIVAL;
	if (cubby_open("jobs", CUBBY_CREATE | CUBBY_SEND | CUBBY_RECEIVE,
		       &options, &jobs) < 0 ||
	    cubby_send(jobs, "hello", 5) < 0 ||
	    cubby_receive(jobs, buffer, sizeof(buffer), &size) < 0)
		return 1;
	cubby_close(jobs);
	return cubby_unlink("jobs") < 0 || size != 5 ||
	       memcmp(buffer, "hello", 5) != 0 || shm_open_at();
}
END
mkdir root
CUBBY_ROOT=$PWD/root
export CUBBY_ROOT
"$compiler" -std=c99 -pedantic -Wall -Wextra -Werror user.c cubby.o -o user_c
./user_c
"$cxx" -x c++ -std=c++98 -Wall -Wextra -Werror user.c -x none cubby.o -o user_cc
./user_cc

# The tests look behind the interface.
"$compiler" -std=gnu11 -O1 -DCUBBY_INTERNAL= -c cubby/cubby.c -o open.o
unset CUBBY_ROOT
for test in send receive hold order unlimited region clock; do
	"$compiler" -std=gnu11 -O1 -D_GNU_SOURCE -I"$root/include" \
		-I"$root/src" -I"$root/tests" -I"$root/tests/support" \
		-isystem "$headers" "$root/tests/${test}_test.c" \
		"$root"/tests/support/*.c open.o "$cmocka" -o ${test}_test
	./${test}_test >log 2>&1 || { cat log; exit 1; }
done
