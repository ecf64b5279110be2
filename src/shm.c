/* SPDX-License-Identifier: MIT */
/* Layer 2. May include: base atomics clock guard shm. */
/*
 * Files of shared memory.
 *
 * What lies in a directory that others may write is input: a link, a FIFO that
 * would block its opener, a second name of somebody's file. So files are opened
 * O_NOFOLLOW and O_NONBLOCK and looked at before use.
 *
 * A store into a page that the file system cannot give is SIGBUS, where a call
 * returns an error; so memory is reserved by fallocate() before it is touched.
 * tmpfs gives up a fallocate() that a signal interrupts, and takes back what
 * that one call had reserved: hence steps, which are kept, and which are halved
 * each time, so that frequent signals cannot stop the progress for ever.
 */
#include "base.h"
#include "clock.h"
#include "guard.h"
#include "shm.h"
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#define COMMIT_STEP MIB(1)

/* Opening ---------------------------------------------------------------- */

/* What openat() says of things that are not files of ours. */
static int
open_error(int error)
{
	switch (error) {
	case ELOOP: /* a symbolic link */
	case ENXIO: /* a FIFO that nobody reads, a socket */
	case EISDIR:
	case EAGAIN: /* somebody has a lease on it */
		return -EBADMSG;
	default:
		return -error;
	}
}

static int
check_file(const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return -EBADMSG;
	if (st->st_nlink == 0)
		return -ENOENT;
	return st->st_nlink == 1 ? 0 : -EBADMSG;
}

int
shm_open_at(int dir, const char *name, int flags, struct stat *ret_stat)
{
	struct stat st;
	int fd, error;

	fd = openat(dir, name,
		    flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		    0600);
	if (fd < 0)
		return open_error(errno);
	error = fstat(fd, &st) ? -errno : check_file(&st);
	if (error) {
		close(fd);
		return error;
	}
	if (ret_stat)
		*ret_stat = st;
	return fd;
}

/* Memory ----------------------------------------------------------------- */

/*
 * May the file come to end there? What lies within the file as it is now is
 * committed with KEEP_SIZE, so that one who shortens it at this moment cannot
 * make us grow it: growing past RLIMIT_FSIZE raises SIGXFSZ. Returns the mode
 * for fallocate().
 */
static int
commit_mode(int fd, uint64_t end)
{
	struct rlimit limit;
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (end <= (uint64_t)st.st_size)
		return FALLOC_FL_KEEP_SIZE;
	if (getrlimit(RLIMIT_FSIZE, &limit))
		return -errno;
	return limit.rlim_cur != RLIM_INFINITY && end > limit.rlim_cur ?
		       -EFBIG :
		       0;
}

static int
commit_step(int fd, uint64_t offset, uint64_t length)
{
	int mode = commit_mode(fd, offset + length);

	if (mode < 0)
		return mode;
	return fallocate(fd, mode, (off_t)offset, (off_t)length) ? -errno : 0;
}

int
shm_commit(int fd, uint64_t offset, uint64_t length, int64_t deadline)
{
	uint64_t step = COMMIT_STEP;
	int error;

	if (offset > INT64_MAX || length > INT64_MAX - offset)
		return -EFBIG;
	while (length) {
		step = min_u64(step, length);
		error = commit_step(fd, offset, step);
		if (error == -EINTR && clock_now() < deadline) {
			step = max_u64(step / 2, PAGE);
			continue;
		}
		if (error)
			return error;
		offset += step;
		length -= step;
	}
	return 0;
}

int
shm_give_back(int fd, uint64_t offset, uint64_t length)
{
	if (!length)
		return 0;
	return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			 (off_t)offset, (off_t)length) ?
		       -errno :
		       0;
}

/* Mapping ---------------------------------------------------------------- */

int
shm_map(int fd, size_t length, int prot, struct mapping *ret)
{
	struct mapping mapping = { .length = length };
	int error;

	mapping.address = mmap(NULL, length, prot, MAP_SHARED, fd, 0);
	if (mapping.address == MAP_FAILED)
		return -errno;
	if (madvise(mapping.address, length, MADV_DONTFORK))
		error = -errno;
	else
		error = guard_add(mapping.address, length, prot,
				  &mapping.guard);
	if (error) {
		munmap(mapping.address, length);
		return error;
	}
	*ret = mapping;
	return 0;
}

void
shm_unmap(struct mapping *mapping)
{
	if (!mapping->address)
		return;
	guard_remove(mapping->guard);
	munmap(mapping->address, mapping->length);
	shm_forget(mapping);
}

void
shm_forget(struct mapping *mapping)
{
	memset(mapping, 0, sizeof(*mapping));
}

/* Names ------------------------------------------------------------------ */

/* For kernels and sandboxes without getrandom(2). */
static int
read_urandom(uint8_t *to, size_t size)
{
	ssize_t n;
	int fd, error = 0;

	fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (size && !error) {
		n = read(fd, to, size);
		if (n > 0) {
			to += n;
			size -= (size_t)n;
		} else if (n == 0) {
			error = -EIO;
		} else if (errno != EINTR) {
			error = -errno;
		}
	}
	close(fd);
	return error;
}

int
shm_random(uint8_t ret[16])
{
	uint8_t bytes[16];
	ssize_t n;
	int error;

	do
		n = getrandom(bytes, sizeof(bytes), 0);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(bytes)) {
		error = read_urandom(bytes, sizeof(bytes));
		if (error)
			return error;
	}
	memcpy(ret, bytes, sizeof(bytes));
	return 0;
}

int
shm_random_name(const char *prefix, char *ret)
{
	uint8_t bytes[16];
	uint64_t number;
	int error;

	if (strlen(prefix) > NAME_MAX - 16)
		return -ENAMETOOLONG;
	error = shm_random(bytes);
	if (error)
		return error;
	memcpy(&number, bytes, sizeof(number));
	snprintf(ret, NAME_MAX + 1, "%s%016llx", prefix,
		 (unsigned long long)number);
	return 0;
}
