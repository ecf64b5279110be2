/* SPDX-License-Identifier: MIT */
/* Layer 4. May include: base shm. */
/*
 * Which pages of a part of a file are committed, within a limit.
 *
 * A bitmap in private memory, a bit a page, and their count in bytes; both
 * change in one place only, after the kernel has done what they say. Pages are
 * counted from the beginning of the part.
 */
#ifndef CUBBY_PAGES_H
#define CUBBY_PAGES_H

#include "base.h"
#include "shm.h"

#define PAGE_SHIFT 12

struct pages {
	uint64_t *bits; /* zero to begin with; a word for each 64, and one */
	uint64_t base;	/* where the part begins in the file */
	uint64_t limit; /* bytes */
	uint64_t committed; /* bytes */
	int fd;			/* and which file that is: see shm_still() */
	struct file_identity is;
};

/* Those of [first, end) that are committed. */
uint64_t
pages_count(const struct pages *pages, uint64_t first, uint64_t end);

/* Says that they are, without doing it: an earlier owner did. */
void
pages_adopt(struct pages *pages, uint64_t first, uint64_t end);

/*
 * Commits those of [first, end) that are not. If the kernel fails midway, all
 * of them are given back; if that fails too, they stay counted.
 * Errors: -ENOSPC also if the limit would be exceeded, and shm_commit()'s.
 */
int
pages_commit(struct pages *pages, uint64_t first, uint64_t end,
	     int64_t deadline);

/* Errors: shm_give_back()'s; then they count as before. */
int
pages_give_back(struct pages *pages, uint64_t first, uint64_t end);

/* Gives back what may lie where no page counts as committed. */
void
pages_punch(const struct pages *pages, uint64_t first, uint64_t end);

#endif
