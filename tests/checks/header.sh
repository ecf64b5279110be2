#!/bin/sh
# header.sh COMPILER STANDARD LANGUAGE INCLUDE_DIRECTORY: cubby.h alone compiles
# without a warning, its initialisers too.
set -eu
compiler=$1 standard=$2 language=$3 include=$4

"$compiler" -std="$standard" -x "$language" -fsyntax-only -I"$include" \
	-Wall -Wextra -Wshadow -pedantic -pedantic-errors -Werror - <<'END'
#include <cubby.h>
#include <cubby.h>

struct cubby_options options = CUBBY_OPTIONS_INIT;
struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
struct cubby_filter filter = CUBBY_FILTER_INIT;
struct cubby_info info = CUBBY_INFO_INIT;
struct cubby_swept swept = CUBBY_SWEPT_INIT;

int
main(void)
{
	cubby_mailbox *mailbox;
	int result;

	result = cubby_open("jobs", CUBBY_CREATE | CUBBY_SEND, &options,
			    &mailbox);
	if (result == 0)
		result = cubby_send_full(mailbox, "hello", 5, &envelope,
					 CUBBY_SYNCHRONOUS, CUBBY_NOW);
	return result || CUBBY_FOREVER == CUBBY_NOW;
}
END
