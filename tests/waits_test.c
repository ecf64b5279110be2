/* SPDX-License-Identifier: MIT */
/* Who waits in vain: tools/waits.c, by a table of small worlds. */
#include "support/support.h"
#include "../tools/waits.c"

#define MOST 8

/*
 * A world is written as words. "0<12" is: 0 waits for a message, which 1 or 2
 * could send; "0+1": 0 waits for room that 1 could make; "0=1": for 1's reply;
 * "0<" for a message that nobody can send who is known; "0<1?" for one that a
 * stranger may send, too; "0!" says that 0 runs. What is to be found: for each
 * process, a dot (goes on), v (waits in vain), or the letter of its deadlock.
 */
struct world {
	const char *text;
	const char *found;
};

static const struct world worlds[] = {
	/* Nobody waits; somebody waits for one who runs. */
	{ "", "..." },
	{ "0<1", ".." },
	{ "0<1 1!", ".." },
	{ "0<1 1<2 2!", "..." },
	/* Two, three, four wait for each other. */
	{ "0<1 1<0", "AA" },
	{ "0<1 1<2 2<0", "AAA" },
	{ "0<1 1<2 2<3 3<0", "AAAA" },
	/* For room, and for room and a message. */
	{ "0+1 1+0", "AA" },
	{ "0+1 1<0", "AA" },
	/* For replies; a caller that serves itself waits in vain. */
	{ "0=1 1=0", "AA" },
	{ "0=1 1<0", "AA" },
	{ "0=0", "A" },
	/* One of them runs, whatever it is said to wait for. */
	{ "0<1 1<0 1!", ".." },
	/* A stranger may end it, or nobody is known who could. */
	{ "0<1? 1<0", ".." },
	{ "0< 1<0", ".." },
	{ "0<", "." },
	/* An OR: several helpers, or several waits of one process. */
	{ "0<12 1<0 2!", "..." },
	{ "0<12 1<0 2<0", "AAA" },
	{ "0<1 0<2 1<0 2!", "..." },
	{ "0<1 0<2 1<0 2<0", "AAA" },
	{ "0<1 0<2 1<0 2<", "..." },
	{ "0<1 0+2 1<0 2<3 3!", "...." },
	/* Behind a deadlock, by one step and by two. */
	{ "0<1 1<0 2<0", "AAv" },
	{ "0<1 1<0 2<0 3<2", "AAvv" },
	{ "0<1 1<0 2<03 3!", "AA.." },
	/* Two at a time; and one who waits for both. */
	{ "0<1 1<0 2<3 3<2", "AABB" },
	{ "0<1 1<0 2<3 3<2 4<02", "AABBv" },
	/* Eights that share one are one knot. */
	{ "0<1 1<02 2<1", "AAA" },
	/* For itself: for room in its own mailbox; idle, if for a message. */
	{ "0+0", "A" },
	{ "0+01", ".." },
	{ "0+01 1+0", "AA" },
	{ "0<0", "." },
	{ "0<012 1<012 2<012", "..." },
	{ "0<01 1<0", ".." },
	/* A busy pair: at each look one of them runs. */
	{ "0<1 1! 1<0", ".." },
	{ "1<0 0!", ".." },
};

struct reading {
	struct wait waits[MOST * MOST];
	size_t helpers[MOST * MOST][MOST];
	size_t count;
	bool runs[MOST];
};

static void
read_word(const char *word, struct reading *ret)
{
	size_t process = (size_t)(word[0] - '0');
	struct wait *wait = &ret->waits[ret->count];

	if (word[1] == '!') {
		ret->runs[process] = true;
		return;
	}
	*wait = (struct wait){
		.process = process,
		.kind = word[1] == '+' ? WAIT_ROOM :
			word[1] == '=' ? WAIT_REPLY :
					 WAIT_MESSAGE,
		.helpers = ret->helpers[ret->count],
	};
	for (word += 2; *word && *word != ' '; word++) {
		if (*word == '?')
			wait->open = true;
		else
			ret->helpers[ret->count][wait->helper_count++] =
				(size_t)(*word - '0');
	}
	ret->count++;
}

static void
read_world(const char *text, struct reading *ret)
{
	memset(ret, 0, sizeof(*ret));
	while (*text) {
		read_word(text, ret);
		text += strcspn(text, " ");
		text += strspn(text, " ");
	}
}

static void
judge(const struct reading *reading, size_t processes, char *found)
{
	struct judgement judgements[MOST];
	size_t knots = waits_judge(reading->waits, reading->count,
				   reading->runs, processes, judgements);

	for (size_t p = 0; p < processes; p++) {
		expect(judgements[p].verdict != DEADLOCKED ||
		       judgements[p].knot < knots);
		found[p] = judgements[p].verdict == GOES_ON	  ? '.' :
			   judgements[p].verdict == WAITS_IN_VAIN ? 'v' :
					(char)('A' + judgements[p].knot);
	}
	found[processes] = '\0';
}

static void
each_world_is_judged_as_it_is(void)
{
	struct reading reading;
	char found[MOST + 1];

	for (size_t i = 0; i < COUNT_OF(worlds); i++) {
		read_world(worlds[i].text, &reading);
		judge(&reading, strlen(worlds[i].found), found);
		if (strcmp(found, worlds[i].found) != 0)
			fail_at(__FILE__, __LINE__, "\"%s\": %s, not %s",
				worlds[i].text, found, worlds[i].found);
	}
}

/* In whatever order the waits are told. */
static void
the_order_does_not_matter(void)
{
	struct reading reading;
	char found[MOST + 1];
	struct wait first;

	for (size_t i = 0; i < COUNT_OF(worlds); i++) {
		read_world(worlds[i].text, &reading);
		for (size_t turn = 0; turn < reading.count; turn++) {
			first = reading.waits[0];
			memmove(reading.waits, reading.waits + 1,
				(reading.count - 1) * sizeof(first));
			reading.waits[reading.count - 1] = first;
			judge(&reading, strlen(worlds[i].found), found);
			expect(strcmp(found, worlds[i].found) == 0);
		}
	}
}

/* Hundreds in a ring; and when one of them runs. */
static void
many_are_judged(void)
{
	enum { MANY_PROCESSES = 300 };
	static size_t next[MANY_PROCESSES];
	static struct wait waits[MANY_PROCESSES];
	static bool runs[MANY_PROCESSES];
	static struct judgement judgements[MANY_PROCESSES];

	for (size_t i = 0; i < MANY_PROCESSES; i++) {
		next[i] = (i + 1) % MANY_PROCESSES;
		waits[i] = (struct wait){ .process = i,
					  .helpers = &next[i],
					  .helper_count = 1 };
	}
	expect_int(waits_judge(waits, MANY_PROCESSES, runs, MANY_PROCESSES,
			       judgements),
		   1);
	for (size_t i = 0; i < MANY_PROCESSES; i++)
		expect_int(judgements[i].verdict, DEADLOCKED);
	runs[7] = true;
	expect_int(waits_judge(waits, MANY_PROCESSES, runs, MANY_PROCESSES,
			       judgements),
		   0);
}

static const struct test tests[] = {
	TEST(each_world_is_judged_as_it_is),
	TEST(the_order_does_not_matter),
	TEST(many_are_judged),
};

int
main(void)
{
	return RUN_TESTS("waits", tests);
}
