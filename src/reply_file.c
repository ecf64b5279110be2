/* SPDX-License-Identifier: MIT */
/* Layer 6. May include: base atomics shm liveness layout access layout_reply reply_file. */
/* Reply files; reply_file.h says how they come and go. */
#include "base.h"
#include "access.h"
#include "reply_file.h"
#include "shm.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define PREFIX "reply."
#define TEMPORARY ".new."
#define FILE_NAME (sizeof(PREFIX) + 16)	/* with its 0 */
#define EPOCHS ((UINT64_C(1) << 24) - 1)
#define MAKE_TRIES 8	/* while sweepers take it for what a dead one left */

static void
file_name(uint64_t id, char ret[FILE_NAME])
{
	snprintf(ret, FILE_NAME, PREFIX "%016llx", (unsigned long long)id);
}

static bool
read_name(const char *name, uint64_t *ret_id)
{
	const char *digits = name + strlen(PREFIX);

	if (strncmp(name, PREFIX, strlen(PREFIX)) != 0 ||
	    strlen(name) != FILE_NAME - 1 ||
	    strspn(digits, "0123456789abcdef") != 16)
		return false;
	*ret_id = strtoull(digits, NULL, 16);
	return true;
}

int
reply_file_choose(uint64_t before, uint64_t *ret_id)
{
	uint8_t bytes[16];
	uint64_t random, epoch;
	int r;

	do {
		r = shm_random(bytes);
		if (r < 0)
			return r;
		memcpy(&random, bytes, sizeof(random));
		epoch = counter_next(before & EPOCHS, 24, START_COUNTER(24, 3));
		*ret_id = (random & ~EPOCHS) | epoch;
	} while (!*ret_id);
	return 0;
}

/* Making ----------------------------------------------------------------- */

static int
fill_in(const struct view *view, uint64_t id, uint32_t slots, int fd,
	struct mapping *ret_mapping)
{
	struct reply_file *file;
	int r;

	r = access_set(fd, ACCESS_REPLY, &view->attributes, geteuid());
	if (r == 0)
		r = shm_commit(fd, 0, PAGE * (1 + slots), INT64_MAX);
	if (r == 0)
		r = shm_map(fd, REPLY_LENGTH, PROT_READ | PROT_WRITE,
			    ret_mapping);
	if (r < 0)
		return r;
	file = ret_mapping->address;
	layout_identify(&file->identity, view->uuid);
	/* relaxed: nobody else has it yet */
	word64_store_relaxed(&file->id, id);
	return 0;
}

/* -ENOENT: a sweeper was there before the lock. -EEXIST: a name of ours, which is
   a random number, is there already. */
static int
make(const struct view *view, uint64_t id, uint32_t slots, int *ret_fd,
     struct mapping *ret_mapping, struct liveness *ret_life)
{
	char temporary[NAME_MAX + 1], name[FILE_NAME];
	int dir = view_lanes(view), fd, r;

	if (dir < 0)
		return -EMFILE;
	r = shm_random_name(TEMPORARY, temporary);
	if (r < 0)
		return r;
	fd = openat(dir, temporary,
		    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	file_name(id, name);
	r = fill_in(view, id, slots, fd, ret_mapping);
	if (r == 0)
		r = liveness_take_at(dir, temporary, 0, ret_life);
	if (r == 0)
		r = shm_rename(dir, temporary, dir, name);
	if (r < 0) {
		unlinkat(dir, temporary, 0);
		shm_unmap(ret_mapping);
		ret_mapping->address = NULL;
		liveness_drop(ret_life);
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

int
reply_file_make(const struct view *view, uint64_t id, uint32_t slots,
		int *ret_fd, struct mapping *ret_mapping,
		struct liveness *ret_life)
{
	struct liveness life = { .page = NULL };
	struct mapping mapping = { .address = NULL };
	int tries, fd = -1, r = -ENOENT;

	for (tries = 0; (r == -ENOENT || r == -EEXIST) && tries < MAKE_TRIES;
	     tries++)
		r = make(view, id, slots, &fd, &mapping, &life);
	/* Each time: somebody sees to it that there is none. */
	if (r == -ENOENT || r == -EEXIST)
		return -EBADMSG;
	/* A file that we have made, and may not change: what the file system is
	   told by others than its modes. */
	if (r < 0)
		return r == -EPERM ? -EACCES : r;
	*ret_fd = fd;
	*ret_mapping = mapping;
	*ret_life = life;
	return 0;
}

/* Finding ---------------------------------------------------------------- */

static int
check(const struct view *view, uint64_t id, const struct mapping *mapping)
{
	const struct reply_file *file = mapping->address;
	int r = layout_check_identity(&file->identity, view->uuid);

	/* relaxed: written before the file got its name */
	if (r == 0 && word64_load_relaxed(&file->id) != id)
		r = -EBADMSG;
	return r == 0 && !shm_is_broken(mapping) ? 0 : -EBADMSG;
}

int
reply_file_reopen(const struct view *view, uint64_t id)
{
	char name[FILE_NAME];

	file_name(id, name);
	return shm_open_at(view_lanes(view), name, O_RDWR, NULL);
}

int
reply_file_open(const struct view *view, uint64_t id, uid_t uid, int *ret_fd,
		struct mapping *ret_mapping)
{
	struct mapping mapping;
	char name[FILE_NAME];
	struct stat st;
	int fd, r;

	file_name(id, name);
	fd = shm_open_at(view_lanes(view), name, O_RDWR, &st);
	if (fd < 0)
		return fd;
	r = uid != (uid_t)-1 && st.st_uid != uid ? -EBADMSG :
	    shm_map(fd, REPLY_LENGTH, PROT_READ | PROT_WRITE, &mapping);
	if (r == 0) {
		r = check(view, id, &mapping);
		if (r < 0)
			shm_unmap(&mapping);
	}
	if (r < 0) {
		close(fd);
		return r;
	}
	*ret_fd = fd;
	*ret_mapping = mapping;
	return 0;
}

/* The place of the next slot from `from` on that has been written to; -1: there
   is none. To read a hole takes no memory, but a call. */
static off_t
next_slot(int fd, off_t from)
{
	off_t data = lseek(fd, from, SEEK_DATA);

	return data < 0 || (uint64_t)data >= REPLY_LENGTH ? -1 :
	       (off_t)round_down((uint64_t)data, PAGE);
}

static void
add_call(const struct call_slot *slot, struct reply_calls *calls)
{
	/* relaxed: a copy of our own */
	uint64_t word = word64_load_relaxed(&slot->word);
	uint64_t taken = word64_load_relaxed(&slot->taken), server = 0;

	if (call_state(word) != CALL_PENDING || !(word & CALL_ASLEEP))
		return;
	if (taken_is_by_server(taken, call_use(word)))
		server = 1 + server_slot(taken_who(taken));
	calls->server = !calls->asleep || calls->server == server ? server : 0;
	calls->asleep++;
	calls->ticket = 31 * calls->ticket + call_use(word);
}

int
reply_file_calls(const struct view *view, uint64_t id, struct reply_calls *ret)
{
	struct call_slot slot;
	char name[FILE_NAME];
	off_t at = PAGE;
	int fd, r = 0;
	ssize_t n;

	memset(ret, 0, sizeof(*ret));
	file_name(id, name);
	fd = shm_open_at(view_lanes(view), name, O_RDONLY, NULL);
	if (fd < 0)
		return fd;
	while (r == 0 && (at = next_slot(fd, at)) >= 0) {
		n = pread(fd, &slot, offsetof(struct call_slot, unused1), at);
		if (n == offsetof(struct call_slot, unused1))
			add_call(&slot, ret);
		else
			r = n < 0 ? -errno : -EBADMSG;
		at += PAGE;
	}
	close(fd);
	return r;
}

int
reply_file_lock(const struct view *view, uint64_t id, uint64_t byte,
		struct liveness *ret)
{
	char name[FILE_NAME];

	file_name(id, name);
	return liveness_take_at(view_lanes(view), name, byte, ret);
}

/* Going ------------------------------------------------------------------ */

void
reply_file_unlink(const struct view *view, uint64_t id)
{
	char name[FILE_NAME];

	file_name(id, name);
	unlinkat(view_lanes(view), name, 0);
}

/* Its name is never used again, so it is the same file that is unlinked. */
static int
sweep_file(int lanes, const char *name, void *context)
{
	uint64_t id, *bytes = context;
	struct stat st;
	int fd, r;

	fd = read_name(name, &id) ? shm_open_at(lanes, name, O_RDONLY, &st) :
				    -ENOENT;
	if (fd < 0)
		return 0;
	r = liveness_ask(fd, 0);
	close(fd);
	if (r == 0 && unlinkat(lanes, name, 0) == 0)
		*bytes += (uint64_t)st.st_blocks * 512;
	return 0;
}

uint64_t
reply_file_sweep(const struct view *view)
{
	uint64_t bytes = 0;

	shm_visit(view_lanes(view), sweep_file, &bytes);
	return bytes;
}

static int
add_file(int lanes, const char *name, void *context)
{
	uint64_t id;

	return read_name(name, &id) ? shm_add_memory(lanes, name, context) : 0;
}

int
reply_file_add_memory(const struct view *view, uint64_t *sum)
{
	int r = shm_visit(view_lanes(view), add_file, sum);

	return shm_tells_of_file(r) ? 0 : r;
}
