/* SPDX-License-Identifier: MIT */
/* Descriptors for event loops, and waiting for several mailboxes. */
#include "faults.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

enum { MANY_ENTRIES = 130,	/* more than the kernel waits for at once */
       UNTOUCHED = 77 };

/* Those that get full soon. */
#define FILLED (ONLY(LIMITED) | ONLY(EVERY) | ONLY(INBOX) | ONLY(ARRIVAL) | \
		ONLY(PRIORITY))

static int64_t
shortly(void)
{
	return cubby_deadline_after(20 * 1000 * 1000);
}

/* Descriptors ------------------------------------------------------------- */

static void
expect_readable(int fd, bool is)
{
	struct pollfd poll_fd = { fd, POLLIN, 0 };
	int r;

	/* Its own look comes in a second at most. */
	do
		r = poll(&poll_fd, 1, is ? 10000 : 0);
	while (r < 0 && errno == EINTR);
	need(r == is);
}

static void
receiver_set(struct stage *s)
{
	open_other(s, CUBBY_SEND);
	open_mine(s, CUBBY_RECEIVE);
}

static void
sender_set(struct stage *s)
{
	open_mine(s, CUBBY_SEND);
	open_other(s, CUBBY_RECEIVE);
}

static int
fd_act(struct stage *s, int role)
{
	int fd = cubby_fd(s->mine, role);

	s->fd = fd;
	return fd < 0 ? fd : 0;
}

static int
fd_receive_act(struct stage *s)
{
	return fd_act(s, CUBBY_RECEIVE);
}

static int
fd_send_act(struct stage *s)
{
	return fd_act(s, CUBBY_SEND);
}

/* Now that it is there, it tells. */
static void
fd_receive_check(struct stage *s)
{
	need(cubby_fd(s->mine, CUBBY_RECEIVE) == s->fd);
	if (s->kind == RENDEZVOUS)
		return;
	send_many(s, s->others[0], 1, SMALL);
	expect_readable(s->fd, true);
}

static void
drain_some(struct stage *s, cubby_mailbox *receiver)
{
	size_t size;

	while (again(cubby_receive_full(receiver, NULL, 0, CUBBY_NOW, s->buffer,
					sizeof(s->buffer), &size, NULL)) == 0)
		take_buffer(s, size);
}

static void
fd_send_check(struct stage *s)
{
	need(cubby_fd(s->mine, CUBBY_SEND) == s->fd);
	if (!(FILLED & ONLY(s->kind)))
		return;
	fill(s, s->mine);
	drain_some(s, s->others[0]);
	expect_readable(s->fd, true);
}

/* A call that finds nothing arms it. */
static void
armed_receiver_set(struct stage *s)
{
	receiver_set(s);
	s->fd = cubby_fd(s->mine, CUBBY_RECEIVE);
	need(s->fd >= 0);
	send_many(s, s->others[0], 1, SMALL);
	drain_some(s, s->mine);
	send_many(s, s->others[0], 1, SMALL);
	expect_readable(s->fd, true);
	drain_some(s, s->mine);
}

static int
arm_act(struct stage *s)
{
	int r = cubby_receive_full(s->mine, NULL, 0, CUBBY_NOW, s->buffer,
				   sizeof(s->buffer), NULL, NULL);

	need(r != 0);
	return r == -EAGAIN ? 0 : r;
}

static void
arm_check(struct stage *s)
{
	send_many(s, s->others[0], 1, SMALL);
	expect_readable(s->fd, true);
}

/* Who sends rings; if he cannot, the one who polls looks by himself. */
static void
ring_set(struct stage *s)
{
	sender_set(s);
	s->fd = cubby_fd(s->others[0], CUBBY_RECEIVE);
	need(s->fd >= 0);
	drain_some(s, s->others[0]);
}

static int
ring_act(struct stage *s)
{
	return send_one(s, s->mine, SMALL, CUBBY_NOW);
}

static void
ring_check(struct stage *s)
{
	expect_readable(s->fd, true);
}

/* Who receives rings those who send. */
static void
ring_back_set(struct stage *s)
{
	receiver_set(s);
	fill(s, s->others[0]);
	s->fd = cubby_fd(s->others[0], CUBBY_SEND);
	need(s->fd >= 0);
	need(send_one(s, s->others[0], SMALL, CUBBY_NOW) == -EAGAIN);
}

static int
ring_back_act(struct stage *s)
{
	int r = cubby_receive_full(s->mine, NULL, 0, CUBBY_NOW, s->buffer,
				   sizeof(s->buffer), &s->outs.size, NULL);

	if (r == 0)
		take_buffer(s, s->outs.size);
	return r;
}

static void
ring_back_check(struct stage *s)
{
	drain_some(s, s->mine);
	expect_readable(s->fd, true);
}

/* Waiting ----------------------------------------------------------------- */

/* One that receives from each of three mailboxes' ends: room, or messages. */
static void
several_set(struct stage *s)
{
	receiver_set(s);
	if (s->kind != INBOX)
		open_other(s, CUBBY_RECEIVE);
	open_other(s, CUBBY_SEND);
}

/* What is told of those that are not ready is not touched. */
static int
wait_for(struct cubby_wait_entry *entries, size_t count, int64_t deadline)
{
	size_t i;
	int r;

	for (i = 0; i < count; i++)
		entries[i].ready = UNTOUCHED;
	r = cubby_wait(entries, count, deadline);
	for (i = 0; i < count; i++)
		need((entries[i].ready == UNTOUCHED) == (r < 0));
	return r;
}

/* For messages, where they receive. */
static unsigned
list_receivers(struct stage *s, struct cubby_wait_entry *ret)
{
	unsigned i, count = 0;

	for (i = 0; i <= s->other_count; i++) {
		cubby_mailbox *one = i ? s->others[i - 1] : s->mine;
		int flags = i ? s->other_flags[i - 1] : s->my_flags;

		if (flags & CUBBY_RECEIVE)
			ret[count++] = (struct cubby_wait_entry){
				one, CUBBY_RECEIVE, 0 };
	}
	return count;
}

static int
wait_one_act(struct stage *s)
{
	struct cubby_wait_entry entry = { s->mine, CUBBY_RECEIVE, 0 };
	int r = wait_for(&entry, 1, shortly());

	need(r < 0);
	return r;
}

static int
wait_act(struct stage *s)
{
	struct cubby_wait_entry entries[8];
	unsigned count = list_receivers(s, entries);
	int r;

	/* And twice the first: two ends, if it is the only one. */
	entries[count++] = entries[0];
	r = wait_for(entries, count, shortly());
	need(r < 0);
	return r;
}

static int
wait_now_act(struct stage *s)
{
	struct cubby_wait_entry entries[8];
	unsigned count = list_receivers(s, entries);
	int r = wait_for(entries, count, CUBBY_NOW);

	need(r < 0);
	return r == -EAGAIN ? 0 : r;
}

/* A message after all that: it is found by the same. */
static void
wait_check(struct stage *s)
{
	struct cubby_wait_entry entries[8];
	unsigned count = list_receivers(s, entries);

	if (s->kind == RENDEZVOUS)
		return;
	send_many(s, s->others[0], 1, SMALL);
	need(again(wait_for(entries, count, soon())) >= 1);
	need(entries[0].ready == CUBBY_RECEIVE);
}

static void
ready_set(struct stage *s)
{
	several_set(s);
	send_many(s, s->others[0], 1, LARGE);
}

static int
wait_ready_act(struct stage *s)
{
	struct cubby_wait_entry entries[8];
	unsigned count = list_receivers(s, entries);
	int r = wait_for(entries, count, soon());

	need(r < 0 || entries[0].ready == CUBBY_RECEIVE);
	return r;
}

/* A message comes while it sleeps. */
static void
sends(struct stage *s)
{
	cubby_mailbox *mailbox;
	uint64_t number = UINT64_C(77) << 32;

	need_ok(cubby_open(s->name, CUBBY_SEND, &s->options, &mailbox));
	atomic_fetch_add(&s->common->ready, 1);
	need_ok(cubby_send(mailbox, &number, sizeof(number)));
	cubby_close(mailbox);
}

static void
coming_set(struct stage *s)
{
	several_set(s);
	accept_number(s, UINT64_C(77) << 32);
	help(s, sends);
}

static int
wait_coming_act(struct stage *s)
{
	struct cubby_wait_entry entries[8];
	unsigned count = list_receivers(s, entries);

	entries[count++] = entries[0];
	return wait_for(entries, count, soon());
}

static void
coming_check(struct stage *s)
{
	helpers_end(s);
}

/* For room. */
static void
full_set(struct stage *s)
{
	unsigned i;

	sender_set(s);
	open_other(s, CUBBY_SEND);
	for (i = 0; i < 2; i++)
		fill(s, i ? s->others[1] : s->mine);
}

static int
wait_room_act(struct stage *s)
{
	struct cubby_wait_entry entries[2] = {
		{ s->mine, CUBBY_SEND, 0 }, { s->others[1], CUBBY_SEND, 0 } };
	int r = wait_for(entries, 2, shortly());

	need(r < 0);
	return r;
}

static void
room_check(struct stage *s)
{
	struct cubby_wait_entry entries[2] = {
		{ s->mine, CUBBY_SEND, 0 }, { s->others[1], CUBBY_SEND, 0 } };

	drain_some(s, s->others[0]);
	need(again(wait_for(entries, 2, soon())) >= 1);
}

/* More than the kernel waits for at once: by descriptors. */
static int
wait_many_act(struct stage *s)
{
	struct cubby_wait_entry entries[MANY_ENTRIES];
	unsigned i;
	int r;

	for (i = 0; i < MANY_ENTRIES; i++)
		entries[i] = (struct cubby_wait_entry){ s->mine, CUBBY_RECEIVE,
							0 };
	r = wait_for(entries, MANY_ENTRIES, shortly());
	need(r < 0);
	return r;
}

static void
forbid_waitv(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 449, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { COUNT_OF(filter), filter };

	need(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	need(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

/* A kernel that does not wait for several words. */
static void
old_kernel_set(struct stage *s)
{
	several_set(s);
	forbid_waitv();
}

static void
old_kernel_coming_set(struct stage *s)
{
	coming_set(s);
	forbid_waitv();
}

/* Nor may it make descriptors: in slices. */
static int
wait_slices_act(struct stage *s)
{
	struct rlimit limit, before;
	int r;

	need(getrlimit(RLIMIT_NOFILE, &before) == 0);
	limit = before;
	limit.rlim_cur = 8;
	need(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	r = wait_act(s);
	need(setrlimit(RLIMIT_NOFILE, &before) == 0);
	return r;
}

static const struct scenario list[] = {
	{ "fd-receive", "cubby_fd", ALL_KINDS, 0, receiver_set, fd_receive_act,
	  fd_receive_check },
	{ "fd-send", "cubby_fd", ALL_KINDS, 0, sender_set, fd_send_act,
	  fd_send_check },
	{ "fd-arm", "cubby_receive_full", BUFFERED, 0, armed_receiver_set,
	  arm_act, arm_check },
	{ "fd-ring", "cubby_send_full", BUFFERED, PREPARES, ring_set, ring_act,
	  ring_check },
	{ "fd-ring-back", "cubby_receive_full", FILLED, PREPARES,
	  ring_back_set, ring_back_act, ring_back_check },
	{ "wait-one", "cubby_wait", ALL_KINDS, WAITS | PREPARES, receiver_set,
	  wait_one_act, wait_check },
	{ "wait-several", "cubby_wait", ALL_KINDS, WAITS | PREPARES,
	  several_set, wait_act, wait_check },
	{ "wait-now", "cubby_wait", ALL_KINDS, PREPARES, several_set,
	  wait_now_act, wait_check },
	{ "wait-ready", "cubby_wait", BUFFERED, PREPARES, ready_set,
	  wait_ready_act, NULL },
	{ "wait-coming", "cubby_wait", BUFFERED & ~ONLY(OVERTAKE),
	  PREPARES | NO_LIMITS, coming_set, wait_coming_act, coming_check },
	{ "wait-room", "cubby_wait", FILLED, WAITS | PREPARES, full_set, wait_room_act, room_check },
	{ "wait-many", "cubby_wait", ONLY(LIMITED) | ONLY(ARRIVAL),
	  WAITS | PREPARES, receiver_set, wait_many_act, wait_check },
	{ "wait-by-poll", "cubby_wait", ALL_KINDS, WAITS | PREPARES,
	  old_kernel_set, wait_act, wait_check },
	{ "wait-coming-by-poll", "cubby_wait", BUFFERED & ~ONLY(OVERTAKE),
	  PREPARES | NO_LIMITS, old_kernel_coming_set, wait_coming_act,
	  coming_check },
	{ "wait-in-slices", "cubby_wait", ALL_KINDS, WAITS | PREPARES,
	  old_kernel_set, wait_slices_act, wait_check },
	{ NULL, NULL, 0, 0, NULL, NULL, NULL },
};
SCENARIOS(list);
