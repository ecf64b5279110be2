/* SPDX-License-Identifier: MIT */
/*
 * A machine of larger pages, as far as calls tell: to be loaded before the C library
 * (LD_PRELOAD), with the size in CUBBY_TEST_PAGE. Mappings begin on such a page and
 * reach to the end of one, and calls that name a part of one are refused, as that
 * kernel refuses them.
 *
 * Not shown: that a file's last page may be touched beyond the file's end, and that
 * memory is given, and goes back, by such pages only.
 */
#define _GNU_SOURCE
#undef _FILE_OFFSET_BITS
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

long
__sysconf(int name);

static size_t page_size = 4096;

static __attribute__((constructor)) void
begin(void)
{
	const char *text = getenv("CUBBY_TEST_PAGE");

	if (text)
		page_size = strtoul(text, NULL, 10);
}

static size_t
whole(size_t length)
{
	return (length + page_size - 1) & ~(page_size - 1);
}

static int
is_refused(const void *address)
{
	if (!((uintptr_t)address & (page_size - 1)))
		return 0;
	errno = EINVAL;
	return 1;
}

static void *
map(void *address, size_t length, int prot, int flags, int fd, off_t offset)
{
	return (void *)syscall(SYS_mmap, address, length, prot, flags, fd,
			       offset);
}

/* Addresses that begin on a page: more of them, and what is too many goes back. */
static char *
reserve(size_t length)
{
	char *found = map(NULL, length + page_size, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t before;

	if (found == MAP_FAILED)
		return NULL;
	before = -(uintptr_t)found & (page_size - 1);
	if (before)
		syscall(SYS_munmap, found, before);
	if (before < page_size)
		syscall(SYS_munmap, found + before + length, page_size - before);
	return found + before;
}

void *
mmap(void *address, size_t length, int prot, int flags, int fd, off_t offset)
{
	void *mapped;

	if (is_refused((void *)(uintptr_t)offset) ||
	    (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) && is_refused(address)))
		return MAP_FAILED;
	if (!length || flags & (MAP_FIXED | MAP_FIXED_NOREPLACE))
		return map(address, length ? whole(length) : 0, prot, flags, fd,
			   offset);
	address = reserve(whole(length));
	if (!address) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	mapped = map(address, whole(length), prot, flags | MAP_FIXED, fd, offset);
	if (mapped == MAP_FAILED) {
		int error = errno;

		syscall(SYS_munmap, address, whole(length));
		errno = error;
	}
	return mapped;
}

void *
mmap64(void *address, size_t length, int prot, int flags, int fd, off_t offset)
	__attribute__((alias("mmap")));

int
munmap(void *address, size_t length)
{
	if (is_refused(address))
		return -1;
	return (int)syscall(SYS_munmap, address, whole(length));
}

int
madvise(void *address, size_t length, int advice)
{
	if (is_refused(address))
		return -1;
	return (int)syscall(SYS_madvise, address, whole(length), advice);
}

int
mprotect(void *address, size_t length, int prot)
{
	if (is_refused(address))
		return -1;
	return (int)syscall(SYS_mprotect, address, whole(length), prot);
}

long
sysconf(int name)
{
	return name == _SC_PAGESIZE ? (long)page_size : __sysconf(name);
}
