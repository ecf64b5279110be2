/* SPDX-License-Identifier: MIT */
/* Test: tsan. */
#include "base.h"
#include "cubby.h"
#include "support/forked.h"
#include <limits.h>

#define UNKNOWN "an error that cubby does not know"

/* All that cubby.h gives a meaning. */
static const int documented[] = {
	EACCES,	    EAGAIN,  EBADF,	EBADMSG,    EBUSY,
	ECHILD,	    EDQUOT,  EEXIST,	EFBIG,	    EINPROGRESS,
	EINTR,	    EINVAL,  EMFILE,	EMSGSIZE,   ENAMETOOLONG,
	ENFILE,	    ENOENT,  ENOMEM,	ENOSPC,	    ENOTDIR,
	EOPNOTSUPP, EPERM,   EPROTO,	EROFS,	    ETIMEDOUT,
	EUSERS,	    EDEADLK, EOVERFLOW, EOWNERDEAD, ENOTRECOVERABLE,
	EPIPE,	    ESRCH,   ENOMSG,	EXDEV,
};

static void
each_errno_has_words_of_its_own(void)
{
	const char *words, *other;
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(documented); i++) {
		words = cubby_strerror(documented[i]);
		need(strcmp(words, UNKNOWN) != 0);
		need(strcmp(words, strerror(documented[i])) != 0);
		need(words[0] && words[strlen(words) - 1] != '.');
		for (j = 0; j < i; j++) {
			other = cubby_strerror(documented[j]);
			need(strcmp(words, other) != 0);
		}
	}
}

static void
the_sign_does_not_matter(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(documented); i++)
		need(cubby_strerror(documented[i]) ==
		     cubby_strerror(-documented[i]));
}

static void
zero_is_success(void)
{
	need(!strcmp(cubby_strerror(0), "success"));
}

static void
the_kernel_s_other_errors_are_told(void)
{
#ifdef __GLIBC__
#if __GLIBC_PREREQ(2, 32)
	need(!strcmp(cubby_strerror(-ELOOP), strerrordesc_np(ELOOP)));
#endif
#endif
	need(cubby_strerror(-ELOOP)[0]);
}

static void
what_is_no_errno_has_words_too(void)
{
	need(!strcmp(cubby_strerror(INT_MAX), UNKNOWN));
	need(!strcmp(cubby_strerror(INT_MIN), UNKNOWN));
	need(!strcmp(cubby_strerror(-123456), UNKNOWN));
}

static void
the_version_is_that_of_the_header(void)
{
	need(!strcmp(cubby_version(), CUBBY_VERSION));
}

static const struct forked_test tests[] = {
	FORKED_TEST(each_errno_has_words_of_its_own),
	FORKED_TEST(the_sign_does_not_matter),
	FORKED_TEST(zero_is_success),
	FORKED_TEST(the_kernel_s_other_errors_are_told),
	FORKED_TEST(what_is_no_errno_has_words_too),
	FORKED_TEST(the_version_is_that_of_the_header),
};

int
main(void)
{
	return forked_run("error", tests, ARRAY_SIZE(tests));
}
