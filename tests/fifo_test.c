/* SPDX-License-Identifier: MIT */
/* FIFOs that say "look": nothing else is written to, and no signal is seen. */
#include "base.h"
#include "fifo.h"
#include "support/support.h"
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>

static int directory;

static void
open_directory(void)
{
	directory = open(test_root(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	expect_system(directory);
}

static void
leave(void)
{
	unlinkat(directory, "f", 0);
	unlinkat(directory, "other", 0);
	expect_system(close(directory));
}

static int
make(void)
{
	int fd = fifo_make(directory, "f");

	expect_system(fd);
	return fd;
}

static int
open_to_tell(void)
{
	int fd = fifo_open(directory, "f");

	expect(fd >= 0);
	return fd;
}

static size_t
bytes_in(int fd)
{
	char bytes[PIPE_BUF];
	ssize_t n;
	size_t sum = 0;

	while ((n = read(fd, bytes, sizeof(bytes))) > 0)
		sum += (size_t)n;
	expect(n < 0 && errno == EAGAIN);
	return sum;
}

static void
who_is_told_finds_a_byte(void)
{
	int told, teller;

	open_directory();
	told = make();
	teller = open_to_tell();
	expect_ok(fifo_tell(teller));
	expect_ok(fifo_tell(teller));
	expect_int(bytes_in(told), 2);
	expect_ok(fifo_tell(teller));
	fifo_drain(told);
	expect_int(bytes_in(told), 0);
	close(teller);
	close(told);
	leave();
}

/* Nobody waits for room in it. */
static void
a_full_one_says_it_already(void)
{
	int told, teller;

	open_directory();
	told = make();
	teller = open_to_tell();
	while (write(teller, "", 1) == 1)
		;
	expect_int(errno, EAGAIN);
	expect_ok(fifo_tell(teller));
	close(teller);
	close(told);
	leave();
}

/* Somebody may fill it as fast as we empty it: then some stays. */
static void
emptying_it_has_an_end(void)
{
	char bytes[4096] = "";
	size_t sum = 0;
	int told, teller;
	ssize_t n;

	open_directory();
	told = make();
	teller = open_to_tell();
	while ((n = write(teller, bytes, sizeof(bytes))) > 0)
		sum += (size_t)n;
	fifo_drain(told);
	n = (ssize_t)bytes_in(told);
	expect(n > 0 && (size_t)n < sum);
	close(teller);
	close(told);
	leave();
}

static void
who_is_not_there_is_not_told(void)
{
	open_directory();
	expect_result(fifo_open(directory, "f"), -ENOENT);
	close(make());
	expect_result(fifo_open(directory, "f"), -ENXIO);
	expect_result(fifo_make(directory, "f"), -EEXIST);
	leave();
}

/* What another has put there is not written into. */
static void
what_is_no_fifo_is_not_opened(void)
{
	int fd;

	open_directory();
	fd = openat(directory, "f", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	expect_system(fd);
	close(fd);
	expect_result(fifo_open(directory, "f"), -EBADMSG);
	expect_system(unlinkat(directory, "f", 0));
	expect_system(symlinkat("/dev/null", directory, "f"));
	expect_result(fifo_open(directory, "f"), -ELOOP);
	leave();
}

static void
one_with_two_names_is_not_opened(void)
{
	int told;

	open_directory();
	told = make();
	expect_system(linkat(directory, "f", directory, "other", 0));
	expect_result(fifo_open(directory, "f"), -EBADMSG);
	expect_result(fifo_open(directory, "other"), -EBADMSG);
	expect_system(unlinkat(directory, "other", 0));
	close(open_to_tell());
	close(told);
	leave();
}

/* SIGPIPE ---------------------------------------------------------------- */

static _Atomic int pipes_broken;

static void
count_signal(int number)
{
	(void)number;
	pipes_broken++;
}

static void
catch_signal(void (*handler)(int number))
{
	struct sigaction action = { .sa_handler = handler };

	pipes_broken = 0;
	expect_system(sigaction(SIGPIPE, &action, NULL));
}

/* One that nobody reads any more. */
static int
broken(void)
{
	int told, teller;

	open_directory();
	told = make();
	teller = open_to_tell();
	close(told);
	return teller;
}

static void
change_mask(int how)
{
	sigset_t signal;

	sigemptyset(&signal);
	sigaddset(&signal, SIGPIPE);
	expect_int(pthread_sigmask(how, &signal, NULL), 0);
}

static bool
is_pending(void)
{
	sigset_t pending;

	expect_system(sigpending(&pending));
	return sigismember(&pending, SIGPIPE) == 1;
}

static void
nobody_sees_the_signal(void)
{
	int teller = broken();

	catch_signal(count_signal);
	expect_result(fifo_tell(teller), -EPIPE);
	expect_int(pipes_broken, 0);
	/* Nor who has it blocked, or ignores it. */
	change_mask(SIG_BLOCK);
	expect_result(fifo_tell(teller), -EPIPE);
	expect(!is_pending());
	change_mask(SIG_UNBLOCK);
	expect_int(pipes_broken, 0);
	catch_signal(SIG_IGN);
	expect_result(fifo_tell(teller), -EPIPE);
	catch_signal(SIG_DFL);
	expect_result(fifo_tell(teller), -EPIPE);
	close(teller);
	leave();
}

/* One that was pending before is the program's own. */
static void
a_signal_of_the_programs_own_stays(void)
{
	int teller = broken();

	catch_signal(count_signal);
	change_mask(SIG_BLOCK);
	raise(SIGPIPE);
	expect(is_pending());
	expect_result(fifo_tell(teller), -EPIPE);
	expect(is_pending());
	change_mask(SIG_UNBLOCK);
	expect_int(pipes_broken, 1);
	catch_signal(SIG_DFL);
	close(teller);
	leave();
}

static const struct test tests[] = {
	TEST(who_is_told_finds_a_byte),
	TEST(a_full_one_says_it_already),
	TEST(emptying_it_has_an_end),
	TEST(who_is_not_there_is_not_told),
	TEST(what_is_no_fifo_is_not_opened),
	TEST(one_with_two_names_is_not_opened),
	TEST(nobody_sees_the_signal),
	TEST(a_signal_of_the_programs_own_stays),
};

int
main(void)
{
	return RUN_TESTS("fifo", tests);
}
