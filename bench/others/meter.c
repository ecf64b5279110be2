/* SPDX-License-Identifier: MIT */
/*
 * System calls are counted by the kernel's own tracepoint at their entry, for
 * the process and the threads that it will have. That takes a right which not
 * everyone has, and slows every system call somewhat: so they are counted in
 * rounds of their own.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../asleep.h"
#include "meter.h"

#define CALIBRATION 20000000u /* ns */

/* Whether the kernel's clock is the processor's counter. */
static bool
counter_is_clock(void)
{
#if defined(__x86_64__)
	FILE *file = fopen("/sys/devices/system/clocksource/clocksource0/"
			   "current_clocksource",
			   "re");
	char name[32] = "";

	if (file) {
		if (!fgets(name, sizeof(name), file))
			name[0] = '\0';
		fclose(file);
	}
	return !strncmp(name, "tsc", 3) || !strncmp(name, "kvm-clock", 9) ||
	       !strncmp(name, "hyperv", 6);
#else
	return false;
#endif
}

uint64_t
meter_calibrate(void)
{
#if defined(__x86_64__)
	uint64_t begun = clock_now(), now, first = __builtin_ia32_rdtsc();

	if (!counter_is_clock())
		return 0;
	do
		now = clock_now();
	while (now - begun < CALIBRATION);
	return (uint64_t)(((unsigned __int128)(now - begun) << 32) /
			  (__builtin_ia32_rdtsc() - first));
#else
	(void)counter_is_clock;
	return 0;
#endif
}

/* The number of a tracepoint, or -errno. */
static int
tracepoint_number(void)
{
	static const char *const paths[] = {
		"/sys/kernel/tracing/events/raw_syscalls/sys_enter/id",
		"/sys/kernel/debug/tracing/events/raw_syscalls/sys_enter/id",
	};
	int number = -ENOENT;

	for (int i = 0; i < 2 && number < 0; i++) {
		FILE *file = fopen(paths[i], "re");

		if (!file)
			continue;
		if (fscanf(file, "%d", &number) != 1)
			number = -EIO;
		fclose(file);
	}
	return number;
}

/* Counts the system calls of this process; the descriptor, or -errno. */
static int
calls_open(void)
{
	struct perf_event_attr attributes;
	int number = tracepoint_number();
	long fd;

	if (number < 0)
		return number;
	memset(&attributes, 0, sizeof(attributes));
	attributes.type = PERF_TYPE_TRACEPOINT;
	attributes.size = sizeof(attributes);
	attributes.config = (uint64_t)number;
	attributes.inherit = 1;
	fd = syscall(SYS_perf_event_open, &attributes, 0, -1, -1,
		     PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : (int)fd;
}

bool
meter_can_count_calls(char *ret, size_t size)
{
	int fd = calls_open();

	if (fd < 0) {
		snprintf(ret, size, "the tracepoint raw_syscalls:sys_enter: %s",
			 strerror(-fd));
		return false;
	}
	close(fd);
	return true;
}

void
meter_open(struct meter *meter, uint64_t scale, bool count_calls)
{
	*meter = (struct meter){ scale, -1, -1, 0, { 0, 0 } };
	if (count_calls)
		meter->calls_fd = calls_open();
}

static uint64_t
processor_time(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

static uint64_t
calls(const struct meter *meter)
{
	uint64_t count = 0;

	if (meter->calls_fd >= 0 &&
	    read(meter->calls_fd, &count, sizeof(count)) != sizeof(count))
		return 0;
	return count;
}

/* The last read of the start and the first of the stop have no call between
   them but the second read itself. */
void
meter_start(struct meter *meter)
{
	meter->before.processor_ns = processor_time();
	meter->before.calls = calls(meter);
}

void
meter_stop(struct meter *meter, struct meter_reading *ret)
{
	uint64_t counted = calls(meter) - meter->before.calls;

	ret->calls = counted ? counted - 1 : 0;
	ret->processor_ns = processor_time() - meter->before.processor_ns;
}

void
meter_await_sleep(struct meter *meter, int pid)
{
	if (meter->awaited != pid) {
		if (meter->stat_fd >= 0)
			close(meter->stat_fd);
		meter->stat_fd = process_stat_open(pid);
		meter->awaited = pid;
	}
	wait_until_asleep(meter->stat_fd);
}
