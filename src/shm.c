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
 * A signal makes tmpfs (until Linux 6.17) give a fallocate() up, and take back
 * what that one call had reserved: hence steps, which are kept, and which are
 * halved each time, so that frequent signals cannot stop progress for ever.
 */
#include "base.h"
#include "clock.h"
#include "guard.h"
#include "shm.h"
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1U
#endif

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
	case EBADF: /* the directory was kept, and has been closed to us */
		return -EMFILE;
	default:
		return -error;
	}
}

/*
 * A second name is suspicious where others may have put this one: it may be that
 * of somebody's file. Where only the directory's owner can, and the file is that
 * owner's own, the other name is elsewhere, and no matter: anyone who may read
 * and write a file may give it one, and is not to close it to the rest by that.
 * Errors: -EBADMSG, and the kernel's.
 */
static int
check_second_name(int dir, const struct stat *st)
{
	struct stat of_dir;

	if (fstat(dir, &of_dir))
		return -errno;
	return of_dir.st_mode & 022 || of_dir.st_uid != st->st_uid ?
	       -EBADMSG : 0;
}

static int
check_file(int dir, const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return -EBADMSG;
	if (st->st_nlink == 0)
		return -ENOENT;
	return st->st_nlink > 1 ? check_second_name(dir, st) : 0;
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
	error = fstat(fd, &st) ? -errno : check_file(dir, &st);
	if (error) {
		close(fd);
		return error;
	}
	if (ret_stat)
		*ret_stat = st;
	return fd;
}

int
shm_open_made(int dir, const char *name)
{
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(dir, name, flags);
	int error = errno;

	/* The umask may have closed it to its own maker. */
	if (fd < 0 && error == EACCES &&
	    fchmodat(dir, name, 0700, AT_SYMLINK_NOFOLLOW) == 0) {
		fd = openat(dir, name, flags);
		error = errno;
	}
	if (fd < 0)
		return -error;
	if (fchmod(fd, 0700) < 0) {
		error = -errno;
		close(fd);
		return error;
	}
	return fd;
}

/* Keeping ---------------------------------------------------------------- */

int
shm_identify(int fd, struct file_identity *ret)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return errno == EBADF ? -EMFILE : -errno;
	ret->device = st.st_dev;
	ret->inode = st.st_ino;
	return 0;
}

int
shm_still(int fd, const struct file_identity *identity)
{
	struct file_identity now = { 0 };
	int r;

	if (fd < 0 || !identity->inode)
		return fd;
	r = shm_identify(fd, &now);
	if (r < 0)
		return r == -EMFILE ? -1 : fd;
	return now.device == identity->device &&
	       now.inode == identity->inode ? fd : -1;
}

void
shm_close_kept(int fd, const struct file_identity *identity)
{
	fd = shm_still(fd, identity);
	if (fd >= 0)
		close(fd);
}

/* Looking ---------------------------------------------------------------- */

int
shm_add_memory(int dir, const char *name, uint64_t *sum)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return shm_tells_of_file(-errno) ? 0 : -errno;
	*sum += (uint64_t)st.st_blocks * 512;
	return 0;
}

int
shm_visit(int dir, int (*visit)(int dir, const char *name, void *context),
	  void *context)
{
	int error, fd, r = 0;
	struct dirent *entry;
	DIR *entries;

	fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	entries = fdopendir(fd);
	if (!entries) {
		error = -errno;
		close(fd);
		return error;
	}
	while (r == 0 && (errno = 0, entry = readdir(entries)))
		r = visit(dir, entry->d_name, context);
	if (r == 0)
		r = -errno;
	closedir(entries);
	return r;
}

/* Memory ----------------------------------------------------------------- */

static int
grow(int fd, uint64_t offset, uint64_t length)
{
	if (!fallocate(fd, 0, (off_t)offset, (off_t)length))
		return 0;
	/* It was kept, and has been closed to us. */
	return errno == EBADF ? -EMFILE : -errno;
}

/* Takes away a SIGXFSZ that has come since, if it has; the thread alone can
   have it. */
static void
take_back_signal(const sigset_t *signal, bool was_pending)
{
	struct timespec at_once = { 0, 0 };

	if (was_pending)
		return;
	while (sigtimedwait(signal, NULL, &at_once) < 0 && errno == EINTR)
		;
}

/*
 * For memory beyond RLIMIT_FSIZE in a file that is that large already. It may
 * be cut short at this very moment, and then the kernel takes us for one who
 * makes it grow, and raises SIGXFSZ.
 */
static int
grow_without_signal(int fd, uint64_t offset, uint64_t length)
{
	sigset_t signal, mask, pending;
	int error;

	sigemptyset(&signal);
	sigaddset(&signal, SIGXFSZ);
	pthread_sigmask(SIG_BLOCK, &signal, &mask);
	sigpending(&pending);
	error = grow(fd, offset, length);
	if (error == -EFBIG)
		take_back_signal(&signal, sigismember(&pending, SIGXFSZ) == 1);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	return error;
}

static int
commit_step(int fd, uint64_t offset, uint64_t length)
{
	struct rlimit limit;
	struct stat st;

	if (getrlimit(RLIMIT_FSIZE, &limit))
		return -errno;
	if (limit.rlim_cur == RLIM_INFINITY ||
	    offset + length <= limit.rlim_cur)
		return grow(fd, offset, length);
	if (fstat(fd, &st))
		return -errno;
	if (offset + length > (uint64_t)st.st_size)
		return -EFBIG;
	return grow_without_signal(fd, offset, length);
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

/* Of mmap() and madvise(): EAGAIN says that it would have to be locked in memory,
   beyond a limit. To our callers it would mean another thing. */
int
shm_map_error(int error)
{
	if (error == EBADF)
		return -EMFILE;	/* it was kept: see shm_still() */
	return error == EAGAIN ? -ENOMEM : -error;
}

int
shm_map(int fd, size_t length, int prot, struct mapping *ret)
{
	return shm_map_at(fd, 0, length, prot, ret);
}

int
shm_map_at(int fd, uint64_t offset, size_t length, int prot,
	   struct mapping *ret)
{
	struct mapping mapping = { .length = length };
	int error;

	mapping.address = mmap(NULL, length, prot, MAP_SHARED, fd,
			       (off_t)offset);
	if (mapping.address == MAP_FAILED)
		return shm_map_error(errno);
	if (madvise(mapping.address, length, MADV_DONTFORK))
		error = shm_map_error(errno);
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

/* The system call: not every C library has a function for it. */
int
shm_rename(int old_dir, const char *old, int dir, const char *name)
{
	return syscall(SYS_renameat2, old_dir, old, dir, name,
		       RENAME_NOREPLACE) < 0 ? -errno : 0;
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
