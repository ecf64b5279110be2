/* SPDX-License-Identifier: MIT */
/*
 * Counts the system calls of processes, as the kernel sees them: each process
 * has a seccomp filter that stops it at a call, for its tracer (its parent) to
 * count it. Those that a producer reads files with pass the filter uncounted,
 * and at full speed.
 */
#include "demo.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define PRINTED 6

#define ALLOW(call) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1), \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

/* Stops with the number of the call as the message of the event. */
#define COUNT \
	BPF_STMT(BPF_ALU | BPF_AND | BPF_K, SECCOMP_RET_DATA), \
		BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_TRACE), \
		BPF_STMT(BPF_RET | BPF_A, 0)

#define LOAD_CALL \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))

static struct sock_filter count_all[] = { LOAD_CALL, COUNT };

static struct sock_filter count_all_but_reading[] = {
	LOAD_CALL, ALLOW(SYS_openat), ALLOW(SYS_read), ALLOW(SYS_close), COUNT
};

int
trace_me(enum role role)
{
	struct sock_fprog program = {
		.len = sizeof(count_all) / sizeof(count_all[0]),
		.filter = count_all,
	};

	if (role == PRODUCER) {
		program.len = sizeof(count_all_but_reading) /
			      sizeof(count_all_but_reading[0]);
		program.filter = count_all_but_reading;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
		return errno;
	raise(SIGSTOP); /* until the tracer has set its options */
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		return errno;
	return 0;
}

void
trace_stop(pid_t pid, int status, uint64_t calls[SYSTEM_CALLS])
{
	int signal = WSTOPSIG(status);
	unsigned long call;

	if (status >> 8 == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8)) {
		signal = 0;
		if (ptrace(PTRACE_GETEVENTMSG, pid, NULL, &call) == 0 &&
		    call < SYSTEM_CALLS)
			calls[call]++;
	} else if (signal == SIGSTOP) {
		signal = 0;
		ptrace(PTRACE_SETOPTIONS, pid, NULL,
		       (void *)(PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL));
	}
	/* Fails if it has been killed meanwhile, which waitpid() will tell. */
	ptrace(PTRACE_CONT, pid, NULL, (void *)(long)signal);
}

/* Those that cubby and its users may make; of others, the number is shown. */
static const struct {
	const char *name;
	int number;
} names[] = {
	{ "futex", SYS_futex },
#ifdef SYS_futex_waitv
	{ "futex_waitv", SYS_futex_waitv },
#endif
	{ "membarrier", SYS_membarrier },
	{ "fallocate", SYS_fallocate },
	{ "fcntl", SYS_fcntl },
	{ "openat", SYS_openat },
	{ "read", SYS_read },
	{ "write", SYS_write },
	{ "close", SYS_close },
	{ "mmap", SYS_mmap },
	{ "munmap", SYS_munmap },
	{ "mprotect", SYS_mprotect },
	{ "madvise", SYS_madvise },
	{ "brk", SYS_brk },
	{ "fstat", SYS_fstat },
#ifdef SYS_newfstatat
	{ "newfstatat", SYS_newfstatat },
#endif
	{ "getdents64", SYS_getdents64 },
	{ "unlinkat", SYS_unlinkat },
	{ "getpid", SYS_getpid },
	{ "sched_yield", SYS_sched_yield },
	{ "clock_nanosleep", SYS_clock_nanosleep },
	{ "rt_sigprocmask", SYS_rt_sigprocmask },
	{ "exit_group", SYS_exit_group },
};

static void
print_one(unsigned number, uint64_t times)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].number == (int)number) {
			printf("%s %ju", names[i].name, (uintmax_t)times);
			return;
		}
	printf("call %u %ju", number, (uintmax_t)times);
}

void
trace_print(const uint64_t calls[SYSTEM_CALLS])
{
	bool printed[SYSTEM_CALLS] = { false };

	for (unsigned done = 0; done < PRINTED; done++) {
		unsigned most = 0;
		for (unsigned i = 1; i < SYSTEM_CALLS; i++)
			if (printed[most] ||
			    (!printed[i] && calls[i] > calls[most]))
				most = i;
		if (printed[most] || calls[most] == 0)
			return;
		printf(done > 0 ? ", " : "");
		print_one(most, calls[most]);
		printed[most] = true;
	}
}
