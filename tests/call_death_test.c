/* SPDX-License-Identifier: MIT */
/* Test: orders, timeout 60. */
/* A request whose server has died before it was out of the mailbox: the next one
   serves it, or its caller is told, and never both. And a caller that sleeps for
   long learns in time that its server is to be asked for. */
#include "support/support.h"
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>

#include "layout_reply.h"

static cubby_mailbox *
open_server(void)
{
	return open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE, NULL);
}

static cubby_mailbox *
open_caller(void)
{
	return open_mailbox("m", CUBBY_CREATE | CUBBY_SEND, NULL);
}

static cubby_request *
begin(cubby_mailbox *caller)
{
	cubby_request *request = NULL;

	expect_ok(cubby_call_begin(caller, "request", 7, NULL, CUBBY_NOW,
				   &request));
	return request;
}

static struct cubby_envelope
take(cubby_mailbox *server)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	char buffer[16];

	expect_ok(cubby_receive_full(server, NULL, 0, soon(), buffer,
				     sizeof(buffer), NULL, &envelope));
	expect(envelope.call);
	return envelope;
}

static void
reply_path(char ret[PATH_MAX])
{
	char *end;
	struct dirent *d;
	DIR *dir;

	find_file("/receivers", ret);
	end = strrchr(ret, '/');
	strcpy(end, "/lanes");
	dir = opendir(ret);
	expect(dir != NULL);
	while ((d = readdir(dir)))
		if (!strncmp(d->d_name, "reply.", 6)) {
			strcat(ret, "/");
			strcat(ret, d->d_name);
			break;
		}
	expect(d != NULL);
	closedir(dir);
}

/* Opens the only reply file. */
static int
open_reply_file(void)
{
	char path[PATH_MAX];
	int fd;

	reply_path(path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	expect_system(fd);
	return fd;
}

/* The page of the one call that is under way, and where it lies. */
static off_t
find_pending(int fd, struct call_slot *ret)
{
	off_t at = PAGE;

	while (pread(fd, ret, sizeof(*ret), at) == sizeof(*ret)) {
		if (call_state(word64_load_acquire(&ret->word)) == CALL_PENDING)
			return at;
		at += PAGE;
	}
	fail_at(__FILE__, __LINE__, "no call is under way");
}

/* A server that has died: as `taken` names it. */
static uint64_t
make_dead_server(cubby_mailbox *caller)
{
	cubby_request *request = begin(caller);
	struct gate done = gate_make();
	struct call_slot slot;
	struct child child;
	int fd;

	in_child(&child) {
		take(open_server());
		gate_open(&done);
		pause();
	}
	gate_wait(&done);
	fd = open_reply_file();
	find_pending(fd, &slot);
	close(fd);
	child_kill(&child);
	expect_result(cubby_call_end(request, NULL, 0, NULL, CUBBY_FOREVER),
		      -EPIPE);
	return taken_who(word64_load_acquire(&slot.taken));
}

static void
write_word(int fd, off_t at, size_t offset, uint64_t value)
{
	expect(pwrite(fd, &value, sizeof(value), at + (off_t)offset) ==
	       sizeof(value));
}

/* The request that lies in the mailbox, as who has died between step 1 and 2 of
   layout_reply.h has left it. */
static void
let_it_be_taken_by(uint64_t server)
{
	int fd = open_reply_file();
	struct call_slot slot;
	off_t at = find_pending(fd, &slot);
	uint32_t use = call_use(word64_load_acquire(&slot.word));

	write_word(fd, at, offsetof(struct call_slot, taken),
		   taken_make(use, server));
	close(fd);
}

static void
nobody_gets_what_has_failed_or_was_given_up(void)
{
	cubby_mailbox *caller = open_caller(), *server;
	uint64_t dead = make_dead_server(caller);
	struct cubby_envelope envelope;
	cubby_request *request;

	server = open_server();
	expect_empty(server);
	request = begin(caller);
	let_it_be_taken_by(dead);
	expect_result(cubby_call_end(request, NULL, 0, NULL, CUBBY_NOW),
		      -EPIPE);
	expect_empty(server);
	request = begin(caller);
	let_it_be_taken_by(dead);
	cubby_call_cancel(request);
	expect_empty(server);
	/* Nobody has been told yet: the next one serves it. */
	request = begin(caller);
	let_it_be_taken_by(dead);
	envelope = take(server);
	expect_ok(cubby_reply(server, &envelope, NULL, 0));
	expect_ok(cubby_call_end(request, NULL, 0, NULL, soon()));
	cubby_close(caller);
	cubby_close(server);
}

/* Between its last look at `taken` and its sleep: that must not begin. */
static void
who_takes_it_changes_what_a_caller_is_about_to_sleep_on(void)
{
	cubby_mailbox *caller = open_caller(), *server = open_server();
	cubby_request *request = begin(caller);
	int fd = open_reply_file();
	struct cubby_envelope envelope;
	struct call_slot slot;
	off_t at = find_pending(fd, &slot);
	uint64_t word = word64_load_acquire(&slot.word);

	write_word(fd, at, 0, word | CALL_ASLEEP);
	write_word(fd, at, offsetof(struct call_slot, taken),
		   taken_make(call_use(word), TAKEN_TELL));
	envelope = take(server);
	find_pending(fd, &slot);
	expect_int(word64_load_acquire(&slot.word), word);
	close(fd);
	expect_ok(cubby_reply(server, &envelope, NULL, 0));
	expect_ok(cubby_call_end(request, NULL, 0, NULL, soon()));
	cubby_close(caller);
	cubby_close(server);
}

int
main(void)
{
	static const struct test tests[] = {
		TEST(nobody_gets_what_has_failed_or_was_given_up),
		TEST(who_takes_it_changes_what_a_caller_is_about_to_sleep_on),
	};

	return RUN_TESTS("call_death", tests);
}
