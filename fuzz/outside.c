/* SPDX-License-Identifier: MIT */
/*
 * Around each file that the library maps lie GiBs that nobody may touch. Of
 * mappings a sanitizer knows nothing: an offset too large would mostly lead
 * into another mapping, and not be seen.
 *
 * By the linker's --wrap: mmap(), by either name, and munmap() of the library
 * come here.
 *
 * A *space* is room for one mapping, with that around it. It is kept when its
 * mapping goes, for the next: to take so many addresses anew each time costs as
 * much as all else that a mapping needs.
 */
#include "fuzz.h"
#include <pthread.h>
#include <sys/mman.h>

#define AROUND (sizeof(size_t) > 4 ? (size_t)1 << 36 : (size_t)1 << 16)
#define ROOM (sizeof(size_t) > 4 ? (size_t)1 << 26 : (size_t)1 << 20)
#define SPACES 1024
#define PAGE 4096

void *
__real_mmap64(void *at, size_t length, int prot, int flags, int fd,
	      off64_t offset);
int
__real_munmap(void *at, size_t length);
void *
__wrap_mmap(void *at, size_t length, int prot, int flags, int fd, off_t offset);
void *
__wrap_mmap64(void *at, size_t length, int prot, int flags, int fd,
	      off64_t offset);
int
__wrap_munmap(void *at, size_t length);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct space {
	char *at;    /* of the mapping; NULL: there is no such space */
	size_t room; /* for it */
	bool taken;
} spaces[SPACES];
static unsigned int count;

unsigned int
mappings_now(void)
{
	return count;
}

/* PROT_NONE, all of it, and nothing else. */
static void *
empty(char *at, size_t length)
{
	return __real_mmap64(at, length, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
				     (at ? MAP_FIXED : 0),
			     -1, 0);
}

/* The lock is held. NULL: there are no addresses left. */
static struct space *
make_space(struct space *space, size_t room)
{
	char *start = empty(NULL, AROUND + room + AROUND);

	if (start == MAP_FAILED)
		return NULL;
	space->at = start + AROUND;
	space->room = room;
	return space;
}

static struct space *
take_space(size_t length)
{
	struct space *none = NULL;

	for (size_t i = 0; i < SPACES; i++) {
		if (!spaces[i].at && !none)
			none = &spaces[i];
		if (spaces[i].at && !spaces[i].taken &&
		    length <= spaces[i].room)
			return &spaces[i];
	}
	if (!none)
		finding("%d files are mapped", SPACES);
	return make_space(none, length < ROOM ? ROOM : length);
}

/* One that is larger than others is not kept. */
static int
leave_space(struct space *space, size_t length)
{
	char *at = space->at;

	space->taken = false;
	if (space->room == ROOM)
		return empty(at, length) == MAP_FAILED ? -1 : 0;
	space->at = NULL;
	return __real_munmap(at - AROUND, AROUND + space->room + AROUND);
}

static void *
map_in_space(size_t length, int prot, int flags, int fd, off64_t offset)
{
	struct space *space = take_space(length);
	void *got;
	int error;

	if (!space)
		return MAP_FAILED;
	got = __real_mmap64(space->at, length, prot, flags | MAP_FIXED, fd,
			    offset);
	if (got == MAP_FAILED) {
		error = errno;
		leave_space(space, length);
		errno = error;
		return MAP_FAILED;
	}
	space->taken = true;
	count++;
	return got;
}

void *
__wrap_mmap64(void *at, size_t length, int prot, int flags, int fd,
	      off64_t offset)
{
	void *got;

	if (at || fd < 0 || length > SIZE_MAX - PAGE - 2 * AROUND)
		return __real_mmap64(at, length, prot, flags, fd, offset);
	pthread_mutex_lock(&lock);
	got = map_in_space((length + PAGE - 1) & ~(size_t)(PAGE - 1), prot,
			   flags, fd, offset);
	pthread_mutex_unlock(&lock);
	return got;
}

void *
__wrap_mmap(void *at, size_t length, int prot, int flags, int fd, off_t offset)
{
	return __wrap_mmap64(at, length, prot, flags, fd, offset);
}

int
__wrap_munmap(void *at, size_t length)
{
	size_t i = 0;
	int result;

	pthread_mutex_lock(&lock);
	while (i < SPACES && (!spaces[i].taken || spaces[i].at != at))
		i++;
	if (i == SPACES) {
		result = __real_munmap(at, length);
	} else {
		result = leave_space(&spaces[i], spaces[i].room);
		count--;
	}
	pthread_mutex_unlock(&lock);
	return result;
}
