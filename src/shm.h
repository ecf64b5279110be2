/* SPDX-License-Identifier: MIT */
/* Layer 2. May include: base atomics clock guard. */
/*
 * Files of shared memory: opened without following links, committed before
 * they are touched, mapped so that fork() does not copy them.
 */
#ifndef CUBBY_SHM_H
#define CUBBY_SHM_H

#include "base.h"
#include "atomics.h"
#include "guard.h"
#include <sys/stat.h>

struct mapping {
	void *address; /* NULL: not mapped */
	size_t length;
	struct guard *guard;
};

/*
 * Opens name in the directory dir, O_NOFOLLOW|O_CLOEXEC|O_NONBLOCK|flags, and
 * holds it to be a regular file with one link, or one that the owner of the
 * directory owns and alone could put there; *ret_stat (may be NULL) gets its
 * fstat. With O_CREAT the mode is 0600 less the umask: set it with fchmod.
 * Never blocks, and never changes a file that is refused (so no O_TRUNC).
 * Returns the descriptor. Errors: openat's (-ENOENT also when it was unlinked
 * meanwhile); -EBADMSG: not a regular file, more than one link, or somebody
 * has a lease on it (-ELOOP, -ENXIO, -EISDIR and -EAGAIN are told so).
 */
int
shm_open_at(int dir, const char *name, int flags, struct stat *ret_stat);

/* Opens the directory that the caller has just made in dir, where nobody else can
   put another in its place: for listing. Gives him all rights to it, and nobody else
   any: the umask does not count. Errors: the kernel's. */
int
shm_open_made(int dir, const char *name);

/*
 * A descriptor that is kept. A process may close all of its descriptors, as daemons
 * do, and then the number is another file's, of which nothing may be believed, and in
 * which nothing may be changed. So who opens a file to keep it notes which one it is
 * (0, or fstat's error), and asks before each use, for 0.3 us: its number, or -1,
 * which no call of the kernel takes: shm_open_at() and shm_commit() tell -EMFILE of
 * it. What another thread closes between the two is not seen. An identity of zeros:
 * it has just been opened, and is not looked at. Where fstat() fails, and not
 * because nothing is open, it counts as that file: of those that are kept here it
 * fails by no fault of the descriptor's.
 */
struct file_identity {
	uint64_t device, inode;
};

int
shm_identify(int fd, struct file_identity *ret);
int
shm_still(int fd, const struct file_identity *identity);

/* Closes it if it is still that one. */
void
shm_close_kept(int fd, const struct file_identity *identity);

/*
 * Reserves memory for [offset, offset+length) of the file, growing it, in steps
 * of at most 1 MiB; EINTR is retried until the deadline (INT64_MAX: always).
 * Afterwards a store there cannot raise SIGBUS for want of memory. A file
 * growing past RLIMIT_FSIZE is -EFBIG, without the signal SIGXFSZ.
 * Where the file system cannot fallocate: -EOPNOTSUPP.
 * Errors: -ENOSPC -EDQUOT -EFBIG -EINTR (deadline) -EOPNOTSUPP and others.
 */
int
shm_commit(int fd, uint64_t offset, uint64_t length, int64_t deadline);

/* Gives the memory of [offset, offset+length) back (punches a hole); the size
   stays. Best effort: returns 0 or -errno. */
int
shm_give_back(int fd, uint64_t offset, uint64_t length);

/* What to tell of an errno of mmap() or madvise(). */
int
shm_map_error(int error);

/*
 * Maps length bytes of fd from its beginning, shared, with prot, MADV_DONTFORK,
 * guarded. length may lie beyond the end of the file. A fork() by another
 * thread in the middle of this leaves a mapping in the child that nobody uses.
 * Errors: mmap's, and guard_add's.
 */
int
shm_map(int fd, size_t length, int prot, struct mapping *ret);

/* The same from offset on, a multiple of the page. */
int
shm_map_at(int fd, uint64_t offset, size_t length, int prot,
	   struct mapping *ret);

/* Undoes shm_map; a mapping whose address is NULL is allowed. */
void
shm_unmap(struct mapping *mapping);

/* In a child after fork(), where the address range is no longer ours: it is
   not unmapped, for something else may be there. */
void
shm_forget(struct mapping *mapping);

static inline bool
shm_is_broken(const struct mapping *mapping)
{
	return guard_is_broken(mapping->guard);
}

/* Does such an error, of ours or of the kernel's (negative), tell of the file: that it
   is gone, closed to us, or not what it has to be? Any other tells that we could not
   look, for want of descriptors or of memory, and nothing of what is there. */
static inline bool
shm_tells_of_file(int error)
{
	return error == -ENOENT || error == -EACCES || error == -EBADMSG ||
	       error == -EPROTO;
}

/* Adds the bytes of memory that the file takes; none if it is gone, or closed to us.
   Errors: those by which we could not look. */
int
shm_add_memory(int dir, const char *name, uint64_t *sum);

/* Calls visit with the name of each entry of dir, in no order, until it returns other
   than 0. Returns what visit last returned. Errors: the kernel's. */
int
shm_visit(int dir, int (*visit)(int dir, const char *name, void *context),
	  void *context);

/* Gives what is called `old` there another name, in another directory perhaps, if
   nothing has that yet. Errors: -EEXIST, and the kernel's. */
int
shm_rename(int old_dir, const char *old, int dir, const char *name);

/* A name for a temporary file: prefix and 16 random hex digits, into
   ret[NAME_MAX + 1]. Errors: -ENAMETOOLONG, and those of shm_random(). */
int
shm_random_name(const char *prefix, char *ret);

/* 16 random bytes, of getrandom(2) or /dev/urandom. Errors: that file's. */
int
shm_random(uint8_t ret[16]);

#endif
