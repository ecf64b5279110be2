/* SPDX-License-Identifier: MIT */
/*
 * The account: what each actor sent, and what became of it.
 *
 * Every message says whose it is and which, in its bytes and in its tag, and
 * ends with a checksum of the rest; what fills it depends on both, so a byte
 * of another message, or of an earlier one in the same place, is seen. The
 * account lies in memory shared by the processes of a run. They take turns, so
 * an entry needs no lock; who dies between the library's return and the entry
 * dies outside of libcubby, where the harness kills nobody.
 *
 * What must hold at the end of a run:
 *	a message whose send returned 0 was received once;
 *	one whose send returned an error, never;
 *	one whose sender was killed in the send, at most once, and of a batch
 *	none without the one before it;
 *	each receiver saw each sender's first deliveries in the order sent, and
 *	each lane's in the order of their sequence;
 *	the count of deliveries is one more than the times it was handed out;
 *	in a queue, of two messages that wait, the one of higher priority comes
 *	first, and of the same, the one whose send returned before the other's
 *	began, whoever sent and whoever receives.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"

#define TAG_MARK (UINT64_C(0xc0bb) << 48)

struct head {
	uint32_t from, number;
	uint64_t size;
};

static uint64_t
mix(uint64_t value)
{
	value += UINT64_C(0x9e3779b97f4a7c15);
	value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
	return value ^ (value >> 31);
}

static unsigned char
filling(enum actor from, uint32_t number, size_t i)
{
	uint64_t word = (uint64_t)from << 40 | (uint64_t)number << 20 | i / 8;

	return (unsigned char)(mix(word) >> (i % 8 * 8));
}

static uint64_t
checksum(const unsigned char *bytes, size_t size)
{
	uint64_t sum = size;

	for (size_t i = 0; i < size; i++)
		sum = (sum ^ bytes[i]) * UINT64_C(0x100000001b3);
	return sum;
}

void
letter_write(struct account *account, enum actor from, size_t size,
	     struct letter *ret)
{
	uint32_t number = ++account->last[from];
	struct head head = { from, number, size };
	size_t body = size - sizeof(uint64_t);
	uint64_t sum;

	if (number >= NUMBERS)
		fail("the account has room for %d messages of one", NUMBERS);
	ret->from = from;
	ret->number = number;
	ret->size = size;
	account->entries[from][number].fate = BEGUN;
	account->entries[from][number].begun = account_tick(account);
	if (!size)
		return;
	memcpy(ret->bytes, &head, sizeof(head));
	for (size_t i = sizeof(head); i < body; i++)
		ret->bytes[i] = filling(from, number, i);
	sum = checksum(ret->bytes, body);
	memcpy(ret->bytes + body, &sum, sizeof(sum));
}

static uint64_t
tag_of(enum actor from, uint32_t number)
{
	return TAG_MARK | (uint64_t)from << 32 | number;
}

/* In a queue each actor's messages have a type of their own. */
static int64_t
type_of(const struct account *account, enum actor from)
{
	return account->kind == LANES ? 0 : (int64_t)from;
}

static int32_t
priority_of(const struct account *account, enum actor from, uint32_t number)
{
	return account->kind == PRIORITY ? (int32_t)(mix(from + number) % 3) :
					   0;
}

void
letter_address(const struct account *account, const struct letter *letter,
	       struct cubby_envelope *ret)
{
	ret->tag = tag_of(letter->from, letter->number);
	ret->type = type_of(account, letter->from);
	ret->priority = priority_of(account, letter->from, letter->number);
}

uint64_t
account_tick(struct account *account)
{
	return ++account->clock;
}

void
account_sent(struct account *account, const struct letter *letter, int result)
{
	/* A synchronous send that gave up leaves its message queued. */
	bool accepted = result == 0 || result == -EINPROGRESS;
	struct entry *entry = &account->entries[letter->from][letter->number];

	entry->returned = account_tick(account);
	entry->fate = accepted ? ACCEPTED : REFUSED;
}

static bool
tag_read(uint64_t tag, enum actor *ret_from, uint32_t *ret_number)
{
	enum actor from = tag >> 32 & 0xffff;
	uint32_t number = (uint32_t)tag;

	*ret_from = from;
	*ret_number = number;
	return tag >> 48 == TAG_MARK >> 48 && from > NOBODY && from < ACTORS &&
	       number > 0 && number < NUMBERS;
}

const char *
letter_read(const struct account *account, const void *bytes,
	    const struct cubby_envelope *envelope, enum actor *ret_from,
	    uint32_t *ret_number)
{
	const unsigned char *body = bytes;
	size_t size = envelope->size;
	struct head head;
	uint64_t sum;

	if (!tag_read(envelope->tag, ret_from, ret_number))
		return "a tag that nobody sent";
	if (envelope->type != type_of(account, *ret_from))
		return "the wrong type";
	if (envelope->priority != priority_of(account, *ret_from, *ret_number))
		return "the wrong priority";
	if (envelope->uid != getuid())
		return "the wrong uid";
	if (envelope->deliveries < 1)
		return "a delivery count of 0";
	if (size == 0)
		return NULL;
	if (size != SHORT && size != LONG)
		return "a size that nobody sent";
	memcpy(&head, body, sizeof(head));
	memcpy(&sum, body + size - sizeof(sum), sizeof(sum));
	if (head.from != *ret_from || head.number != *ret_number)
		return "the bytes of another message";
	if (head.size != size)
		return "the wrong size";
	if (sum != checksum(body, size - sizeof(sum)))
		return "damaged bytes";
	return NULL;
}

void
account_handed(struct account *account, enum actor to,
	       const struct cubby_envelope *envelope, bool held,
	       uint64_t asked)
{
	uint32_t index = account->count++;
	enum actor from;
	uint32_t number;
	struct entry *entry;

	if (!tag_read(envelope->tag, &from, &number) || index >= DELIVERIES)
		return;
	entry = &account->entries[from][number];
	if (held)
		entry->holder = to;
	else
		entry->ended++;
	account->deliveries[index] = (struct delivery){
		.to = to,
		.from = from,
		.number = number,
		.deliveries = envelope->deliveries,
		.lane = envelope->sender,
		.sequence = envelope->sequence,
		.asked = asked,
		.era = account->era,
	};
}

void
account_released(struct account *account, const struct cubby_envelope *envelope,
		 bool ended)
{
	enum actor from;
	uint32_t number;

	if (!tag_read(envelope->tag, &from, &number))
		return;
	account->entries[from][number].holder = NOBODY;
	if (ended)
		account->entries[from][number].ended++;
}

void
account_died(struct account *account, enum actor actor)
{
	for (int from = 1; from < ACTORS; from++) {
		for (int number = 1; number < NUMBERS; number++) {
			struct entry *entry = &account->entries[from][number];

			if (entry->holder == (int)actor)
				entry->holder = NOBODY;
		}
	}
}

int
account_waiting(const struct account *account)
{
	int waiting = 0;

	for (int from = 1; from < ACTORS; from++) {
		for (int number = 1; number < NUMBERS; number++) {
			const struct entry *entry =
				&account->entries[from][number];

			waiting += entry->fate == ACCEPTED && !entry->ended &&
				   !entry->holder;
		}
	}
	return waiting;
}

bool
account_last_ended(const struct account *account, enum actor actor)
{
	return account->entries[actor][account->last[actor]].ended > 0;
}

int
account_came(const struct account *account, uint64_t tag, uint64_t other)
{
	uint64_t tags[] = { tag, other };
	int came = 0;

	for (int i = 0; i < 2; i++) {
		enum actor from;
		uint32_t number;

		if (tag_read(tags[i], &from, &number))
			came += account->entries[from][number].ended;
	}
	return came;
}

/* Of those who bear the name: what the last of them had accepted. */
static const struct entry *
last_accepted(const struct account *account, uint64_t *ret_tag)
{
	const struct entry *last = NULL;

	*ret_tag = 0;
	for (int from = 1; from < ACTORS; from++) {
		for (uint32_t n = 1; n < NUMBERS && account->bears[from]; n++) {
			const struct entry *entry = &account->entries[from][n];

			if (entry->fate != ACCEPTED ||
			    (last && entry->returned < last->returned))
				continue;
			last = entry;
			*ret_tag = tag_of(from, n);
		}
	}
	return last;
}

/* Begun, and never heard of: none before that message. */
static void
decide(struct account *account, enum actor from, uint32_t number,
       uint64_t since)
{
	uint64_t told = number ? account->entries[from][number].begun : since;

	for (int b = 1; b < ACTORS; b++) {
		for (uint32_t n = 1; n < NUMBERS && account->bears[b]; n++) {
			struct entry *entry = &account->entries[b][n];

			if (entry->fate != BEGUN)
				continue;
			if (number && b == (int)from && n <= number) {
				entry->fate = ACCEPTED;
				entry->returned = account_tick(account);
			} else if (entry->begun > told) {
				entry->fate = REFUSED;
			}
		}
	}
}

const char *
account_published(struct account *account, uint64_t tag, bool several)
{
	uint64_t last_tag;
	const struct entry *last = last_accepted(account, &last_tag);
	uint64_t since = last ? last->returned : 0;
	enum actor from = NOBODY;
	uint32_t number = 0;

	if (several)
		return NULL;
	if (tag == last_tag) {
		decide(account, NOBODY, 0, since);
		return NULL;
	}
	if (!tag_read(tag, &from, &number))
		return tag ? "of nobody's" : "of nothing";
	if (account->entries[from][number].fate != BEGUN ||
	    account->entries[from][number].begun < since)
		return "of one that is not the last";
	decide(account, from, number, since);
	return NULL;
}

static char trouble[200];

static const char *
trouble_with(int from, uint32_t number, const char *what)
{
	snprintf(trouble, sizeof(trouble), "message %u of actor %d %s", number,
		 from, what);
	return trouble;
}

/*
 * Whether the victim could not have been taking this one: a later one of the
 * same sender had gone before it was struck, or an earlier one was new after.
 */
static bool
out_of_turn(const struct account *account, int from, uint32_t number)
{
	for (uint32_t i = 0; i < account->count; i++) {
		const struct delivery *delivery = &account->deliveries[i];

		if ((int)delivery->from != from || delivery->deliveries > 1)
			continue;
		if (delivery->era == BEFORE_STRIKE && delivery->number > number)
			return true;
		if (delivery->era == AFTER_STRIKE && delivery->number < number)
			return true;
	}
	return false;
}

/* Did one of a batch come, and the one before it, of the same batch, not? */
static bool
has_gap(const struct account *account, int from, uint32_t number)
{
	const struct entry *entry = &account->entries[from][number];
	const struct entry *before = entry - 1;

	return entry->fate == BEGUN && entry->ended && before->fate == BEGUN &&
	       !before->ended && !before->holder;
}

static const char *
check_entries(const struct account *account, const struct allowance *allowance)
{
	int missing = allowance->missing, gaps = allowance->gaps;
	bool in_turn = !allowance->filtered && account->kind != PRIORITY;

	for (int from = 1; from < ACTORS; from++) {
		for (uint32_t number = 1; number < NUMBERS; number++) {
			const struct entry *entry =
				&account->entries[from][number];

			if (entry->ended > 1)
				return trouble_with(from, number, "came twice");
			if (has_gap(account, from, number) && gaps-- <= 0)
				return trouble_with(from, number,
						    "came without the one "
						    "before it");
			if (entry->ended && entry->fate == UNSENT)
				return trouble_with(from, number,
						    "came but was not sent");
			if (entry->ended && entry->fate == REFUSED)
				return trouble_with(from, number,
						    "came but was refused");
			if (entry->ended || entry->fate != ACCEPTED ||
			    entry->holder)
				continue;
			if (missing-- <= 0)
				return trouble_with(from, number, "is lost");
			if (in_turn && out_of_turn(account, from, number))
				return trouble_with(from, number,
						    "is lost out of turn");
		}
	}
	return NULL;
}

/* Does the order in which things are entered tell anything? A victim, and a
   helper, enter late what they have received. */
static bool
are_comparable(const struct delivery *sooner, const struct delivery *later,
	       const struct allowance *allowance)
{
	if (sooner->deliveries > 1 || later->deliveries > 1)
		return false;
	if (sooner->to == later->to)
		return sooner->to != VICTIM || !allowance->filtered;
	return sooner->to != VICTIM && later->to != VICTIM &&
	       sooner->to != SLEEPER && later->to != SLEEPER &&
	       sooner->to != PARTNER && later->to != PARTNER &&
	       sooner->to != GHOST && later->to != GHOST;
}

/* One order over all senders: did the later one wait when the sooner one was
   asked for, and had it a better claim? */
static bool
is_overtaken(const struct account *account, const struct delivery *sooner,
	     const struct delivery *later)
{
	const struct entry *first = &account->entries[sooner->from]
						     [sooner->number];
	const struct entry *second = &account->entries[later->from]
						      [later->number];
	int more = priority_of(account, later->from, later->number) -
		   priority_of(account, sooner->from, sooner->number);

	if (second->fate != ACCEPTED)
		return false;
	if (more > 0 && second->returned < sooner->asked)
		return true;
	return more >= 0 && second->returned < first->begun;
}

static const char *
check_total_order(const struct account *account, uint32_t index,
		  const struct allowance *allowance)
{
	const struct delivery *later = &account->deliveries[index];

	for (uint32_t i = 0; i < index && !allowance->several; i++) {
		const struct delivery *sooner = &account->deliveries[i];

		if (are_comparable(sooner, later, allowance) &&
		    is_overtaken(account, sooner, later))
			return trouble_with(later->from, later->number,
					    "was overtaken");
	}
	return NULL;
}

/* Each receiver sees the first deliveries of each sender in order. */
static const char *
check_order(const struct account *account, uint32_t index,
	    const struct allowance *allowance)
{
	const struct delivery *later = &account->deliveries[index];

	for (uint32_t i = 0; i < index; i++) {
		const struct delivery *sooner = &account->deliveries[i];
		bool first = sooner->to == later->to &&
			     sooner->deliveries == 1 && later->deliveries == 1;
		bool era = allowance->ordered && sooner->era == AFTER_STRIKE &&
			   later->era == AFTER_STRIKE;

		if (!first && !era)
			continue;
		if (sooner->from == later->from &&
		    sooner->number > later->number)
			return trouble_with(later->from, later->number,
					    "came after a later one");
		if (!allowance->several && sooner->lane == later->lane &&
		    sooner->sequence > later->sequence)
			return trouble_with(later->from, later->number,
					    "came out of its lane's sequence");
	}
	return NULL;
}

/*
 * How many hand-outs of it nobody had entered when it was delivered, by its
 * count; negative if the count is too low.
 */
static int
unentered(const struct account *account, uint32_t index)
{
	const struct delivery *delivery = &account->deliveries[index];
	int times = (int)delivery->deliveries - 1;

	for (uint32_t i = 0; i < index; i++)
		times -= account->deliveries[i].from == delivery->from &&
			 account->deliveries[i].number == delivery->number;
	return times;
}

static const char *
check_deliveries(const struct account *account,
		 const struct allowance *allowance)
{
	bool lanes = account->kind == LANES;

	for (uint32_t i = 0; i < account->count; i++) {
		const struct delivery *delivery = &account->deliveries[i];
		const char *wrong = (lanes ? check_order : check_total_order)(
			account, i, allowance);

		/* What came back comes in its place as well. */
		if (!wrong && account->kind == ARRIVAL && !allowance->filtered)
			wrong = check_order(account, i, allowance);
		if (wrong)
			return wrong;
		if (unentered(account, i) < 0)
			return trouble_with(delivery->from, delivery->number,
					    "came again, not marked as such");
		if (unentered(account, i) > allowance->unseen)
			return trouble_with(delivery->from, delivery->number,
					    "is marked as come before");
	}
	return NULL;
}

const char *
account_check(const struct account *account, const struct allowance *allowance)
{
	const char *wrong;

	if (account->count > DELIVERIES)
		return "more deliveries than the account has room for";
	wrong = check_entries(account, allowance);
	if (wrong)
		return wrong;
	return check_deliveries(account, allowance);
}
