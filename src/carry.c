/* SPDX-License-Identifier: MIT */
/* Layer 7. May include: base atomics layout claims blocks carry. */
/*
 * The account of a lane's blocks; carry.h has the rule.
 *
 * Two lists: what has been sent, in order of position, and what the head has
 * passed while a claim still named it. A reclaim moves from the first to the
 * second up to the head, and frees what no claim names. It costs lines that
 * receivers have written, so it is done for several messages at a time.
 */
#include "base.h"
#include "carry.h"

#include <stdlib.h>

/* Looks at the hands are shared by so many new blocks, or so many bytes of them: a
   large block that is free again is to be used while caches still have it. */
#define RECLAIM_AFTER	8
#define RECLAIM_BYTES	MIB(4)
#define TRIM_EVERY	1024	/* blocks allocated */
#define TRIM_KEEP	MIB(1)
#define SENT_KEEP	4096	/* messages */
#define READ_TRIES	1000	/* of a claim that changes all the time */

int
carry_start(struct carry *carry, const struct view *view, uint32_t lane, int fd)
{
	const struct geometry *g = &view->geometry;

	memset(carry, 0, sizeof(*carry));
	carry->view = view;
	carry->lane = lane;
	return blocks_create(fd, g->blocks_offset, g->blocks_length,
			     view->attributes.memory_limit, &carry->blocks);
}

void
carry_end(struct carry *carry)
{
	blocks_destroy(carry->blocks);
	free(carry->sent);
	free(carry->passed);
	free(carry->hands);
	memset(carry, 0, sizeof(*carry));
}

static struct carried *
sent_at(const struct carry *carry, uint64_t i)
{
	return &carry->sent[i & (carry->sent_room - 1)];
}

static uint64_t
sent_count(const struct carry *carry)
{
	return carry->sent_end - carry->sent_first;
}

static int
grow_sent(struct carry *carry)
{
	uint64_t i, n = carry->sent_room ? 2 * carry->sent_room : 16;
	uint64_t count = sent_count(carry);
	struct carried *bigger = malloc(n * sizeof(*bigger));

	if (!bigger)
		return -ENOMEM;
	for (i = 0; i < count; i++)
		bigger[i] = *sent_at(carry, carry->sent_first + i);
	free(carry->sent);
	carry->sent = bigger;
	carry->sent_room = n;
	carry->sent_first = 0;
	carry->sent_end = count;
	return 0;
}

static int
grow_passed(struct carry *carry)
{
	uint64_t n = carry->passed_room * 2 + 16;
	struct carried *bigger = realloc(carry->passed, n * sizeof(*bigger));

	if (!bigger)
		return -ENOMEM;
	carry->passed = bigger;
	carry->passed_room = n;
	return 0;
}

/* Room for one more block, beside those that are out as drafts. */
static int
prepare(struct carry *carry, uint64_t drafts)
{
	int r = 0;

	while (r == 0 && sent_count(carry) + drafts + 1 > carry->sent_room)
		r = grow_sent(carry);
	if (r == 0 && carry->passed_count + 16 > carry->passed_room)
		r = grow_passed(carry);
	return r;
}

static void
note_hand(struct carry *carry, uint64_t position)
{
	if (carry->hands_count < carry->hands_room)
		carry->hands[carry->hands_count] = position;
	carry->hands_count++;
}

/* The claim's message if it is of this lane and lies in a block: 1; 0: it is
   not; -1: it keeps changing. */
static int
read_hand(const struct carry *carry, uint32_t claim, struct taken *taken)
{
	uint64_t word;
	int i;

	for (i = 0; i < READ_TRIES; i++)
		if (claims_read(carry->view, claim, &word, taken))
			return claim_state(word) != CLAIM_FREE &&
			       taken->lane == carry->lane && taken->block;
	return -1;
}

static int
compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Notes each; false: one keeps changing. */
static bool
list_hands(struct carry *carry)
{
	uint32_t claim, count = claims_count(carry->view);
	struct taken taken;
	int found;

	carry->hands_count = 0;
	for (claim = 0; claim < count; claim++) {
		found = read_hand(carry, claim, &taken);
		if (found < 0)
			return false;
		if (found)
			note_hand(carry, taken.position);
	}
	return true;
}

static bool
grow_hands(struct carry *carry)
{
	uint64_t n = max_u64(claims_count(carry->view), carry->hands_count);
	uint64_t *bigger = realloc(carry->hands, n * sizeof(*bigger));

	if (!bigger)
		return false;
	carry->hands = bigger;
	carry->hands_room = n;
	return true;
}

/* Lists what is in hands. False: not to be known now; take it that all is. */
static bool
look_at_hands(struct carry *carry)
{
	bool known = list_hands(carry);

	/* Not next time: there may be none, and memory is wanted now. */
	while (known && carry->hands_count > carry->hands_room)
		known = grow_hands(carry) && list_hands(carry);
	if (!known)
		return false;
	if (carry->hands_count > 1)
		qsort(carry->hands, carry->hands_count, sizeof(*carry->hands),
		      compare);
	return true;
}

static bool
in_hands(const struct carry *carry, uint64_t position)
{
	return carry->hands_count &&
	       bsearch(&position, carry->hands, carry->hands_count,
		       sizeof(*carry->hands), compare);
}

/* Is there a place in the second list? */
static bool
has_passed_room(struct carry *carry)
{
	return carry->passed_count < carry->passed_room ||
	       grow_passed(carry) == 0;
}

bool
carry_oldest(const struct carry *carry, uint64_t *ret_position)
{
	if (!sent_count(carry))
		return false;
	*ret_position = sent_at(carry, carry->sent_first)->position;
	return true;
}

void
carry_reclaim(struct carry *carry, uint64_t head)
{
	uint64_t i, kept = 0;
	bool known = look_at_hands(carry);

	/* CARRY-F1 release: the head and the claims that were seen, before their
	   blocks are written over. Pairs with LANE-F1, CLAIM-F3. */
	atomics_fence_release();
	/* All of it, for the memory may be wanted in one piece. */
	while (sent_count(carry) &&
	       (int64_t)(head - sent_at(carry, carry->sent_first)->position)
	       > 0 && has_passed_room(carry))
		carry->passed[carry->passed_count++] =
			*sent_at(carry, carry->sent_first++);
	for (i = 0; i < carry->passed_count; i++) {
		if (!known || in_hands(carry, carry->passed[i].position))
			carry->passed[kept++] = carry->passed[i];
		else
			blocks_free(carry->blocks, carry->passed[i].block);
	}
	carry->passed_count = kept;
	carry->kept = kept + sent_count(carry);
	carry->allocated = 0;
}

/* Now and then gives back what the recent traffic did not need. */
static void
consider_trim(struct carry *carry)
{
	carry->peak = max_u64(carry->peak, blocks_in_use(carry->blocks));
	if (++carry->since_trim < TRIM_EVERY)
		return;
	if (blocks_committed(carry->blocks) > 2 * carry->peak + TRIM_KEEP)
		blocks_trim(carry->blocks, carry->peak + TRIM_KEEP);
	carry->since_trim = 0;
	carry->peak = 0;
}

bool
carry_is_due(const struct carry *carry)
{
	return carry->allocated >= RECLAIM_BYTES ||
	       sent_count(carry) + carry->passed_count >=
	       carry->kept + RECLAIM_AFTER;
}

int
carry_allocate(struct carry *carry, uint64_t drafts, uint64_t size,
	       int64_t deadline, uint64_t *ret_block)
{
	int r;

	r = prepare(carry, drafts);
	if (r == 0)
		r = blocks_allocate(carry->blocks, size, deadline, ret_block);
	if (r < 0)
		return r;
	carry->allocated += size;
	consider_trim(carry);
	return 0;
}

void
carry_unallocate(struct carry *carry, uint64_t block)
{
	blocks_free(carry->blocks, block);
}

void
carry_sent(struct carry *carry, uint64_t position, uint64_t block)
{
	struct carried *c = sent_at(carry, carry->sent_end++);

	c->position = position;
	c->block = block;
}

int
carry_inherit(struct carry *carry, uint64_t position, const struct cell *cell)
{
	/* relaxed: the lane is ours */
	uint64_t size_type = word64_load_relaxed(&cell->size_type), block;
	int r;

	if (!(size_type & CELL_BLOCK))
		return 0;
	/* relaxed: as above */
	block = word64_load_relaxed(&cell->bytes[size_type & CELL_WIDE
						 ? 1 : 0]);
	r = prepare(carry, 0);
	if (r < 0)
		return r;
	if (blocks_occupy(carry->blocks, block,
			  max_u64(1, cell_size_of(size_type))) == 0)
		carry_sent(carry, position, block);
	return 0;
}

/* A message in a hand, as its claim says. */
struct hand {
	int64_t after;		/* the first of these that was found */
	struct carried carried;
	uint64_t size;
};

static int
latest_first(const void *a, const void *b)
{
	const struct hand *x = a, *y = b;

	return x->after > y->after ? -1 : x->after < y->after;
}

/* Returns how many of the first `count` claims are hands, or -EBADMSG. */
static int
collect_hands(const struct carry *carry, uint32_t count, struct hand *hands)
{
	struct taken taken;
	uint32_t claim;
	int found, n = 0;

	for (claim = 0; claim < count; claim++) {
		found = read_hand(carry, claim, &taken);
		if (found < 0)
			return -EBADMSG;
		if (!found)
			continue;
		hands[n].carried.position = taken.position;
		hands[n].after = (int64_t)(taken.position -
					   hands[0].carried.position);
		hands[n].carried.block = taken.block;
		hands[n++].size = max_u64(1, taken.size);
	}
	return n;
}

/*
 * Of those that claim the same memory the latest is in it. An earlier one was
 * seen by a receiver that stood still until its block had been freed and used
 * again, and made its INTENT then; it loses the race for the head. Or the
 * message was unread as well, when we looked.
 */
static int
occupy_hands(struct carry *carry, struct hand *hands, int count)
{
	int i, r;

	qsort(hands, (size_t)count, sizeof(*hands), latest_first);
	for (i = 0; i < count; i++) {
		r = prepare(carry, 0);
		if (r < 0)
			return r;
		if (blocks_occupy(carry->blocks, hands[i].carried.block,
				  hands[i].size) == 0)
			carry->passed[carry->passed_count++] =
				hands[i].carried;
	}
	return 0;
}

int
carry_inherit_hands(struct carry *carry)
{
	uint32_t count = claims_count(carry->view);
	struct hand *hands;
	int r;

	if (!count)
		return 0;
	hands = malloc(count * sizeof(*hands));
	if (!hands)
		return -ENOMEM;
	r = collect_hands(carry, count, hands);
	if (r > 0)
		r = occupy_hands(carry, hands, r);
	free(hands);
	return r;
}

void
carry_settle(struct carry *carry)
{
	blocks_settle(carry->blocks);
}

void
carry_trim(struct carry *carry, uint64_t head, uint64_t drafts)
{
	carry_reclaim(carry, head);
	blocks_trim(carry->blocks, TRIM_KEEP);
	if (!drafts && !sent_count(carry) && carry->sent_room > SENT_KEEP) {
		free(carry->sent);
		carry->sent = NULL;
		carry->sent_room = 0;
		carry->sent_first = 0;
		carry->sent_end = 0;
	}
	if (!carry->passed_count && carry->passed_room > SENT_KEEP) {
		free(carry->passed);
		carry->passed = NULL;
		carry->passed_room = 0;
	}
}

void
carry_give_back(struct carry *carry, uint64_t head)
{
	carry_reclaim(carry, head);
	blocks_trim(carry->blocks, 0);
}
