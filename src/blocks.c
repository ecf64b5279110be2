/* SPDX-License-Identifier: MIT */
/* Layer 5. May include: base atomics shm layout. */
/*
 * A buddy allocator whose bookkeeping lies outside of what it allocates.
 *
 * The span is cut into units of 256 bytes (more if it is huge: UNITS_MAX). A
 * block is 2^order units, and begins at a multiple of its own size; its buddy
 * is the other half of the block of twice that size, at block ^ 2^order. For
 * each unit there is a node, in private memory that is only touched where
 * blocks begin. A block's node, that of its first unit, says what it is:
 *
 *	USED	handed out, or occupied; all of its pages are committed
 *	WARM	free, all of its pages are committed
 *	BARE	free, and none of its pages is committed; or some, if `mixed`
 *	INSIDE	no block begins here
 *
 *	|USED|WARM|  USED  |      BARE      |  USED  |  BARE  |  untouched ...
 *	0                                                  frontier      units
 *
 * Blocks cover [0, frontier); what lies beyond is free and has no nodes yet, so
 * that memory for nodes grows with use, not with the span.
 *
 * Free blocks are in lists, one for each order of WARM and of BARE ones. A
 * freed block goes to the front of its WARM list; to allocate is to take the
 * first of that list: a few instructions, and memory that is likely still in
 * the cache. When that list is empty, the cheapest way that is left is taken:
 *
 *	1. split a larger WARM block
 *	2. commit pages of a BARE one, or of the untouched
 *	3. merge free buddies of a kind, then 1 and 2 again
 *	4. give memory of WARM blocks back, those that were freed longest ago
 *	   first, so that 2 stays within the limit; if the span is too cut up
 *	   for 2, merge WARM with BARE
 *
 * Merging walks over all blocks, so it is left until then, and is not repeated
 * before something has changed.
 *
 * Pages. A page holds up to 16 blocks. Those smaller than a page are only ever
 * made by splitting a page that is committed: so they are USED or WARM, never
 * BARE, and giving back need not look at them: a page whose blocks are all free
 * has become one WARM block, or part of one, by merging. The bitmap `pages`
 * says of every page whether it is committed; `committed` is its count of ones.
 *
 * What would break it: a node that still says USED or WARM inside of another
 * block (merging must set INSIDE: locate() relies on it); a BARE block smaller
 * than a page; a page committed without its bit, or the reverse.
 *
 * Not safe for threads: the handle's lock is held.
 */
#include <assert.h>
#include <sys/mman.h>

#include "base.h"
#include "blocks.h"
#include "shm.h"

#define UNIT_SHIFT 8
/* Beyond this, units grow instead: 64 GiB of span and more. Bounds the address
   space that nodes take to 4 GiB. */
#define UNITS_MAX (UINT64_C(1) << 28)
#define PAGE_SHIFT 12
#define ORDERS 32
#define LISTS (2 * ORDERS)
#define NONE INT32_MIN

enum state { INSIDE = 0, USED, WARM, BARE };

/* Of a block, by its first unit; or the head of a list, of index below 0. */
struct node {
	int32_t next;
	int32_t prev;
	uint32_t freed; /* the clock when it was: its age */
	uint8_t order;
	uint8_t state;
};

struct blocks {
	struct node *nodes; /* [-LISTS, units) */
	uint64_t *pages;
	uint64_t base;
	uint64_t length;
	uint64_t limit;
	uint64_t committed; /* bytes */
	uint64_t in_use;    /* bytes */
	size_t mapped;	    /* bytes of all of this */
	int32_t units;
	int32_t frontier;
	int fd;
	uint32_t clock; /* counts frees */
	uint8_t unit_shift;
	uint8_t page_order; /* of a block that is one page */
	uint8_t top_order;  /* of the whole span */
	bool unmerged;	    /* merging may find something */
	bool mixed;	    /* a BARE block may have committed pages */
};

_Static_assert(UINT64_C(1) << PAGE_SHIFT == PAGE, "");

/* Sizes and lists -------------------------------------------------------- */

static inline uint64_t
block_bytes(const struct blocks *b, unsigned order)
{
	return UINT64_C(1) << (order + b->unit_shift);
}

/* The order of the smallest block of that size; size: at most the span. */
static inline unsigned
order_for(const struct blocks *b, uint64_t size)
{
	uint64_t unit = UINT64_C(1) << b->unit_shift;

	if (size <= unit)
		return 0;
	return (unsigned)__builtin_ctzll(power_of_2_from(size)) - b->unit_shift;
}

static inline int32_t
list_of(enum state state, unsigned order)
{
	return -1 - (int32_t)(order + (state == BARE ? ORDERS : 0));
}

static inline void
list_remove(struct blocks *b, int32_t block)
{
	struct node *n = &b->nodes[block];

	b->nodes[n->next].prev = n->prev;
	b->nodes[n->prev].next = n->next;
}

static inline void
list_add_after(struct blocks *b, int32_t prev, int32_t block)
{
	struct node *n = &b->nodes[block];

	n->prev = prev;
	n->next = b->nodes[prev].next;
	b->nodes[n->next].prev = block;
	b->nodes[prev].next = block;
}

static inline void
add_first(struct blocks *b, int32_t block)
{
	struct node *n = &b->nodes[block];

	list_add_after(b, list_of(n->state, n->order), block);
}

static void
add_last(struct blocks *b, int32_t block)
{
	struct node *n = &b->nodes[block];

	list_add_after(b, b->nodes[list_of(n->state, n->order)].prev, block);
}

static void
make_block(struct blocks *b, int32_t block, unsigned order, enum state state,
	   uint32_t freed)
{
	struct node *n = &b->nodes[block];

	n->order = (uint8_t)order;
	n->state = (uint8_t)state;
	n->freed = freed;
}

/* The first block in the lists of that state, of that order or the next. */
static int32_t
find(const struct blocks *b, enum state state, unsigned order)
{
	int32_t block;

	for (; order <= b->top_order; order++) {
		block = b->nodes[list_of(state, order)].next;
		if (block >= 0)
			return block;
	}
	return NONE;
}

/* Pages -------------------------------------------------------------------- */

static uint64_t
page_of(const struct blocks *b, int32_t block)
{
	return (uint64_t)block << b->unit_shift >> PAGE_SHIFT;
}

static uint64_t
pages_in(const struct blocks *b, unsigned order)
{
	return max_u64(block_bytes(b, order) >> PAGE_SHIFT, 1);
}

/* Of the 64 pages of that word, those in [first, end). */
static uint64_t
word_mask(uint64_t word, uint64_t first, uint64_t end)
{
	uint64_t mask = ~UINT64_C(0);

	if (word == first / 64)
		mask &= ~UINT64_C(0) << first % 64;
	if (word == end / 64)
		mask &= (UINT64_C(1) << end % 64) - 1;
	return mask;
}

static uint64_t
pages_count(const struct blocks *b, uint64_t first, uint64_t end)
{
	uint64_t word, count = 0;

	for (word = first / 64; word * 64 < end; word++)
		count += (uint64_t)__builtin_popcountll(
			b->pages[word] & word_mask(word, first, end));
	return count;
}

/* The only place where the bitmap and its count change. */
static void
pages_mark(struct blocks *b, uint64_t first, uint64_t end, bool committed)
{
	uint64_t word, mask, before = pages_count(b, first, end);

	for (word = first / 64; word * 64 < end; word++) {
		mask = word_mask(word, first, end);
		if (committed)
			b->pages[word] |= mask;
		else
			b->pages[word] &= ~mask;
	}
	if (committed)
		b->committed += (end - first - before) << PAGE_SHIFT;
	else
		b->committed -= before << PAGE_SHIFT;
}

static bool
page_is_committed(const struct blocks *b, uint64_t page)
{
	return b->pages[page / 64] >> page % 64 & 1;
}

static int
pages_give_back(struct blocks *b, uint64_t first, uint64_t end)
{
	int r = shm_give_back(b->fd, b->base + (first << PAGE_SHIFT),
			      (end - first) << PAGE_SHIFT);

	if (r < 0)
		return r;
	pages_mark(b, first, end, false);
	return 0;
}

/* Commits those of [first, end) that are not. */
static int
commit_gaps(struct blocks *b, uint64_t first, uint64_t end, int64_t deadline)
{
	uint64_t gap;
	int r;

	for (; first < end; first = gap) {
		for (gap = first; gap < end; gap++)
			if (page_is_committed(b, gap))
				break;
		if (gap == first) {
			gap++;
			continue;
		}
		r = shm_commit(b->fd, b->base + (first << PAGE_SHIFT),
			       (gap - first) << PAGE_SHIFT, deadline);
		if (r < 0)
			return r;
		pages_mark(b, first, gap, true);
	}
	return 0;
}

/*
 * Commits the first 2^order units of a BARE block, within the limit. If the
 * kernel fails midway, all of them are given back: what it did before it failed
 * is not told.
 */
static int
commit(struct blocks *b, int32_t block, unsigned order, int64_t deadline)
{
	uint64_t first = page_of(b, block);
	uint64_t end = first + pages_in(b, order);
	uint64_t missing = end - first - pages_count(b, first, end);
	int r;

	if (!missing)
		return 0;
	if (b->committed + (missing << PAGE_SHIFT) > b->limit)
		return -ENOSPC;
	r = commit_gaps(b, first, end, deadline);
	if (r < 0 && pages_give_back(b, first, end) < 0)
		b->mixed = true;
	return r;
}

/* Splitting and merging -------------------------------------------------- */

/* Makes BARE blocks of the untouched up to `to`, a multiple of a page's units:
   the largest that fit, so no two of them are buddies. */
static void
extend(struct blocks *b, int32_t to)
{
	unsigned order, fits;

	while (b->frontier < to) {
		order = (unsigned)__builtin_ctz((uint32_t)b->frontier |
						(uint32_t)b->units);
		fits = 31 -
		       (unsigned)__builtin_clz((uint32_t)(to - b->frontier));
		if (order > fits)
			order = fits;
		make_block(b, b->frontier, order, BARE, b->clock);
		add_first(b, b->frontier);
		b->frontier += 1 << order;
		b->unmerged = true;
	}
}

/* A BARE block of at least that order; extends if need be. */
static int32_t
find_bare(struct blocks *b, unsigned order)
{
	int64_t size = INT64_C(1) << order;
	int64_t start = (int64_t)round_up((uint64_t)b->frontier,
					  (uint64_t)size);
	int32_t block = find(b, BARE, order);

	if (block != NONE)
		return block;
	if (start + size > b->units)
		return NONE;
	extend(b, (int32_t)(start + size));
	return (int32_t)start;
}

/*
 * Halves a free block, which is in no list, until the block of that order at
 * `target` is left; the other halves go to the lists. Returns target.
 */
static int32_t
split(struct blocks *b, int32_t block, int32_t target, unsigned order)
{
	struct node whole = b->nodes[block];
	unsigned half = whole.order;
	int32_t low = block, high;

	while (half > order) {
		half--;
		high = low + (1 << half);
		make_block(b, low, half, whole.state, whole.freed);
		make_block(b, high, half, whole.state, whole.freed);
		add_last(b, target < high ? high : low);
		if (target >= high)
			low = high;
	}
	return low;
}

/*
 * Hands out the block of that order at target, inside a free block whose pages,
 * as far as target needs them, are committed and marked so.
 */
static void
take(struct blocks *b, int32_t block, int32_t target, unsigned order)
{
	list_remove(b, block);
	if (b->nodes[block].state == BARE && order < b->page_order) {
		block = split(b, block,
			      (int32_t)round_down((uint64_t)target,
						  UINT64_C(1) << b->page_order),
			      b->page_order);
		b->nodes[block].state = WARM;
	}
	block = split(b, block, target, order);
	b->nodes[block].state = USED;
	b->in_use += block_bytes(b, order);
}

/* The buddy, if it is free and whole, and (unless any) of the same kind. */
static int32_t
free_buddy(const struct blocks *b, int32_t block, bool any)
{
	const struct node *n = &b->nodes[block], *other;
	int32_t buddy = block ^ 1 << n->order;

	if (n->order == b->top_order)
		return NONE;
	other = &b->nodes[buddy];
	if (other->order != n->order || other->state < WARM ||
	    (!any && other->state != n->state))
		return NONE;
	return buddy;
}

/* Two buddies, in no list, become one; as young as the younger of them. */
static int32_t
join(struct blocks *b, int32_t block, int32_t buddy)
{
	struct node one = b->nodes[block], other = b->nodes[buddy];
	bool alike = one.state == other.state;
	bool younger = (int32_t)(other.freed - one.freed) > 0;

	if (!alike)
		b->mixed = true;
	b->nodes[block | buddy].state = INSIDE;
	make_block(b, block & buddy, one.order + 1U, alike ? one.state : BARE,
		   younger ? other.freed : one.freed);
	return block & buddy;
}

/* Joins a free block with its buddy, as often as that is free. Lists stay
   sorted by age only roughly. */
static int32_t
coalesce(struct blocks *b, int32_t block, bool any)
{
	int32_t buddy = free_buddy(b, block, any), first;

	if (buddy == NONE)
		return block;
	list_remove(b, block);
	for (; buddy != NONE; buddy = free_buddy(b, block, any)) {
		list_remove(b, buddy);
		block = join(b, block, buddy);
	}
	first = b->nodes[list_of(b->nodes[block].state, b->nodes[block].order)]
			.next;
	if (first < 0 ||
	    (int32_t)(b->nodes[block].freed - b->nodes[first].freed) >= 0)
		add_first(b, block);
	else
		add_last(b, block);
	return block;
}

static COLD void
merge(struct blocks *b, bool any)
{
	int32_t block;

	for (block = 0; block < b->frontier;
	     block += 1 << b->nodes[block].order)
		if (b->nodes[block].state >= WARM)
			block = coalesce(b, block, any);
	b->unmerged = false;
}

/* Giving back ------------------------------------------------------------ */

/* The WARM block of a page or more that was freed longest ago. */
static int32_t
coldest(const struct blocks *b)
{
	int32_t block, oldest = NONE;
	unsigned order;

	for (order = b->page_order; order <= b->top_order; order++) {
		block = b->nodes[list_of(WARM, order)].prev;
		if (block >= 0 &&
		    (oldest == NONE || (int32_t)(b->nodes[block].freed -
						 b->nodes[oldest].freed) < 0))
			oldest = block;
	}
	return oldest;
}

/* Gives back what is committed in BARE blocks. Returns the bytes. */
static uint64_t
give_back_mixed(struct blocks *b)
{
	uint64_t before = b->committed, first, end;
	unsigned order;
	int32_t block;

	if (!b->mixed)
		return 0;
	b->mixed = false;
	for (order = b->page_order; order <= b->top_order; order++) {
		block = list_of(BARE, order);
		while ((block = b->nodes[block].next) >= 0) {
			first = page_of(b, block);
			end = first + pages_in(b, order);
			if (pages_count(b, first, end) &&
			    pages_give_back(b, first, end) < 0)
				b->mixed = true;
		}
	}
	return before - b->committed;
}

/* Gives back at least that many bytes, if the kernel lets it and so much is in
   whole free pages. Returns how many. */
static uint64_t
give_back(struct blocks *b, uint64_t bytes)
{
	uint64_t given = give_back_mixed(b), first;
	unsigned order;
	int32_t block;
	int r = 0;

	while (r == 0 && given < bytes && (block = coldest(b)) != NONE) {
		order = b->nodes[block].order;
		while (order > b->page_order &&
		       block_bytes(b, order) > bytes - given)
			order--;
		list_remove(b, block);
		block = split(b, block,
			      block + (1 << b->nodes[block].order) -
				      (1 << order),
			      order);
		first = page_of(b, block);
		r = pages_give_back(b, first, first + pages_in(b, order));
		if (r == 0) {
			b->nodes[block].state = BARE;
			given += pages_in(b, order) << PAGE_SHIFT;
		}
		add_last(b, block);
		b->unmerged = true;
	}
	return given;
}

/* What give_back() could give, after a merge. */
static uint64_t
can_give_back(const struct blocks *b)
{
	uint64_t pages = 0, first;
	unsigned order;
	int32_t block;

	for (order = b->page_order; order <= b->top_order; order++) {
		block = list_of(WARM, order);
		while ((block = b->nodes[block].next) >= 0)
			pages += pages_in(b, order);
		block = list_of(BARE, order);
		while (b->mixed && (block = b->nodes[block].next) >= 0) {
			first = page_of(b, block);
			pages += pages_count(b, first,
					     first + pages_in(b, order));
		}
	}
	return pages << PAGE_SHIFT;
}

/* Allocating --------------------------------------------------------------- */

/* From what is WARM, or by a commit within the limit. */
static int
try_allocate(struct blocks *b, unsigned order, int64_t deadline, int32_t *ret)
{
	unsigned least = order > b->page_order ? order : b->page_order;
	int32_t block = find(b, WARM, order);
	int r;

	if (block == NONE) {
		block = find_bare(b, least);
		if (block == NONE)
			return -ENOSPC;
		r = commit(b, block, least, deadline);
		if (r < 0)
			return r;
	}
	take(b, block, block, order);
	*ret = block;
	return 0;
}

/*
 * After a merge: sees to it that a BARE block of that order can be committed
 * within the limit; gives nothing back if that would not suffice.
 */
static int
make_room(struct blocks *b, unsigned order)
{
	unsigned least = order > b->page_order ? order : b->page_order;
	uint64_t bytes = pages_in(b, least) << PAGE_SHIFT, can;

	if (find_bare(b, least) == NONE) {
		extend(b, b->units);
		merge(b, true);
		if (find_bare(b, least) == NONE)
			return -ENOSPC;
	}
	can = can_give_back(b);
	if (b->committed - can + bytes > b->limit)
		return -ENOSPC;
	give_back(b, bytes);
	return 0;
}

static bool
is_out_of_memory(int r)
{
	return r == -ENOSPC || r == -EDQUOT;
}

static COLD int
allocate_slowly(struct blocks *b, unsigned order, int64_t deadline,
		int32_t *ret)
{
	int r, room;

	if (b->in_use + block_bytes(b, order) > b->limit)
		return -ENOSPC;
	r = try_allocate(b, order, deadline, ret);
	if (is_out_of_memory(r) && b->unmerged) {
		merge(b, false);
		r = try_allocate(b, order, deadline, ret);
	}
	if (is_out_of_memory(r)) {
		room = make_room(b, order);
		if (room == 0)
			r = try_allocate(b, order, deadline, ret);
	}
	return r;
}

int
blocks_allocate(struct blocks *blocks, uint64_t size, int64_t deadline,
		uint64_t *ret_offset)
{
	struct blocks *b = blocks;
	unsigned order;
	int32_t block;
	int r;

	if (size > b->length)
		return -ENOSPC;
	order = order_for(b, size);
	block = b->nodes[list_of(WARM, order)].next;
	if (likely(block >= 0)) {
		list_remove(b, block);
		b->nodes[block].state = USED;
		b->in_use += block_bytes(b, order);
	} else {
		r = allocate_slowly(b, order, deadline, &block);
		if (r < 0)
			return r;
	}
	*ret_offset = b->base + ((uint64_t)block << b->unit_shift);
	return 0;
}

void
blocks_free(struct blocks *blocks, uint64_t offset)
{
	struct blocks *b = blocks;
	uint64_t at = offset - b->base;
	struct node *n;

	if (unlikely(at >= b->length || at & ((1 << b->unit_shift) - 1)))
		return;
	n = &b->nodes[at >> b->unit_shift];
	if (unlikely(n->state != USED))
		return;
	n->state = WARM;
	n->freed = ++b->clock;
	b->in_use -= block_bytes(b, n->order);
	b->unmerged = true;
	add_first(b, (int32_t)(at >> b->unit_shift));
}

/* Taking over -------------------------------------------------------------- */

/* The block that this unit belongs to; below the frontier there is one. */
static int32_t
locate(const struct blocks *b, int32_t unit)
{
	unsigned order;
	int32_t block;

	for (order = 0; order < b->top_order; order++) {
		block = unit & ~((1 << order) - 1);
		if (b->nodes[block].state != INSIDE &&
		    unit - block < 1 << b->nodes[block].order)
			return block;
	}
	return 0;
}

int
blocks_occupy(struct blocks *blocks, uint64_t offset, uint64_t size)
{
	struct blocks *b = blocks;
	uint64_t at = offset - b->base, first, end;
	int32_t target, block;
	unsigned order;

	if (offset < b->base || at >= b->length || !size || size > b->length)
		return -EINVAL;
	order = order_for(b, size);
	if (at & (block_bytes(b, order) - 1))
		return -EINVAL;
	target = (int32_t)(at >> b->unit_shift);
	extend(b, (int32_t)round_up((uint64_t)target + (1U << order),
				    UINT64_C(1) << b->page_order));
	block = locate(b, target);
	if (b->nodes[block].state < WARM || b->nodes[block].order < order)
		return -EINVAL;
	first = page_of(b, target);
	end = first + pages_in(b, order);
	pages_mark(b, first, end, true);
	take(b, block, target, order);
	return 0;
}

/* Without a look at the bitmap, which has no ones there. */
static void
punch(struct blocks *b, uint64_t first, uint64_t end)
{
	if (first < end)
		shm_give_back(b->fd, b->base + (first << PAGE_SHIFT),
			      (end - first) << PAGE_SHIFT);
}

void
blocks_settle(struct blocks *blocks)
{
	struct blocks *b = blocks;
	uint64_t from = 0, first;
	const struct node *n;
	int32_t block;

	for (block = 0; block < b->frontier; block += 1 << n->order) {
		n = &b->nodes[block];
		if (n->state == BARE)
			continue;
		first = page_of(b, block);
		punch(b, from, first);
		from = first + pages_in(b, n->order);
	}
	punch(b, from, (b->length + PAGE - 1) >> PAGE_SHIFT);
}

/* The whole --------------------------------------------------------------- */

int
blocks_create(int fd, uint64_t base, uint64_t length, uint64_t limit,
	      struct blocks **ret)
{
	unsigned shift = UNIT_SHIFT;
	uint64_t units, mapped;
	struct blocks *b;
	struct node *lists;
	int32_t list;

	while (length >> shift > UNITS_MAX)
		shift++;
	units = length >> shift;
	mapped = sizeof(*b) + (LISTS + units) * sizeof(struct node) +
		 ((length >> PAGE_SHIFT) / 64 + 1) * sizeof(uint64_t);
	if (mapped > SIZE_MAX / 2)
		return -ENOMEM;
	/* Zeros; pages of it exist once they are written. Huge ones would cost
	   an idle sender megabytes. */
	b = mmap(NULL, mapped, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (b == MAP_FAILED)
		return -ENOMEM;
	madvise(b, mapped, MADV_NOHUGEPAGE);
	lists = (struct node *)(b + 1);
	*b = (struct blocks){
		.nodes = lists + LISTS,
		.pages = (uint64_t *)(lists + LISTS + units),
		.base = base,
		.length = length,
		.limit = limit,
		.fd = fd,
		.mapped = mapped,
		.units = (int32_t)units,
		.unit_shift = (uint8_t)shift,
		.top_order = units ? (uint8_t)__builtin_ctzll(units) : 0,
	};
	if (shift < PAGE_SHIFT)
		b->page_order = (uint8_t)min_u64(PAGE_SHIFT - shift,
						 b->top_order);
	for (list = -LISTS; list < 0; list++)
		b->nodes[list].next = b->nodes[list].prev = list;
	*ret = b;
	return 0;
}

void
blocks_destroy(struct blocks *blocks)
{
	if (blocks)
		munmap(blocks, blocks->mapped);
}

uint64_t
blocks_committed(const struct blocks *blocks)
{
	return blocks->committed;
}

uint64_t
blocks_in_use(const struct blocks *blocks)
{
	return blocks->in_use;
}

uint64_t
blocks_trim(struct blocks *blocks, uint64_t keep)
{
	struct blocks *b = blocks;
	uint64_t spare = b->committed - b->in_use;

	if (spare <= keep)
		return 0;
	if (b->unmerged)
		merge(b, false);
	return give_back(b, spare - keep);
}
