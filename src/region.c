/* SPDX-License-Identifier: MIT */
/* Layer 7. May include: base atomics shm liveness layout_region names access region_participants region. */
/*
 * Regions that are open: attaching, growing, detaching.
 *
 * The mapping covers all that the region may grow to, from the beginning; so
 * nothing that anybody has mapped is ever moved, and who has it attached sees
 * what others have added as soon as they say so. To grow:
 *
 *	1. commit the new memory,
 *	2. raise `size` by a CAS.
 *
 * Killed or stopped before 2: the region has not grown; memory that has been
 * committed lies behind its end, and is used by whoever lets it grow next. So is
 * what was committed before memory ended: another may have published it by then,
 * so it cannot be given back. The free space is asked for first; so what does
 * not fit usually takes nothing.
 *
 * Two that grow it at a time commit the same pages, and the larger size stays. A
 * fallocate(2) that fails on tmpfs takes back the pages that it has added, but
 * none that another call has found there meanwhile: the kernel initialises
 * those (mm/shmem.c, shmem_get_folio_gfp: "lest undo on failure cancel our
 * earlier guarantee").
 *
 * What the file says is not believed: a size that shrinks, or lies beyond
 * size_max or the file's end, ends the handle's calls with -EBADMSG. If the file
 * has been cut short, or pages of it given back, the guard answers for the
 * mapping (guard.h), with zeros, and the next call says -EBADMSG.
 *
 * What would break this: a size that is published before its memory.
 */
#include "base.h"
#include "atomics.h"
#include "region.h"
#include "shm.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Reading ---------------------------------------------------------------- */

/* The file's length that a size needs. */
static uint64_t
length_for(uint64_t size)
{
	return REGION_DATA + round_up(size, PAGE);
}

int
region_check(const struct cubby_region *region, bool writes)
{
	if (region->process != liveness_process())
		return -ECHILD;
	/* relaxed: set once; who does not see it yet looks for himself */
	if (word32_load_relaxed(&region->lied) ||
	    shm_is_broken(&region->mapping))
		return -EBADMSG;
	return writes && !region->writes ? -EACCES : 0;
}

static int
call_a_lie(struct cubby_region *region)
{
	/* relaxed: it stays */
	word32_store_relaxed(&region->lied, 1);
	return -EBADMSG;
}

/* 1: it is; 0: not. Errors: the kernel's, which say nothing about the file. */
static int
is_long_enough(const struct cubby_region *region, uint64_t size)
{
	int fd = region_memory(region);
	struct stat st;

	if (fd < 0)
		return -EMFILE;
	if (fstat(fd, &st) < 0)
		return -errno;
	return (uint64_t)st.st_size >= length_for(size);
}

/* What was found sound last, and what other threads have found since. */
static void
remember_size(struct cubby_region *region, uint64_t size)
{
	/* relaxed: of private numbers the highest is kept; the memory that it
	   is about was published by REGION-X1 */
	uint64_t known = word64_load_relaxed(&region->size);

	/* REGION-X3 acq_rel: the look at the file, then what it found; never
	   lower. Pairs with REGION-X3, REGION-A5. */
	while (known < size && !word64_cas_acq_rel(&region->size, &known, size))
		;
}

/* The file's size is not what was known: it has grown, or lies. That look may
   have been older than what another thread found; this one is not. */
static int
judge_size(struct cubby_region *region, uint64_t *ret)
{
	/* REGION-A5 acquire: what was found, then a look that finds no less.
	   Pairs with REGION-X3. */
	uint64_t size, known = word64_load_acquire(&region->size);
	int r;

	/* REGION-A6 acquire: as REGION-A4. Pairs with REGION-X1. */
	size = word64_load_acquire(&region->file->size);
	if (shm_is_broken(&region->mapping))
		return -EBADMSG;
	if (size < known || size > region->size_max)
		return call_a_lie(region);
	r = is_long_enough(region, size);
	if (r <= 0)
		return r < 0 ? r : call_a_lie(region);
	remember_size(region, size);
	*ret = size;
	return 0;
}

/* The size as the file has it, if that can be. Errors: -EBADMSG, and the
   kernel's. */
static int
read_size(struct cubby_region *region, uint64_t *ret)
{
	/* relaxed: private; nobody is convicted by it */
	uint64_t size, known = word64_load_relaxed(&region->size);

	/* REGION-A4 acquire: after it, what lies below it. Pairs with
	   REGION-X1. */
	size = word64_load_acquire(&region->file->size);
	if (shm_is_broken(&region->mapping))
		return -EBADMSG;
	if (size != known)
		return judge_size(region, ret);
	*ret = size;
	return 0;
}

void *
cubby_region_data(const cubby_region *region)
{
	if (region->process != liveness_process())
		return NULL;
	return (char *)region->mapping.address + REGION_DATA;
}

uint64_t
cubby_region_size(const cubby_region *region)
{
	/* Of a handle that is never const: what it has found is its cache. */
	struct cubby_region *cache = (struct cubby_region *)(uintptr_t)region;
	uint64_t size;

	if (region->process != liveness_process())
		return 0;
	if (region_check(region, false) == 0 && read_size(cache, &size) == 0)
		return size;
	/* relaxed: private */
	return word64_load_relaxed(&region->size);
}

bool
region_contains(struct cubby_region *region, const void *at, size_t size)
{
	uint64_t start = (uintptr_t)region->mapping.address + REGION_DATA;
	uint64_t offset = (uintptr_t)at - start;
	/* relaxed: private; if it is too low, the file is asked */
	uint64_t end = word64_load_relaxed(&region->size);

	if ((uintptr_t)at < start || offset > region->size_max)
		return false;
	if (size > end || offset > end - size)
		end = cubby_region_size(region);
	return size <= end && offset <= end - size;
}

int
region_alive(const struct cubby_region *region, uint32_t slot,
	     uint64_t generation)
{
	struct region_participant participant = { slot, generation };

	return region_participant_alive(region->file,
					shm_still(region->attendance,
						  &region->attendance_is),
					participant);
}

/* Growing ---------------------------------------------------------------- */

/* Is there room, as far as can be told beforehand? */
static bool
fits(const struct cubby_region *region, uint64_t size)
{
	uint64_t wanted = length_for(size);
	int fd = region_memory(region);
	struct statfs fs;
	struct stat st;

	if (fstatfs(fd, &fs) < 0 || fstat(fd, &st) < 0)
		return true;
	if (!fs.f_blocks || wanted <= (uint64_t)st.st_size)
		return true;
	return (wanted - (uint64_t)st.st_size) / (uint64_t)fs.f_bsize <=
	       (uint64_t)fs.f_bfree;
}

static int
publish_size(struct cubby_region *region, uint64_t size)
{
	uint64_t seen, last;

	/* relaxed: the CAS looks again */
	seen = last = word64_load_relaxed(&region->file->size);
	while (seen < size) {
		/* REGION-X1 acq_rel: the memory, then the size. Pairs with
		   REGION-A4, REGION-A6. */
		if (word64_cas_acq_rel(&region->file->size, &seen, size))
			break;
		if (seen <= last)
			return call_a_lie(region);
		last = seen;
	}
	return 0;
}

int
cubby_region_grow(cubby_region *region, uint64_t size)
{
	uint64_t now;
	int r;

	r = region_check(region, true);
	if (r < 0)
		return r;
	if (size > region->size_max)
		return -EFBIG;
	r = read_size(region, &now);
	if (r < 0 || size <= now)
		return r;
	if (!fits(region, size))
		return -ENOSPC;
	r = shm_commit(region_memory(region), length_for(now),
		       length_for(size) - length_for(now), INT64_MAX);
	if (r == 0)
		r = publish_size(region, size);
	if (r == 0)
		remember_size(region, size);
	return r;
}

/* Attaching -------------------------------------------------------------- */

int
region_read_head(int memory, struct region_head *ret)
{
	struct region_head head;
	ssize_t n = pread(memory, &head, sizeof(head), 0);

	if (n < 0)
		return -errno;
	if ((size_t)n < sizeof(head))
		return -EBADMSG;
	if (head.identity.magic == __builtin_bswap64(REGION_MAGIC))
		return -EPROTO;
	if (head.identity.magic != REGION_MAGIC)
		return -EBADMSG;
	if (head.identity.version != REGION_VERSION ||
	    head.identity.fingerprint != REGION_FINGERPRINT)
		return -EPROTO;
	if (head.size_max > REGION_SIZE_LIMIT || head.size_max % PAGE ||
	    head.mode > 0777)
		return -EBADMSG;
	*ret = head;
	return 0;
}

/* Maps it, and finds out how large it is. */
static int
map(struct cubby_region *region)
{
	struct region_head head;
	uint64_t size;
	int r;

	r = region_read_head(region->memory, &head);
	if (r < 0)
		return r;
	memcpy(region->uuid, head.identity.uuid, sizeof(region->uuid));
	region->size_max = head.size_max;
	if (region->size_max > SIZE_MAX / 2)
		return -ENOMEM;	/* another ABI's */
	r = shm_map(region->memory, (size_t)length_for(region->size_max),
		    region->writes ? PROT_READ | PROT_WRITE : PROT_READ,
		    &region->mapping);
	if (r < 0)
		return r;
	region->file = region->mapping.address;
	/* It was empty at first: a size of 0 is in any case. */
	r = is_long_enough(region, 0);
	if (r <= 0)
		return r < 0 ? r : -EBADMSG;
	return read_size(region, &size);
}

static int
take_part(struct cubby_region *region, const struct region_attendance *join)
{
	int r = shm_identify(region->memory, &region->memory_is);

	if (r == 0 && region->attendance >= 0)
		r = shm_identify(region->attendance, &region->attendance_is);
	if (r == 0)
		r = map(region);
	if (r == 0 && join)
		r = region_join(region->file, region->memory, join,
				&region->self, &region->life);
	return r;
}

static void
close_descriptors(struct cubby_region *region)
{
	shm_close_kept(region->link_directory, &region->link_is);
	if (region->attendance != region->memory)
		shm_close_kept(region->attendance, &region->attendance_is);
	shm_close_kept(region->memory, &region->memory_is);
}

int
region_attach(int memory, int attendance, const struct region_attendance *join,
	      struct cubby_region **ret)
{
	struct cubby_region *region = calloc(1, sizeof(*region));
	struct cubby_region on_failure = { .memory = memory,
					   .attendance = attendance,
					   .link_directory = -1 };
	int r;

	if (!region) {
		close_descriptors(&on_failure);
		return -ENOMEM;
	}
	region->process = liveness_process();
	region->memory = memory;
	region->attendance = attendance;
	region->link_directory = -1;
	region->named = attendance != memory;
	region->writes = join;
	r = take_part(region, join);
	if (r < 0) {
		shm_unmap(&region->mapping);
		close_descriptors(region);
		free(region);
		return r;
	}
	*ret = region;
	return 0;
}

void
region_detach(struct cubby_region *region)
{
	if (region->process == liveness_process()) {
		if (region->writes)
			region_leave(region->file, region->self.slot,
				     &region->life);
		shm_unmap(&region->mapping);
	}
	close_descriptors(region);
	free(region);
}

void
cubby_region_close(cubby_region *region)
{
	if (!region)
		return;
	if (region->end)
		region->end(region);
	else
		region_detach(region);
}
