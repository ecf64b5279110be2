/* SPDX-License-Identifier: MIT */
/* Test: orders, timeout 120. */
/* The descriptor of a mailbox, watched by what programs use to watch
   descriptors: poll(2), select(2), epoll(7), io_uring, libuv and GLib. */
#include "support/support.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#if HAVE_LIBURING
#include <liburing.h>
#endif
#if HAVE_LIBUV
#include <uv.h>
#endif
#if HAVE_GLIB
#include <glib-unix.h>
#endif

#define MESSAGES UINT64_C(200)
#define PATIENCE 20000 /* ms, that only a failure takes */

/* What is to be done when the descriptor is readable. False: that is all. */
struct task {
	bool (*run)(struct task *task);
	cubby_mailbox *mailbox;
	struct gate *next;
	uint64_t done;
	int fd;
};

typedef void watcher(struct task *task);

static void
watch_by_poll(struct task *task)
{
	struct pollfd asked = { .fd = task->fd, .events = POLLIN };

	do {
		expect_int(poll(&asked, 1, PATIENCE), 1);
		expect_int(asked.revents, POLLIN);
	} while (task->run(task));
}

static void
watch_by_select(struct task *task)
{
	struct timeval patience = { .tv_sec = PATIENCE / 1000 };
	fd_set set;

	do {
		FD_ZERO(&set);
		FD_SET(task->fd, &set);
		expect_int(select(task->fd + 1, &set, NULL, NULL, &patience),
			   1);
	} while (task->run(task));
}

static void
watch_by_epoll_with(struct task *task, uint32_t flags)
{
	struct epoll_event event = { .events = EPOLLIN | flags };
	int set = epoll_create1(EPOLL_CLOEXEC);

	expect_system(set);
	expect_system(epoll_ctl(set, EPOLL_CTL_ADD, task->fd, &event));
	do {
		expect_int(epoll_wait(set, &event, 1, PATIENCE), 1);
		expect_int(event.events, EPOLLIN);
	} while (task->run(task));
	close(set);
}

static void
watch_by_epoll(struct task *task)
{
	watch_by_epoll_with(task, 0);
}

static void
watch_by_epoll_with_an_edge(struct task *task)
{
	watch_by_epoll_with(task, EPOLLET);
}

/* io_uring --------------------------------------------------------------- */

#if HAVE_LIBURING

static void
ask(struct io_uring *ring, int fd, bool many)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	expect(sqe != NULL);
	if (many)
		io_uring_prep_poll_multishot(sqe, fd, POLLIN);
	else
		io_uring_prep_poll_add(sqe, fd, POLLIN);
	expect_int(io_uring_submit(ring), 1);
}

static void
watch_by_ring(struct task *task, bool many)
{
	struct __kernel_timespec patience = { .tv_sec = PATIENCE / 1000 };
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	bool asked = false;
	int r;

	r = io_uring_queue_init(8, &ring, 0);
	if (r == -ENOSYS || r == -EPERM || r == -ENOMEM)
		skip_test("no io_uring here");
	expect_ok(r);
	do {
		if (!asked)
			ask(&ring, task->fd, many);
		expect_ok(io_uring_wait_cqe_timeout(&ring, &cqe, &patience));
		expect_int(cqe->res, POLLIN);
		asked = cqe->flags & IORING_CQE_F_MORE;
		io_uring_cqe_seen(&ring, cqe);
	} while (task->run(task));
	io_uring_queue_exit(&ring);
}

static void
watch_by_io_uring(struct task *task)
{
	watch_by_ring(task, false);
}

/* One request for all: it tells of edges. */
static void
watch_by_io_uring_with_an_edge(struct task *task)
{
	watch_by_ring(task, true);
}

#else
static void
watch_by_io_uring(struct task *task)
{
	(void)task;
	skip_test("it was built without liburing");
}
#define watch_by_io_uring_with_an_edge watch_by_io_uring
#endif

/* libuv ------------------------------------------------------------------ */

#if HAVE_LIBUV

static void
on_uv(uv_poll_t *handle, int status, int events)
{
	struct task *task = handle->data;

	expect_int(status, 0);
	expect_int(events, UV_READABLE);
	if (!task->run(task))
		uv_close((uv_handle_t *)handle, NULL);
}

static void
watch_by_libuv(struct task *task)
{
	uv_loop_t loop;
	uv_poll_t handle = { .data = task };

	expect_int(uv_loop_init(&loop), 0);
	expect_int(uv_poll_init(&loop, &handle, task->fd), 0);
	expect_int(uv_poll_start(&handle, UV_READABLE, on_uv), 0);
	expect_int(uv_run(&loop, UV_RUN_DEFAULT), 0);
	expect_int(uv_loop_close(&loop), 0);
	uv_library_shutdown();	/* its own descriptors */
}

#else
static void
watch_by_libuv(struct task *task)
{
	(void)task;
	skip_test("it was built without libuv");
}
#endif

/* GLib ------------------------------------------------------------------- */

#if HAVE_GLIB

struct glib_task {
	struct task *task;
	GMainLoop *loop;
};

static gboolean
on_glib(gint fd, GIOCondition condition, gpointer data)
{
	struct glib_task *g = data;

	expect_int(fd, g->task->fd);
	expect_int(condition, G_IO_IN);
	if (g->task->run(g->task))
		return G_SOURCE_CONTINUE;
	g_main_loop_quit(g->loop);
	return G_SOURCE_REMOVE;
}

static void
watch_by_glib(struct task *task)
{
	GMainContext *context = g_main_context_new();
	struct glib_task g = { task, g_main_loop_new(context, FALSE) };
	GSource *source = g_unix_fd_source_new(task->fd, G_IO_IN);

	g_source_set_callback(source, G_SOURCE_FUNC(on_glib), &g, NULL);
	g_source_attach(source, context);
	g_main_loop_run(g.loop);
	g_source_unref(source);
	g_main_loop_unref(g.loop);
	g_main_context_unref(context);
}

#else
static void
watch_by_glib(struct task *task)
{
	(void)task;
	skip_test("it was built without GLib");
}
#endif

/* Receiving -------------------------------------------------------------- */

/* The next is sent when this one has been received: each comes to a loop that
   waits for it. */
static bool
receive_all(struct task *task)
{
	uint64_t got;
	int r;

	while ((r = cubby_receive_full(task->mailbox, NULL, 0, CUBBY_NOW, &got,
				       sizeof(got), NULL, NULL)) == 0) {
		expect_int(got, task->done);
		task->done++;
		gate_open(task->next);
	}
	expect_int(r, -EAGAIN);
	return task->done < MESSAGES;
}

static void
receive_by(watcher *watch)
{
	struct gate next = gate_make();
	struct task task = { .run = receive_all, .next = &next };
	struct child child;

	task.mailbox = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE, NULL);
	task.fd = cubby_fd(task.mailbox, CUBBY_RECEIVE);
	expect(task.fd >= 0);
	in_child(&child) {
		cubby_mailbox *sender = open_mailbox("m", CUBBY_SEND, NULL);

		for (uint64_t n = 0; n < MESSAGES; n++) {
			send_number(sender, n);
			gate_wait(&next);
		}
		cubby_close(sender);
	}
	watch(&task);
	child_finish(&child);
	cubby_close(task.mailbox);
}

/* Sending ---------------------------------------------------------------- */

static bool
send_all(struct task *task)
{
	int r = 0;

	while (task->done < MESSAGES &&
	       (r = cubby_send_full(task->mailbox, &task->done,
				    sizeof(task->done), NULL, 0, CUBBY_NOW))
	       == 0) {
		task->done++;
		gate_open(task->next);
	}
	expect(r == 0 || r == -EAGAIN);
	return task->done < MESSAGES;
}

static void
send_by(watcher *watch)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	struct gate next = gate_make();
	struct task task = { .run = send_all, .next = &next };
	struct child child;

	options.capacity = 1;
	task.mailbox = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND, &options);
	task.fd = cubby_fd(task.mailbox, CUBBY_SEND);
	expect(task.fd >= 0);
	in_child(&child) {
		cubby_mailbox *receiver = open_mailbox("m", CUBBY_RECEIVE,
						       NULL);

		for (uint64_t n = 0; n < MESSAGES; n++) {
			gate_wait(&next);
			expect_number(receiver, n);
		}
		cubby_close(receiver);
	}
	watch(&task);
	child_finish(&child);
	cubby_close(task.mailbox);
}

#define BOTH_WAYS(how) \
	static void how##_receives(void) \
	{ \
		receive_by(watch_by_##how); \
	} \
	static void how##_sends(void) \
	{ \
		send_by(watch_by_##how); \
	}

BOTH_WAYS(poll)
BOTH_WAYS(select)
BOTH_WAYS(epoll)
BOTH_WAYS(epoll_with_an_edge)
BOTH_WAYS(io_uring)
BOTH_WAYS(io_uring_with_an_edge)
BOTH_WAYS(libuv)
BOTH_WAYS(glib)

int
main(void)
{
	const struct test tests[] = {
		TEST(poll_receives),
		TEST(poll_sends),
		TEST(select_receives),
		TEST(select_sends),
		TEST(epoll_receives),
		TEST(epoll_sends),
		TEST(epoll_with_an_edge_receives),
		TEST(epoll_with_an_edge_sends),
		TEST(io_uring_receives),
		TEST(io_uring_sends),
		TEST(io_uring_with_an_edge_receives),
		TEST(io_uring_with_an_edge_sends),
		TEST(libuv_receives),
		TEST(libuv_sends),
		TEST(glib_receives),
		TEST(glib_sends),
	};

	return RUN_TESTS("event_loop", tests);
}
