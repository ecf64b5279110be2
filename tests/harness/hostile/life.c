/* SPDX-License-Identifier: MIT */
/* The victim's life, and what it looks at in the end. */
#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "acts.h"

struct own own;

void
manage(int result, const char *what)
{
	if (result < 0)
		fail("the victim's %s: %s", what, cubby_strerror(result));
}

int64_t
in_a_moment(void)
{
	return now() + (DAMAGED_FILE(own.stage) ? MOMENT : 60 * NANOSECONDS);
}

void
become(uid_t uid)
{
	if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 ||
	    setresuid(uid, uid, uid) < 0)
		fail("user %u: %s", uid, strerror(errno));
	prctl(PR_SET_DUMPABLE, 1);
}

/* The bystander's. */
static bool
is_sound(const unsigned char *bytes, size_t size)
{
	return size == 3 && !memcmp(bytes, "ok", 3);
}

/* May it be told that? damaged: something that it needs. */
static bool
is_told(int result, int way, bool damaged)
{
	if (result >= 0)
		return true;
	if (way && damage_fills(way - 1) &&
	    (result == -ENOSPC ||	/* it, or who would serve it */
	     (result == -ETIMEDOUT && own.act->company == SERVE_VICTIM)))
		return true;
	return damaged && (result == -EBADMSG || result == -EAGAIN ||
			   result == -ETIMEDOUT || result == -ENOSPC ||
			   result == own.act->also ||
			   result == own.act->and_also);
}

static bool
is_whole(const unsigned char *bytes, size_t size)
{
	size_t i = 0;

	while (i < size && bytes[i] == 'h')
		i++;
	return size ? i == size && size == own.act->size : false;
}

/* What was cut short has not been received: what has, is whole. */
static void
check_messages(const struct victim *victim)
{
	const struct cubby_batch_entry *entries = victim->entries;

	if (own.act->company != SEND_TO_VICTIM ||
	    damage_invents((int)DAMAGE_DONE(victim->stage) - 1))
		return;
	for (int i = 0; i < victim->result && own.act->perform == receive_batch;
	     i++)
		if (!is_whole(entries[i].data, entries[i].size) &&
		    !is_sound(entries[i].data, entries[i].size))
			fail("another message came, in a batch");
	if (victim->size != SIZE_MAX && victim->result == 0 &&
	    !is_whole(victim->buffer, victim->size) &&
	    !is_sound(victim->buffer, victim->size))
		fail("another message came");
}

static void
check_result(struct victim *victim)
{
	int way = (int)DAMAGE_DONE(victim->stage);
	bool damaged = way && !is_spare(DAMAGED_FILE(victim->stage));

	check_messages(victim);
	if (!is_told(victim->result, way, damaged))
		fail("the victim was told: %s",
		     cubby_strerror(victim->result));
}

/* For as long as all goes well, or what is left of it. */
static int64_t
for_what_is_sound(const struct victim *victim)
{
	enum file file = DAMAGED_FILE(victim->stage);
	bool sound = is_spare(file) || file == LANE;

	return now() + (sound ? PATIENCE / 2 : MOMENT / 10);
}

/* Has the hostile user taken the memory that the bystander would need? */
static bool
is_starved(int way)
{
	return way && damage_fills(way - 1) && own.act->unlimited;
}

/* The bystander's messages come, whatever became of the hostile's lane. */
static void
receive_sound(struct victim *victim)
{
	int way = (int)DAMAGE_DONE(victim->stage);
	enum file file = DAMAGED_FILE(victim->stage);
	int64_t deadline = for_what_is_sound(victim);
	int errors = 0, result;

	for (int sound = 0; way && !is_starved(way) && sound < 2;) {
		result = cubby_receive_full(victim->mailbox, NULL, 0, deadline,
					    victim->buffer, BUFFER,
					    &victim->size, NULL);
		if (result == 0)
			sound += is_sound(victim->buffer, victim->size);
		else if (file != LANE && !is_spare(file))
			return;
		else if (result == -EOPNOTSUPP)
			continue;	/* a region that is not his */
		else if (file != LANE || result != -EBADMSG)
			fail("the bystander's message: %s",
			     cubby_strerror(result));
		else if (++errors > 50)
			fail("-EBADMSG without end");
	}
}

static void
send_sound(struct victim *victim)
{
	int way = (int)DAMAGE_DONE(victim->stage), result;

	for (int i = 0; way && i < 2; i++) {
		result = cubby_send_full(victim->mailbox, "ok", 3, NULL, 0,
					 for_what_is_sound(victim));
		if (result < 0 && is_spare(DAMAGED_FILE(victim->stage)) &&
		    !(result == -ENOSPC && damage_fills(way - 1)))
			fail("the next send: %s", cubby_strerror(result));
		if (result < 0)
			return;
	}
}

/* The process is as good as before. */
static void
go_elsewhere(const struct victim *victim)
{
	int way = (int)DAMAGE_DONE(victim->stage);
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_mailbox *mailbox;
	char bytes[8];

	if (!way || damage_fills(way - 1))
		return;
	options.capacity = 1;
	manage(cubby_open(ELSEWHERE, CUBBY_CREATE | CUBBY_SEND | CUBBY_RECEIVE,
			&options, &mailbox), "other mailbox");
	manage(cubby_send(mailbox, "other", 6), "send elsewhere");
	manage(cubby_receive(mailbox, bytes, sizeof(bytes), NULL),
	     "receive elsewhere");
	if (strcmp(bytes, "other"))
		fail("another message came elsewhere");
	cubby_close(mailbox);
	manage(cubby_unlink(ELSEWHERE), "unlink elsewhere");
}

static void
conclude(struct victim *victim)
{
	check_result(victim);
	if (victim->message)
		cubby_release(victim->message);
	if (victim->mailbox && own.act->company == SEND_TO_VICTIM)
		receive_sound(victim);
	if (victim->mailbox && own.act->company == TAKE_FROM_VICTIM)
		send_sound(victim);
	cubby_region_close(victim->region);
	cubby_close(victim->mailbox);
	go_elsewhere(victim);
}

static void
settle_down(struct victim *victim)
{
	victim_mark(victim->stage, MARK_FURNISH);
	for (int i = 0; i < STREAK; i++)
		manage(cubby_receive_full(victim->mailbox, NULL, 0, CUBBY_NOW,
					victim->buffer, BUFFER, NULL, NULL),
		     "streak");
}

void
act_live(const struct act *act, struct stage *stage)
{
	struct victim victim = { .stage = stage };
	int descriptors, mappings;

	complain_to(stage);
	become(VICTIM_UID);
	tracee_offer();
	own.act = act;
	own.stage = stage;
	memset(own.bytes, 'v', sizeof(own.bytes));
	descriptors = count_descriptors();
	mappings = count_mappings(getenv("CUBBY_ROOT"));
	victim.envelope = (struct cubby_envelope)CUBBY_ENVELOPE_INIT;
	victim.buffer = calloc(1, BUFFER);
	if (act->roles && !act->opens) {
		open_mailbox(&victim);
		manage(victim.result, "opening");
	}
	if (act->settles)
		settle_down(&victim);
	if (act->waiting)
		victim_mark(stage, MARK_SEND);
	if (act->prepare)
		act->prepare(&victim);
	victim.size = SIZE_MAX;
	victim_mark(stage, MARK_START);
	act->perform(&victim);
	if (!DAMAGE_DONE(stage))
		victim_mark(stage, MARK_END);
	conclude(&victim);
	if (count_descriptors() != descriptors)
		fail("the victim leaves a descriptor open");
	if (count_mappings(getenv("CUBBY_ROOT")) != mappings)
		fail("the victim leaves something mapped");
	free(victim.buffer);
	_exit(0);
}
