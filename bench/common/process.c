/* SPDX-License-Identifier: MIT */
#include <linux/futex.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "process.h"

void *
process_share(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		abort();
	return memory;
}

void
process_sleep(_Atomic uint32_t *word, uint32_t value, long milliseconds)
{
	struct timespec time = { milliseconds / 1000,
				 milliseconds % 1000 * 1000000 };

	syscall(SYS_futex, word, FUTEX_WAIT, value, milliseconds ? &time : NULL,
		NULL, 0);
}

void
process_wake(_Atomic uint32_t *word, int count)
{
	syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);
}

void
process_pin(int cpu)
{
	cpu_set_t set;

	if (cpu == PROCESS_UNPLACED)
		return;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

int
process_died(pid_t pids[], int count)
{
	for (int i = 0; i < count; i++) {
		if (pids[i] > 0 && waitpid(pids[i], NULL, WNOHANG) == pids[i]) {
			pids[i] = 0;
			return i;
		}
	}
	return -1;
}
