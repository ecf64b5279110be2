/* SPDX-License-Identifier: MIT */
/* Test: timeout 120. */
/*
 * The catalogues against a list that is searched from end to end; and what they
 * cost, counted in the nodes and slots that they look at.
 */
#include "support.h"
#include "catalogue_model.h"

/* Against the model ------------------------------------------------------ */

static bool
matches(const struct message *message, const struct catalogue_query *query,
	uint64_t lowest)
{
	if (!message->queued)
		return false;
	if (query->sender)
		return message->sender == query->sender;
	switch (query->matching) {
	case CATALOGUE_ANY:
		return true;
	case CATALOGUE_THIS:
		return message->type == query->type;
	case CATALOGUE_NOT_THIS:
		return message->type != query->type;
	case CATALOGUE_LOWEST:
		return lowest <= query->type && message->type == lowest;
	}
	return false;
}

static bool
is_before(const struct message *a, const struct message *b)
{
	if (a->priority != b->priority)
		return a->priority > b->priority;
	if (!a->deliveries != !b->deliveries)
		return a->deliveries != 0;
	return a->arrival < b->arrival;
}

static uint32_t
model_first(const struct catalogue_query *query)
{
	uint64_t lowest = UINT64_MAX;
	uint32_t n, first = SLOT_NONE;

	for (n = 0; n < slots; n++) {
		if (model[n].queued && model[n].type)
			lowest = min_u64(lowest, model[n].type);
	}
	for (n = 0; n < slots; n++) {
		if (matches(&model[n], query, lowest) &&
		    (first == SLOT_NONE || is_before(&model[n], &model[first])))
			first = n;
	}
	return first;
}

static uint64_t
model_sequence(uint64_t sender)
{
	uint64_t lowest = UINT64_MAX;
	uint32_t n;

	for (n = 0; n < slots; n++) {
		if (model[n].queued && model[n].sender == sender &&
		    !model[n].deliveries)
			lowest = min_u64(lowest, model[n].sequence);
	}
	return lowest;
}

static uint32_t
first(enum catalogue_matching matching, uint64_t type, uint64_t sender)
{
	struct catalogue_query query = { matching, type, sender };
	uint32_t slot = SLOT_NONE - 1;

	expect(catalogue_first(&map, &query, &slot));
	expect_int(slot, model_first(&query));
	return slot;
}

/* A type that there may be, or its neighbour. */
static uint64_t
type_to_ask_for(void)
{
	return (random_type() + random_below(3)) & CATALOGUE_TYPE_MASK;
}

static uint32_t
ask(void)
{
	uint64_t sender = 1 + random_below(SENDERS + 1), sequence;
	enum catalogue_matching matching = random_below(4);

	expect(catalogue_first_of_sender_sequence(&map, sender, &sequence));
	expect_int(sequence, model_sequence(sender));
	if (random_below(5) == 0)
		return first(CATALOGUE_ANY, 0, sender);
	return first(matching, type_to_ask_for(), 0);
}

static uint32_t
random_slot(bool wanted_queued)
{
	uint32_t n = (uint32_t)random_below(slots), i;

	for (i = 0; i < slots; i++, n = (n + 1) % slots) {
		if (model[n].queued == wanted_queued)
			return n;
	}
	fail_at(__FILE__, __LINE__, "no such slot");
}

/* Takes some out and puts them back in any order, as handed out. */
static void
give_back_some(void)
{
	uint32_t held[8], count = 0, i;

	while (count < COUNT_OF(held) && queued) {
		held[count] = random_below(2) ? first(CATALOGUE_ANY, 0, 0) :
						random_slot(true);
		expect(take(held[count++]));
	}
	for (i = 0; i < count; i++) {
		model[held[i]].deliveries++;
		expect(put(held[i]));
	}
}

/* Leaves of a catalogue: the different {key, rank} of the model. */
static uint32_t
count_leaves(enum catalogue which)
{
	uint32_t n, m, leaves = 0;

	for (n = 0; n < slots; n++) {
		if (!model[n].queued)
			continue;
		for (m = 0; m < n; m++) {
			if (model[m].queued &&
			    model[m].priority == model[n].priority &&
			    (which == CATALOGUE_TYPE ?
				     model[m].type == model[n].type :
				     model[m].sender == model[n].sender))
				break;
		}
		leaves += m == n;
	}
	return leaves;
}

static void
expect_no_node_lost(void)
{
	uint32_t nodes = 0, which, leaves;

	for (which = 0; which < CATALOGUES; which++) {
		leaves = count_leaves(which);
		nodes += leaves ? 2 * leaves - 1 : 0;
	}
	expect_int(get32(&map.file->nodes_used), nodes);
}

static void
drain(void)
{
	while (queued)
		expect(take(first(CATALOGUE_ANY, 0, 0)));
	expect_int(first(CATALOGUE_ANY, 0, 0), SLOT_NONE);
	expect_int(get32(&map.file->nodes_used), 0);
}

/* One of what happens to a queue, more likely to fill it than to empty it, or
   the other way round. */
static void
step(bool filling)
{
	uint32_t n;

	if (queued < slots && random_below(10) < (filling ? 7 : 3)) {
		expect(put_fresh(random_slot(false)));
	} else if (queued) {
		n = random_below(3) ? ask() : random_slot(true);
		if (n != SLOT_NONE)
			expect(take(n));
	}
	if (random_below(50) == 0)
		give_back_some();
}

static void
compare(uint32_t count, struct variety of, unsigned steps)
{
	unsigned i;

	model_make(count, of);
	for (i = 0; i < MANY(steps); i++) {
		step(i / (4 * count) % 2 == 0);
		ask();
		if (i % (8 * count) == 0)
			expect_no_node_lost();
	}
	drain();
	model_free();
}

static void
one_type_and_one_priority_is_a_list(void)
{
	compare(64, (struct variety){ 1, 1, 1 }, 100000);
}

static void
a_few_types_and_priorities(void)
{
	compare(64, (struct variety){ 3, 1, 2 }, 100000);
}

static void
as_many_types_as_messages(void)
{
	compare(128, (struct variety){ 100, 1, 1 }, 100000);
}

static void
types_of_all_magnitudes(void)
{
	compare(128,
		(struct variety){ UINT64_MAX, UINT64_C(0x9e3779b97f4a7c15), 3 },
		100000);
}

static void
all_priorities(void)
{
	compare(256, (struct variety){ 2, 7, PRIORITIES }, 100000);
}

static void
many_of_everything(void)
{
	compare(512, (struct variety){ 1000, UINT64_C(1) << 51, 100 }, 30000);
}

/* A catalogue that is not kept stays as it is. */
static void
what_is_not_kept_costs_no_node(void)
{
	uint32_t n;

	model_make(64, (struct variety){ 5, 1, 1 });
	set32(&map.file->catalogued[CATALOGUE_SENDER], 0);
	for (n = 0; n < 64; n++)
		expect(put_fresh(n));
	expect_int(get32(&map.file->nodes_used), 2 * 5 - 1);
	expect_int(get32(&map.file->root[CATALOGUE_SENDER]), NODE_NONE);
	drain();
	model_free();
}

static void
has_room_until_the_memory_ends(void)
{
	uint32_t n;

	model_make(64, (struct variety){ 1, 1, 1 });
	set32(&map.file->nodes_committed, 4 * 20);
	for (n = 0; n < 64 && catalogue_has_room(&map); n++) {
		model[n] = (struct message){ .type = n + 1,
					     .sender = n + 1,
					     .arrival = n };
		expect(put(n));
	}
	/* 2n - 1 nodes in each, and 2 more. */
	expect_int(n, 20);
	model[63] = (struct message){ .type = 64, .sender = 64 };
	expect(!put(63));
	expect(!catalogue_insert(&map, 63));
	set32(&map.file->nodes_committed, 4 * 64);
	expect(catalogue_has_room(&map));
	model_free();
}

/* Cost ------------------------------------------------------------------- */

enum act {
	SEND,
	RECEIVE,
	RECEIVE_TYPE,
	RECEIVE_NOT_TYPE,
	RECEIVE_LOWEST,
	RECEIVE_SENDER,
	WITHDRAW,
	RETURN,
	SEQUENCE,
	ACTS
};

struct cost {
	uint64_t most[ACTS];
};

static void
note(struct cost *cost, enum act act)
{
	cost->most[act] = max_u64(cost->most[act], looks);
	looks = 0;
}

/* Puts number i of a round of all types, priorities and senders into a slot. */
static void
put_in_turn(struct cost *cost, uint32_t n, uint64_t i)
{
	model[n] = (struct message){
		.type = 1 + i % variety.types,
		.sender = 1 + i % SENDERS,
		.priority = (uint32_t)(i % variety.priorities),
		.arrival = ++arrivals,
		.sequence = arrivals,
	};
	looks = 0;
	expect(put(n));
	note(cost, SEND);
}

/* Receives so, and sends the like again: no leaf stays away. */
static void
receive_so(struct cost *cost, enum act act, struct catalogue_query query)
{
	uint32_t n;

	looks = 0;
	expect(catalogue_first(&map, &query, &n));
	if (n == SLOT_NONE)
		return;
	expect(take(n));
	note(cost, act);
	model[n].arrival = model[n].sequence = ++arrivals;
	expect(put(n));
	note(cost, SEND);
}

static void
withdraw_and_return(struct cost *cost, uint32_t n)
{
	uint64_t sequence;

	looks = 0;
	expect(take(n));
	note(cost, WITHDRAW);
	model[n].deliveries = 1;
	expect(put(n));
	note(cost, RETURN);
	expect(catalogue_first_of_sender_sequence(&map, 1 + n % SENDERS,
						  &sequence));
	note(cost, SEQUENCE);
	expect(take(n));
	model[n].deliveries = 0;
	model[n].arrival = model[n].sequence = ++arrivals;
	expect(put(n));
}

static struct cost
cost_at(uint32_t waiting, struct variety of)
{
	struct cost cost = { { 0 } };
	uint64_t i, type;

	model_make((uint32_t)round_up(waiting, CHUNK_SLOTS), of);
	for (i = 0; i < waiting; i++)
		put_in_turn(&cost, (uint32_t)i, i);
	memset(&cost, 0, sizeof(cost));
	for (i = 0; i < 2000; i++) {
		type = 1 + i % (variety.types + 1);
		receive_so(&cost, RECEIVE, (struct catalogue_query){ 0 });
		receive_so(&cost, RECEIVE_TYPE,
			   (struct catalogue_query){ CATALOGUE_THIS, type, 0 });
		receive_so(&cost, RECEIVE_NOT_TYPE,
			   (struct catalogue_query){ CATALOGUE_NOT_THIS, type,
						     0 });
		receive_so(&cost, RECEIVE_LOWEST,
			   (struct catalogue_query){ CATALOGUE_LOWEST, type,
						     0 });
		receive_so(&cost, RECEIVE_SENDER,
			   (struct catalogue_query){ 0, 0, 1 + i % SENDERS });
		withdraw_and_return(&cost, (uint32_t)random_below(waiting));
	}
	expect_int(munmap(map.file, PAGE), 0);
	model_free();
	return cost;
}

/* Every leaf that there can be is there at 100 messages waiting already. */
static void
expect_cost_does_not_grow(struct variety of, unsigned most)
{
	static const uint32_t waiting[] = { 100, 1000, 10000, 100000 };
	struct cost few = cost_at(waiting[0], of), many;
	unsigned i, act;

	for (act = 0; act < ACTS; act++) {
		expect(few.most[act] > 0);
		expect(few.most[act] <= most);
	}
	for (i = 1; i < COUNT_OF(waiting); i++) {
		many = cost_at(waiting[i], of);
		for (act = 0; act < ACTS; act++)
			expect(many.most[act] <= few.most[act] + 4);
	}
}

static void
cost_does_not_grow_with_the_messages_waiting(void)
{
	expect_cost_does_not_grow((struct variety){ 1, 1, 1 }, 40);
	expect_cost_does_not_grow((struct variety){ 5, 1, 1 }, 60);
	expect_cost_does_not_grow((struct variety){ 5, 1, 2 }, 80);
}

/* With one type and one priority no tree is walked. */
static void
a_plain_list_costs_a_handful_of_looks(void)
{
	struct catalogue_query any = { 0 };
	uint32_t n;

	model_make(64, (struct variety){ 1, 1, 1 });
	set32(&map.file->catalogued[CATALOGUE_SENDER], 0);
	for (n = 0; n < 10; n++)
		expect(put_fresh(n));
	looks = 0;
	expect(put_fresh(10));
	expect(looks <= 3);
	looks = 0;
	expect(catalogue_first(&map, &any, &n));
	expect(looks <= 2);
	looks = 0;
	expect(catalogue_remove(&map, n));
	expect(looks <= 4);
	model_free();
}

/* Messages that come back in the order in which they went, or the opposite one,
   are not searched for their place. */
static void
messages_come_back_at_the_same_cost(void)
{
	struct cost cost = { { 0 } };
	uint32_t n;

	model_make(1024, (struct variety){ 1, 1, 1 });
	for (n = 0; n < 1024; n++)
		put_in_turn(&cost, n, 0);
	for (n = 0; n < 1024; n++)
		expect(take(n));
	for (n = 0; n < 1024; n++) {
		looks = 0;
		model[n].deliveries = 1;
		expect(put(n));
		note(&cost, RETURN);
	}
	for (n = 0; n < 1024; n++)
		expect(take(n));
	for (n = 1024; n-- > 0;) {
		looks = 0;
		expect(put(n));
		note(&cost, RETURN);
	}
	expect(cost.most[RETURN] <= 20);
	drain();
	model_free();
}

int
main(void)
{
	static const struct test tests[] = {
		TEST(one_type_and_one_priority_is_a_list),
		TEST(a_few_types_and_priorities),
		TEST(as_many_types_as_messages),
		TEST(types_of_all_magnitudes),
		TEST(all_priorities),
		TEST(many_of_everything),
		TEST(what_is_not_kept_costs_no_node),
		TEST(has_room_until_the_memory_ends),
		TEST(cost_does_not_grow_with_the_messages_waiting),
		TEST(a_plain_list_costs_a_handful_of_looks),
		TEST(messages_come_back_at_the_same_cost),
	};

	return RUN_TESTS("catalogue", tests);
}
