/* SPDX-License-Identifier: MIT */
/* Test: tsan. */
#include "base.h"
#include "atomics.h"
#include "liveness.h"
#include "support/forked.h"
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A file to lock --------------------------------------------------------- */

static char path[] = "/dev/shm/cubby-liveness-test-XXXXXX";
static pid_t maker;

static void
remove_file(void)
{
	if (getpid() == maker)
		unlink(path);
}

/* A new file; the descriptor is for asking. */
static int
make_file(void)
{
	int fd = mkostemp(path, O_CLOEXEC);

	need(fd >= 0);
	maker = getpid();
	need(!atexit(remove_file));
	return fd;
}

static struct liveness
take(uint64_t byte)
{
	struct liveness liveness;

	need(!liveness_take_at(AT_FDCWD, path, byte, &liveness));
	need(liveness.page);
	return liveness;
}

/* Holders ---------------------------------------------------------------- */

struct pipes {
	int ends[2];
};

static struct pipes
make_pipe(void)
{
	struct pipes p;

	need(!pipe2(p.ends, O_CLOEXEC));
	return p;
}

/* Waits for tell(), or for the end of all who could call it. */
static void
hear(struct pipes *p)
{
	char byte;

	need(read(p->ends[0], &byte, 1) == 1);
}

static void
tell(struct pipes *p)
{
	need(write(p->ends[1], "", 1) == 1);
}

static _Noreturn void
stay(void)
{
	for (;;)
		pause();
}

/* A child that has locked the byte, done as it was told, and stays. */
static pid_t
holder(uint64_t byte, void (*then)(void))
{
	struct pipes ready = make_pipe();
	pid_t pid = fork();

	need(pid >= 0);
	if (!pid) {
		take(byte);
		if (then)
			then();
		tell(&ready);
		stay();
	}
	close(ready.ends[1]);
	hear(&ready);
	close(ready.ends[0]);
	return pid;
}

static void
end(pid_t pid)
{
	need(!kill(pid, SIGKILL));
	need(waitpid(pid, NULL, 0) == pid);
}

/* Who is alive ----------------------------------------------------------- */

static void
nobody_has_it_at_first(void)
{
	int fd = make_file();

	need(liveness_ask(fd, 0) == 0);
	need(liveness_ask(fd, 12345) == 0);
}

static void
one_s_own_lock_counts_until_it_is_dropped(void)
{
	int fd = make_file();
	struct liveness liveness = take(7);

	need(liveness_ask(fd, 7) == 1);
	need(liveness_ask(fd, 6) == 0 && liveness_ask(fd, 8) == 0);
	liveness_drop(&liveness);
	need(!liveness.page);
	need(liveness_ask(fd, 7) == 0);
	liveness_drop(&liveness);
}

static void
a_byte_has_one_holder(void)
{
	int fd = make_file();
	struct liveness liveness = take(7), other = { 0 };
	pid_t pid = holder(8, NULL);

	need(liveness_take_at(AT_FDCWD, path, 7, &other) == -EAGAIN);
	need(liveness_take_at(AT_FDCWD, path, 8, &other) == -EAGAIN);
	need(!other.page);
	end(pid);
	need(!liveness_take_at(AT_FDCWD, path, 8, &other));
	liveness_drop(&liveness);
	need(liveness_ask(fd, 7) == 0 && liveness_ask(fd, 8) == 1);
	liveness_drop(&other);
}

static void
bytes_far_beyond_the_file_will_do(void)
{
	int fd = make_file();
	uint64_t far = UINT64_C(1) << 40;

	take(far);
	need(liveness_ask(fd, far) == 1);
	need(liveness_ask(fd, far + 1) == 0);
}

static void
taking_keeps_no_descriptor(void)
{
	size_t before;

	make_file();
	before = forked_descriptors();
	take(1);
	need(forked_descriptors() == before);
}

static void
what_is_no_file_cannot_be_taken(void)
{
	struct liveness liveness = { 0 };
	size_t before;
	char link[64];

	make_file();
	before = forked_descriptors();
	snprintf(link, sizeof(link), "%s.link", path);
	need(!symlink(path, link));
	need(liveness_take_at(AT_FDCWD, link, 1, &liveness) == -EBADMSG);
	need(!unlink(link));
	need(liveness_take_at(AT_FDCWD, link, 1, &liveness) == -ENOENT);
	need(liveness_take_fd(-1, 1, &liveness) == -EMFILE);
	need(!liveness.page);
	need(forked_descriptors() == before);
}

static void
a_descriptor_may_be_locked_and_closed(void)
{
	int fd = make_file(), other;
	struct liveness liveness;

	need(!liveness_init());
	liveness_fork_lock();
	other = open(path, O_RDWR | O_CLOEXEC);
	need(other >= 0);
	need(!liveness_take_fd(other, 3, &liveness));
	need(!close(other));
	liveness_fork_unlock();
	need(liveness_ask(fd, 3) == 1);
	liveness_drop(&liveness);
	need(liveness_ask(fd, 3) == 0);
}

static void
who_was_killed_has_lost_it(void)
{
	int fd = make_file();
	pid_t pid = holder(1, NULL);

	need(liveness_ask(fd, 1) == 1);
	end(pid);
	need(liveness_ask(fd, 1) == 0);
}

static void
a_zombie_has_lost_it(void)
{
	int fd = make_file();
	pid_t pid = holder(1, NULL);
	siginfo_t info;

	need(!kill(pid, SIGKILL));
	need(!waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
	need(liveness_ask(fd, 1) == 0);
	need(waitpid(pid, NULL, 0) == pid);
}

static void
who_is_stopped_keeps_it(void)
{
	int fd = make_file();
	pid_t pid = holder(1, NULL);
	int status;

	need(!kill(pid, SIGSTOP));
	need(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
	need(liveness_ask(fd, 1) == 1);
	end(pid);
}

static void *
stay_in_thread(void *argument)
{
	(void)argument;
	stay();
}

static void
leave_to_another_thread(void)
{
	pthread_t thread;

	need(!pthread_create(&thread, NULL, stay_in_thread, NULL));
}

/* The first thread becomes a zombie; the process lives. */
static void
a_process_whose_first_thread_has_ended_keeps_it(void)
{
	int fd = make_file();
	struct pipes ready = make_pipe();
	pid_t pid = fork();

	need(pid >= 0);
	if (!pid) {
		take(1);
		leave_to_another_thread();
		tell(&ready);
		pthread_exit(NULL);
	}
	hear(&ready);
	need(liveness_ask(fd, 1) == 1);
	end(pid);
	need(liveness_ask(fd, 1) == 0);
}

static void
close_all(void)
{
	/* The pipe that tells of it is spared. */
	struct stat st;
	int fd;

	for (fd = 3; fd < 1000; fd++)
		if (!fstat(fd, &st) && !S_ISFIFO(st.st_mode))
			close(fd);
}

static void
closing_all_descriptors_does_not_drop_it(void)
{
	int fd = make_file();
	pid_t pid = holder(1, close_all);

	need(liveness_ask(fd, 1) == 1);
	end(pid);
}

static void
a_stranger_s_read_lock_does_not_keep_the_dead_alive(void)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	int fd = make_file();
	int stranger = open(path, O_RDONLY | O_CLOEXEC);

	need(!fcntl(stranger, F_OFD_SETLK, &lock));
	need(liveness_ask(fd, 1) == 0);
}

static void
asking_needs_the_right_to_read_only(void)
{
	int fd;

	make_file();
	fd = open(path, O_RDONLY | O_CLOEXEC);
	take(1);
	need(liveness_ask(fd, 1) == 1);
	need(liveness_ask(-1, 1) == -EBADF);
}

/* Children, programs, namespaces ----------------------------------------- */

static pid_t kept;

static void
fork_one_that_stays(void)
{
	kept = fork();
	need(kept >= 0);
	if (!kept)
		stay();
}

static void
clone_one_that_stays(void)
{
	kept = forked_raw_clone();
	need(kept >= 0);
	if (!kept)
		stay();
}

static void
exec_one_that_stays(void)
{
	kept = fork();
	need(kept >= 0);
	if (kept)
		return;
	execlp("sleep", "sleep", "1000", NULL);
	_exit(127);
}

/* The holder dies; its child lives on, and has not got it. */
static void
need_not_inherited(void (*make_child)(void))
{
	int fd = make_file();
	pid_t pid = holder(1, make_child);

	need(liveness_ask(fd, 1) == 1);
	end(pid);
	need(liveness_ask(fd, 1) == 0);
}

static void
a_child_does_not_keep_it(void)
{
	need_not_inherited(fork_one_that_stays);
}

static void
a_raw_clone_does_not_keep_it(void)
{
	need_not_inherited(clone_one_that_stays);
}

static void
a_child_that_executes_does_not_keep_it(void)
{
	need_not_inherited(exec_one_that_stays);
}

static void
who_executes_another_program_has_lost_it(void)
{
	struct pipes ready = make_pipe();
	int fd = make_file();
	pid_t pid = fork();

	need(pid >= 0);
	if (!pid) {
		take(1);
		tell(&ready);
		execlp("sleep", "sleep", "1000", NULL);
		_exit(127);
	}
	hear(&ready);
	while (liveness_ask(fd, 1))
		sched_yield();
	need(!kill(pid, 0) && waitpid(pid, NULL, WNOHANG) == 0);
	end(pid);
}

enum { BIRTHS = 300 };
static word32 is_over;

static void *
take_and_drop(void *argument)
{
	struct liveness liveness;

	while (!word32_load_acquire(&is_over)) {
		liveness = take(1);
		liveness_drop(&liveness);
	}
	return argument;
}

/* However a fork() falls into the taking by another thread. */
static void
a_child_born_meanwhile_does_not_keep_it(void)
{
	int fd = make_file();
	pid_t pids[BIRTHS];
	pthread_t thread;
	int i;

	need(!pthread_create(&thread, NULL, take_and_drop, NULL));
	for (i = 0; i < BIRTHS; i++) {
		pids[i] = fork();
		need(pids[i] >= 0);
		if (!pids[i])
			stay();
	}
	word32_store_release(&is_over, 1);
	need(!pthread_join(thread, NULL));
	need(liveness_ask(fd, 1) == 0);
	for (i = 0; i < BIRTHS; i++)
		end(pids[i]);
}

static void
dropping_in_a_child_touches_nothing(void)
{
	int fd = make_file();
	struct liveness liveness = take(1);
	unsigned char resident;
	void *at = liveness.page;
	pid_t pid = fork();

	need(pid >= 0);
	if (!pid) {
		need(mmap(at, 1, PROT_READ,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
			  0) == at);
		need(!liveness_init());
		liveness_drop(&liveness);
		need(!liveness.page && !mincore(at, 1, &resident));
		_exit(0);
	}
	forked_join(pid);
	need(liveness_ask(fd, 1) == 1);
}

static void
it_works_across_pid_namespaces(void)
{
	int fd = make_file();
	struct pipes go = make_pipe();
	pid_t outside = holder(1, NULL), inside;

	if (geteuid() != 0 || unshare(CLONE_NEWPID))
		forked_skip("a PID namespace is not allowed here");
	inside = fork();
	need(inside >= 0);
	if (!inside) {
		need(getpid() == 1);
		need(liveness_ask(fd, 1) == 1);
		take(2);
		tell(&go);
		stay();
	}
	hear(&go);
	need(liveness_ask(fd, 2) == 1);
	end(inside);
	need(liveness_ask(fd, 2) == 0);
	need(liveness_ask(fd, 1) == 1);
	end(outside);
	need(liveness_ask(fd, 1) == 0);
	/* This process can have no children any more, and a leak checker would
	   want one. */
	remove_file();
	_exit(0);
}

/* The process's number --------------------------------------------------- */

static void
there_is_no_number_before_the_first_init(void)
{
	need(liveness_process() == 0);
	need(!liveness_init());
	need(liveness_process() != 0);
}

static void
the_number_stays(void)
{
	uint64_t number;

	need(!liveness_init());
	number = liveness_process();
	need(!liveness_init());
	need(liveness_process() == number);
}

static void *
number_in_thread(void *ret)
{
	need(!liveness_init());
	*(uint64_t *)ret = liveness_process();
	return NULL;
}

static void
all_threads_have_one_number(void)
{
	uint64_t numbers[8] = { 0 };
	pthread_t threads[8];
	size_t i;

	for (i = 0; i < 8; i++)
		need(!pthread_create(&threads[i], NULL, number_in_thread,
				     &numbers[i]));
	for (i = 0; i < 8; i++)
		need(!pthread_join(threads[i], NULL));
	for (i = 0; i < 8; i++)
		need(numbers[i] && numbers[i] == numbers[0]);
}

/* Down to that many generations, by turns of both kinds. */
static void
need_new_numbers(uint64_t last, int generations)
{
	pid_t pid = generations % 2 ? fork() : forked_raw_clone();

	need(pid >= 0);
	if (!pid) {
		need(liveness_process() == 0);
		need(!liveness_init());
		need((int64_t)(liveness_process() - last) > 0);
		if (generations > 1)
			need_new_numbers(liveness_process(), generations - 1);
		_exit(0);
	}
	forked_join(pid);
}

static void
a_child_has_a_number_that_its_fathers_never_had(void)
{
	uint64_t number;

	need(!liveness_init());
	number = liveness_process();
	need_new_numbers(number, 6);
	need(liveness_process() == number);
}

/* Keeping fork() out ----------------------------------------------------- */

static word32 has_forked;

static void *
fork_once(void *argument)
{
	pid_t pid = fork();

	need(pid >= 0);
	if (!pid)
		_exit(0);
	word32_store_release(&has_forked, 1);
	forked_join(pid);
	return argument;
}

static bool
is_asleep(pid_t pid, pid_t tid)
{
	char name[64], state = 0;
	FILE *file;

	snprintf(name, sizeof(name), "/proc/%d/task/%d/stat", pid, tid);
	file = fopen(name, "re");
	need(file && fscanf(file, "%*d %*s %c", &state) == 1);
	fclose(file);
	return state == 'S';
}

static word32 forker;

static void *
tell_and_fork(void *argument)
{
	word32_store_release(&forker, (uint32_t)gettid());
	return fork_once(argument);
}

static void
a_fork_waits_until_it_is_let(void)
{
	pthread_t thread;
	uint32_t tid;

	need(!liveness_init());
	liveness_fork_lock();
	need(!pthread_create(&thread, NULL, tell_and_fork, NULL));
	do
		tid = word32_load_acquire(&forker);
	while (!tid);
	/* It can sleep nowhere but at the lock. */
	while (!is_asleep(getpid(), (pid_t)tid))
		need(!word32_load_acquire(&has_forked));
	need(!word32_load_acquire(&has_forked));
	liveness_fork_unlock();
	need(!pthread_join(thread, NULL));
	need(word32_load_acquire(&has_forked));
}

static void
fork_in_handler(int number)
{
	(void)number;
	fork_once(NULL);
}

static void
a_handler_that_forks_waits_too(void)
{
	need(!liveness_init());
	need(signal(SIGUSR1, fork_in_handler) != SIG_ERR);
	liveness_fork_lock();
	need(!raise(SIGUSR1));
	need(!word32_load_acquire(&has_forked));
	liveness_fork_unlock();
	need(word32_load_acquire(&has_forked));
}

static bool
equal_masks(const sigset_t *a, const sigset_t *b)
{
	int i;

	for (i = 1; i < NSIG; i++)
		if (sigismember(a, i) != sigismember(b, i))
			return false;
	return true;
}

static void
signal_masks_are_as_they_were(void)
{
	sigset_t before, after;
	pid_t pid;

	sigemptyset(&before);
	sigaddset(&before, SIGUSR2);
	need(!sigprocmask(SIG_SETMASK, &before, NULL));
	need(!liveness_init());
	liveness_fork_lock();
	liveness_fork_unlock();
	need(!sigprocmask(SIG_SETMASK, NULL, &after));
	need(equal_masks(&before, &after));
	pid = fork();
	need(pid >= 0);
	need(!sigprocmask(SIG_SETMASK, NULL, &after));
	need(equal_masks(&before, &after));
	if (!pid)
		_exit(0);
	forked_join(pid);
}

enum { LOCKERS = 4, TIMES = 20000 };
static uint64_t inside, entered; /* plain: the lock guards them */

static void *
lock_and_unlock(void *argument)
{
	int i;

	for (i = 0; i < TIMES; i++) {
		liveness_fork_lock();
		need(inside++ == 0);
		entered++;
		inside--;
		liveness_fork_unlock();
	}
	return argument;
}

static void
one_thread_at_a_time_holds_it(void)
{
	pthread_t threads[LOCKERS];
	size_t i;

	need(!liveness_init());
	for (i = 0; i < LOCKERS; i++)
		need(!pthread_create(&threads[i], NULL, lock_and_unlock, NULL));
	for (i = 0; i < LOCKERS; i++)
		need(!pthread_join(threads[i], NULL));
	need(entered == LOCKERS * TIMES);
}

static void *
tell_and_lock(void *tid)
{
	word32_store_release(tid, (uint32_t)gettid());
	liveness_fork_lock();
	liveness_fork_unlock();
	return NULL;
}

static void
all_that_wait_for_it_get_it(void)
{
	word32 tids[LOCKERS] = { { 0 } };
	pthread_t threads[LOCKERS];
	uint32_t tid;
	size_t i;

	need(!liveness_init());
	liveness_fork_lock();
	for (i = 0; i < LOCKERS; i++) {
		need(!pthread_create(&threads[i], NULL, tell_and_lock,
				     &tids[i]));
		do
			tid = word32_load_acquire(&tids[i]);
		while (!tid || !is_asleep(getpid(), (pid_t)tid));
	}
	liveness_fork_unlock();
	for (i = 0; i < LOCKERS; i++)
		need(!pthread_join(threads[i], NULL));
}

/* A child that a thread without the lock makes by clone(). */
static void
who_is_born_under_the_lock_finds_it_free(void)
{
	pid_t pid;

	make_file();
	need(!liveness_init());
	liveness_fork_lock();
	pid = forked_raw_clone();
	need(pid >= 0);
	if (!pid) {
		take(1);
		_exit(0);
	}
	forked_join(pid);
	liveness_fork_unlock();
}

static const struct forked_test tests[] = {
	FORKED_TEST(nobody_has_it_at_first),
	FORKED_TEST(one_s_own_lock_counts_until_it_is_dropped),
	FORKED_TEST(a_byte_has_one_holder),
	FORKED_TEST(bytes_far_beyond_the_file_will_do),
	FORKED_TEST(taking_keeps_no_descriptor),
	FORKED_TEST(what_is_no_file_cannot_be_taken),
	FORKED_TEST(a_descriptor_may_be_locked_and_closed),
	FORKED_TEST(who_was_killed_has_lost_it),
	FORKED_TEST(a_zombie_has_lost_it),
	FORKED_TEST(who_is_stopped_keeps_it),
	FORKED_TEST(a_process_whose_first_thread_has_ended_keeps_it),
	FORKED_TEST(closing_all_descriptors_does_not_drop_it),
	FORKED_TEST(a_stranger_s_read_lock_does_not_keep_the_dead_alive),
	FORKED_TEST(asking_needs_the_right_to_read_only),
	FORKED_TEST(a_child_does_not_keep_it),
	FORKED_TEST(a_raw_clone_does_not_keep_it),
	FORKED_TEST(a_child_that_executes_does_not_keep_it),
	FORKED_TEST(who_executes_another_program_has_lost_it),
	FORKED_TEST(a_child_born_meanwhile_does_not_keep_it),
	FORKED_TEST(dropping_in_a_child_touches_nothing),
	FORKED_TEST(it_works_across_pid_namespaces),
	FORKED_TEST(there_is_no_number_before_the_first_init),
	FORKED_TEST(the_number_stays),
	FORKED_TEST(all_threads_have_one_number),
	FORKED_TEST(a_child_has_a_number_that_its_fathers_never_had),
	FORKED_TEST(a_fork_waits_until_it_is_let),
	FORKED_TEST(a_handler_that_forks_waits_too),
	FORKED_TEST(signal_masks_are_as_they_were),
	FORKED_TEST(one_thread_at_a_time_holds_it),
	FORKED_TEST(all_that_wait_for_it_get_it),
	FORKED_TEST(who_is_born_under_the_lock_finds_it_free),
};

int
main(void)
{
	return forked_run("liveness", tests, ARRAY_SIZE(tests));
}
