/* SPDX-License-Identifier: MIT */
/*
 * Expectations: what fails says where, what it got and what it wanted, and
 * ends its process. (The assertions of cmocka jump back to its runner, which a
 * forked process or another thread must not do.)
 */
#include "support.h"
#include <stdarg.h>

_Noreturn void
fail_at(const char *file, int line, const char *format, ...)
{
	char text[1024];
	va_list arguments;
	int used;

	used = snprintf(text, sizeof(text), "%s:%d: ", file, line);
	va_start(arguments, format);
	vsnprintf(text + used, sizeof(text) - used, format, arguments);
	va_end(arguments);
	fprintf(stderr, "%s (process %d)\n", text, getpid());
	fflush(stderr);
	_exit(1);
}

void
expect_int_at(const char *file, int line, const char *what, long long got,
	      long long wanted)
{
	if (got != wanted)
		fail_at(file, line, "%s is %lld, not %lld", what, got, wanted);
}

static const char *
result_text(int result)
{
#ifdef __GLIBC__
	const char *name = result < 0 ? strerrorname_np(-result) : "";

	return name ? name : "?";
#else
	return result < 0 ? strerror(-result) : "";
#endif
}

void
expect_result_at(const char *file, int line, const char *what, int got,
		 int wanted)
{
	if (got != wanted)
		fail_at(file, line, "%s is %d %s, not %d %s", what, got,
			result_text(got), wanted, result_text(wanted));
}

void
expect_bytes_at(const char *file, int line, const void *got, size_t got_size,
		const void *wanted, size_t wanted_size)
{
	if (got_size != wanted_size)
		fail_at(file, line, "%zu bytes, not %zu", got_size,
			wanted_size);
	for (size_t i = 0; i < wanted_size; i++) {
		int one = ((const unsigned char *)got)[i];
		int other = ((const unsigned char *)wanted)[i];

		if (one != other)
			fail_at(file, line, "byte %zu of %zu is %d, not %d", i,
				wanted_size, one, other);
	}
}
