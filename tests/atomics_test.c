/* SPDX-License-Identifier: MIT */
/* What atomics.h promises besides order: a load never writes. */
#include "support/forked.h"

#include <string.h>
#include <sys/mman.h>

#include "atomics.h"

/* Through a mapping for reading; every bit of it, also of what no floating-point
   number is. */
static void
eight_bytes_are_loaded_from_what_may_not_be_written(void)
{
	static const uint64_t values[] = {
		0, 1, UINT64_MAX, UINT64_C(1) << 63, UINT64_C(0x7ff0) << 48,
		UINT64_C(0x7ff0000000000001), UINT64_C(0xfff4000000000001),
		UINT64_C(0x0123456789abcdef)
	};
	word64 *words = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t copy[ARRAY_SIZE(values)];
	size_t i;

	need(words != MAP_FAILED);
	for (i = 0; i < ARRAY_SIZE(values); i++)
		word64_store_release(&words[i], values[i]);
	need(!mprotect(words, PAGE, PROT_READ));
	for (i = 0; i < ARRAY_SIZE(values); i++) {
		need(word64_load_acquire(&words[i]) == values[i]);
		need(word64_load_relaxed(&words[i]) == values[i]);
		need(word32_load_acquire(word64_low_half(&words[i])) ==
		     (uint32_t)values[i]);
	}
	copy_out_relaxed(copy, words, sizeof(copy));
	need(!memcmp(copy, values, sizeof(copy)));
	memset(copy, 0, sizeof(copy));
	copy_out_wide(copy, words, sizeof(copy));
	need(!memcmp(copy, values, sizeof(copy)));
}

static void
a_word_is_aligned_to_eight_bytes_on_every_machine(void)
{
	struct { char one; word64 word; } both;

	need(((uintptr_t)&both.word & 7) == 0);
	need(sizeof(both) == 16);
}

static const struct forked_test tests[] = {
	FORKED_TEST(eight_bytes_are_loaded_from_what_may_not_be_written),
	FORKED_TEST(a_word_is_aligned_to_eight_bytes_on_every_machine),
};

int
main(void)
{
	return forked_run("atomics", tests, ARRAY_SIZE(tests));
}
