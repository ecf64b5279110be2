/* SPDX-License-Identifier: MIT */
/* Layer 4. May include: base shm. */
/* The account of committed pages that pages.h describes. */
#include "base.h"
#include "pages.h"
#include "shm.h"

/* Pages that are committed at once: what one call of the kernel does. */
#define STEP (MIB(1) >> PAGE_SHIFT)

_Static_assert(UINT64_C(1) << PAGE_SHIFT == PAGE, "");

static int
file_of(const struct pages *pages)
{
	return shm_still(pages->fd, &pages->is);
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

uint64_t
pages_count(const struct pages *pages, uint64_t first, uint64_t end)
{
	uint64_t word, count = 0;

	for (word = first / 64; word * 64 < end; word++)
		count += (uint64_t)__builtin_popcountll(
			pages->bits[word] & word_mask(word, first, end));
	return count;
}

static void
mark(struct pages *p, uint64_t first, uint64_t end, bool committed)
{
	uint64_t word, mask, before = pages_count(p, first, end);

	for (word = first / 64; word * 64 < end; word++) {
		mask = word_mask(word, first, end);
		if (committed)
			p->bits[word] |= mask;
		else
			p->bits[word] &= ~mask;
	}
	p->committed -= before << PAGE_SHIFT;
	if (committed)
		p->committed += (end - first) << PAGE_SHIFT;
}

void
pages_adopt(struct pages *pages, uint64_t first, uint64_t end)
{
	mark(pages, first, end, true);
}

/* The end of the run of pages like the first: committed, or not. */
static uint64_t
run_end(const struct pages *p, uint64_t first, uint64_t end, bool committed)
{
	for (; first < end; first++)
		if ((p->bits[first / 64] >> first % 64 & 1) != committed)
			break;
	return first;
}

static int
commit_gaps(struct pages *p, uint64_t first, uint64_t end, int64_t deadline)
{
	uint64_t gap_end;
	int r;

	while ((first = run_end(p, first, end, true)) < end) {
		gap_end = run_end(p, first, min_u64(end, first + STEP), false);
		r = shm_commit(file_of(p), p->base + (first << PAGE_SHIFT),
			       (gap_end - first) << PAGE_SHIFT, deadline);
		if (r < 0)
			return r;
		mark(p, first, gap_end, true);
		first = gap_end;
	}
	return 0;
}

int
pages_commit(struct pages *pages, uint64_t first, uint64_t end,
	     int64_t deadline)
{
	uint64_t missing = end - first - pages_count(pages, first, end);
	int r;

	if (!missing)
		return 0;
	if (pages->committed + (missing << PAGE_SHIFT) > pages->limit)
		return -ENOSPC;
	r = commit_gaps(pages, first, end, deadline);
	if (r < 0)
		pages_give_back(pages, first, end);
	return r;
}

void
pages_punch(const struct pages *pages, uint64_t first, uint64_t end)
{
	if (first < end)
		shm_give_back(file_of(pages), pages->base + (first << PAGE_SHIFT),
			      (end - first) << PAGE_SHIFT);
}

int
pages_give_back(struct pages *pages, uint64_t first, uint64_t end)
{
	int r = shm_give_back(file_of(pages), pages->base + (first << PAGE_SHIFT),
			      (end - first) << PAGE_SHIFT);

	if (r == 0)
		mark(pages, first, end, false);
	return r;
}
