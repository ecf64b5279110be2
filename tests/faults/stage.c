/* SPDX-License-Identifier: MIT */
/* The state from which a call is made, and the account of its messages. */
#include "faults.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

const char *const kind_names[KINDS] = {
	"limited", "unlimited", "every", "overtake", "inbox",
	"arrival", "priority", "queue-unlimited", "rendezvous",
};

/* Failing -------------------------------------------------------------------- */

static char doing[512];

void
now_doing(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(doing, sizeof(doing), format, arguments);
	va_end(arguments);
}

_Noreturn void
fail_at(const char *file, int line, const char *format, ...)
{
	char text[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	dprintf(STDERR_FILENO, "%s\n    %s:%d: %s\n", doing, file, line, text);
	_exit(1);
}

void
need_at(const char *file, int line, const char *what, int result)
{
	if (result < 0)
		fail_at(file, line, "%s: %s", what,
			strerrorname_np(-result) ? strerrorname_np(-result) :
						   "?");
}

int64_t
soon(void)
{
	return cubby_deadline_after(INT64_C(10) * 1000 * 1000 * 1000);
}

/* Messages --------------------------------------------------------------------- */

bool
is_queue(const struct stage *stage)
{
	return stage->kind >= ARRIVAL;
}

bool
is_every(const struct stage *stage)
{
	return stage->kind == EVERY || stage->kind == OVERTAKE;
}

void
put_number(void *buffer, size_t size, uint64_t number)
{
	unsigned char *bytes = buffer;
	size_t i;

	memcpy(bytes, &number, 8);
	for (i = 8; i < size; i++)
		bytes[i] = (unsigned char)(number * 7 + i);
}

void
accept_number(struct stage *stage, uint64_t number)
{
	need(stage->accepted_count < ACCOUNT_MAX);
	stage->accepted[stage->accepted_count++] = number;
}

/* Numbers of one sender rise; its next one is the first not taken. */
void
take_number(struct stage *stage, uint64_t number)
{
	unsigned i;

	for (i = 0; i < stage->accepted_count; i++) {
		if (stage->accepted[i] == number)
			break;
		if (!stage->is_taken[i] && stage->kind != OVERTAKE &&
		    !stage->has_returned &&
		    stage->accepted[i] >> 32 == number >> 32)
			fail_at(__FILE__, __LINE__, "message %llx before %llx",
				(unsigned long long)number,
				(unsigned long long)stage->accepted[i]);
	}
	if (i == stage->accepted_count)
		fail_at(__FILE__, __LINE__, "message %llx was never accepted",
			(unsigned long long)number);
	if (stage->is_taken[i])
		fail_at(__FILE__, __LINE__, "message %llx comes twice",
			(unsigned long long)number);
	stage->is_taken[i] = true;
	stage->taken_count++;
}

void
take_buffer(struct stage *stage, size_t size)
{
	uint64_t number;
	size_t i;

	need(size >= 8 && size <= sizeof(stage->buffer));
	memcpy(&number, stage->buffer, 8);
	for (i = 8; i < size; i++)
		need(stage->buffer[i] == (unsigned char)(number * 7 + i));
	take_number(stage, number);
}

int
send_one(struct stage *stage, cubby_mailbox *from, size_t size,
	 int64_t deadline)
{
	static unsigned char bytes[sizeof(stage->buffer)];
	uint64_t number, i, index = 0;
	int r;

	for (i = 0; i < stage->other_count; i++)
		if (stage->others[i] == from)
			index = i + 1;
	number = index << 32 | ++stage->next;
	put_number(bytes, size, number);
	r = cubby_send_full(from, bytes, size, NULL, 0, deadline);
	/* Who cannot be asked for lives. */
	need(r != -EPIPE || stage->is_gone);
	if (r == 0)
		accept_number(stage, number);
	return r;
}

void
send_many(struct stage *stage, cubby_mailbox *from, unsigned count, size_t size)
{
	while (count--)
		need_ok(again(send_one(stage, from, size, soon())));
}

void
fill(struct stage *stage, cubby_mailbox *from)
{
	int r;

	do
		r = again(send_one(stage, from, SMALL, CUBBY_NOW));
	while (r == 0);
	need(r == -EAGAIN);
}

/* Mailboxes -------------------------------------------------------------------- */

static void
set_options(struct stage *stage)
{
	struct cubby_options *o = &stage->options;

	*o = (struct cubby_options)CUBBY_OPTIONS_INIT;
	if (stage->kind == UNLIMITED || stage->kind == QUEUE_UNLIMITED)
		o->buffering = CUBBY_UNLIMITED;
	else if (stage->kind == RENDEZVOUS)
		o->buffering = CUBBY_RENDEZVOUS;
	else
		o->capacity = 8;
	o->message_max = 65536;
	o->memory_limit = 4 << 20;
	if (is_queue(stage))
		o->order = stage->kind == PRIORITY ? CUBBY_ORDER_PRIORITY :
						     CUBBY_ORDER_ARRIVAL;
	if (stage->kind == EVERY)
		o->delivery = CUBBY_EVERY;
	if (stage->kind == OVERTAKE)
		o->delivery = CUBBY_EVERY_OVERTAKE;
}

void
open_mine(struct stage *stage, int flags)
{
	need_ok(cubby_open(stage->name, flags | CUBBY_CREATE, &stage->options,
			   &stage->mine));
	stage->my_flags = flags;
}

cubby_mailbox *
open_other(struct stage *stage, int flags)
{
	cubby_mailbox **other = &stage->others[stage->other_count];

	need(stage->other_count < OTHERS_MAX);
	need_ok(again(cubby_open(stage->name, flags | CUBBY_CREATE,
				 &stage->options, other)));
	stage->other_flags[stage->other_count++] = flags;
	return *other;
}

void
stage_make(struct stage *stage, const struct scenario *scenario,
	   enum kind kind)
{
	memset(stage, 0, sizeof(*stage));
	stage->scenario = scenario;
	stage->kind = kind;
	stage->name = kind == INBOX ? "@m" : "m";
	stage->fd = -1;
	set_options(stage);
	stage->common = mmap(NULL, sizeof(*stage->common),
			     PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	need(stage->common != MAP_FAILED);
	if (scenario->set)
		scenario->set(stage);
}

/* Helpers -------------------------------------------------------------------------- */

void
help(struct stage *stage, void (*body)(struct stage *stage))
{
	unsigned before = atomic_load(&stage->common->ready);
	pid_t pid = fork();

	need(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		body(stage);
		_exit(0);
	}
	stage->helpers[stage->helper_count++] = pid;
	while (atomic_load(&stage->common->ready) == before)
		sched_yield();
}

void
die_after(struct stage *stage, void (*body)(struct stage *stage))
{
	int status;
	pid_t pid = fork();

	need(pid >= 0);
	if (pid == 0) {
		body(stage);
		kill(getpid(), SIGKILL);
	}
	need(waitpid(pid, &status, 0) == pid);
	need(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

void
let_helpers_go(struct stage *stage)
{
	atomic_store(&stage->common->go, 1);
}

void
helpers_end(struct stage *stage)
{
	unsigned i;
	int status;

	let_helpers_go(stage);
	for (i = 0; i < stage->helper_count; i++) {
		while (waitpid(stage->helpers[i], &status, 0) < 0)
			need(errno == EINTR);
		need(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	stage->helper_count = 0;
}

void
tell_given(struct stage *stage, uint64_t number)
{
	struct common *common = stage->common;
	unsigned n = atomic_load(&common->given_count);

	need(n < COUNT_OF(common->given));
	common->given[n] = number;
	atomic_store(&common->given_count, n + 1);
}

void
tell_taken(struct stage *stage, uint64_t number)
{
	struct common *common = stage->common;
	unsigned n = atomic_load(&common->taken_count);

	need(n < COUNT_OF(common->taken));
	common->taken[n] = number;
	atomic_store(&common->taken_count, n + 1);
}

static int64_t
presently(void)
{
	return cubby_deadline_after(20 * 1000 * 1000);
}

void
keeps_receiving(struct stage *stage)
{
	cubby_mailbox *mailbox;
	uint64_t number;
	int r;

	need_ok(cubby_open(stage->name, CUBBY_RECEIVE, &stage->options,
			   &mailbox));
	atomic_fetch_add(&stage->common->ready, 1);
	while (!atomic_load(&stage->common->go)) {
		r = cubby_receive_full(mailbox, NULL, 0, presently(),
				       stage->buffer, sizeof(stage->buffer),
				       NULL, NULL);
		if (r == -ETIMEDOUT)
			continue;
		need_ok(r);
		memcpy(&number, stage->buffer, 8);
		tell_taken(stage, number);
	}
	cubby_close(mailbox);
}

/* One that is withdrawn is offered again. */
void
keeps_sending(struct stage *stage)
{
	uint64_t number = UINT64_C(98) << 32;
	cubby_mailbox *mailbox;
	int r;

	need_ok(cubby_open(stage->name, CUBBY_SEND, &stage->options, &mailbox));
	atomic_fetch_add(&stage->common->ready, 1);
	while (!atomic_load(&stage->common->go)) {
		put_number(stage->buffer, LARGE, number + 1);
		r = cubby_send_full(mailbox, stage->buffer, LARGE, NULL, 0,
				    presently());
		if (r == -ETIMEDOUT)
			continue;
		need_ok(r);
		tell_given(stage, ++number);
	}
	cubby_close(mailbox);
}

/* The account ------------------------------------------------------------------------ */

static void
take_what_helpers_have(struct stage *stage)
{
	struct common *common = stage->common;
	unsigned i;

	for (i = 0; i < atomic_load(&common->given_count); i++)
		accept_number(stage, common->given[i]);
	for (i = 0; i < atomic_load(&common->taken_count); i++)
		take_number(stage, common->taken[i]);
	atomic_store(&common->given_count, 0);
	atomic_store(&common->taken_count, 0);
}

/* A handle that receives, if this process has one. */
static cubby_mailbox *
a_receiver(struct stage *stage)
{
	unsigned i;

	/* Of a broadcast, one that was there from the beginning. */
	if (!is_every(stage) && stage->mine &&
	    (stage->my_flags & CUBBY_RECEIVE))
		return stage->mine;
	for (i = 0; i < stage->other_count; i++)
		if (stage->others[i] &&
		    (stage->other_flags[i] & CUBBY_RECEIVE))
			return stage->others[i];
	if (stage->mine && (stage->my_flags & CUBBY_RECEIVE))
		return stage->mine;
	return open_other(stage, CUBBY_RECEIVE);
}

void
drain_one(struct stage *stage, cubby_mailbox *receiver)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	size_t size;
	int r;

	for (;;) {
		r = again(cubby_receive_full(receiver, NULL, 0, CUBBY_NOW,
					     stage->buffer,
					     sizeof(stage->buffer), &size,
					     &envelope));
		if (r == -EAGAIN)
			return;
		need_at(__FILE__, __LINE__, "receive", r);
		stage->passed_over += envelope.missed;
		take_buffer(stage, size);
	}
}

static bool
is_missing(const struct stage *stage)
{
	unsigned i;

	for (i = 0; i < stage->accepted_count; i++)
		if (!stage->is_taken[i])
			return true;
	return false;
}

/* What a dead one had goes back while somebody looks, and a look is short: what is
   left for the next one, who does not wait is not told of. */
static void
await_returned(struct stage *stage, cubby_mailbox *receiver)
{
	size_t size;
	int r;

	while (stage->has_returned && is_missing(stage)) {
		r = again(cubby_receive_full(receiver, NULL, 0, soon(),
					     stage->buffer,
					     sizeof(stage->buffer), &size,
					     NULL));
		if (r == -ETIMEDOUT)
			return;
		need_at(__FILE__, __LINE__, "receive", r);
		take_buffer(stage, size);
	}
}

static void
expect_all(struct stage *stage)
{
	unsigned i;

	if (stage->kind == OVERTAKE) {
		need(stage->taken_count + stage->passed_over >=
		     stage->accepted_count);
		return;
	}
	for (i = 0; i < stage->accepted_count; i++)
		if (!stage->is_taken[i])
			fail_at(__FILE__, __LINE__,
				"message %llx (of %u) is lost",
				(unsigned long long)stage->accepted[i],
				stage->accepted_count);
}

/* Of a broadcast: the others must not hold the senders back. */
static void
drain_others(struct stage *stage, const cubby_mailbox *but)
{
	unsigned i;
	int r;

	for (i = 0; is_every(stage) && i <= stage->other_count; i++) {
		cubby_mailbox *one = i ? stage->others[i - 1] : stage->mine;
		int flags = i ? stage->other_flags[i - 1] : stage->my_flags;

		if (!one || one == but || !(flags & CUBBY_RECEIVE))
			continue;
		do
			r = again(cubby_receive_full(
				one, NULL, 0, CUBBY_NOW, stage->buffer,
				sizeof(stage->buffer), NULL, NULL));
		while (r == 0);
		need(r == -EAGAIN);
	}
}

/* Every handle that sends sends, and all of it arrives. */
static void
go_on(struct stage *stage, cubby_mailbox *receiver)
{
	unsigned i;
	int r;

	for (i = 0; i <= stage->other_count; i++) {
		cubby_mailbox *from = i ? stage->others[i - 1] : stage->mine;
		int flags = i ? stage->other_flags[i - 1] : stage->my_flags;

		if (!from || !(flags & CUBBY_SEND))
			continue;
		r = again(send_one(stage, from, SMALL, CUBBY_NOW));
		need_at(__FILE__, __LINE__, "send", r);
		drain_one(stage, receiver);
		drain_others(stage, receiver);
	}
	expect_all(stage);
}

/* Where nothing is buffered, each handle meets somebody. */
static void
meet(struct stage *stage, cubby_mailbox *mailbox, int flags)
{
	uint64_t number;

	atomic_store(&stage->common->go, 0);
	if (flags & CUBBY_SEND) {
		help(stage, keeps_receiving);
		need_ok(again(send_one(stage, mailbox, SMALL, soon())));
	} else if (flags & CUBBY_RECEIVE) {
		help(stage, keeps_sending);
		need_ok(again(cubby_receive_full(mailbox, NULL, 0, soon(),
						 stage->buffer,
						 sizeof(stage->buffer), NULL,
						 NULL)));
		memcpy(&number, stage->buffer, 8);
		tell_taken(stage, number);
	}
	helpers_end(stage);
	take_what_helpers_have(stage);
	expect_all(stage);
	stage->accepted_count = stage->taken_count = 0;
	memset(stage->is_taken, 0, sizeof(stage->is_taken));
}

static void
meet_all(struct stage *stage)
{
	unsigned i;

	expect_all(stage);
	stage->accepted_count = stage->taken_count = 0;
	memset(stage->is_taken, 0, sizeof(stage->is_taken));
	/* Nobody finds one that has no name. */
	if (stage->scenario->traits & FILES_GO)
		return;
	if (stage->mine)
		meet(stage, stage->mine, stage->my_flags);
	for (i = 0; i < stage->other_count; i++)
		if (stage->others[i])
			meet(stage, stage->others[i], stage->other_flags[i]);
}

void
stage_account(struct stage *stage)
{
	struct cubby_info info = CUBBY_INFO_INIT;
	cubby_mailbox *receiver;

	helpers_end(stage);
	take_what_helpers_have(stage);
	if (!stage->mine && !stage->other_count)
		return;
	receiver = a_receiver(stage);
	if (stage->kind != RENDEZVOUS) {
		drain_one(stage, receiver);
		await_returned(stage, receiver);
		drain_others(stage, receiver);
		expect_all(stage);
		go_on(stage, receiver);
	} else {
		meet_all(stage);
	}
	if (again(cubby_inspect(stage->name, &info)) == 0)
		need(info.broken == 0 || info.broken == CUBBY_UNKNOWN);
}

static void
unlink_one(const char *name)
{
	int r = again(cubby_unlink(name));

	need(r == 0 || r == -ENOENT || r == -ENOTDIR);
}

static int
unlink_region(const char *name, void *context)
{
	(void)context;
	need_ok(cubby_region_unlink(name));
	return 0;
}

void
stage_close(struct stage *stage)
{
	unsigned i;

	helpers_end(stage);
	cubby_abort(stage->draft);
	cubby_call_cancel(stage->request);
	if (stage->message)
		need_ok(cubby_release(stage->message));
	cubby_region_close(stage->region);
	cubby_region_close(stage->region2);
	cubby_close(stage->mine);
	for (i = 0; i < stage->other_count; i++)
		cubby_close(stage->others[i]);
	munmap(stage->common, sizeof(*stage->common));
	unlink_one(stage->name);
	unlink_one("m2");
	need_ok(again(cubby_region_list(unlink_region, NULL)));
	need_ok(again(cubby_sweep(NULL, NULL)));
}
