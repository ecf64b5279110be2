/* SPDX-License-Identifier: MIT */
/*
 * Around each file that the library maps lie GiBs that nobody may touch. Of
 * mappings a sanitizer knows nothing: an offset too large would mostly lead
 * into another mapping, and not be seen.
 *
 * By the linker's --wrap: mmap() and fallocate(), by either name, and munmap() of
 * the library come here. Memory that is committed, or given back, beyond all that
 * is mapped of a file is for nobody's use: a number was believed.
 *
 * A *space* is room for one mapping, with that around it. It is kept when its
 * mapping goes, for the next: to take so many addresses anew each time costs as
 * much as all else that a mapping needs.
 */
#include "every_access.h"
#include "fuzz.h"
#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>

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
int
__real_fallocate64(int fd, int mode, off64_t offset, off64_t length);
int
__wrap_fallocate(int fd, int mode, off_t offset, off_t length);
int
__wrap_fallocate64(int fd, int mode, off64_t offset, off64_t length);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct space {
	char *at;    /* of the mapping; NULL: there is no such space */
	size_t room; /* for it */
	bool taken;
	size_t length; /* of the mapping */
	dev_t device;  /* of the file */
	ino_t inode;
	int file;	/* the mapped one, for writing; 0: it is not open */
	off_t offset;	/* in it, of what is mapped */
	char name[ACCESS_NAME];	/* without its number */
} spaces[SPACES];
static unsigned int count;
static size_t made; /* spaces, of which some may be no more */
static bool watching;

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
	if (made <= (size_t)(space - spaces))
		made = (size_t)(space - spaces) + 1;
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

/* Once more, out of the way of those that are counted. */
#define FILES 512

static void
open_once_more(struct space *space, int fd)
{
	char path[64], name[PATH_MAX];
	ssize_t size;
	int file;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	size = readlink(path, name, sizeof(name) - 1);
	file = open(path, O_RDWR | O_CLOEXEC);
	if (size < 0 || file < 0)
		return;
	name[size] = '\0';
	space->file = fcntl(file, F_DUPFD_CLOEXEC, FILES);
	need(space->file > 0);
	close(file);
	strncpy(space->name, strrchr(name, '/') + 1, sizeof(space->name) - 1);
	for (char *at = space->name; *at; at++)
		if (isdigit((unsigned char)*at))
			*at = '\0';
}

void
outside_watch(void)
{
	watching = true;
}

bool
outside_find(const void *word, struct outside *ret)
{
	const char *at = word;

	for (size_t i = 0; i < made; i++) {
		struct space *space = &spaces[i];

		if (!space->taken || !space->file || at < space->at ||
		    (size_t)(at - space->at) >= space->room)
			continue;
		ret->file = space->file;
		ret->offset = space->offset + (at - space->at);
		ret->name = space->name;
		return true;
	}
	return false;
}

/* One that is larger than others is not kept. */
static int
leave_space(struct space *space, size_t length)
{
	char *at = space->at;

	space->taken = false;
	if (space->file)
		close(space->file);
	space->file = 0;
	if (space->room == ROOM)
		return empty(at, length) == MAP_FAILED ? -1 : 0;
	space->at = NULL;
	return __real_munmap(at - AROUND, AROUND + space->room + AROUND);
}

static void *
map_in_space(size_t length, int prot, int flags, int fd, off64_t offset)
{
	struct space *space = take_space(length);
	struct stat st;
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
	space->length = length;
	space->offset = offset;
	need(fstat(fd, &st) == 0);
	space->device = st.st_dev;
	space->inode = st.st_ino;
	if (watching && prot != PROT_NONE)
		open_once_more(space, fd);
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

static bool bounded;

void
outside_bound_commits(bool bound)
{
	bounded = bound;
}

/* The lock is held. Of a file of which nothing is mapped nothing is known. */
static bool
is_mapped_up_to(const struct stat *st, off64_t end)
{
	bool known = false;

	for (size_t i = 0; i < made; i++) {
		const struct space *space = &spaces[i];

		if (!space->taken || space->device != st->st_dev ||
		    space->inode != st->st_ino)
			continue;
		known = true;
		if (end <= space->offset + (off64_t)space->length)
			return true;
	}
	return !known;
}

int
__wrap_fallocate64(int fd, int mode, off64_t offset, off64_t length)
{
	struct stat st;
	bool mapped = true;

	pthread_mutex_lock(&lock);
	if (bounded && offset >= 0 && length <= INT64_MAX - offset &&
	    fstat(fd, &st) == 0)
		mapped = is_mapped_up_to(&st, offset + length);
	pthread_mutex_unlock(&lock);
	if (!mapped)
		finding("fallocate() of %lld bytes at %lld, beyond what is mapped",
			(long long)length, (long long)offset);
	return __real_fallocate64(fd, mode, offset, length);
}

int
__wrap_fallocate(int fd, int mode, off_t offset, off_t length)
{
	return __wrap_fallocate64(fd, mode, offset, length);
}
