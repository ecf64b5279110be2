#!/bin/sh
# header.sh COMPILER STANDARD LANGUAGE INCLUDE_DIRECTORY: cubby.h alone, and
# cubby_sync.h alone, compile without a warning, the initialisers too.
set -eu
compiler=$1 standard=$2 language=$3 include=$4

compiles()
{
	"$compiler" -std="$standard" -x "$language" -fsyntax-only \
		-I"$include" -Wall -Wextra -Wshadow -pedantic \
		-pedantic-errors -Werror -
}

compiles <<'END'
#include <cubby.h>
#include <cubby.h>

struct cubby_options options = CUBBY_OPTIONS_INIT;
struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
struct cubby_filter filter = CUBBY_FILTER_INIT;
struct cubby_info info = CUBBY_INFO_INIT;
struct cubby_receiver_info receiver_info;
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

compiles <<'END'
#include <cubby_sync.h>
#include <cubby_sync.h>

struct shared {
	cubby_mutex mutex;
	cubby_condition condition;
	cubby_semaphore semaphore;
};

int
main(void)
{
	static struct shared shared;
	uint32_t value = CUBBY_SEMAPHORE_MAX;
	cubby_region *region;
	int result;

	result = cubby_region_open("r", CUBBY_WRITE, NULL, &region);
	if (result == 0)
		result = cubby_mutex_lock(region, &shared.mutex, CUBBY_NOW);
	if (result == 0)
		result = cubby_semaphore_value(region, &shared.semaphore,
					       &value);
	return result || value;
}
END
