/* SPDX-License-Identifier: MIT */
#include "base.h"
#include "atomics.h"
#include "guard.h"
#include "support/forked.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Of the machine, not of the files. */
#undef PAGE
#define PAGE ((size_t)sysconf(_SC_PAGESIZE))

#define RW (PROT_READ | PROT_WRITE)

/* A mapped file, and its guard. */
struct mapped {
	int fd;
	char *at;
	size_t pages;
	struct guard *guard;
};

static char *
map_file(int fd, size_t pages, int prot)
{
	char *at = mmap(NULL, pages * PAGE, prot, MAP_SHARED, fd, 0);

	need(at != MAP_FAILED);
	return at;
}

static struct mapped
guarded(size_t pages, int prot)
{
	struct mapped m = { .pages = pages, .fd = forked_file(pages * PAGE) };

	m.at = map_file(m.fd, pages, prot);
	need(!guard_add(m.at, pages * PAGE, prot, &m.guard));
	need(!guard_is_broken(m.guard));
	return m;
}

static void
unmap(struct mapped *m)
{
	guard_remove(m->guard);
	need(!munmap(m->at, m->pages * PAGE));
	need(!close(m->fd));
}

/* A page that raises SIGBUS, and is not guarded. */
static volatile char *
unguarded_hole(void)
{
	return map_file(forked_file(0), 1, PROT_READ);
}

/* volatile: the load itself is what is tested, though nobody uses it. */
static char
touch(const char *at)
{
	return *(const volatile char *)at;
}

/* Signals under which a body died, in a child; 0: it did not. */
static int
death(void (*body)(void *argument), void *argument)
{
	int status = forked_status(body, argument);

	need(WIFSIGNALED(status) || status == 0);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* As if no sanitizer were there. */
static void
set_handler(void (*handler)(int))
{
	need(signal(SIGBUS, handler) != SIG_ERR);
}

/* In guarded mappings ---------------------------------------------------- */

static void
what_was_cut_off_reads_as_zeros_and_is_told(void)
{
	struct mapped m = guarded(2, RW);

	memset(m.at, 'x', 2 * PAGE);
	need(!ftruncate(m.fd, 0));
	need(touch(m.at + PAGE + 5) == 0);
	need(guard_is_broken(m.guard));
	unmap(&m);
}

static void
errno_is_kept(void)
{
	struct mapped m = guarded(1, RW);

	need(!ftruncate(m.fd, 0));
	forked_deny(SYS_madvise, EPERM);
	errno = EDOM;
	need(touch(m.at) == 0);
	order_compiler(); /* which would say at once what errno is */
	need(errno == EDOM);
}

static void
other_pages_stay_what_they_were(void)
{
	struct mapped m = guarded(3, RW);

	memset(m.at, 'x', 3 * PAGE);
	need(!ftruncate(m.fd, PAGE));
	need(touch(m.at + PAGE) == 0);
	need(touch(m.at + PAGE - 1) == 'x');
	m.at[0] = 'y';
	need(pread(m.fd, m.at + 1, 1, 0) == 1 && m.at[1] == 'y');
	unmap(&m);
}

static void
the_last_byte_of_an_odd_length_is_guarded(void)
{
	int fd = forked_file(0);
	char *at = map_file(fd, 2, PROT_READ);
	struct guard *guard;

	need(!guard_add(at, PAGE + 1, PROT_READ, &guard));
	need(touch(at + 2 * PAGE - 1) == 0);
	need(guard_is_broken(guard));
}

static void
a_writable_mapping_stays_writable(void)
{
	struct mapped m = guarded(1, RW);

	need(!ftruncate(m.fd, 0));
	m.at[9] = 'z';
	need(touch(m.at + 9) == 'z');
	need(guard_is_broken(m.guard));
	unmap(&m);
}

static void
store(void *at)
{
	signal(SIGSEGV, SIG_DFL);
	*(volatile char *)at = 1;
}

static void
store_in_hole(void *argument)
{
	struct mapped m = guarded(1, PROT_READ);

	(void)argument;
	need(!ftruncate(m.fd, 0));
	need(touch(m.at) == 0);
	store(m.at);
}

static void
a_read_only_mapping_stays_read_only(void)
{
	need(death(store_in_hole, NULL) == SIGSEGV);
}

struct range {
	uintptr_t start, end;
	size_t mappings;
};

static void
count_mapping(const char *line, void *argument)
{
	struct range *range = argument;
	unsigned long start, end;

	need(sscanf(line, "%lx-%lx", &start, &end) == 2);
	if (start < range->end && end > range->start)
		range->mappings++;
}

/* Holes in every second page must not use up the process's mappings. */
static void
many_holes_cost_few_mappings(void)
{
	struct mapped m = guarded(1000, RW);
	struct range range = { .start = (uintptr_t)m.at };
	size_t i;

	range.end = range.start + m.pages * PAGE;
	memset(m.at, 'x', m.pages * PAGE);
	need(!ftruncate(m.fd, 0));
	for (i = 0; i < m.pages; i += 2) {
		need(touch(m.at + i * PAGE) == 0);
		range.mappings = 0;
		forked_lines("maps", count_mapping, &range);
		need(range.mappings < 20);
	}
	unmap(&m);
}

static void
only_the_one_that_was_hit_is_broken(void)
{
	struct mapped m[50];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(m); i++)
		m[i] = guarded(1, PROT_READ);
	need(!ftruncate(m[31].fd, 0));
	need(touch(m[31].at) == 0);
	for (i = 0; i < ARRAY_SIZE(m); i++)
		need(guard_is_broken(m[i].guard) == (i == 31));
	for (i = 0; i < ARRAY_SIZE(m); i++)
		unmap(&m[i]);
}

static void
tens_of_thousands_are_guarded(void)
{
	enum { COUNT = 40000 };
	static struct guard *guards[COUNT];
	int fd = forked_file(0);
	char *at = map_file(fd, COUNT, PROT_READ);
	size_t i;

	for (i = 0; i < COUNT; i++)
		need(!guard_add(at + i * PAGE, PAGE, PROT_READ, &guards[i]));
	need(touch(at) == 0);
	need(touch(at + (COUNT - 1) * PAGE) == 0);
	for (i = 0; i < COUNT; i++)
		need(guard_is_broken(guards[i]) == (i == 0 || i == COUNT - 1));
	for (i = 0; i < COUNT; i++)
		guard_remove(guards[i]);
}

static void
what_was_removed_is_used_again(void)
{
	struct mapped m = guarded(1, PROT_READ);
	struct guard *first = m.guard;
	int i;

	need(!ftruncate(m.fd, 0));
	need(touch(m.at) == 0);
	for (i = 0; i < 100000; i++) {
		guard_remove(m.guard);
		need(!guard_add(m.at, PAGE, PROT_READ, &m.guard));
		need(m.guard == first);
		need(!guard_is_broken(m.guard));
	}
	unmap(&m);
}

static void
removing_none_is_allowed(void)
{
	guard_remove(NULL);
}

static void
touch_removed(void *argument)
{
	struct mapped m;

	(void)argument;
	set_handler(SIG_DFL);
	m = guarded(1, PROT_READ);
	need(!ftruncate(m.fd, 0));
	guard_remove(m.guard);
	touch(m.at);
}

static void
what_was_removed_is_not_answered_for(void)
{
	need(death(touch_removed, NULL) == SIGBUS);
}

static void
fault_without_memory(void *argument)
{
	struct rlimit none = { 0, 0 };
	struct mapped m;

	(void)argument;
	set_handler(SIG_DFL);
	m = guarded(1, RW);
	need(!ftruncate(m.fd, 0));
	need(!setrlimit(RLIMIT_DATA, &none));
	touch(m.at);
}

static void
without_memory_for_zeros_it_is_the_default_action(void)
{
	if (UNDER_EMULATION)
		forked_skip("an emulator does not limit memory");
	need(death(fault_without_memory, NULL) == SIGBUS);
}

/* Others' SIGBUS --------------------------------------------------------- */

static sigjmp_buf back;
static volatile sig_atomic_t calls;
static void *volatile fault_address;
static volatile bool was_blocked;

static void
plain_handler(int signal)
{
	need(signal == SIGBUS);
	calls++;
	siglongjmp(back, 1);
}

static void
full_handler(int signal, siginfo_t *info, void *context)
{
	sigset_t mask;

	need(signal == SIGBUS && context);
	need(!sigprocmask(SIG_BLOCK, NULL, &mask));
	was_blocked = sigismember(&mask, SIGBUS) == 1 &&
		      sigismember(&mask, SIGUSR2) == 1;
	fault_address = info->si_addr;
	calls++;
	if (info->si_code > 0)
		siglongjmp(back, 1);
}

/* Of a guarded mapping, which works; whatever handler was there before. */
static void
need_answer(void)
{
	struct mapped m = guarded(1, PROT_READ);

	need(!ftruncate(m.fd, 0));
	need(touch(m.at) == 0);
	need(guard_is_broken(m.guard));
	unmap(&m);
}

static void
another_s_fault_goes_to_the_previous_handler(void)
{
	volatile char *hole = unguarded_hole();
	volatile int i;

	set_handler(plain_handler);
	need_answer();
	need(calls == 0);
	for (i = 1; i <= 3; i++) {
		if (!sigsetjmp(back, 1))
			*hole;
		need(calls == i);
		need_answer();
	}
}

static void
the_previous_handler_gets_what_it_asked_for(void)
{
	struct sigaction action = { .sa_sigaction = full_handler,
				    .sa_flags = SA_SIGINFO };
	volatile char *hole = unguarded_hole();

	sigaddset(&action.sa_mask, SIGUSR2);
	need(!sigaction(SIGBUS, &action, NULL));
	need_answer();
	if (!sigsetjmp(back, 1))
		hole[17];
	need(calls == 1);
	need(fault_address == hole + 17);
	need(was_blocked);
	need(!raise(SIGBUS));
	need(calls == 2);
	need_answer();
}

static void
a_previous_handler_for_once_is_called_once(void)
{
	struct sigaction action = { .sa_handler = plain_handler,
				    .sa_flags = (int)SA_RESETHAND };
	volatile char *hole = unguarded_hole();

	need(!sigaction(SIGBUS, &action, NULL));
	need_answer();
	if (!sigsetjmp(back, 1))
		*hole;
	need(calls == 1);
	need_answer();
	_exit(*hole); /* by SIGBUS */
}

static void
run_once_handler(void *argument)
{
	(void)argument;
	a_previous_handler_for_once_is_called_once();
}

static void
a_previous_handler_for_once_then_the_default(void)
{
	need(death(run_once_handler, NULL) == SIGBUS);
}

static void
fault_elsewhere(void *handler)
{
	volatile char *hole = unguarded_hole();

	set_handler(*(void (**)(int))handler);
	need_answer();
	*hole;
}

static void
another_s_fault_without_a_handler_kills(void)
{
	void (*by_default)(int) = SIG_DFL;
	void (*ignored)(int) = SIG_IGN;

	need(death(fault_elsewhere, &by_default) == SIGBUS);
	need(death(fault_elsewhere, &ignored) == SIGBUS);
}

static void
send_to_self(void *handler)
{
	set_handler(*(void (**)(int))handler);
	need_answer();
	need(!raise(SIGBUS));
	need_answer();
}

static void
a_signal_that_was_sent_does_what_it_did(void)
{
	void (*by_default)(int) = SIG_DFL;
	void (*ignored)(int) = SIG_IGN;

	need(death(send_to_self, &by_default) == SIGBUS);
	need(death(send_to_self, &ignored) == 0);
}

/* The kernel's news of a page that has gone bad, and that nobody has touched:
   whoever wants it is told. */
static void
tell_of_bad_memory(void *handler)
{
	siginfo_t info;

	set_handler(*(void (**)(int))handler);
	need_answer();
	memset(&info, 0, sizeof(info));
	info.si_signo = SIGBUS;
	info.si_code = BUS_MCEERR_AO;
	need(!syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGBUS,
		      &info));
	need_answer();
}

static void
news_of_bad_memory_can_be_ignored(void)
{
	void (*by_default)(int) = SIG_DFL;
	void (*ignored)(int) = SIG_IGN;

	if (UNDER_EMULATION)
		forked_skip("an emulator takes such news for its own");
	need(death(tell_of_bad_memory, &ignored) == 0);
	need(death(tell_of_bad_memory, &by_default) == SIGBUS);
}

/* Threads ---------------------------------------------------------------- */

enum { THREADS = 4, ROUNDS = 300, PAGES = 16 };
static word32 is_over;

static void *
add_and_remove(void *argument)
{
	struct mapped m[8];
	size_t i;

	while (!word32_load_acquire(&is_over)) {
		for (i = 0; i < ARRAY_SIZE(m); i++)
			m[i] = guarded(1, PROT_READ);
		for (i = 0; i < ARRAY_SIZE(m); i++) {
			need(!guard_is_broken(m[i].guard));
			unmap(&m[i]);
		}
	}
	return argument;
}

static void *
read_all(void *argument)
{
	struct mapped *m = argument;
	size_t i;

	for (i = 0; i < m->pages; i++) {
		if (touch(m->at + i * PAGE) == 'x')
			continue;
		atomics_fence_acquire();
		need(guard_is_broken(m->guard));
	}
	return NULL;
}

/* Reading threads see what was there, or zeros and the flag. */
static void
fault_in_threads(void)
{
	struct mapped m = guarded(PAGES, RW);
	pthread_t threads[THREADS];
	size_t i;

	memset(m.at, 'x', PAGES * PAGE);
	for (i = 0; i < THREADS; i++)
		need(!pthread_create(&threads[i], NULL, read_all, &m));
	need(!ftruncate(m.fd, 0));
	for (i = 0; i < THREADS; i++)
		need(!pthread_join(threads[i], NULL));
	unmap(&m);
}

static void
threads_fault_add_and_remove_at_the_same_time(void)
{
	pthread_t other;
	int round;

	need(!pthread_create(&other, NULL, add_and_remove, NULL));
	for (round = 0; round < ROUNDS; round++)
		fault_in_threads();
	word32_store_release(&is_over, 1);
	need(!pthread_join(other, NULL));
}

/* Children --------------------------------------------------------------- */

/* In a child: at the parent's address lies a file of the child's own. */
static void
touch_at_parent_s_address(void *argument)
{
	struct mapped *m = argument;
	int fd = forked_file(0);

	need(mmap(m->at, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) ==
	     m->at);
	touch(m->at);
}

static void
a_child_has_no_guards(void)
{
	struct mapped m;

	set_handler(SIG_DFL);
	m = guarded(1, PROT_READ);
	need(death(touch_at_parent_s_address, &m) == SIGBUS);
	need(!guard_is_broken(m.guard));
	need_answer();
}

static void
a_child_adds_its_own(void)
{
	struct mapped m = guarded(1, PROT_READ);
	pid_t pid = fork();

	need(pid >= 0);
	if (!pid) {
		need_answer();
		_exit(0);
	}
	forked_join(pid);
	pid = forked_raw_clone();
	need(pid >= 0);
	if (!pid) {
		need_answer();
		_exit(0);
	}
	forked_join(pid);
	need(!guard_is_broken(m.guard));
	unmap(&m);
}

/* Forks while another thread adds and removes: the child finds no lock held. */
static void
a_child_born_at_any_moment_adds_its_own(void)
{
	pthread_t other;
	pid_t pid;
	int i;

	need(!pthread_create(&other, NULL, add_and_remove, NULL));
	for (i = 0; i < 200; i++) {
		pid = i % 2 ? fork() : forked_raw_clone();
		need(pid >= 0);
		if (!pid) {
			need_answer();
			_exit(0);
		}
		forked_join(pid);
	}
	word32_store_release(&is_over, 1);
	need(!pthread_join(other, NULL));
}

static void
zeros_are_not_inherited(void)
{
	struct mapped m = guarded(1, PROT_READ);
	pid_t pid;

	need(!madvise(m.at, PAGE, MADV_DONTFORK));
	need(!ftruncate(m.fd, 0));
	need(touch(m.at) == 0);
	pid = fork();
	need(pid >= 0);
	if (!pid)
		_exit(mmap(m.at, PAGE, PROT_READ,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
			   -1, 0) != m.at);
	forked_join(pid);
	unmap(&m);
}

static const struct forked_test tests[] = {
	FORKED_TEST(what_was_cut_off_reads_as_zeros_and_is_told),
	FORKED_TEST(errno_is_kept),
	FORKED_TEST(other_pages_stay_what_they_were),
	FORKED_TEST(the_last_byte_of_an_odd_length_is_guarded),
	FORKED_TEST(a_writable_mapping_stays_writable),
	FORKED_TEST(a_read_only_mapping_stays_read_only),
	FORKED_TEST(many_holes_cost_few_mappings),
	FORKED_TEST(only_the_one_that_was_hit_is_broken),
	FORKED_TEST(tens_of_thousands_are_guarded),
	FORKED_TEST(what_was_removed_is_used_again),
	FORKED_TEST(removing_none_is_allowed),
	FORKED_TEST(what_was_removed_is_not_answered_for),
	FORKED_TEST(without_memory_for_zeros_it_is_the_default_action),
	FORKED_TEST(another_s_fault_goes_to_the_previous_handler),
	FORKED_TEST(the_previous_handler_gets_what_it_asked_for),
	FORKED_TEST(a_previous_handler_for_once_then_the_default),
	FORKED_TEST(another_s_fault_without_a_handler_kills),
	FORKED_TEST(a_signal_that_was_sent_does_what_it_did),
	FORKED_TEST(news_of_bad_memory_can_be_ignored),
	FORKED_TEST(threads_fault_add_and_remove_at_the_same_time),
	FORKED_TEST(a_child_has_no_guards),
	FORKED_TEST(a_child_adds_its_own),
	FORKED_TEST(a_child_born_at_any_moment_adds_its_own),
	FORKED_TEST(zeros_are_not_inherited),
};

int
main(void)
{
	return forked_run("guard", tests, ARRAY_SIZE(tests));
}
