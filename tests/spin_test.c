/* SPDX-License-Identifier: MIT */
/*
 * Looking before a sleep: some looks always, more where it has paid of late. Of time
 * only the order of magnitude is asked, which a slow machine cannot change: looks are
 * counted.
 */
#include "support/support.h"

#include "spin.h"

/* Looks until it says that it is enough, so many moments apart. */
static int
count_looks(struct spin *spin, uint32_t moments)
{
	int looks = 0;

	spin_begin(spin);
	while (spin_again_after(spin, moments))
		looks++;
	return looks;
}

/* Until looking is as short as it gets. */
static void
disappoint(struct spin *spin)
{
	spin_init(spin);
	if (!spin->budget)
		skip_test("one processor alone: nobody looks");
	while (spin->budget > SPIN_SHORTEST) {
		spin_begin(spin);
		spin_end(spin, true);
	}
	spin->until_probe = 1000;
}

static void
even_the_shortest_looks_once(void)
{
	static const uint32_t apart[] = { 1, 2, 8, 15, 16, 64, 1000 };
	struct spin spin;

	disappoint(&spin);
	for (size_t i = 0; i < COUNT_OF(apart); i++) {
		expect(count_looks(&spin, apart[i]) >= 1);
		spin_end(&spin, true);
	}
	expect_int(count_looks(&spin, 1), 16);
}

static void
what_pays_at_last_makes_it_longer(void)
{
	struct spin spin;

	disappoint(&spin);
	spin_begin(&spin);
	for (int i = 0; i < 10; i++)
		expect(spin_again(&spin));
	spin_end(&spin, false);
	expect(spin.budget > SPIN_SHORTEST);
}

static void
now_and_then_it_is_long(void)
{
	struct spin spin;
	int i;

	disappoint(&spin);
	spin.until_probe = spin.probe_every;
	for (i = 0; i < 2000; i++) {
		spin_begin(&spin);
		if (spin.longest == SPIN_LONGEST)
			break;
		spin_end(&spin, true);
	}
	expect(i < 2000);
}

int
main(void)
{
	static const struct test tests[] = {
		TEST(even_the_shortest_looks_once),
		TEST(what_pays_at_last_makes_it_longer),
		TEST(now_and_then_it_is_long),
	};

	return RUN_TESTS("spin", tests);
}
