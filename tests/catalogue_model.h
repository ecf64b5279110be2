/* SPDX-License-Identifier: MIT */
/*
 * The file of a queue in private memory, as far as the catalogues know it, and
 * beside it what they ought to know. Includes the catalogues' sources, so as to
 * count their looks at nodes and slots.
 */
#ifndef CUBBY_TESTS_CATALOGUE_MODEL_H
#define CUBBY_TESTS_CATALOGUE_MODEL_H

#include "support.h"
#include <sys/mman.h>

#include "layout_queue.h"

/* Counts the looks; all that catalogue.c reads of nodes and slots is behind
   one. */
static uint64_t looks;

static inline struct queue_node *
look_at_node(const struct queue_map *map, uint32_t n)
{
	looks++;
	return queue_node(map, n);
}

static inline struct queue_slot *
look_at_slot(const struct queue_map *map, uint32_t n)
{
	looks++;
	return queue_slot(map, n);
}

#define queue_node(map, n) look_at_node(map, n)
#define queue_slot(map, n) look_at_slot(map, n)
#include "catalogue.c"
#include "catalogue_query.c"
#undef queue_node
#undef queue_slot

#define SENDERS 5

/* A queue's file, as far as catalogues know it --------------------------- */

static struct queue_map map;

/* The header, the nodes and the slots, each between pages that nobody may
   touch. */
static inline void
map_make(uint32_t slots, uint32_t nodes)
{
	uint64_t gap = PAGE, header = PAGE, length;
	uint64_t nodes_size = round_up(nodes * sizeof(struct queue_node), PAGE);
	uint64_t slots_size = round_up(slots * sizeof(struct queue_slot), PAGE);
	char *base;

	length = gap + header + gap + nodes_size + gap + slots_size + gap;
	base = mmap(NULL, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0);
	expect(base != MAP_FAILED);
	map.file = (struct queue_file *)(base + gap);
	map.geometry.slots_max = slots;
	map.geometry.nodes_max = nodes;
	map.geometry.slot_stride = sizeof(struct queue_slot);
	/* What is in range ends where the gap begins. */
	map.geometry.nodes = header + gap + nodes_size -
			     nodes * sizeof(struct queue_node);
	map.geometry.slots = header + gap + nodes_size + gap + slots_size -
			     slots * sizeof(struct queue_slot);
	expect_system(mprotect(map.file, header, PROT_READ | PROT_WRITE));
	expect_system(mprotect(base + gap + header + gap, nodes_size,
			       PROT_READ | PROT_WRITE));
	expect_system(mprotect(base + length - gap - slots_size, slots_size,
			       PROT_READ | PROT_WRITE));
	set32(&map.file->chunks, slots / CHUNK_SLOTS);
	set32(&map.file->nodes_committed, nodes);
	set32(&map.file->catalogued[CATALOGUE_TYPE], 1);
	set32(&map.file->catalogued[CATALOGUE_SENDER], 1);
	catalogue_reset(&map);
}

static inline uint64_t
random_below(uint64_t n)
{
	static uint64_t state = UINT64_C(0x9e3779b97f4a7c15);

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 11) % n;
}

/* The model -------------------------------------------------------------- */

struct message {
	bool queued;
	uint64_t type, sender, arrival, sequence;
	uint32_t priority, deliveries;
};

struct variety {
	uint64_t types;	 /* so many, spread over... */
	uint64_t stride; /* ...every so many numbers */
	uint32_t priorities;
};

static struct message *model;
static uint32_t slots, queued;
static uint64_t arrivals;
static struct variety variety;

static inline void
model_make(uint32_t count, struct variety of)
{
	slots = count;
	variety = of;
	map_make(count, 4 * count);
	model = calloc(count, sizeof(*model));
	expect(model != NULL);
	queued = 0;
	arrivals = 0;
}

static inline void
model_free(void)
{
	free(model);
}

static inline uint64_t
random_type(void)
{
	return random_below(variety.types) * variety.stride &
	       CATALOGUE_TYPE_MASK;
}

/* Writes the message into its slot and puts it into the catalogues. */
static inline bool
put(uint32_t n)
{
	struct queue_slot *slot = queue_slot(&map, n);
	const struct message *message = &model[n];
	uint64_t region = random_below(2) << 63;

	set64(&slot->type, message->type | region);
	set64(&slot->arrival, message->arrival);
	set64(&slot->sequence, message->sequence);
	set32(&slot->sender, (uint32_t)message->sender - 1);
	set32(&slot->priority, message->priority);
	set64(&slot->state,
	      slot_state_make(1, message->deliveries, SLOT_QUEUED));
	if (!catalogue_has_room(&map) || !catalogue_insert(&map, n))
		return false;
	model[n].queued = true;
	queued++;
	return true;
}

static inline bool
put_fresh(uint32_t n)
{
	arrivals++;
	model[n] = (struct message){
		.type = random_type(),
		.sender = 1 + random_below(SENDERS),
		.arrival = arrivals,
		.sequence = arrivals,
		.priority = (uint32_t)(PRIORITIES - 1 -
				       random_below(variety.priorities)),
	};
	return put(n);
}

static inline bool
take(uint32_t n)
{
	if (!catalogue_remove(&map, n))
		return false;
	model[n].queued = false;
	queued--;
	return true;
}

#endif
