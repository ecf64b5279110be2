/* SPDX-License-Identifier: MIT */
/*
 * Around each file that the library maps lie GiBs that nobody may touch. Of
 * mappings a sanitizer knows nothing: an offset too large would mostly lead
 * into another mapping, and not be seen.
 *
 * By the linker's --wrap: mmap(), by either name, and munmap() of the library
 * come here.
 */
#include "fuzz.h"
#include <pthread.h>
#include <sys/mman.h>

#define AROUND (sizeof(size_t) > 4 ? (size_t)1 << 36 : (size_t)1 << 16)
#define MAPPINGS 1024
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
static struct {
	char *at;
	size_t whole;
} mappings[MAPPINGS];
static unsigned int count;

unsigned int
mappings_now(void)
{
	return count;
}

/* How much of that address space is taken; 0: it is none of ours. The lock is
   held. */
static size_t
remember(char *at, size_t whole)
{
	for (size_t i = 0; i < MAPPINGS; i++) {
		if (mappings[i].at)
			continue;
		mappings[i].at = at;
		mappings[i].whole = whole;
		count++;
		return whole;
	}
	finding("%d files are mapped", MAPPINGS);
}

static size_t
forget(const char *at)
{
	for (size_t i = 0; i < MAPPINGS; i++) {
		if (mappings[i].at != at)
			continue;
		mappings[i].at = NULL;
		count--;
		return mappings[i].whole;
	}
	return 0;
}

void *
__wrap_mmap64(void *at, size_t length, int prot, int flags, int fd,
	      off64_t offset)
{
	size_t rounded = (length + PAGE - 1) & ~(size_t)(PAGE - 1);
	size_t whole = rounded + 2 * AROUND;
	char *space;
	void *got;
	int error;

	if (at || fd < 0 || rounded < length || whole < rounded)
		return __real_mmap64(at, length, prot, flags, fd, offset);
	space = __real_mmap64(NULL, whole, PROT_NONE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (space == MAP_FAILED)
		return MAP_FAILED;
	got = __real_mmap64(space + AROUND, length, prot, flags | MAP_FIXED, fd,
			    offset);
	if (got == MAP_FAILED) {
		error = errno;
		__real_munmap(space, whole);
		errno = error;
		return MAP_FAILED;
	}
	pthread_mutex_lock(&lock);
	remember(got, whole);
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
	size_t whole;

	pthread_mutex_lock(&lock);
	whole = forget(at);
	pthread_mutex_unlock(&lock);
	if (!whole)
		return __real_munmap(at, length);
	return __real_munmap((char *)at - AROUND, whole);
}
