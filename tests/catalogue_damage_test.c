/* SPDX-License-Identifier: MIT */
/* Test: timeout 120. */
/*
 * The catalogues when anyone may have written their bytes, before a call and
 * during it: nothing outside of the nodes and slots is touched, every call comes
 * to its end, and a slot that is returned is one.
 */
#include "support.h"
#include <pthread.h>

#include "catalogue_model.h"

#define FEW_SLOTS 64
#define FEW_NODES 256

/* A value that is likely to do harm: one in range, one just beyond it. */
static uint32_t
harmful(void)
{
	switch (random_below(6)) {
	case 0:
		return (uint32_t)random_below(UINT32_MAX);
	case 1:
		return UINT32_MAX;
	case 2:
		return FEW_NODES - 1 + (uint32_t)random_below(3);
	case 3:
		return FEW_SLOTS - 1 + (uint32_t)random_below(3);
	case 4:
		return (uint32_t)random_below(FEW_NODES);
	default:
		return (uint32_t)random_below(8);
	}
}

/* A word that a catalogue reads. */
static word32 *
word_to_spoil(uint64_t which, uint64_t where)
{
	struct queue_node *node = queue_node(&map, where % FEW_NODES);
	struct queue_slot *slot = queue_slot(&map, where % FEW_SLOTS);
	word32 *of_header[] = { &map.file->root[0], &map.file->root[1],
				&map.file->nodes_free, &map.file->nodes_next,
				&map.file->nodes_used };

	if (which == 0)
		return of_header[where % COUNT_OF(of_header)];
	if (which < 8)
		return (word32 *)node + where / FEW_NODES % 16;
	if (which < 12)
		return (word32 *)&slot->link + where / FEW_SLOTS % 6;
	return (word32 *)slot + where / FEW_SLOTS % 28;
}

static void
spoil(unsigned words)
{
	while (words-- > 0)
		set32(word_to_spoil(random_below(13), random_below(1 << 20)),
		      harmful());
}

/* Any call; true, or a slot in range, whatever it makes of the bytes. */
static bool
call_something(void)
{
	struct catalogue_query query = {
		.matching = random_below(5),
		.type = random_type(),
		.sender = random_below(4) ? 0 : 1 + random_below(SENDERS),
	};
	uint32_t n = (uint32_t)random_below(FEW_SLOTS + 1);
	uint64_t sequence;

	switch (random_below(6)) {
	case 0:
	case 1:
		return catalogue_insert(&map, n);
	case 2:
		return catalogue_remove(&map, n);
	case 3:
		return catalogue_first_of_sender_sequence(
			&map, 1 + random_below(SENDERS), &sequence);
	default:
		if (!catalogue_first(&map, &query, &n))
			return false;
		expect(n == SLOT_NONE || n < FEW_SLOTS);
		return true;
	}
}

static void
drain(void)
{
	struct catalogue_query any = { 0 };
	uint32_t n;

	while (queued) {
		expect(catalogue_first(&map, &any, &n));
		expect(n < FEW_SLOTS && model[n].queued && take(n));
	}
	expect_int(get32(&map.file->nodes_used), 0);
}

static void
make_anew(void)
{
	uint32_t n;

	catalogue_reset(&map);
	queued = 0;
	for (n = 0; n < FEW_SLOTS; n++)
		expect(put_fresh(n));
}

static void
no_bytes_do_harm(void)
{
	unsigned i, calls, refused = 0, rounds = MANY(40000);

	model_make(FEW_SLOTS, (struct variety){ 6, 1, 4 });
	for (i = 0; i < rounds; i++) {
		make_anew();
		spoil(1 + (unsigned)random_below(i % 2 ? 4 : 400));
		for (calls = 0; calls < 20; calls++)
			refused += !call_something();
	}
	expect(refused > rounds);
	make_anew();
	drain();
	model_free();
}

/* Six messages of as many types: six leaves and five branches of each
   catalogue. */
static struct queue_node *
make_six(void)
{
	uint32_t n;

	model_make(FEW_SLOTS, (struct variety){ 6, 1, 1 });
	for (n = 0; n < 6; n++) {
		model[n] = (struct message){ .type = n,
					     .sender = n + 1,
					     .arrival = n };
		expect(put(n));
	}
	return queue_node(&map, get32(&map.file->root[CATALOGUE_TYPE]));
}

static void
expect_refused(enum catalogue_matching matching)
{
	struct catalogue_query query = { matching, 3, 0 };
	uint32_t slot = 77;

	expect(!catalogue_first(&map, &query, &slot));
	expect_int(slot, 77);
}

static void
a_branch_on_a_bit_that_is_none_is_refused(void)
{
	struct queue_node *root = make_six();
	uint64_t sequence;

	set32(&root->bit, 80);
	expect_refused(CATALOGUE_ANY);
	expect_refused(CATALOGUE_THIS);
	expect_refused(CATALOGUE_NOT_THIS);
	expect_refused(CATALOGUE_LOWEST);
	expect_refused(77);
	expect(!catalogue_insert(&map, 7));
	expect(!catalogue_remove(&map, 3));
	root = queue_node(&map, get32(&map.file->root[CATALOGUE_SENDER]));
	set32(&root->bit, 80);
	expect(!catalogue_first_of_sender_sequence(&map, 3, &sequence));
	model_free();
}

static void
a_circle_of_nodes_is_refused(void)
{
	struct queue_node *root = make_six();

	set32(&root->left, get32(&map.file->root[CATALOGUE_TYPE]));
	set32(&root->right, get32(&map.file->root[CATALOGUE_TYPE]));
	expect_refused(CATALOGUE_THIS);
	expect_refused(CATALOGUE_NOT_THIS);
	expect_refused(CATALOGUE_LOWEST);
	expect(!catalogue_remove(&map, 3));
	model_free();
}

static void
a_circle_of_messages_is_refused(void)
{
	struct queue_slot *slot;
	uint32_t n;

	model_make(FEW_SLOTS, (struct variety){ 1, 1, 1 });
	for (n = 0; n < 4; n++) {
		model[n] = (struct message){ .arrival = n ? 100 + n : 0,
					     .deliveries = 1 };
		expect(put(n));
	}
	slot = queue_slot(&map, 1);
	set32(&slot->link[CATALOGUE_TYPE].prev, 3);
	model[4] = (struct message){ .arrival = 50, .deliveries = 1 };
	expect(!put(4));
	model_free();
}

/* One that is the child of all of its sixteen parents, on both sides: each of its
   messages would be looked at 65536 times. */
static void
a_leaf_that_hangs_everywhere_is_refused(void)
{
	struct catalogue_query query = { CATALOGUE_THIS, 3, 1 };
	struct queue_node *node;
	uint32_t n, leaf, slot = 77;

	model_make(FEW_SLOTS, (struct variety){ 1, 1, 1 });
	for (n = 0; n < 4; n++) {
		model[n] = (struct message){ .sender = 1, .arrival = n };
		expect(put(n));
	}
	expect(catalogue_first(&map, &query, &slot));
	expect_int(slot, SLOT_NONE);
	leaf = get32(&map.file->root[CATALOGUE_SENDER]);
	for (n = 0; n < 16; n++) {
		node = queue_node(&map, 100 + n);
		set64(&node->key, 1);
		set32(&node->bit, 64 + n);
		set32(&node->left, n < 15 ? 101 + n : leaf);
		set32(&node->right, n < 15 ? 101 + n : leaf);
	}
	set32(&map.file->root[CATALOGUE_SENDER], 100);
	expect(!catalogue_first(&map, &query, &slot));
	model_free();
}

static void
a_message_that_is_not_in_its_leaf_is_refused(void)
{
	struct queue_slot *slot;
	uint32_t root;

	make_six();
	slot = queue_slot(&map, 3);
	root = get32(&map.file->root[CATALOGUE_TYPE]);
	expect(take(3));
	expect(!catalogue_remove(&map, 3));
	/* A branch; a leaf of others; one past the last. */
	set32(&slot->link[CATALOGUE_TYPE].node, root);
	expect(!catalogue_remove(&map, 3));
	set32(&slot->link[CATALOGUE_TYPE].node,
	      get32(&queue_slot(&map, 4)->link[CATALOGUE_TYPE].node));
	expect(!catalogue_remove(&map, 3));
	set32(&slot->link[CATALOGUE_TYPE].node, 4 * FEW_SLOTS);
	expect(!catalogue_remove(&map, 3));
	expect(!catalogue_remove(&map, FEW_SLOTS));
	expect(!catalogue_insert(&map, FEW_SLOTS));
	model_free();
}

/* All of a branch that a leaf has too is as if the message were in it. */
static void
a_branch_for_a_leaf_is_refused(void)
{
	struct queue_node *root = make_six();
	struct queue_slot *slot = queue_slot(&map, 3);

	set32(&root->head, 3);
	set32(&root->tail, 3);
	set32(&slot->link[CATALOGUE_TYPE].node,
	      get32(&map.file->root[CATALOGUE_TYPE]));
	expect(!catalogue_remove(&map, 3));
	expect_int(get32(&root->head), 3);
	model_free();
}

static void
neighbours_that_disagree_are_refused(void)
{
	uint32_t n;

	model_make(FEW_SLOTS, (struct variety){ 1, 1, 1 });
	for (n = 0; n < 4; n++)
		expect(put_fresh(n));
	set32(&queue_slot(&map, 0)->link[CATALOGUE_TYPE].next, 3);
	expect(!catalogue_remove(&map, 1));
	set32(&queue_slot(&map, 3)->link[CATALOGUE_TYPE].prev, 0);
	expect(!catalogue_remove(&map, 2));
	model_free();
}

static void
a_leaf_that_its_key_does_not_lead_to_is_refused(void)
{
	struct queue_slot *slot;
	struct queue_node *leaf;

	make_six();
	slot = queue_slot(&map, 3);
	leaf = queue_node(&map, get32(&slot->link[CATALOGUE_TYPE].node));
	set64(&leaf->key, 4);
	expect(!catalogue_remove(&map, 3));
	model_free();
}

/* A call reads a word again after it has been checked: it checks it again. */
static atomic_bool enough;

static void *
spoil_all_the_time(void *unused)
{
	uint64_t state = 88172645463325252u;

	while (!atomic_load_explicit(&enough, memory_order_relaxed)) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		set32(word_to_spoil(state % 13, state >> 16 & 0xfffff),
		      state & 1 << 8 ? state >> 40 & 0xff :
				       (uint32_t)(state >> 32));
	}
	return unused;
}

static void
no_bytes_do_harm_while_they_change(void)
{
	unsigned i, calls;
	pthread_t thread;

	model_make(FEW_SLOTS, (struct variety){ 6, 1, 4 });
	expect_int(pthread_create(&thread, NULL, spoil_all_the_time, NULL), 0);
	for (i = 0; i < MANY(40000); i++) {
		catalogue_reset(&map);
		for (calls = 0; calls < FEW_SLOTS; calls++)
			(void)catalogue_insert(&map, calls);
		for (calls = 0; calls < 20; calls++)
			(void)call_something();
	}
	atomic_store(&enough, true);
	expect_int(pthread_join(thread, NULL), 0);
	make_anew();
	drain();
	model_free();
}

/* What a catalogue writes of a slot is its links. */
static void
nothing_else_is_written(void)
{
	struct queue_slot before[FEW_SLOTS], after[FEW_SLOTS];
	struct queue_file header;
	unsigned i, calls, n;

	model_make(FEW_SLOTS, (struct variety){ 6, 1, 4 });
	for (i = 0; i < MANY(10000); i++) {
		make_anew();
		spoil(1 + (unsigned)random_below(50));
		header = *map.file;
		memcpy(before, queue_slot(&map, 0), sizeof(before));
		for (calls = 0; calls < 20; calls++)
			(void)call_something();
		memcpy(after, queue_slot(&map, 0), sizeof(after));
		for (n = 0; n < FEW_SLOTS; n++)
			memcpy(after[n].link, before[n].link,
			       sizeof(after[n].link));
		expect(!memcmp(after, before, sizeof(after)));
		memcpy(header.root, map.file->root, sizeof(header.root));
		header.nodes_free = map.file->nodes_free;
		header.nodes_next = map.file->nodes_next;
		header.nodes_used = map.file->nodes_used;
		expect(!memcmp(&header, map.file, sizeof(header)));
	}
	model_free();
}

int
main(void)
{
	static const struct test tests[] = {
		TEST(a_branch_on_a_bit_that_is_none_is_refused),
		TEST(a_circle_of_nodes_is_refused),
		TEST(a_circle_of_messages_is_refused),
	TEST(a_leaf_that_hangs_everywhere_is_refused),
		TEST(a_message_that_is_not_in_its_leaf_is_refused),
		TEST(a_branch_for_a_leaf_is_refused),
		TEST(neighbours_that_disagree_are_refused),
		TEST(a_leaf_that_its_key_does_not_lead_to_is_refused),
		TEST(no_bytes_do_harm),
		TEST(no_bytes_do_harm_while_they_change),
		TEST(nothing_else_is_written),
	};

	return RUN_TESTS("catalogue damage", tests);
}
