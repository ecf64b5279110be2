/* SPDX-License-Identifier: MIT */
/* Test: timeout 300. */
/*
 * Two who repair the same dead receiver at a time, one of them stopped or
 * killed in the middle; a slot that has another owner by then; a joiner who
 * stands still. Nothing held is lost or doubled, and nobody is held up.
 *
 * bias.c, claims.c and lane.c are compiled into this file, so that before any
 * of their accesses to a shared word somebody else can do his part.
 */
#include <setjmp.h>

#include "base.h"
#include "atomics.h"

static void
access_point(void);

#define HOOK(name, ...) (access_point(), (name)(__VA_ARGS__))
#define word64_load_acquire(...) HOOK(word64_load_acquire, __VA_ARGS__)
#define word64_load_relaxed(...) HOOK(word64_load_relaxed, __VA_ARGS__)
#define word64_store_release(...) HOOK(word64_store_release, __VA_ARGS__)
#define word64_cas_acq_rel(...) HOOK(word64_cas_acq_rel, __VA_ARGS__)
#define word32_cas_acq_rel(...) HOOK(word32_cas_acq_rel, __VA_ARGS__)
#define word32_add_acq_rel(...) HOOK(word32_add_acq_rel, __VA_ARGS__)
#define revoke revoke_bias /* <unistd.h> has one */
#include "bias.c"
#undef revoke
#include "claims.c"
#include "lane.c"

#include "directory.h"
#include "mailbox.h"
#include "names.h"
#include "support/support.h"

/* Somebody else, in the middle ------------------------------------------- */

#define NEVER INT32_MAX

static int outer_accesses, inner_accesses; /* left, until it happens */
static void (*interlude)(void);
static bool in_interlude;
static jmp_buf stopped;

static void
access_point(void)
{
	if (in_interlude) {
		if (inner_accesses-- == 0)
			longjmp(stopped, 1);
		return;
	}
	if (!interlude || outer_accesses-- != 0)
		return;
	in_interlude = true;
	if (setjmp(stopped) == 0)
		interlude();
	in_interlude = false;
	interlude = NULL;
}

/* Before the access numbered `at` of what is done next, `who` does his part, up
   to his access numbered `until`; there he is stopped for good. */
static void
arrange(void (*who)(void), int at, int until)
{
	interlude = who;
	outer_accesses = at;
	inner_accesses = until;
}

/* Was there such an access? Nobody is to come any more. */
static bool
has_happened(void)
{
	bool happened = !interlude;

	interlude = NULL;
	return happened;
}

/* A receiver who was killed while he held a message ---------------------- */

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)
#define DEAD 5

static cubby_mailbox *mailbox, *other;
static struct view *view;

enum death {
	BEFORE_THE_STORE, /* of the bias: it has not taken it */
	AFTER_THE_STORE,
	AFTER_THE_CONFIRM,
};

static void
open_with_a_dead_slot(void)
{
	mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	view = &mailbox->view;
	/* Not alone: it biases nothing itself. */
	other = open_mailbox("m", CUBBY_RECEIVE, NULL);
	send_number(mailbox, 0);
	expect_number(mailbox, 0);
	expect_ok(claims_extend(view, DEAD));
}

/* What he did; he holds the next message, biased. */
static void
hold_and_die(enum death death)
{
	struct lane_entry *entry = mailbox->receiver.lanes[0]->entry;
	uint64_t head = word64_load_acquire(&entry->head), intent;
	struct taken taken = { .position = head_position(head), .size = 8 };
	uint64_t number = taken.position, bias;
	uint32_t claim = claims_find_free(view, DEAD);

	send_number(mailbox, number);
	bias = bias_take(entry, DEAD, head);
	expect(bias != 0);
	intent = claims_intend(view, claim, DEAD, &taken, &number);
	if (death == BEFORE_THE_STORE)
		return;
	expect(bias_advance(entry, bias, head_make(number + 1, claim + 1)));
	if (death == AFTER_THE_CONFIRM)
		claims_confirm(view, claim, intent);
}

static void
repair_dead(void)
{
	lane_repair_slot(view, DEAD, false);
}

static void
bury_dead(void)
{
	lane_repair_slot(view, DEAD, true);
}

/* All orders of two repairs, the one being nested in the other and ended
   before its access `until`; then one more, as any receiver does. */
static void
repair_twice(enum death death, void (*outer)(void), void (*inner)(void),
	     bool to_its_end)
{
	bool happened = true;

	for (int at = 0; happened; at++) {
		for (int until = 0;; until++) {
			uint64_t number;

			hold_and_die(death);
			number = head_position(bias_head(
				mailbox->receiver.lanes[0]->entry, 0));
			number -= death == BEFORE_THE_STORE ? 0 : 1;
			number &= HEAD_POSITION;
			arrange(inner, at, to_its_end ? NEVER : until);
			outer();
			happened = has_happened();
			/* Who joins has nobody who repairs after him. */
			if (outer != bury_dead)
				repair_dead();
			expect_number(mailbox, number);
			expect_empty(mailbox);
			bury_dead();
			expect_empty(mailbox);
			expect_int(inspect("m").held, 0);
			if (to_its_end || !happened || inner_accesses >= 0)
				break;
		}
	}
}

static void
two_repairs_lose_nothing(void (*outer)(void), void (*inner)(void),
			 bool to_its_end)
{
	open_with_a_dead_slot();
	repair_twice(BEFORE_THE_STORE, outer, inner, to_its_end);
	repair_twice(AFTER_THE_STORE, outer, inner, to_its_end);
	repair_twice(AFTER_THE_CONFIRM, outer, inner, to_its_end);
	cubby_close(other);
	cubby_close(mailbox);
}

static void
two_who_repair_lose_nothing(void)
{
	two_repairs_lose_nothing(repair_dead, repair_dead, true);
}

static void
one_who_repairs_and_is_killed_loses_nothing(void)
{
	two_repairs_lose_nothing(repair_dead, repair_dead, false);
}

static void
who_joins_meanwhile_loses_nothing(void)
{
	two_repairs_lose_nothing(repair_dead, bury_dead, true);
}

static void
who_joins_meanwhile_and_is_killed_loses_nothing(void)
{
	two_repairs_lose_nothing(repair_dead, bury_dead, false);
}

static void
who_joins_while_another_repairs_loses_nothing(void)
{
	two_repairs_lose_nothing(bury_dead, repair_dead, true);
}

static void
who_joins_while_another_repairs_and_is_killed_loses_nothing(void)
{
	two_repairs_lose_nothing(bury_dead, repair_dead, false);
}

/* Another gets the slot, holds the next message and dies; and who takes his
   bias away is stopped. */
static void
hold_die_and_repair(void)
{
	int until = inner_accesses;

	inner_accesses = NEVER;
	hold_and_die(AFTER_THE_STORE);
	inner_accesses = until;
	repair_dead();
}

static void
who_dies_while_the_one_before_is_repaired_loses_nothing(void)
{
	bool happened = true;
	uint64_t number = 1;

	open_with_a_dead_slot();
	for (int at = 0; happened; at++) {
		for (int until = 0;; until++) {
			arrange(hold_die_and_repair, at, until);
			repair_dead();
			happened = has_happened();
			repair_dead();
			if (happened)
				expect_number(mailbox, number++);
			expect_empty(mailbox);
			bury_dead();
			if (!happened || inner_accesses >= 0)
				break;
		}
	}
	cubby_close(other);
	cubby_close(mailbox);
}

/* Slots ------------------------------------------------------------------ */

static struct gate holding;

/* A receiver who holds the next message, of this text. */
static void
start_holder(struct child *child, const char *text)
{
	in_child(child) {
		cubby_mailbox *own = open_mailbox("m", CUBBY_RECEIVE, NULL);
		cubby_message *message;

		expect_ok(cubby_hold(own, NULL, CUBBY_NOW, &message));
		expect_bytes(cubby_message_data(message),
			     cubby_message_size(message), text, strlen(text));
		expect_int(own->receiver.slot, 0);
		gate_open(&holding);
		pause();
	}
	gate_wait(&holding);
}

/* Of the two receivers one is killed: he was in slot 0, and held "one". */
static void
open_with_a_dead_holder(void)
{
	struct child holder;

	holding = gate_make();
	cubby_close(open_mailbox("m", CUBBY_CREATE | CUBBY_SEND, NULL));
	mailbox = open_mailbox("m", CUBBY_SEND, NULL);
	send_text(mailbox, "one");
	start_holder(&holder, "one");
	cubby_close(mailbox);
	mailbox = open_mailbox("m", BOTH, NULL);
	view = &mailbox->view;
	expect_int(mailbox->receiver.slot, 1);
	child_kill(&holder);
}

static bool next_one_came;

/* He who repairs stands still after his first repair: another joins in the
   slot, holds, and is killed. */
static void
repair_slowly(void *context, uint32_t slot, bool ours)
{
	struct child next;

	(void)context;
	expect_int(slot, 0);
	lane_repair_slot(view, slot, ours);
	if (next_one_came)
		return;
	next_one_came = true;
	expect_text(mailbox, "one");
	send_text(mailbox, "two");
	start_holder(&next, "two");
	child_kill(&next);
}

static void
what_the_slots_next_owner_held_comes_back(void)
{
	open_with_a_dead_holder();
	participants_find_dead(view, mailbox->receiver.slot, repair_slowly,
			       NULL);
	expect(next_one_came);
	expect_text(mailbox, "two");
	expect_empty(mailbox);
	cubby_close(mailbox);
}

/* The next owner lives: he keeps what he holds, and counts as there. */
static struct child living;

static void
repair_with_a_living_one(void *context, uint32_t slot, bool ours)
{
	(void)context;
	lane_repair_slot(view, slot, ours);
	if (next_one_came)
		return;
	next_one_came = true;
	expect_text(mailbox, "one");
	send_text(mailbox, "two");
	start_holder(&living, "two");
	lane_repair_slot(view, slot, ours);
}

static void
the_slots_next_owner_keeps_what_he_holds(void)
{
	open_with_a_dead_holder();
	participants_find_dead(view, mailbox->receiver.slot,
			       repair_with_a_living_one, NULL);
	expect_empty(mailbox);
	expect_int(inspect("m").receivers, 2);
	expect_int(inspect("m").held, 1);
	child_kill(&living);
	expect_text(mailbox, "two");
	cubby_close(mailbox);
}

/* A joiner who has chosen the dead one's slot, and stands still there. */
static void
start_joiner(struct child *child, bool repairs)
{
	struct gate joined = gate_make();

	in_child(child) {
		struct liveness joining;
		struct place place;
		struct view own;
		uint32_t slot;

		expect_ok(names_find("m", false, &place));
		expect_ok(directory_open(&place, DIRECTORY_RECEIVE, &own));
		expect_ok(participants_join(&own, &joining, &slot));
		expect_int(slot, 0);
		if (repairs)
			lane_repair_slot(&own, slot, true);
		gate_open(&joined);
		pause();
	}
	gate_wait(&joined);
}

static void
a_joiner_who_stands_still_keeps_nothing_back(void)
{
	struct child joiner;

	open_with_a_dead_holder();
	start_joiner(&joiner, false);
	expect_text(mailbox, "one");
	/* Others join beside him. */
	cubby_close(open_mailbox("m", CUBBY_RECEIVE, NULL));
	child_kill(&joiner);
	cubby_close(mailbox);
}

static void
a_joiner_killed_in_the_middle_leaves_the_slot(void)
{
	struct child joiner, next;

	open_with_a_dead_holder();
	start_joiner(&joiner, true);
	child_kill(&joiner);
	expect_text(mailbox, "one");
	send_text(mailbox, "two");
	start_holder(&next, "two");
	child_kill(&next);
	expect_text(mailbox, "two");
	cubby_close(mailbox);
}

static const struct test tests[] = {
	TEST(two_who_repair_lose_nothing),
	TEST(one_who_repairs_and_is_killed_loses_nothing),
	TEST(who_joins_meanwhile_loses_nothing),
	TEST(who_joins_meanwhile_and_is_killed_loses_nothing),
	TEST(who_joins_while_another_repairs_loses_nothing),
	TEST(who_joins_while_another_repairs_and_is_killed_loses_nothing),
	TEST(who_dies_while_the_one_before_is_repaired_loses_nothing),
	TEST(what_the_slots_next_owner_held_comes_back),
	TEST(the_slots_next_owner_keeps_what_he_holds),
	TEST(a_joiner_who_stands_still_keeps_nothing_back),
	TEST(a_joiner_killed_in_the_middle_leaves_the_slot),
};

int
main(void)
{
	return RUN_TESTS("repair", tests);
}
