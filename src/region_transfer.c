/* SPDX-License-Identifier: MIT */
/* Layer 8. May include: base atomics shm liveness layout_region region_participants region region_transfer. */
/*
 * The word `transfers`, and the links of regions that messages carry;
 * region_transfer.h has the protocol.
 */
#include "base.h"
#include "atomics.h"
#include "region_transfer.h"
#include "shm.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "region."
#define LINK_NAME (sizeof(PREFIX) + 32 + 1 + 8)	/* with its 0 */
#define TRIES 100	/* each means that the word changed under us */

/* Links ------------------------------------------------------------------ */

static void
link_name(const uint8_t uuid[16], uint32_t number, char ret[LINK_NAME])
{
	int i, n = snprintf(ret, LINK_NAME, PREFIX);

	for (i = 0; i < 16; i++)
		n += snprintf(ret + n, LINK_NAME - (size_t)n, "%02x", uuid[i]);
	snprintf(ret + n, LINK_NAME - (size_t)n, ".%08x", number);
}

/* A file without a name has none to link from but this. */
static int
make_link(const struct cubby_region *region, int lanes, uint32_t number)
{
	int fd = region_memory(region);
	char from[32], to[LINK_NAME];

	if (fd < 0 || lanes < 0)
		return -EMFILE;
	snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
	link_name(region->uuid, number, to);
	if (linkat(AT_FDCWD, from, lanes, to, AT_SYMLINK_FOLLOW) == 0)
		return 0;
	/* There are file systems without links. */
	return errno == EPERM ? -EOPNOTSUPP : -errno;
}

static bool
remove_link(int lanes, const uint8_t uuid[16], uint32_t number)
{
	char name[LINK_NAME];

	link_name(uuid, number, name);
	return unlinkat(lanes, name, 0) == 0 || errno == ENOENT;
}

bool
region_unlink(struct cubby_region *region)
{
	bool gone;

	if (region->link_directory < 0)
		return true;
	gone = remove_link(shm_still(region->link_directory, &region->link_is),
			   region->uuid, region->link_number);
	shm_close_kept(region->link_directory, &region->link_is);
	region->link_directory = -1;
	return gone;
}

void
region_unlink_ticket(int lanes, const struct region_ticket *ticket)
{
	remove_link(lanes, ticket->uuid, ticket->number);
}

/* Its own descriptor of the directory: the mailbox may be closed. */
static int
remember_link(struct cubby_region *region, int lanes, uint32_t number)
{
	int directory = fcntl(lanes, F_DUPFD_CLOEXEC, 0), r;

	if (directory < 0)
		return -errno;
	r = shm_identify(directory, &region->link_is);
	if (r < 0) {
		close(directory);
		return r;
	}
	region->link_directory = directory;
	region->link_number = number;
	return 0;
}

/* Sending ---------------------------------------------------------------- */

/* Step 1. */
static int
next_attempt(struct cubby_region *region, uint32_t *ret_number)
{
	word64 *transfers = &region->file->transfers;
	uint64_t word;
	uint32_t next;
	int i;

	for (i = 0; i < TRIES; i++) {
		/* relaxed: the CAS looks again */
		word = word64_load_relaxed(transfers);
		next = transfers_next(transfers_attempt(word));
		if (transfers_owner(word) != region->number ||
		    word == TRANSFERS_ENDED)
			return -EBADMSG;
		/* TRANSFER-X1 acq_rel: a number of one's own. Pairs with
		   TRANSFER-X1, TRANSFER-X3. */
		if (word64_cas_acq_rel(transfers, &word,
				       transfers_make(region->number, next))) {
			*ret_number = next;
			return 0;
		}
	}
	return -EBADMSG;
}

int
region_begin_transfer(struct cubby_region *region, int lanes,
		      uint32_t *ret_number)
{
	int i, r = -EEXIST;

	/* Somebody may have planted something of that name, or of all these. */
	for (i = 0; r == -EEXIST && i < TRIES; i++) {
		r = next_attempt(region, ret_number);
		if (r == 0)
			r = make_link(region, lanes, *ret_number);
	}
	return r == -EEXIST ? -EBADMSG : r;
}

bool
region_cancel_transfer(struct cubby_region *region, int lanes, uint32_t number)
{
	uint64_t word;

	/* TRANSFER-A3 acquire: has somebody received it? Pairs with
	   TRANSFER-X3. */
	word = word64_load_acquire(&region->file->transfers);
	if (transfers_owner(word) != region->number)
		return false;
	if (region->link_directory >= 0 &&
	    region->link_number == region->number) {
		remove_link(lanes, region->uuid, number);
	} else {
		region_unlink(region);
		remember_link(region, lanes, number);
	}
	return true;
}

void
region_complete_transfer(struct cubby_region *region, uint32_t number)
{
	uint64_t word = transfers_make(region->number, number);

	/* TRANSFER-X2 acq_rel: it has been sent; if this fails, its receiver has
	   said so. Pairs with TRANSFER-X3. */
	word64_cas_acq_rel(&region->file->transfers, &word,
			   transfers_make(number, number));
}

/* Receiving -------------------------------------------------------------- */

/* Opened without a look at the number of its links: there may be two. */
static int
open_link(int lanes, const char *name, struct stat *ret_stat)
{
	int fd, r = 0;

	fd = openat(lanes, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK |
		    O_NOCTTY);
	if (fd < 0)
		return errno == ELOOP || errno == ENXIO || errno == EISDIR ||
		       errno == EAGAIN || errno == ENOTDIR ? -EBADMSG : -errno;
	if (fstat(fd, ret_stat) < 0)
		r = -errno;
	else if (!S_ISREG(ret_stat->st_mode))
		r = -EBADMSG;
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

static bool
has_addresses(uint64_t size)
{
	void *at;

	if (size > SIZE_MAX / 2)
		return false;
	at = mmap(NULL, (size_t)size, PROT_NONE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		return false;
	munmap(at, (size_t)size);
	return true;
}

/* Attaches it. Whether what it may grow to can be mapped, its maker decides: if
   that alone is in the way, and he is another user, it does not pass. */
static int
attach(const struct region_attendance *join, uid_t maker,
       struct cubby_region **ret)
{
	struct region_head head;
	int r = region_read_head(join->fd, &head);

	if (r < 0) {
		close(join->fd);
		return r;
	}
	r = region_attach(join->fd, join->fd, join, ret);
	if (r != -ENOMEM && r != -EAGAIN)	/* locked memory: -EAGAIN */
		return r;
	if (has_addresses(REGION_DATA + head.size_max) || !has_addresses(PAGE))
		return -ENOMEM;
	return maker == geteuid() ? -ENOMEM : -EFBIG;
}

int
region_open_ticket(int lanes, const struct region_ticket *ticket, uid_t uid,
		   struct cubby_region **ret)
{
	struct region_attendance join = { .directory = -1 };
	struct cubby_region *region;
	char name[LINK_NAME];
	struct stat st;
	int r;

	link_name(ticket->uuid, ticket->number, name);
	join.fd = open_link(lanes, name, &st);
	if (join.fd < 0)
		return join.fd;
	if (uid != 0 && st.st_uid != uid) {
		close(join.fd);
		return -EBADMSG;
	}
	r = attach(&join, st.st_uid, &region);
	if (r < 0)
		return r;
	r = memcmp(region->uuid, ticket->uuid, sizeof(region->uuid)) ?
	    -EBADMSG : remember_link(region, lanes, ticket->number);
	if (r < 0) {
		region_detach(region);
		return r;
	}
	region->number = ticket->number;
	*ret = region;
	return 0;
}

bool
region_settle(struct cubby_region *region)
{
	word64 *transfers = &region->file->transfers;
	uint32_t number = region->number, attempt;
	uint64_t word, settled;
	int i;

	for (i = 0; i < TRIES; i++) {
		/* TRANSFER-A1 acquire: what its last owner has written, too.
		   Pairs with TRANSFER-X2, TRANSFER-X3. */
		word = word64_load_acquire(transfers);
		attempt = transfers_attempt(word);
		if (word == TRANSFERS_ENDED)
			return false;
		if (word == transfers_make(number, number))
			return true;
		if (transfers_owner(word) == number)
			settled = transfers_make(number,
						 transfers_next(attempt));
		else if (attempt == number)
			settled = transfers_make(number, number);
		else
			return false;
		/* TRANSFER-X3 acq_rel: one of all decides. Pairs with
		   TRANSFER-X1, TRANSFER-X2, TRANSFER-X3. */
		if (word64_cas_acq_rel(transfers, &word, settled))
			return true;
	}
	return false;
}

/* Ending ----------------------------------------------------------------- */

static void
end_file(struct cubby_region *region)
{
	if (!region_unlink(region))
		shm_give_back(region_memory(region), REGION_DATA,
			      round_up(region->size_max, PAGE));
}

/* If the word says that it is another's, it is left alone. */
void
region_finish(struct cubby_region *region)
{
	word64 *transfers = &region->file->transfers;
	uint64_t word;
	int i;

	/* relaxed: the CAS looks again */
	word = word64_load_relaxed(transfers);
	for (i = 0; i < TRIES && transfers_owner(word) == region->number; i++)
		/* TRANSFER-X4 acq_rel: before its message is released. Pairs
		   with TRANSFER-A1. */
		if (word64_cas_acq_rel(transfers, &word, TRANSFERS_ENDED)) {
			end_file(region);
			return;
		}
}

/* Sweeping --------------------------------------------------------------- */

struct link {
	uint8_t uuid[16];
	uint32_t number;
};

static bool
read_hex(const char *text, size_t digits, uint32_t *ret)
{
	char copy[9] = "", *end;

	memcpy(copy, text, digits);
	if (strspn(copy, "0123456789abcdef") != digits)
		return false;
	*ret = (uint32_t)strtoul(copy, &end, 16);
	return true;
}

static bool
read_link_name(const char *name, struct link *ret)
{
	const char *uuid = name + strlen(PREFIX);
	uint32_t byte;
	int i;

	if (strlen(name) != LINK_NAME - 1 ||
	    strncmp(name, PREFIX, strlen(PREFIX)) != 0 || uuid[32] != '.')
		return false;
	for (i = 0; i < 16; i++) {
		if (!read_hex(uuid + 2 * i, 2, &byte))
			return false;
		ret->uuid[i] = (uint8_t)byte;
	}
	return read_hex(uuid + 33, 8, &ret->number);
}

/* Is that link of no use any more? An attempt whose sender is dead is made so. */
static bool
is_left_over(struct region_file *file, int fd, uint32_t number)
{
	uint64_t word, seen;

	/* TRANSFER-A2 acquire: the word, then the question who is there. Pairs
	   with TRANSFER-X2, TRANSFER-X3. */
	seen = word = word64_load_acquire(&file->transfers);
	if (word == TRANSFERS_ENDED)
		return true;
	if (transfers_owner(word) == number)
		return false;
	if (transfers_attempt(word) != number)
		return true;
	if (region_any_participant(fd))
		return false;
	/* TRANSFER-X5 acq_rel: void, unless a receiver was faster. Pairs with
	   TRANSFER-X3. */
	return word64_cas_acq_rel(&file->transfers, &seen,
				  transfers_make(transfers_owner(word),
						 transfers_next(number)));
}

static bool
look_at_link(int fd, const struct link *link)
{
	struct region_head head;
	struct mapping mapping;
	bool left_over;

	if (region_read_head(fd, &head) < 0 ||
	    memcmp(head.identity.uuid, link->uuid, sizeof(link->uuid)) != 0 ||
	    shm_map(fd, PAGE, PROT_READ | PROT_WRITE, &mapping) < 0)
		return false;
	left_over = is_left_over(mapping.address, fd, link->number);
	shm_unmap(&mapping);
	return left_over;
}

static uint64_t
sweep_link(int lanes, const char *name)
{
	struct link link;
	struct stat st;
	uint64_t bytes = 0;
	int fd;

	if (!read_link_name(name, &link))
		return 0;
	fd = open_link(lanes, name, &st);
	if (fd < 0)
		return 0;
	if (look_at_link(fd, &link) && unlinkat(lanes, name, 0) == 0 &&
	    st.st_nlink == 1)
		bytes = (uint64_t)st.st_blocks * 512;
	close(fd);
	return bytes;
}

/* What has been sent ----------------------------------------------------- */

/* Is it there no more? */
static bool
tidy(int lanes, const struct region_ticket *ticket)
{
	char name[LINK_NAME];
	struct stat st;

	link_name(ticket->uuid, ticket->number, name);
	sweep_link(lanes, name);
	return fstatat(lanes, name, &st, AT_SYMLINK_NOFOLLOW) < 0;
}

/* Looks at the oldest; if it is there still, it becomes the newest. */
static void
tidy_oldest(struct region_sent *sent, int lanes)
{
	struct region_ticket oldest;

	if (!sent->count)
		return;
	oldest = sent->tickets[0];
	sent->count--;
	memmove(sent->tickets, sent->tickets + 1,
		sent->count * sizeof(sent->tickets[0]));
	if (!tidy(lanes, &oldest))
		sent->tickets[sent->count++] = oldest;
}

void
region_sent_add(struct region_sent **sent, int lanes,
		const struct region_ticket *ticket)
{
	struct region_sent *s = *sent;

	if (!s)
		s = *sent = calloc(1, sizeof(*s));
	if (!s)
		return;
	tidy_oldest(s, lanes);
	tidy_oldest(s, lanes);
	if (s->count < REGION_SENT_MAX)
		s->tickets[s->count++] = *ticket;
}

void
region_sent_end(struct region_sent **sent, int lanes)
{
	struct region_sent *s = *sent;
	uint32_t i, count = s ? s->count : 0;

	for (i = 0; i < count; i++)
		tidy(lanes, &s->tickets[i]);
	free(s);
	*sent = NULL;
}

static int
add_swept(int lanes, const char *name, void *context)
{
	uint64_t *bytes = context;

	*bytes += sweep_link(lanes, name);
	return 0;
}

uint64_t
region_sweep_links(int lanes)
{
	uint64_t bytes = 0;

	shm_visit(lanes, add_swept, &bytes);
	return bytes;
}

static int
add_link(int lanes, const char *name, void *context)
{
	struct link link;

	return read_link_name(name, &link) ?
	       shm_add_memory(lanes, name, context) : 0;
}

int
region_links_add_memory(int lanes, uint64_t *sum)
{
	int r = shm_visit(lanes, add_link, sum);

	return shm_tells_of_file(r) ? 0 : r;
}
