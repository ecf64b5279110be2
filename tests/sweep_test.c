/* SPDX-License-Identifier: MIT */
/* Test: timeout 240. */
/* cubby_sweep(): cleans up behind the dead, never harms the living. */
#include "support/support.h"
#include "layout.h"
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)
#define STEP 7 /* stops of one and of the other, where all pairs are many */
#define STRANGER 61004

static struct cubby_swept
sweep(const char *name)
{
	struct cubby_swept swept = CUBBY_SWEPT_INIT;

	expect_ok(cubby_sweep(name, &swept));
	return swept;
}

static void
there_is_nothing_to_sweep_at_first(void)
{
	struct cubby_swept swept = sweep(NULL);

	expect_int(swept.mailboxes + swept.lanes + swept.messages + swept.bytes,
		   0);
	expect_ok(cubby_sweep(NULL, NULL));
}

static void
the_living_are_left_alone(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	cubby_mailbox *unlinked;
	static char data[300000], buffer[300000];
	cubby_message *message;
	cubby_draft *draft;
	size_t size;

	unlinked = open_mailbox("u", CUBBY_CREATE | BOTH, NULL);
	send_text(unlinked, "unlinked");
	expect_ok(cubby_unlink("u"));
	pattern_fill(data, sizeof(data), 1);
	expect_ok(cubby_send(mailbox, data, sizeof(data)));
	send_text(mailbox, "waits");
	expect_ok(cubby_hold(mailbox, NULL, CUBBY_NOW, &message));
	expect_ok(cubby_reserve(mailbox, 200000, CUBBY_NOW, &draft));
	pattern_fill(cubby_draft_data(draft), 200000, 2);
	for (int i = 0; i < 5; i++) {
		sweep(NULL);
		sweep("m");
	}
	expect(pattern_holds(cubby_message_data(message), sizeof(data), 1));
	expect_ok(cubby_release(message));
	expect_text(mailbox, "waits");
	expect_ok(cubby_commit(draft, 200000, NULL));
	expect_ok(cubby_receive(mailbox, buffer, sizeof(buffer), &size));
	expect(size == 200000 && pattern_holds(buffer, size, 2));
	expect_text(unlinked, "unlinked");
	send_text(unlinked, "goes on");
	expect_text(unlinked, "goes on");
	cubby_close(unlinked);
	cubby_close(mailbox);
}

static void
a_dead_senders_memory_is_given_back(void)
{
	cubby_mailbox *receiver =
		open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE, NULL);
	static char data[1 << 20], buffer[1 << 20];
	uint64_t empty = inspect("m").memory, full;
	struct cubby_swept swept;
	struct child child;

	in_child(&child) {
		cubby_mailbox *own = open_mailbox("m", CUBBY_SEND, NULL);

		for (int i = 0; i < 8; i++)
			expect_ok(cubby_send(own, data, sizeof(data)));
		raise(SIGKILL);
	}
	expect_int(waitpid(child.pid, NULL, 0), child.pid);
	close(child.pidfd);
	full = inspect("m").memory;
	expect(full >= empty + (8 << 20));
	for (int i = 0; i < 8; i++)
		expect_ok(
			cubby_receive(receiver, buffer, sizeof(buffer), NULL));
	swept = sweep("m");
	expect_int(swept.lanes, 1);
	expect(swept.bytes >= 8 << 20);
	expect(inspect("m").memory <= empty + (64 << 10));
	cubby_close(receiver);
}

static void
a_dead_senders_backlog_is_kept(void)
{
	static char data[100000], buffer[100000];
	cubby_mailbox *mailbox;
	size_t size;

	for (uint64_t n = 0; n < 3; n++) {
		mailbox = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND, NULL);
		pattern_fill(data, sizeof(data), n);
		expect_ok(cubby_send(mailbox, data, sizeof(data)));
		send_number(mailbox, n);
		cubby_close(mailbox);
		sweep(n % 2 ? "m" : NULL);
	}
	mailbox = open_mailbox("m", CUBBY_RECEIVE, NULL);
	for (uint64_t n = 0; n < 3; n++) {
		expect_ok(
			cubby_receive(mailbox, buffer, sizeof(buffer), &size));
		expect(size == sizeof(data) && pattern_holds(buffer, size, n));
		expect_number(mailbox, n);
	}
	expect_empty(mailbox);
	cubby_close(mailbox);
}

static void
a_dead_holders_messages_are_put_back(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	struct gate held = gate_make();
	struct child child;

	for (uint64_t n = 0; n < 5; n++)
		send_number(mailbox, n);
	in_child(&child) {
		cubby_mailbox *own = open_mailbox("m", CUBBY_RECEIVE, NULL);
		cubby_message *message;

		for (int i = 0; i < 3; i++)
			expect_ok(cubby_hold(own, NULL, CUBBY_NOW, &message));
		gate_open(&held);
		pause();
	}
	gate_wait(&held);
	expect_int(sweep("m").messages, 0);
	child_kill(&child);
	expect_int(sweep(NULL).messages, 3);
	expect_int(inspect("m").returned, 3);
	expect_int(sweep("m").messages, 0);
	for (int i = 0; i < 3; i++)
		expect(receive_number(mailbox) < 3);
	expect_number(mailbox, 3);
	expect_number(mailbox, 4);
	expect_empty(mailbox);
	cubby_close(mailbox);
}

static void
an_unlinked_mailbox_of_the_dead_is_removed(void)
{
	struct gate opened = gate_make();
	struct child child;

	in_child(&child) {
		cubby_mailbox *own = open_mailbox("m", CUBBY_CREATE | BOTH,
						  NULL);

		send_text(own, "lost with the mailbox");
		gate_open(&opened);
		pause();
	}
	gate_wait(&opened);
	expect_ok(cubby_unlink("m"));
	expect_int(sweep(NULL).mailboxes, 0);
	expect(count_files() > 1);
	child_kill(&child);
	expect_int(sweep(NULL).mailboxes, 1);
	expect_int(count_files(), 1);
}

static void
a_dead_temporary_mailbox_is_removed(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	struct gate opened = gate_make();
	struct child child;

	options.lifetime = CUBBY_TEMPORARY;
	in_child(&child) {
		open_mailbox("m", CUBBY_CREATE | BOTH, &options);
		gate_open(&opened);
		pause();
	}
	gate_wait(&opened);
	expect_int(sweep(NULL).mailboxes, 0);
	child_kill(&child);
	expect_int(sweep(NULL).mailboxes, 1);
	expect_int(count_files(), 1);
}

static void
errors_are_told(void)
{
	struct cubby_swept swept = CUBBY_SWEPT_INIT;

	expect_result(cubby_sweep("none", &swept), -ENOENT);
	expect_result(cubby_sweep("", &swept), -EINVAL);
	cubby_close(open_mailbox("m", CUBBY_CREATE, NULL));
	swept.struct_size = 0;
	expect_result(cubby_sweep("m", &swept), -EINVAL);
	expect_system(chmod(test_root(), 0777));
	swept.struct_size = sizeof(swept);
	expect_result(cubby_sweep("m", &swept), -EPERM);
	expect_result(cubby_sweep(NULL, &swept), -EPERM);
	expect_system(chmod(test_root(), 0700));
}

/* Killed at each system call --------------------------------------------- */

/* Who unlinks another one removes them too: a few at a time, and none is passed
   over for ever. */
static void
what_the_dead_have_unlinked_goes_with_the_next(void)
{
	struct gate unlinked = gate_make();
	struct child child;
	char name[16];

	in_child(&child) {
		for (int i = 0; i < 40; i++) {
			snprintf(name, sizeof(name), "m%d", i);
			open_mailbox(name, CUBBY_CREATE | BOTH, NULL);
			expect_ok(cubby_unlink(name));
		}
		gate_open(&unlinked);
		pause();
	}
	gate_wait(&unlinked);
	child_kill(&child);
	for (int i = 0; i < 3; i++) {
		expect(count_files() > 1);
		expect_result(cubby_unlink("m"), -ENOENT);
	}
	expect_int(count_files(), 1);
}

static void
create_and_use(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);

	send_text(mailbox, "made");
	cubby_close(mailbox);
}

static void
unlink_in_use(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);

	expect_ok(cubby_unlink("m"));
	send_text(mailbox, "unlinked");
	cubby_close(mailbox);
}

static void
let_it_end(pid_t pid)
{
	int status;

	expect_system(ptrace(PTRACE_DETACH, pid, NULL, NULL));
	expect_int(waitpid(pid, &status, 0), pid);
	expect(WIFEXITED(status));
	expect_int(WEXITSTATUS(status), 0);
}

static pid_t
start_traced(void (*run)(void))
{
	pid_t pid = fork();
	int status;

	expect_system(pid);
	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		run();
		_exit(0);
	}
	expect_int(waitpid(pid, &status, 0), pid);
	expect(WIFSTOPPED(status));
	ptrace(PTRACE_SETOPTIONS, pid, NULL,
	       (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL));
	return pid;
}

/* Until it stops by itself. */
static void
go_to_stop(pid_t pid)
{
	int status;

	expect_system(ptrace(PTRACE_CONT, pid, NULL, NULL));
	expect_int(waitpid(pid, &status, 0), pid);
	expect(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
}

/* Until its k-th stop: a call stops it twice, on its way in, and out. False: it
   has ended, or would stop by itself, before that. */
static bool
go_on(pid_t pid, int k)
{
	int status;

	while (k >= 0) {
		expect_system(ptrace(PTRACE_SYSCALL, pid, NULL, NULL));
		expect_int(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status)) {
			expect_int(WEXITSTATUS(status), 0);
			return false;
		}
		expect(WIFSTOPPED(status));
		if (WSTOPSIG(status) == SIGSTOP) {
			let_it_end(pid);
			return false;
		}
		if (WSTOPSIG(status) == (SIGTRAP | 0x80))
			k--;
	}
	return true;
}

/* Runs it in a child as far as that. 0: it has ended. */
static pid_t
stop_at_call(void (*run)(void), int k)
{
	pid_t pid = start_traced(run);

	return go_on(pid, k) ? pid : 0;
}

static bool
kill_at_call(void (*run)(void), int k)
{
	pid_t pid = stop_at_call(run, k);

	if (!pid)
		return false;
	expect_system(kill(pid, SIGKILL));
	expect_int(waitpid(pid, NULL, 0), pid);
	return true;
}

static void
expect_swept_after_each(void (*run)(void))
{
	for (int k = 0; kill_at_call(run, k); k++) {
		cubby_mailbox *mailbox;
		struct cubby_info info = CUBBY_INFO_INIT;
		int there = cubby_inspect("m", &info);

		expect(k < 2000);
		/* Whole or not at all. */
		if (there != -ENOENT)
			expect_ok(there);
		mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
		while (inspect("m").waiting > 0)
			expect_text(mailbox, "made");
		send_text(mailbox, "works");
		expect_text(mailbox, "works");
		cubby_close(mailbox);
		expect_ok(cubby_unlink("m"));
		sweep(NULL);
		if (count_files() > 1)
			fail_at(__FILE__, __LINE__,
				"killed at call %d: files "
				"are left",
				k / 2);
	}
}

static void
creation_killed_at_each_call_is_swept(void)
{
	/* Its directory is there in all rounds. */
	create_and_use();
	expect_ok(cubby_unlink("m"));
	expect_swept_after_each(create_and_use);
	expect_ok(cubby_unlink("m"));
}

static void
unlinking_killed_at_each_call_is_swept(void)
{
	unlink_in_use();
	expect_swept_after_each(unlink_in_use);
}

static void
use_temporary(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_mailbox *mailbox;

	options.lifetime = CUBBY_TEMPORARY;
	/* It may have met another. */
	if (cubby_open("m", CUBBY_CREATE | CUBBY_RECEIVE, &options,
		       &mailbox) == 0)
		cubby_close(mailbox);
}

static void
the_end_of_a_temporary_one_killed_at_each_call_is_swept(void)
{
	use_temporary();
	expect_swept_after_each(use_temporary);
}

/* Lanes and reply files that their makers have not finished: as a temporary file
   that is locked, or is not any more. */
static void
what_nobody_goes_on_making_is_removed(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET,
			      .l_start = 0, .l_len = 1 };
	static const char *const names[] = { ".new.left", ".new.making",
					     "new.other" };
	char lanes[PATH_MAX], path[2 * PATH_MAX];
	size_t files = count_files();
	int fd[COUNT_OF(names)];

	send_text(mailbox, "stays");
	find_file("/lane.0", lanes);
	*strrchr(lanes, '/') = '\0';
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", lanes, names[i]);
		fd[i] = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		expect_system(fd[i]);
	}
	expect_system(fcntl(fd[1], F_OFD_SETLK, &lock));
	/* What has that name and is no file is nobody's lane. */
	snprintf(path, sizeof(path), "%s/.new.directory", lanes);
	expect_system(mkdir(path, 0700));
	sweep("m");
	expect_int(count_files(), files + 3);
	find_file("/.new.making", path);
	find_file("/new.other", path);
	find_file("/.new.directory", path);
	expect_system(rmdir(path));
	for (size_t i = 0; i < COUNT_OF(names); i++)
		close(fd[i]);
	sweep("m");
	expect_int(count_files(), files + 1);
	find_file("/new.other", path);
	expect_system(unlink(path));
	expect_text(mailbox, "stays");
	cubby_close(mailbox);
}

/* Another's stays: he may be about to lock it. */
static void
what_another_user_is_making_stays(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	struct child child;
	char lanes[PATH_MAX];
	cubby_mailbox *mailbox;

	need_root();
	share_root();
	options.mode = 0666;
	mailbox = open_mailbox("/m", CUBBY_CREATE | BOTH, &options);
	send_text(mailbox, "x");
	find_file("/lane.0", lanes);
	strcpy(strrchr(lanes, '/'), "/.new.his");
	in_child(&child) {
		int fd;

		become(STRANGER, STRANGER, 0);
		fd = open(lanes, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
		expect_system(fd);
		expect_system(fchmod(fd, 0666));
	}
	child_finish(&child);
	sweep("/m");
	find_file("/.new.his", lanes);
	expect_system(unlink(lanes));
	cubby_close(mailbox);
	expect_ok(cubby_unlink("/m"));
}

/* Stopped at each call --------------------------------------------------- */

/* He who removes stands still, and goes on over another of that name. */
static void
the_end_of_one_is_not_that_of_another(void)
{
	pid_t pid;

	use_temporary();
	for (int k = 0; (pid = stop_at_call(use_temporary, k)); k++) {
		cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH,
						      NULL);

		expect(k < 2000);
		send_text(mailbox, "kept");
		if (inspect("m").lifetime == CUBBY_PERSISTENT) {
			cubby_close(mailbox);
			let_it_end(pid);
			mailbox = open_mailbox("m", CUBBY_RECEIVE, NULL);
		} else {
			let_it_end(pid);
		}
		expect_text(mailbox, "kept");
		cubby_close(mailbox);
		cubby_unlink("m");
		sweep(NULL);
		expect_int(count_files(), 1);
	}
}

static void
unlink_it(void)
{
	int result = cubby_unlink("m");

	expect(result == 0 || result == -ENOENT);
}

/* Stops when he is in. */
static void
open_and_use(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);

	raise(SIGSTOP);
	send_text(mailbox, "arrives");
	expect_text(mailbox, "arrives");
	cubby_close(mailbox);
}

/* One comes while another unlinks, each stopped at a call: he is in all of it,
   or in the next one. */
static bool
try_open_beside_unlink(int open_call, int unlink_call)
{
	pid_t opener, unlinker;

	cubby_close(open_mailbox("m", CUBBY_CREATE, NULL));
	opener = stop_at_call(open_and_use, open_call);
	if (!opener)
		return false;
	unlinker = stop_at_call(unlink_it, unlink_call);
	go_to_stop(opener);
	if (unlinker)
		let_it_end(unlinker);
	let_it_end(opener);
	cubby_unlink("m");
	sweep(NULL);
	expect_int(count_files(), 1);
	return unlinker != 0;
}

static void
nobody_is_left_inside_of_what_is_unlinked(void)
{
	int i, k = 0;

	for (i = 0; k != 0 || i == 0; i += STEP)
		for (k = 0; try_open_beside_unlink(i, k); k += STEP)
			expect(i < 2000 && k < 2000);
	expect_ok(cubby_unlink("m"));
}

/* As one does who looks whether it has ended, and is killed over it. */
static void
begin_to_close(void)
{
	char path[PATH_MAX];
	uint32_t word;
	int fd;

	snprintf(path, sizeof(path), "%s/cubby-%d/m/receivers", test_root(),
		 geteuid());
	fd = open(path, O_RDWR | O_CLOEXEC);
	expect_system(fd);
	expect_int(pread(fd, &word, sizeof(word),
			 offsetof(struct receivers_file, state)),
		   sizeof(word));
	word = ((word >> 2) + 1) << 2 | STATE_CLOSING;
	expect_int(pwrite(fd, &word, sizeof(word),
			  offsetof(struct receivers_file, state)),
		   sizeof(word));
	close(fd);
}

static void
hold_temporary(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_mailbox *mailbox;

	options.lifetime = CUBBY_TEMPORARY;
	mailbox = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE, &options);
	raise(SIGSTOP);
	cubby_close(mailbox);
}

/* He has seen nobody, and stands still; then one comes who had seen him, and
   another looks. */
static bool
try_old_answer(int open_call, int close_call)
{
	pid_t first = start_traced(hold_temporary), second;
	bool more;

	go_to_stop(first);
	second = stop_at_call(open_and_use, open_call);
	more = second && go_on(first, close_call);
	if (second)
		go_to_stop(second);
	if (more && inspect("m").lifetime == CUBBY_TEMPORARY)
		begin_to_close();
	if (more || !second)
		let_it_end(first);
	if (second)
		let_it_end(second);
	cubby_unlink("m");
	sweep(NULL);
	expect_int(count_files(), 1);
	return more;
}

static void
an_old_answer_ends_nothing(void)
{
	int i, k = 0;

	/* Between the answer and what follows from it are few calls. */
	for (i = 0; k != 0 || i == 0; i += 2 * STEP)
		for (k = 0; try_old_answer(i, k); k += 2)
			expect(i < 2000 && k < 2000);
}

/* He stands still, and unlinks another than he has looked at: its users find
   it, too. */
static void
what_is_unlinked_late_is_removed_by_its_last_user(void)
{
	struct cubby_info info = CUBBY_INFO_INIT;
	pid_t pid = 1;

	for (int k = 0; pid; k++) {
		cubby_mailbox *mailbox;

		cubby_close(open_mailbox("m", CUBBY_CREATE, NULL));
		pid = stop_at_call(unlink_it, k);
		expect(k < 2000);
		cubby_unlink("m");
		mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
		if (pid)
			let_it_end(pid);
		cubby_close(mailbox);
		if (cubby_inspect("m", &info) == 0)
			expect_ok(cubby_unlink("m"));
		expect_int(count_files(), 1);
	}
}

/* Others' users ---------------------------------------------------------- */

#define OWNER	 61001

static void
use_until(const char *name, struct gate *opened, struct gate *end)
{
	cubby_mailbox *mailbox = open_mailbox(name, BOTH, NULL);

	gate_open(opened);
	gate_wait(end);
	cubby_close(mailbox);
}

static void
a_temporary_mailbox_is_left_to_its_owner(void)
{
	struct gate made = gate_make(), opened = gate_make();
	struct gate end = gate_make();
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	struct child owner, stranger;

	share_root();
	options.lifetime = CUBBY_TEMPORARY;
	options.mode = 0666;
	in_child(&owner) {
		cubby_mailbox *mailbox;

		become(OWNER, OWNER, 0);
		mailbox = open_mailbox("/m", CUBBY_CREATE | BOTH, &options);
		gate_open(&made);
		gate_wait(&opened);
		cubby_close(mailbox);
	}
	gate_wait(&made);
	in_child(&stranger) {
		become(STRANGER, STRANGER, 0);
		use_until("/m", &opened, &end);
		/* He was the last one, and it may still be used. */
		cubby_close(open_mailbox("/m", BOTH, NULL));
	}
	child_finish(&owner);
	gate_open(&end);
	child_finish(&stranger);
	in_child(&owner) {
		become(OWNER, OWNER, 0);
		expect_int(sweep("/m").mailboxes, 1);
	}
	child_finish(&owner);
	expect_int(count_files(), 0);
}

static const struct test tests[] = {
	TEST(there_is_nothing_to_sweep_at_first),
	TEST(the_living_are_left_alone),
	TEST(a_dead_senders_memory_is_given_back),
	TEST(a_dead_senders_backlog_is_kept),
	TEST(a_dead_holders_messages_are_put_back),
	TEST(an_unlinked_mailbox_of_the_dead_is_removed),
	TEST(what_the_dead_have_unlinked_goes_with_the_next),
	TEST(a_dead_temporary_mailbox_is_removed),
	TEST(errors_are_told),
	TEST(creation_killed_at_each_call_is_swept),
	TEST(unlinking_killed_at_each_call_is_swept),
	TEST(the_end_of_a_temporary_one_killed_at_each_call_is_swept),
	TEST(what_nobody_goes_on_making_is_removed),
	TEST(what_another_user_is_making_stays),
	TEST(the_end_of_one_is_not_that_of_another),
	TEST(an_old_answer_ends_nothing),
	TEST(nobody_is_left_inside_of_what_is_unlinked),
	TEST(what_is_unlinked_late_is_removed_by_its_last_user),
	TEST(a_temporary_mailbox_is_left_to_its_owner),
};

int
main(void)
{
	return RUN_TESTS("sweep", tests);
}
