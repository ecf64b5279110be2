/* SPDX-License-Identifier: MIT */
/*
 * Regions on the stage: those that carry letters from mailbox to mailbox, and
 * one with a name.
 *
 * A letter that is sent as REGIONAL lies in a region, at LETTER. Who sends a
 * region on writes a letter of his own behind it, at FORWARDED; which of the two
 * is meant says the envelope's tag. So the same region can be told from the
 * other side as the one message or the other, and must be one of them.
 */
#include <errno.h>
#include <string.h>

#include "harness.h"
#include "must.h"

enum { LETTER = 0, FORWARDED = 4096, REGION_SIZE = 8192 };

/* In messages ------------------------------------------------------------ */

cubby_region *
region_with_letter(struct stage *stage, enum actor actor, struct letter *letter)
{
	struct cubby_region_options options = CUBBY_REGION_OPTIONS_INIT;
	cubby_region *region;

	options.size = REGION_SIZE;
	options.size_max = REGION_SIZE;
	must(cubby_region_open(NULL, CUBBY_CREATE, &options, &region),
	     "a region without a name");
	letter_write(&stage->account, actor, LONG, letter);
	memcpy(cubby_region_data(region), letter->bytes, LONG);
	return region;
}

int
actor_send_region(struct stage *stage, cubby_mailbox *mailbox,
		  enum actor actor, int64_t deadline)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	struct letter letter;
	cubby_region *region = region_with_letter(stage, actor, &letter);
	int result;

	letter_address(&stage->account, &letter, &envelope);
	result = cubby_send_region(mailbox, region, &envelope, deadline);
	account_sent(&stage->account, &letter, result);
	if (result < 0)
		cubby_region_close(region);
	return result;
}

void
actor_enter_region(struct stage *stage, enum actor actor, cubby_region *region,
		   struct cubby_envelope *envelope, bool held)
{
	const char *data = cubby_region_data(region);
	enum actor from;
	uint32_t number;

	if (cubby_region_size(region) != REGION_SIZE ||
	    envelope->size != REGION_SIZE)
		fail("a region of another size came");
	envelope->size = LONG;
	if (letter_read(&stage->account, data + LETTER, envelope, &from,
			&number))
		data += FORWARDED;
	/* When it was asked for does not matter: it comes by lanes. */
	actor_enter(stage, actor, data, envelope, held, 0);
}

int
actor_take_region(struct stage *stage, cubby_mailbox *mailbox,
		  enum actor actor)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	cubby_region *region;
	int result = cubby_receive_region(mailbox, NULL, CUBBY_NOW, &region,
					  &envelope);

	if (result < 0)
		return result;
	actor_enter_region(stage, actor, region, &envelope, false);
	cubby_region_close(region);
	return 0;
}

/* The victim's part. What it forwards it has in its hands, entered so. */

static void
get_region(struct victim *victim)
{
	victim->result = cubby_receive_region(victim->mailbox, NULL,
					      CUBBY_FOREVER, &victim->region,
					      &victim->envelope);
}

void
prepare_send_region(struct victim *victim)
{
	victim->region = region_with_letter(victim->stage, victim->actor,
					    &victim->letter);
	letter_address(&victim->stage->account, &victim->letter,
		       &victim->envelope);
}

void
perform_send_region(struct victim *victim)
{
	victim->result = cubby_send_region(victim->mailbox, victim->region,
					   &victim->envelope, CUBBY_FOREVER);
}

void
conclude_send_region(struct victim *victim)
{
	must(victim->result, "the victim's cubby_send_region");
	account_sent(&victim->stage->account, &victim->letter, victim->result);
}

void
perform_receive_region(struct victim *victim)
{
	get_region(victim);
}

static void
enter_region(struct victim *victim)
{
	must(victim->result, "the victim's cubby_receive_region");
	actor_enter_region(victim->stage, victim->actor, victim->region,
			   &victim->envelope, true);
}

void
conclude_receive_region(struct victim *victim)
{
	enter_region(victim);
	cubby_region_close(victim->region);
	account_released(&victim->stage->account, &victim->envelope, true);
}

void
prepare_held_region(struct victim *victim)
{
	get_region(victim);
	enter_region(victim);
}

void
perform_close_region(struct victim *victim)
{
	cubby_region_close(victim->region);
}

void
conclude_close_region(struct victim *victim)
{
	account_released(&victim->stage->account, &victim->envelope, true);
}

void
conclude_region_back(struct victim *victim)
{
	account_released(&victim->stage->account, &victim->envelope, false);
}

void
prepare_forward(struct victim *victim)
{
	prepare_held_region(victim);
	victim->held = victim->envelope;
	letter_write(&victim->stage->account, victim->actor, LONG, &victim->letter);
	memcpy((char *)cubby_region_data(victim->region) + FORWARDED,
	       victim->letter.bytes, LONG);
	victim->envelope = (struct cubby_envelope)CUBBY_ENVELOPE_INIT;
	letter_address(&victim->stage->account, &victim->letter,
		       &victim->envelope);
	victim->stage->moved_from = victim->held.tag;
	victim->stage->moved_to = victim->envelope.tag;
}

void
conclude_forward(struct victim *victim)
{
	conclude_send_region(victim);
	account_released(&victim->stage->account, &victim->held, true);
}

/* With a name ------------------------------------------------------------ */

static cubby_region *
open_named(int flags)
{
	struct cubby_region_options options = CUBBY_REGION_OPTIONS_INIT;
	cubby_region *region;

	options.size_max = 4 * REGION_SIZE;
	must(cubby_region_open(MAILBOX, flags | CUBBY_WRITE, &options,
			       &region), "a region's open");
	return region;
}

void
named_region_begin(void)
{
	cubby_region *region = open_named(CUBBY_CREATE | CUBBY_EXCLUSIVE);

	memset(cubby_region_data(region), 7, 4096);
	cubby_region_close(region);
}

/* Whatever has happened to it: it is there, or can be made, and grows. */
void
named_region_use(void)
{
	cubby_region *region = open_named(CUBBY_CREATE), *other;
	struct cubby_region_info info = CUBBY_REGION_INFO_INIT;
	const char *data = cubby_region_data(region);
	uint64_t size = cubby_region_size(region);

	if (data[0] != data[4095] || (data[0] != 0 && data[0] != 7))
		fail("a region's bytes have changed");
	must(cubby_region_grow(region, size + 100), "a region's growth");
	memset(cubby_region_data(region), data[0], size + 100);
	other = open_named(0);
	if (cubby_region_size(other) < size + 100)
		fail("a region's growth is not seen");
	must(cubby_region_inspect(MAILBOX, &info), "a region's inspection");
	if (info.attached < 2)
		fail("%llu have a region attached, not 2",
		     (unsigned long long)info.attached);
	cubby_region_close(other);
	cubby_region_close(region);
}

void
named_region_replace(void)
{
	int result = cubby_region_unlink(MAILBOX);

	if (result != -ENOENT)
		must(result, "a region's unlink");
	named_region_use();
}

/* All have left it, but who was killed. */
void
named_region_end(void)
{
	struct cubby_region_info info = CUBBY_REGION_INFO_INIT;

	named_region_use();
	must(cubby_region_inspect(MAILBOX, &info), "a region's inspection");
	if (info.attached)
		fail("a dead one has a region attached");
	must(cubby_region_unlink(MAILBOX), "a region's unlink");
}

void
perform_region_open(struct victim *victim)
{
	struct cubby_region_options options = CUBBY_REGION_OPTIONS_INIT;

	options.size_max = 4 * REGION_SIZE;
	victim->result = cubby_region_open(MAILBOX, CUBBY_CREATE | CUBBY_WRITE,
					   &options, &victim->region);
}

void
prepare_region(struct victim *victim)
{
	perform_region_open(victim);
	must(victim->result, "the victim's region");
}

void
perform_region_grow(struct victim *victim)
{
	victim->result = cubby_region_grow(victim->region, 2 * REGION_SIZE);
}

void
perform_region_grant(struct victim *victim)
{
	victim->result = cubby_region_grant(MAILBOX, "user:1",
					    CUBBY_REGION_READ);
}

void
perform_region_unlink(struct victim *victim)
{
	victim->result = cubby_region_unlink(MAILBOX);
}

/* It is of use, or the victim has closed it. */
void
conclude_region(struct victim *victim)
{
	if (victim->result != -ENOENT || !victim->stage->replaced)
		must(victim->result, "the victim's region");
	if (!victim->region)
		return;
	must(cubby_region_grow(victim->region,
			       cubby_region_size(victim->region) + 1),
	     "the victim's region's growth");
	cubby_region_close(victim->region);
}

void
perform_region_close(struct victim *victim)
{
	cubby_region_close(victim->region);
	victim->region = NULL;
}
