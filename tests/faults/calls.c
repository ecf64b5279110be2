/* SPDX-License-Identifier: MIT */
/*
 * The system calls that the library makes, and the errors that each can have on
 * arguments that are right: from the sections ERRORS of their man pages, and
 * from what Linux does (a lock that cannot be allocated is ENOMEM or ENOLCK). An
 * error that says something about what is found there would be a lie, and is in
 * the table only where it may become true between two calls (EEXIST, EAGAIN of a
 * lock). EINTR is where a
 * signal that has a handler brings it about: calls on regular files and
 * directories do not sleep in a way that it could end, but for fallocate().
 *
 * Of several rows for one call, the first that fits the arguments counts. A row
 * without errors cannot fail.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "calls.h"

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

#define ANY -1, 0, 0

static const struct call calls[] = {
	{ "an allocation", CALL_ALLOCATION, ANY, 0, { ENOMEM } },

	/* Files, by name. */
	{ "openat (make)", SYS_openat, 2, O_CREAT, O_CREAT, 0,
	  { EMFILE, ENFILE, ENOMEM, ENOSPC, EDQUOT, EACCES, EROFS, EPERM,
	    EEXIST } },
	{ "openat (without a name)", SYS_openat, 2, O_TMPFILE, O_TMPFILE, 0,
	  { EMFILE, ENFILE, ENOMEM, ENOSPC, EDQUOT, EACCES, EROFS,
	    EOPNOTSUPP } },
	{ "openat", SYS_openat, ANY, 0,
	  { EMFILE, ENFILE, ENOMEM } },
	{ "open", SYS_open, ANY, 0, { EMFILE, ENFILE, ENOMEM } },
	{ "mkdirat", SYS_mkdirat, ANY, 0,
	  { ENOSPC, EDQUOT, ENOMEM, EACCES, EROFS, EPERM, EMLINK } },
	{ "mknodat", SYS_mknodat, ANY, 0,
	  { ENOSPC, EDQUOT, ENOMEM, EACCES, EROFS, EPERM, EEXIST } },
	{ "linkat", SYS_linkat, ANY, 0,
	  { ENOSPC, EDQUOT, ENOMEM, EACCES, EROFS, EPERM, EMLINK, EEXIST } },
	{ "renameat2", SYS_renameat2, ANY, 0,
	  { ENOSPC, EDQUOT, ENOMEM, EACCES, EROFS, EPERM, EEXIST } },
	{ "unlinkat", SYS_unlinkat, ANY, CALL_REMOVES,
	  { ENOMEM, EACCES, EROFS, EPERM, EBUSY, EIO } },
	{ "fstat", SYS_newfstatat, 3, AT_EMPTY_PATH, AT_EMPTY_PATH, 0,
	  { ENOMEM, EIO } },
	{ "newfstatat", SYS_newfstatat, ANY, 0, { ENOMEM, EIO } },
	{ "stat", SYS_stat, ANY, 0, { ENOMEM, EIO } },
	{ "fchmodat", SYS_fchmodat, ANY, 0, { ENOMEM, EPERM, EROFS, EIO } },
#ifdef SYS_fchmodat2
	{ "fchmodat2", SYS_fchmodat2, ANY, 0, { ENOMEM, EPERM, EROFS, ENOSYS } },
#endif
	/* By which libc does without the last one. */
	{ "chmod", SYS_chmod, ANY, 0, { ENOMEM, EPERM, EROFS, EIO } },
	{ "readlinkat", SYS_readlinkat, ANY, 0, { ENOMEM, EACCES, EIO } },

	/* Files that are open. */
	{ "fstat", SYS_fstat, ANY, 0, { ENOMEM, EIO } },
	{ "fchmod", SYS_fchmod, ANY, 0, { ENOMEM, EPERM, EROFS, EIO } },
	{ "fchown", SYS_fchown, ANY, 0, { ENOMEM, EPERM, EROFS, EDQUOT } },
	{ "fgetxattr", SYS_fgetxattr, ANY, 0, { ENOMEM, EOPNOTSUPP, ERANGE } },
	{ "fsetxattr", SYS_fsetxattr, ANY, 0,
	  { ENOMEM, ENOSPC, EDQUOT, EPERM, EROFS, EOPNOTSUPP } },
	{ "fremovexattr", SYS_fremovexattr, ANY, 0,
	  { ENOMEM, ENOSPC, EPERM, EROFS, EOPNOTSUPP } },
	{ "fstatfs", SYS_fstatfs, ANY, 0, { ENOMEM, EIO, ENOSYS } },
	{ "getdents64", SYS_getdents64, ANY, 0, { ENOMEM, EIO } },
	{ "flock", SYS_flock, ANY, 0, { ENOLCK, ENOMEM, EWOULDBLOCK } },
	{ "fallocate (commit)", SYS_fallocate, 1, UINT64_MAX, 0, 0,
	  { ENOSPC, EDQUOT, ENOMEM, EINTR, EIO, EFBIG } },
	{ "fallocate (give back)", SYS_fallocate, ANY, 0,
	  { ENOSPC, ENOMEM, EINTR, EIO, EOPNOTSUPP } },
	{ "ftruncate", SYS_ftruncate, ANY, 0,
	  { EINTR, EIO, EFBIG, EPERM, ENOMEM, ENOSPC } },
	{ "pread64", SYS_pread64, ANY, 0, { EIO, ENOMEM } },
	{ "pwrite64", SYS_pwrite64, ANY, 0,
	  { EIO, ENOMEM, ENOSPC, EDQUOT, EFBIG } },
	{ "read", SYS_read, ANY, 0, { EINTR, EIO, ENOMEM, EAGAIN } },
	{ "write", SYS_write, ANY, 0, { EINTR, EIO, EAGAIN, EPIPE } },
	{ "lseek", SYS_lseek, ANY, 0, { 0 } },
	{ "close", SYS_close, ANY, CALL_CLOSES, { EINTR, EIO, ENOSPC, EDQUOT } },
	{ "fcntl (is it locked?)", SYS_fcntl, 1, UINT32_MAX, F_OFD_GETLK, 0,
	  { ENOMEM, ENOLCK } },
	{ "fcntl (lock)", SYS_fcntl, 1, UINT32_MAX, F_OFD_SETLK, 0,
	  { ENOMEM, ENOLCK, EAGAIN, EACCES } },
	{ "fcntl (duplicate)", SYS_fcntl, 1, UINT32_MAX, F_DUPFD_CLOEXEC, 0,
	  { EMFILE, ENOMEM } },
	{ "fcntl", SYS_fcntl, ANY, 0, { 0 } },
	{ "ioctl", SYS_ioctl, ANY, 0, { ENOMEM } },

	/* Memory. */
	{ "mmap", SYS_mmap, ANY, 0, { ENOMEM, EAGAIN } },
	/* What is unmapped is a mapping as it was made: nothing is split. */
	{ "munmap", SYS_munmap, ANY, 0, { 0 } },
	{ "mremap", SYS_mremap, ANY, 0, { ENOMEM, EAGAIN } },
	{ "mprotect", SYS_mprotect, ANY, 0, { ENOMEM, EACCES } },
	{ "madvise", SYS_madvise, ANY, 0, { ENOMEM, EAGAIN } },
	{ "brk", SYS_brk, ANY, 0, { 0 } },

	/* Sleeping and waking. */
	{ "futex (wake)", SYS_futex, 1, 127, FUTEX_WAKE, 0, { 0 } },
	{ "futex (wait)", SYS_futex, ANY, 0, { EINTR, EAGAIN } },
	{ "futex_waitv", SYS_futex_waitv, ANY, 0,
	  { EINTR, EAGAIN, ENOMEM, ENOSYS } },
	{ "membarrier", SYS_membarrier, ANY, 0, { ENOSYS, EPERM, ENOMEM } },
	{ "ppoll", SYS_ppoll, ANY, 0, { EINTR, ENOMEM } },
	{ "poll", SYS_poll, ANY, 0, { EINTR, ENOMEM } },
	{ "epoll_create1", SYS_epoll_create1, ANY, 0,
	  { EMFILE, ENFILE, ENOMEM } },
	{ "epoll_ctl (delete)", SYS_epoll_ctl, 1, UINT32_MAX, EPOLL_CTL_DEL, 0,
	  { 0 } },
	{ "epoll_ctl", SYS_epoll_ctl, ANY, 0, { ENOMEM, ENOSPC } },
	{ "epoll_wait", SYS_epoll_wait, ANY, 0, { EINTR } },
	{ "epoll_pwait", SYS_epoll_pwait, ANY, 0, { EINTR } },
	{ "timerfd_create", SYS_timerfd_create, ANY, 0,
	  { EMFILE, ENFILE, ENOMEM } },
	{ "timerfd_settime", SYS_timerfd_settime, ANY, 0, { ENOMEM } },
	{ "clock_nanosleep", SYS_clock_nanosleep, ANY, 0, { EINTR } },
	{ "clock_gettime", SYS_clock_gettime, ANY, 0, { 0 } },
	{ "sched_yield", SYS_sched_yield, ANY, 0, { 0 } },
	{ "rt_sigtimedwait", SYS_rt_sigtimedwait, ANY, 0, { EAGAIN, EINTR } },

	/* The process. */
	{ "getrandom", SYS_getrandom, ANY, 0, { EINTR, ENOSYS, EAGAIN } },
	{ "prlimit64", SYS_prlimit64, ANY, 0, { 0 } },
	{ "getrlimit", SYS_getrlimit, ANY, 0, { 0 } },
	{ "sched_getaffinity", SYS_sched_getaffinity, ANY, 0, { EINVAL } },
	{ "rt_sigprocmask", SYS_rt_sigprocmask, ANY, 0, { 0 } },
	{ "rt_sigpending", SYS_rt_sigpending, ANY, 0, { 0 } },
	{ "rt_sigaction", SYS_rt_sigaction, ANY, 0, { 0 } },
	{ "geteuid", SYS_geteuid, ANY, 0, { 0 } },
	{ "getuid", SYS_getuid, ANY, 0, { 0 } },
	{ "getegid", SYS_getegid, ANY, 0, { 0 } },
	/* By which libc names memory to people. */
	{ "prctl", SYS_prctl, ANY, 0, { EINVAL } },
	{ "getpid", SYS_getpid, ANY, 0, { 0 } },
	{ "gettid", SYS_gettid, ANY, 0, { 0 } },
	/* Of libc's look for users and groups, by way of nscd. */
	{ "socket", SYS_socket, ANY, 0, { EMFILE, ENFILE, ENOMEM, EACCES } },
	{ "connect", SYS_connect, ANY, 0, { EAGAIN, EINTR, ENOENT } },
};

const struct call *
call_find(long number, const uint64_t arguments[6])
{
	const struct call *call;
	size_t i;

	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		call = &calls[i];
		if (call->number == number &&
		    (call->argument < 0 ||
		     (arguments[call->argument] & call->mask) == call->value))
			return call;
	}
	return NULL;
}
