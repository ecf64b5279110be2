/* SPDX-License-Identifier: MIT */
/* Layer 5. May include: base atomics shm layout buddy pages. */
/*
 * The blocks of a lane: a buddy system (buddy.h) over the file's pages
 * (pages.h), within a limit.
 *
 * A unit is 256 bytes (more where the span is 128 GiB and up). A freed block
 * goes to the front of the list of its size as it is, and to allocate is to
 * take the first of that list: a few instructions, no system call, and memory
 * that is likely still in the cache. Where the list is empty, the cheapest way
 * that is left is taken:
 *
 *	1. split a larger WARM block
 *	2. commit pages of a BARE one, or of the untouched; more than one block
 *	   needs, if there is room, so that system calls get rarer with growth
 *	3. merge free buddies of a kind, then 1 and 2 again
 *	4. give memory of WARM blocks back, those that were freed first first,
 *	   so that 2 stays within the limit (or finds memory in a full file
 *	   system); if the span is too cut up for 2, merge WARM with BARE
 *
 * 3 and 4 walk over all blocks. So they come last, are not repeated before
 * something was freed, and nothing is given back that would not suffice.
 *
 * A page holds up to 16 blocks. Blocks smaller than a page are only made by
 * splitting a page that is committed, so they are USED or WARM, never BARE.
 * Giving back need not look at them: a page whose blocks are all free has, by
 * merging, become one WARM block or a part of one.
 *
 * What would break it: a BARE block smaller than a page; a USED or a WARM one
 * with a page that is not committed. The caller has the handle's lock.
 */
#include "base.h"
#include "blocks.h"
#include "buddy.h"
#include "pages.h"
#include <sys/mman.h>

#define UNIT_SHIFT 8
#define AHEAD_MAX MIB(1)

struct blocks {
	struct buddy buddy;
	struct pages pages;
	uint64_t base;
	uint64_t length;
	uint64_t in_use; /* bytes */
	size_t mapped;	 /* bytes of this and what it points to */
	uint8_t unit_shift;
	uint8_t page_order; /* of a block that is one page */
};

static inline uint64_t
block_bytes(const struct blocks *b, unsigned order)
{
	return UINT64_C(1) << (order + b->unit_shift);
}

/* The order of the smallest block of that size; size: at most the span. */
static inline unsigned
order_for(const struct blocks *b, uint64_t size)
{
	uint64_t last = (size - (size > 0)) | (block_bytes(b, 0) - 1);

	return 64U - (unsigned)__builtin_clzll(last) - b->unit_shift;
}

/* That order, or the one of a page: the smallest that BARE blocks have. */
static unsigned
page_order_for(const struct blocks *b, unsigned order)
{
	return order > b->page_order ? order : b->page_order;
}

static uint64_t
page_of(const struct blocks *b, int32_t block)
{
	return (uint64_t)block << b->unit_shift >> PAGE_SHIFT;
}

/* Where the pages of a block of that order end, those that it shares too. */
static uint64_t
page_end(const struct blocks *b, int32_t block, unsigned order)
{
	return page_of(b, block) +
	       max_u64(block_bytes(b, order) >> PAGE_SHIFT, 1);
}

/* Giving back ------------------------------------------------------------ */

/* Committed bytes of BARE blocks: those of whole blocks that were mixed. */
static uint64_t
count_mixed(const struct blocks *b)
{
	const struct buddy_node *nodes = b->buddy.nodes;
	uint64_t pages = 0;
	unsigned order;
	int32_t block;

	if (!b->buddy.mixed)
		return 0;
	for (order = b->page_order; order <= b->buddy.top; order++) {
		block = buddy_list(BARE, order);
		while ((block = nodes[block].next) >= 0)
			pages += pages_count(&b->pages, page_of(b, block),
					     page_end(b, block, order));
	}
	return pages << PAGE_SHIFT;
}

static void
give_back_mixed(struct blocks *b)
{
	const struct buddy_node *nodes = b->buddy.nodes;
	uint64_t first, end;
	unsigned order;
	int32_t block;

	if (!b->buddy.mixed)
		return;
	b->buddy.mixed = false;
	for (order = b->page_order; order <= b->buddy.top; order++) {
		block = buddy_list(BARE, order);
		while ((block = nodes[block].next) >= 0) {
			first = page_of(b, block);
			end = page_end(b, block, order);
			if (pages_count(&b->pages, first, end) &&
			    pages_give_back(&b->pages, first, end) < 0)
				b->buddy.mixed = true;
		}
	}
}

/* Makes (the upper part of) a WARM block BARE: bytes, or a page, at most. */
static int
give_back_block(struct blocks *b, int32_t block, uint64_t bytes)
{
	struct buddy_node *nodes = b->buddy.nodes;
	unsigned order = nodes[block].order;
	int32_t end = block + (1 << order);
	int r;

	while (order > b->page_order && block_bytes(b, order) > bytes)
		order--;
	buddy_remove(&b->buddy, block);
	block = buddy_split(&b->buddy, block, end - (1 << order), order);
	r = pages_give_back(&b->pages, page_of(b, block),
			    page_end(b, block, order));
	if (r == 0)
		nodes[block].state = BARE;
	buddy_add_last(&b->buddy, block);
	b->buddy.stale = STALE;
	return r;
}

/* Gives bytes back, as far as there are free pages (after a merge) and the
   kernel takes them. Returns how many. */
static uint64_t
give_back(struct blocks *b, uint64_t bytes)
{
	uint64_t before = b->pages.committed, given;
	int32_t block;

	give_back_mixed(b);
	while ((given = before - b->pages.committed) < bytes) {
		block = buddy_coldest(&b->buddy, b->page_order);
		if (block == BUDDY_NONE ||
		    give_back_block(b, block, bytes - given) < 0)
			break;
	}
	return given;
}

/* What give_back() can give at most. */
static uint64_t
can_give_back(const struct blocks *b)
{
	const struct buddy_node *nodes = b->buddy.nodes;
	uint64_t bytes = count_mixed(b);
	unsigned order;
	int32_t block;

	for (order = b->page_order; order <= b->buddy.top; order++) {
		block = buddy_list(WARM, order);
		while ((block = nodes[block].next) >= 0)
			bytes += max_u64(block_bytes(b, order), PAGE);
	}
	return bytes;
}

uint64_t
blocks_trim(struct blocks *blocks, uint64_t keep)
{
	uint64_t spare = blocks->pages.committed - blocks->in_use;

	if (spare <= keep)
		return 0;
	if (blocks->buddy.stale & STALE_ALIKE)
		buddy_merge(&blocks->buddy, false);
	return give_back(blocks, spare - keep);
}

/* Allocating ------------------------------------------------------------- */

/*
 * Hands out the block of that order at target, inside of a free block. Those
 * pages are committed that a block of committed_order has around target.
 */
static void
take(struct blocks *b, int32_t block, int32_t target, unsigned order,
     unsigned committed_order)
{
	struct buddy_node *nodes = b->buddy.nodes;
	int32_t around = target & -(1 << committed_order);

	buddy_remove(&b->buddy, block);
	if (nodes[block].state == BARE) {
		block = buddy_split(&b->buddy, block, around, committed_order);
		nodes[block].state = WARM;
	}
	block = buddy_split(&b->buddy, block, target, order);
	nodes[block].state = USED;
	b->in_use += block_bytes(b, order);
}

/* Takes a block of that order from the untouched or a BARE one, committing as
   much as a block of committed_order has. */
static int
commit_and_take(struct blocks *b, unsigned order, unsigned committed_order,
		int64_t deadline, int32_t *ret)
{
	int32_t block = buddy_find_bare(&b->buddy, committed_order);
	uint64_t first, end;
	int r;

	if (block == BUDDY_NONE)
		return -ENOSPC;
	first = page_of(b, block);
	end = page_end(b, block, committed_order);
	r = pages_commit(&b->pages, first, end, deadline);
	if (r < 0) {
		if (pages_count(&b->pages, first, end))
			b->buddy.mixed = true;
		return r;
	}
	take(b, block, block, order, committed_order);
	*ret = block;
	return 0;
}

/* How much to commit at once: a quarter of what is, so that a growing backlog
   does not pay a system call for each page. */
static unsigned
ahead_order(const struct blocks *b, unsigned order)
{
	uint64_t bytes = min_u64(b->pages.committed / 4, AHEAD_MAX);

	while (order < b->buddy.top && block_bytes(b, order + 1) <= bytes)
		order++;
	return order;
}

static bool
is_out_of_memory(int r)
{
	return r == -ENOSPC || r == -EDQUOT;
}

/* Ways 1 and 2. */
static int
try_allocate(struct blocks *b, unsigned order, int64_t deadline, int32_t *ret)
{
	unsigned least = page_order_for(b, order);
	unsigned ahead = ahead_order(b, least);
	int32_t block = buddy_find(&b->buddy, WARM, order);
	int r = -ENOSPC;

	if (block != BUDDY_NONE) {
		take(b, block, block, order, order);
		*ret = block;
		return 0;
	}
	if (ahead > least)
		r = commit_and_take(b, order, ahead, deadline, ret);
	if (is_out_of_memory(r))
		r = commit_and_take(b, order, least, deadline, ret);
	return r;
}

/* Way 4, after 3. Returns whether it is worth trying again. */
static bool
make_room(struct blocks *b, unsigned order)
{
	unsigned bare_order = page_order_for(b, order);
	uint64_t bytes = max_u64(block_bytes(b, bare_order), PAGE), can;

	if (buddy_find_bare(&b->buddy, bare_order) == BUDDY_NONE) {
		if (!(b->buddy.stale & STALE_ANY))
			return false;
		buddy_extend(&b->buddy, b->buddy.units);
		buddy_merge(&b->buddy, true);
		if (buddy_find_bare(&b->buddy, bare_order) == BUDDY_NONE)
			return false;
	}
	can = can_give_back(b);
	if (b->pages.committed - can + bytes > b->pages.limit)
		return false;
	give_back(b, bytes);
	return true;
}

static COLD int
allocate_slowly(struct blocks *b, unsigned order, int64_t deadline,
		int32_t *ret)
{
	int r;

	if (b->in_use + block_bytes(b, order) > b->pages.limit)
		return -ENOSPC;
	r = try_allocate(b, order, deadline, ret);
	if (is_out_of_memory(r) && b->buddy.stale & STALE_ALIKE) {
		buddy_merge(&b->buddy, false);
		r = try_allocate(b, order, deadline, ret);
	}
	if (is_out_of_memory(r) && make_room(b, order))
		r = try_allocate(b, order, deadline, ret);
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
	block = b->buddy.nodes[buddy_list(WARM, order)].next;
	if (likely(block >= 0)) {
		buddy_remove(&b->buddy, block);
		b->buddy.nodes[block].state = USED;
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
	struct buddy_node *n;
	int32_t block;

	if (unlikely(at >= b->length || at & (block_bytes(b, 0) - 1)))
		return;
	block = (int32_t)(at >> b->unit_shift);
	n = &b->buddy.nodes[block];
	if (unlikely(n->state != USED))
		return;
	n->state = WARM;
	n->freed = ++b->buddy.clock;
	b->buddy.stale = STALE;
	b->in_use -= block_bytes(b, n->order);
	buddy_add_first(&b->buddy, block);
}

/* Taking over ------------------------------------------------------------ */

int
blocks_occupy(struct blocks *blocks, uint64_t offset, uint64_t size)
{
	struct blocks *b = blocks;
	uint64_t at = offset - b->base, end;
	int32_t target, block;
	unsigned order;

	if (offset < b->base || at >= b->length || !size || size > b->length)
		return -EINVAL;
	order = order_for(b, size);
	if (at & (block_bytes(b, order) - 1))
		return -EINVAL;
	target = (int32_t)(at >> b->unit_shift);
	/* BARE blocks are whole pages, and so ends the frontier. */
	end = round_up((uint64_t)target + (UINT64_C(1) << order),
		       UINT64_C(1) << b->page_order);
	buddy_extend(&b->buddy, (int32_t)end);
	block = buddy_locate(&b->buddy, target);
	if (b->buddy.nodes[block].state < WARM ||
	    b->buddy.nodes[block].order < order)
		return -EINVAL;
	pages_adopt(&b->pages, page_of(b, target), page_end(b, target, order));
	take(b, block, target, order, page_order_for(b, order));
	return 0;
}

void
blocks_settle(struct blocks *blocks)
{
	struct blocks *b = blocks;
	uint64_t from = 0;
	const struct buddy_node *n;
	int32_t block;

	for (block = 0; block < b->buddy.frontier; block += 1 << n->order) {
		n = &b->buddy.nodes[block];
		if (n->state == BARE)
			continue;
		pages_punch(&b->pages, from, page_of(b, block));
		from = page_end(b, block, n->order);
	}
	pages_punch(&b->pages, from, round_up(b->length, PAGE) >> PAGE_SHIFT);
}

/* The whole -------------------------------------------------------------- */

/* Zeros, of which a page exists once it is written. Huge ones would cost an
   idle sender megabytes. */
static void *
map_lazily(size_t size)
{
	void *zeros = mmap(NULL, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (zeros == MAP_FAILED)
		return NULL;
	madvise(zeros, size, MADV_NOHUGEPAGE);
	return zeros;
}

int
blocks_create(int fd, uint64_t base, uint64_t length, uint64_t limit,
	      struct blocks **ret)
{
	unsigned shift = UNIT_SHIFT;
	uint64_t nodes, words, mapped;
	struct file_identity is;
	struct buddy_node *zeros;
	struct blocks *b;
	int r = shm_identify(fd, &is);

	if (r < 0)
		return r;
	while (length >> shift > BUDDY_UNITS_MAX)
		shift++;
	nodes = BUDDY_LISTS + (length >> shift);
	words = (length >> PAGE_SHIFT) / 64 + 1;
	mapped = sizeof(*b) + nodes * sizeof(*zeros) + words * sizeof(uint64_t);
	if (mapped > SIZE_MAX / 2)
		return -ENOMEM;
	b = map_lazily((size_t)mapped);
	if (!b)
		return -ENOMEM;
	zeros = (struct buddy_node *)(b + 1);
	buddy_init(&b->buddy, zeros, length >> shift);
	b->pages = (struct pages){ .bits = (uint64_t *)(zeros + nodes),
				   .base = base,
				   .limit = limit,
				   .fd = fd,
				   .is = is };
	b->base = base;
	b->length = length;
	b->mapped = (size_t)mapped;
	b->unit_shift = (uint8_t)shift;
	if (shift < PAGE_SHIFT)
		b->page_order = (uint8_t)min_u64(PAGE_SHIFT - shift,
						 b->buddy.top);
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
	return blocks->pages.committed;
}

uint64_t
blocks_in_use(const struct blocks *blocks)
{
	return blocks->in_use;
}
