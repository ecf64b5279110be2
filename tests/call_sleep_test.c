/* SPDX-License-Identifier: MIT */
/* Test: orders, timeout 180. */
/* A caller that sleeps is woken: by its reply, and by who takes its request. */
#include "support/trace.h"
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "layout_reply.h"

#define ROUNDS 20
#define LONG_ROUNDS 4

static _Noreturn void
call_rounds(int rounds)
{
	cubby_mailbox *mailbox = open_mailbox("pid", CUBBY_SEND, NULL);

	send_number(mailbox, (uint64_t)getpid());
	cubby_close(mailbox);
	mailbox = open_mailbox("m", CUBBY_SEND, NULL);
	for (int i = 0; i < rounds; i++)
		expect_ok(cubby_call(mailbox, "x", 1, NULL, 0, NULL, soon()));
	cubby_close(mailbox);
	/* A leak checker does not work under strace. */
	child_exit();
}

static pid_t
start_part(struct child *child, const char *part)
{
	cubby_mailbox *pids = open_mailbox("pid", CUBBY_CREATE | CUBBY_RECEIVE,
					   NULL);
	pid_t pid;

	trace_start(child, part, "futex,?futex_time64");
	pid = (pid_t)receive_number(pids);
	cubby_close(pids);
	return pid;
}

static struct cubby_envelope
take(cubby_mailbox *server)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	char byte;

	expect_ok(cubby_receive_full(server, NULL, 0, soon(), &byte, 1, NULL,
				     &envelope));
	return envelope;
}

static void
expect_woken(struct child *child, unsigned long times)
{
	unsigned long woken;

	child_finish(child);
	woken = trace_count_successful("WAIT");
	/* It may look by itself just then, once or twice. */
	if (woken < times * 3 / 4)
		fail_at(__FILE__, __LINE__, "woken %lu times of %lu", woken,
			times);
}

static void
a_sleeping_caller_is_woken_by_its_reply(void)
{
	cubby_mailbox *server = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE,
					     NULL);
	struct cubby_envelope envelope;
	struct child child;
	pid_t pid = start_part(&child, "call");

	for (int i = 0; i < ROUNDS; i++) {
		envelope = take(server);
		thread_wait_asleep(pid);
		expect_ok(cubby_reply(server, &envelope, NULL, 0));
	}
	expect_woken(&child, ROUNDS);
	cubby_close(server);
}

/* The only reply file, mapped, when it is there. */
static const void *
map_reply_file(void)
{
	static char path[PATH_MAX];
	struct dirent *d;
	struct stat st;
	void *file;
	DIR *dir;
	int fd;

	find_file("/m/receivers", path);
	strcpy(strrchr(path, '/'), "/lanes");
	do {
		dir = opendir(path);
		expect(dir != NULL);
		while ((d = readdir(dir)) && strncmp(d->d_name, "reply.", 6))
			;
		if (!d)
			closedir(dir);
	} while (!d);
	strcat(path, "/");
	strcat(path, d->d_name);
	closedir(dir);
	fd = open(path, O_RDONLY);
	expect(fd >= 0);
	do
		expect_system(fstat(fd, &st));
	while (st.st_size < (off_t)(PAGE * 5));
	file = mmap(NULL, PAGE * 5, PROT_READ, MAP_SHARED, fd, 0);
	expect(file != MAP_FAILED);
	close(fd);
	return file;
}

/* Until the caller has said that it sleeps for long. */
static void
wait_for_tell(const void *file)
{
	uint32_t slot = 0;

	while (taken_who(word64_load_acquire(
			       &reply_slot(file, slot)->taken)) != TAKEN_TELL)
		slot = (slot + 1) % 4;
}

/* Else it would not ask in time whether that one lives. */
static void
a_caller_that_waits_for_long_is_woken_by_who_takes_it(void)
{
	cubby_mailbox *server = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE,
					     NULL);
	struct cubby_envelope envelope;
	struct child child;
	const void *file;
	pid_t pid = start_part(&child, "call-long");

	file = map_reply_file();
	for (int i = 0; i < LONG_ROUNDS; i++) {
		wait_for_tell(file);
		thread_wait_asleep(pid);
		envelope = take(server);
		thread_wait_asleep(pid);
		expect_ok(cubby_reply(server, &envelope, NULL, 0));
	}
	expect_woken(&child, 2 * LONG_ROUNDS);
	munmap((void *)(uintptr_t)file, PAGE * 5);
	cubby_close(server);
}

int
main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(a_sleeping_caller_is_woken_by_its_reply),
		TEST(a_caller_that_waits_for_long_is_woken_by_who_takes_it),
	};

	if (argc > 1)
		call_rounds(!strcmp(argv[1], "call") ? ROUNDS : LONG_ROUNDS);
	return RUN_TESTS("call_sleep", tests);
}
