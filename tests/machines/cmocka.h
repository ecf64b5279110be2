/* SPDX-License-Identifier: MIT */
/*
 * What the tests use of cmocka, for machines that we build for and whose cmocka
 * is not here: the same names with the same meaning, and its way to tell.
 * Where there is a cmocka, that is used (tests/CMakeLists.txt).
 */
#ifndef CUBBY_TESTS_MACHINES_CMOCKA_H
#define CUBBY_TESTS_MACHINES_CMOCKA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct CMUnitTest {
	const char *name;
	void (*test_func)(void **state);
	int (*setup_func)(void **state);
	int (*teardown_func)(void **state);
	void *initial_state;
};

#define cmocka_unit_test(f) { #f, f, NULL, NULL, NULL }
#define cmocka_unit_test_setup(f, setup) { #f, f, setup, NULL, NULL }

enum stand_in_end { STAND_IN_BEGUN, STAND_IN_FAILED, STAND_IN_SKIPPED };

/* Weak: one for all files of a program. */
__attribute__((weak)) jmp_buf stand_in_place;

static inline void
print_message(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	fflush(stdout);
}

static inline _Noreturn void
stand_in_fail(const char *file, int line, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "[  ERROR   ] --- %s:%d: ", file, line);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	longjmp(stand_in_place, STAND_IN_FAILED);
}

static inline _Noreturn void
stand_in_skip(void)
{
	longjmp(stand_in_place, STAND_IN_SKIPPED);
}

#define fail_msg(...) stand_in_fail(__FILE__, __LINE__, __VA_ARGS__)
#define fail() fail_msg("failed")
#define skip() stand_in_skip()

#define assert_true(c) ((c) ? (void)0 : fail_msg("not so: %s", #c))
#define assert_false(c) ((c) ? fail_msg("so: %s", #c) : (void)0)
#define assert_non_null(p) assert_true((p) != NULL)
#define assert_null(p) assert_true((p) == NULL)
#define assert_ptr_equal(a, b) \
	assert_true((const void *)(a) == (const void *)(b))
#define assert_ptr_not_equal(a, b) \
	assert_true((const void *)(a) != (const void *)(b))
#define assert_memory_equal(a, b, size) assert_true(!memcmp(a, b, size))
#define assert_int_equal(a, b) \
	stand_in_int(__FILE__, __LINE__, #a, (long long)(a), (long long)(b), 1)
#define assert_int_not_equal(a, b) \
	stand_in_int(__FILE__, __LINE__, #a, (long long)(a), (long long)(b), 0)

static inline void
stand_in_int(const char *file, int line, const char *what, long long a,
	     long long b, int equal)
{
	if ((a == b) != equal)
		stand_in_fail(file, line, "%s is %lld%s %lld", what, a,
			      equal ? ", not" : ", as", b);
}

static inline int
stand_in_run(const struct CMUnitTest *test)
{
	void *state = test->initial_state;
	int end = setjmp(stand_in_place);

	if (end == STAND_IN_BEGUN) {
		if (test->setup_func && test->setup_func(&state))
			fail_msg("its setup failed");
		test->test_func(&state);
		if (test->teardown_func && test->teardown_func(&state))
			fail_msg("its teardown failed");
	}
	return end;
}

static inline int
_cmocka_run_group_tests(const char *group, const struct CMUnitTest *tests,
			size_t count, int (*setup)(void **state),
			int (*teardown)(void **state))
{
	static const char *const ends[] = {
		"[       OK ]", "[  FAILED  ]", "[  SKIPPED ]"
	};
	int failed = 0;

	(void)setup;
	(void)teardown;
	print_message("[==========] %s: %zu test(s).\n", group, count);
	for (size_t i = 0; i < count; i++) {
		int end;

		print_message("[ RUN      ] %s\n", tests[i].name);
		end = stand_in_run(&tests[i]);
		print_message("%s %s\n", ends[end], tests[i].name);
		failed += end == STAND_IN_FAILED;
	}
	print_message("[==========] %d failed.\n", failed);
	return failed;
}

#define cmocka_run_group_tests_name(name, tests, setup, teardown) \
	_cmocka_run_group_tests(name, tests, \
				sizeof(tests) / sizeof((tests)[0]), setup, \
				teardown)
#define cmocka_run_group_tests(tests, setup, teardown) \
	cmocka_run_group_tests_name(#tests, tests, setup, teardown)

#endif
