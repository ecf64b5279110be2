/* SPDX-License-Identifier: MIT */
/* Test: orders, timeout 180. */
/* Whoever may send rings those who poll for messages, whoever may receive those
   who poll for room, and nobody else can; and none of them can empty another's
   bell. Between real users: needs root, to be several of them. */
#include "support/support.h"
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>

#define NAME "/m"
#define GROUP 62000
#define OWNER 61001 /* and in the group */
#define MEMBER 61002
#define FELLOW 61003 /* a member as well */
#define STRANGER 61004
#define PATIENCE 20000

static const uid_t users[] = { OWNER, MEMBER, FELLOW, STRANGER };

/* Runs the block that follows as that user, in a process of its own. */
#define as_user(child, uid) \
	in_child(child) \
		if (become_user(uid))

static bool
become_user(uid_t uid)
{
	become(uid, uid, uid == STRANGER ? 0 : GROUP);
	return true;
}

/* Its class's bits: r 4, w 2. */
static unsigned int
bits_of(mode_t mode, uid_t uid)
{
	return (uid == OWNER ? mode >> 6 : uid == STRANGER ? mode : mode >> 3) &
	       7;
}

static void
create(mode_t mode)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	struct child child;

	options.mode = mode;
	options.group = "62000";
	options.capacity = 1;
	as_user(&child, OWNER) {
		umask(077);
		cubby_close(open_mailbox(NAME, CUBBY_CREATE | CUBBY_EXCLUSIVE,
					 &options));
	}
	child_finish(&child);
}

static void
remove_it(void)
{
	struct child child;

	as_user(&child, OWNER) {
		expect_ok(cubby_unlink(NAME));
		expect_ok(cubby_sweep(NULL, NULL));
	}
	child_finish(&child);
}

/* The FIFO that this process reads, and its path: what it says was said by
   somebody, and not by a timer. */
static int
find_bell(char path[PATH_MAX])
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *d;
	struct stat st;
	int bell = -1;
	ssize_t n;

	expect(dir != NULL);
	while (bell < 0 && (d = readdir(dir))) {
		if (fstat(atoi(d->d_name), &st) < 0 || !S_ISFIFO(st.st_mode))
			continue;
		n = readlinkat(dirfd(dir), d->d_name, path, PATH_MAX - 1);
		path[n < 0 ? 0 : n] = 0;
		if (strstr(path, "/bell."))
			bell = atoi(d->d_name);
	}
	closedir(dir);
	expect(bell >= 0);
	return bell;
}

static void
expect_rung(int bell)
{
	struct pollfd asked = { .fd = bell, .events = POLLIN };

	expect_int(poll(&asked, 1, PATIENCE), 1);
}

static void
expect_silent(int bell)
{
	struct pollfd asked = { .fd = bell, .events = POLLIN };

	expect_int(poll(&asked, 1, 0), 0);
}

/* One who polls, until somebody rings. */
struct poller {
	struct gate ready, rung;
	char *path;		/* of its bell, once it is ready */
	struct child child;
};

static void
poll_for_a_message(struct poller *poller)
{
	cubby_mailbox *mailbox = open_mailbox(NAME, CUBBY_RECEIVE, NULL);
	int bell;

	expect(cubby_fd(mailbox, CUBBY_RECEIVE) >= 0);
	expect_empty(mailbox);
	bell = find_bell(poller->path);
	expect_silent(bell);
	gate_open(&poller->ready);
	expect_rung(bell);
	gate_open(&poller->rung);
	expect_number(mailbox, 7);
	cubby_close(mailbox);
}

static void
poll_for_room(struct poller *poller)
{
	cubby_mailbox *mailbox = open_mailbox(NAME, CUBBY_SEND, NULL);
	uint64_t number = 8;
	int bell;

	send_number(mailbox, 7);
	expect(cubby_fd(mailbox, CUBBY_SEND) >= 0);
	expect_result(cubby_send_full(mailbox, &number, sizeof(number), NULL, 0,
				      CUBBY_NOW), -EAGAIN);
	bell = find_bell(poller->path);
	expect_silent(bell);
	gate_open(&poller->ready);
	expect_rung(bell);
	gate_open(&poller->rung);
	expect_ok(cubby_send_full(mailbox, &number, sizeof(number), NULL, 0,
				  CUBBY_NOW));
	cubby_close(mailbox);
}

static void
start(struct poller *poller, uid_t uid, void (*polls)(struct poller *poller))
{
	static struct gate ready, rung;
	static char *path;

	if (!path) {
		ready = gate_make();
		rung = gate_make();
		path = shared_memory(PATH_MAX);
	}
	poller->ready = ready;
	poller->rung = rung;
	poller->path = path;
	as_user(&poller->child, uid)
		polls(poller);
	gate_wait(&poller->ready);
}

/* Who does not own it cannot empty it; who takes no part cannot ring it either. */
static void
expect_guarded(const struct poller *poller, uid_t owner, mode_t mode,
	       unsigned int ringers)
{
	struct child child;

	for (size_t i = 0; i < COUNT_OF(users); i++) {
		bool rings = bits_of(mode, users[i]) & ringers;

		if (users[i] == owner)
			continue;
		as_user(&child, users[i]) {
			int fd = open(poller->path, O_WRONLY | O_NONBLOCK);

			/* (The mailbox's owner is in its group as well, which
			   another's file goes by.) */
			if ((fd >= 0) != rings && (rings || users[i] != OWNER))
				fail_at(__FILE__, __LINE__,
					"mode %o, user %d: %s", mode, users[i],
					strerror(errno));
			if (fd >= 0)
				close(fd);
			expect(open(poller->path, O_RDONLY | O_NONBLOCK) < 0);
			expect(open(poller->path, O_RDWR | O_NONBLOCK) < 0);
			expect(users[i] == OWNER || unlink(poller->path) < 0);
		}
		child_finish(&child);
	}
}

static void
a_send_rings(mode_t mode, uid_t receiver, uid_t sender)
{
	struct poller poller;
	struct child child;

	start(&poller, receiver, poll_for_a_message);
	as_user(&child, sender) {
		cubby_mailbox *mailbox = open_mailbox(NAME, CUBBY_SEND, NULL);

		send_number(mailbox, 7);
		cubby_close(mailbox);
	}
	child_finish(&child);
	gate_wait(&poller.rung);
	child_finish(&poller.child);
	(void)mode;
}

static void
a_receive_rings(mode_t mode, uid_t receiver, uid_t sender)
{
	struct poller poller;
	struct child child;

	start(&poller, sender, poll_for_room);
	as_user(&child, receiver) {
		cubby_mailbox *mailbox = open_mailbox(NAME, CUBBY_RECEIVE,
						      NULL);

		expect_number(mailbox, 7);
		gate_wait(&poller.rung);
		expect_number(mailbox, 8);
		cubby_close(mailbox);
	}
	child_finish(&child);
	child_finish(&poller.child);
	(void)mode;
}

/* Modes that the order allows: of a queue r and w go together. */
static size_t
modes(const mode_t **ret)
{
	static const mode_t lanes[] = { 0620, 0640, 0622, 0644, 0660, 0666,
					0264, 0426, 0246, 0462, 0042, 0024 };
	static const mode_t queues[] = { 0660, 0666, 0606, 0066, 0006, 0060 };

	*ret = test_order() == CUBBY_ORDER_SENDER ? lanes : queues;
	return test_order() == CUBBY_ORDER_SENDER ? COUNT_OF(lanes) :
						    COUNT_OF(queues);
}

static void
for_each_pair(void (*test)(mode_t mode, uid_t receiver, uid_t sender))
{
	const mode_t *all;
	size_t count = modes(&all);

	need_root();
	share_root();
	for (size_t m = 0; m < count; m++) {
		create(all[m]);
		for (size_t r = 0; r < COUNT_OF(users); r++)
			for (size_t s = 0; s < COUNT_OF(users); s++)
				if (bits_of(all[m], users[r]) & 4 &&
				    bits_of(all[m], users[s]) & 2)
					test(all[m], users[r], users[s]);
		remove_it();
	}
}

static void
who_may_send_rings_who_may_receive(void)
{
	for_each_pair(a_send_rings);
}

static void
who_may_receive_rings_who_may_send(void)
{
	for_each_pair(a_receive_rings);
}

static void
expect_guarded_in(mode_t mode, unsigned int role,
		  void (*polls)(struct poller *poller), unsigned int ringers)
{
	struct poller poller;

	for (size_t i = 0; i < COUNT_OF(users); i++) {
		if (!(bits_of(mode, users[i]) & role))
			continue;
		create(mode);
		start(&poller, users[i], polls);
		expect_guarded(&poller, users[i], mode, ringers);
		child_kill(&poller.child);
		remove_it();
	}
}

static void
nobody_empties_anothers_bell(void)
{
	bool lanes = test_order() == CUBBY_ORDER_SENDER;
	const mode_t *all;
	size_t count = modes(&all);

	need_root();
	share_root();
	for (size_t m = 0; m < count; m++) {
		expect_guarded_in(all[m], 4, poll_for_a_message, 6);
		expect_guarded_in(all[m], 2, poll_for_room, lanes ? 4 : 6);
	}
}

/* What others plant there is no bell, and is removed with the mailbox. */
static void
what_is_planted_is_survived(void)
{
	struct child child;

	need_root();
	share_root();
	create(0666);
	as_user(&child, STRANGER) {
		char path[PATH_MAX], name[PATH_MAX + 40];

		snprintf(path, sizeof(path), "%s/cubby.m/bells", test_root());
		expect_system(chdir(path));
		expect_system(mkdir("bell.0000000000000001", 0755));
		expect_system(symlink("/etc/passwd", "bell.0000000000000002"));
		expect_system(mkfifo("bell.0000000000000003", 0600));
		snprintf(name, sizeof(name), "%s/x", path);
		expect_system(mkfifo(name, 0));
	}
	child_finish(&child);
	a_send_rings(0666, MEMBER, STRANGER);
	as_user(&child, OWNER)
		expect_ok(cubby_sweep(NAME, NULL));
	child_finish(&child);
	a_send_rings(0666, STRANGER, OWNER);
	remove_it();
}

int
main(void)
{
	const struct test tests[] = {
		TEST(who_may_send_rings_who_may_receive),
		TEST(who_may_receive_rings_who_may_send),
		TEST(nobody_empties_anothers_bell),
		TEST(what_is_planted_is_survived),
	};

	return RUN_TESTS("pollable_rights", tests);
}
