/* SPDX-License-Identifier: MIT */
/* Test: tsan, timeout 180. */
/* Regions in messages: ownership moves, nothing is copied, and whoever dies on
   the way leaves no doubt about whose they are. */
#include "handle.h"
#include "layout_region.h"
#include "region.h"
#include "region_transfer.h"
#include "support/support.h"
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)
#define SIZE 100000

static cubby_region *
make_region(uint64_t seed)
{
	struct cubby_region_options options = CUBBY_REGION_OPTIONS_INIT;
	cubby_region *region = NULL;

	options.size = SIZE;
	expect_ok(cubby_region_open(NULL, CUBBY_CREATE, &options, &region));
	pattern_fill(cubby_region_data(region), SIZE, seed);
	return region;
}

static void
send_region(cubby_mailbox *mailbox, uint64_t seed)
{
	expect_ok(cubby_send_region(mailbox, make_region(seed), NULL, soon()));
}

static cubby_region *
receive_region(cubby_mailbox *mailbox, uint64_t seed, uint32_t deliveries)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	cubby_region *region = NULL;

	expect_ok(cubby_receive_region(mailbox, NULL, soon(), &region,
				       &envelope));
	expect_int(envelope.deliveries, deliveries);
	expect_int(cubby_region_size(region), SIZE);
	expect(pattern_holds(cubby_region_data(region), SIZE, seed));
	return region;
}

static void
expect_no_region(cubby_mailbox *mailbox)
{
	cubby_region *region = NULL;

	expect_result(cubby_receive_region(mailbox, NULL, CUBBY_NOW, &region,
					   NULL), -EAGAIN);
	expect(region == NULL);
}

/* Regions that lie in mailboxes now. */
static int
count_links(void)
{
	char command[PATH_MAX];
	FILE *found;
	int count = -1;

	snprintf(command, sizeof(command),
		 "find %s -name 'region.*' | wc -l", test_root());
	found = popen(command, "r");
	expect(found != NULL);
	expect_int(fscanf(found, "%d", &count), 1);
	pclose(found);
	return count;
}

#define OWNER 61001
#define MEMBER 61002
#define STRANGER 61004
#define GROUP 62000

#define as_user(child, uid) \
	in_child(child) \
		if (become_user(uid))

static bool
become_user(uid_t uid)
{
	become(uid, uid, uid == STRANGER ? 0 : GROUP);
	return true;
}

/* From here on that call of this process fails so. */
static void
forbid(uint32_t call, uint32_t error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { COUNT_OF(filter), filter };

	need_filters();
	expect_system(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	expect_system(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
}

#ifdef SYS_mmap2 /* which 32-bit machines use instead */
#undef SYS_mmap
#define SYS_mmap SYS_mmap2
#endif

/* No file can be mapped any more. */
static void
forbid_maps(uint32_t error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, args[3])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MAP_SHARED, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { COUNT_OF(filter), filter };

	need_filters();
	expect_system(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	expect_system(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
}

/* From hand to hand ------------------------------------------------------ */

static void
a_region_goes_from_one_process_to_another(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE,
					      NULL);
	cubby_region *region;
	struct child child;

	in_child(&child) {
		cubby_mailbox *mine = open_mailbox("m", CUBBY_SEND, NULL);

		send_region(mine, 1);
		cubby_close(mine);
	}
	child_finish(&child);
	expect_int(count_links(), 1);
	expect(inspect("m").memory > SIZE);
	region = receive_region(mailbox, 1, 1);
	expect_ok(cubby_region_grow(region, 2 * SIZE));
	((char *)cubby_region_data(region))[2 * SIZE - 1] = 1;
	expect_no_region(mailbox);
	cubby_region_close(region);
	expect_int(count_links(), 0);
	expect(inspect("m").memory < SIZE);
	expect_int(inspect("m").waiting, 0);
	expect_int(inspect("m").held, 0);
	cubby_close(mailbox);
}

static void
nothing_is_copied(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	cubby_region *region = make_region(1);
	struct stat before, after;

	expect_system(fstat(region->memory, &before));
	expect_ok(cubby_send_region(mailbox, region, NULL, soon()));
	region = receive_region(mailbox, 1, 1);
	expect_system(fstat(region->memory, &after));
	expect_int(before.st_ino, after.st_ino);
	expect_int(before.st_blocks, after.st_blocks);
	cubby_region_close(region);
	cubby_close(mailbox);
}

static void
the_envelope_tells_of_it(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	struct cubby_envelope sent = CUBBY_ENVELOPE_INIT;
	struct cubby_envelope got = CUBBY_ENVELOPE_INIT;
	int64_t types[] = { 0, 5, INT32_MAX, INT64_MAX };

	for (size_t i = 0; i < COUNT_OF(types); i++) {
		cubby_region *region = make_region(i);

		sent.tag = 77 + i;
		sent.type = types[i];
		expect_ok(cubby_send_region(mailbox, region, &sent, soon()));
		expect_int(sent.sequence, first_sequence() + i);
		expect_int(sent.sender, 1);
		expect_ok(cubby_receive_region(mailbox, NULL, soon(), &region,
					       &got));
		expect_int(got.tag, 77 + i);
		expect_int(got.type, types[i]);
		expect_int(got.uid, geteuid());
		expect_int(got.sender, 1);
		expect_int(got.sequence, first_sequence() + i);
		expect_int(got.size, SIZE);
		expect_int(got.deliveries, 1);
		cubby_region_close(region);
	}
	expect_ok(cubby_wait_received(mailbox, got.sequence, CUBBY_NOW));
	cubby_close(mailbox);
}

static void
it_goes_on_from_mailbox_to_mailbox(void)
{
	cubby_mailbox *a = open_mailbox("a", CUBBY_CREATE | BOTH, NULL);
	cubby_mailbox *b = open_mailbox("/b", CUBBY_CREATE | BOTH, NULL);
	cubby_region *region;

	send_region(a, 9);
	for (int i = 0; i < 50; i++) {
		expect_ok(cubby_send_region(b, receive_region(a, 9, 1), NULL,
					    soon()));
		expect_int(count_links(), 1);
		expect_int(inspect("a").held, 0);
		expect_no_region(a);
		expect_ok(cubby_send_region(a, receive_region(b, 9, 1), NULL,
					    soon()));
	}
	/* Several at a time, too. */
	send_region(b, 10);
	send_region(b, 11);
	region = receive_region(b, 10, 1);
	cubby_region_close(receive_region(b, 11, 1));
	cubby_region_close(region);
	cubby_region_close(receive_region(a, 9, 1));
	expect_int(count_links(), 0);
	cubby_close(a);
	cubby_close(b);
}

static void
messages_and_regions_keep_their_order(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	cubby_message *message;
	cubby_region *region;
	char buffer[64];
	size_t size = 9;

	send_text(mailbox, "before");
	send_region(mailbox, 1);
	send_text(mailbox, "after");
	expect_result(cubby_receive_region(mailbox, NULL, CUBBY_NOW, &region,
					   NULL), -ENOMSG);
	expect_text(mailbox, "before");
	/* The region stays for whoever wants one. */
	expect_result(cubby_receive(mailbox, buffer, sizeof(buffer), &size),
		      -EOPNOTSUPP);
	expect_result(cubby_receive_full(mailbox, NULL, CUBBY_PEEK, soon(),
					 buffer, sizeof(buffer), &size,
					 &envelope), -EOPNOTSUPP);
	expect_result(cubby_hold(mailbox, NULL, soon(), &message),
		      -EOPNOTSUPP);
	expect_int(size, 9);
	region = receive_region(mailbox, 1, 1);
	expect_result(cubby_receive_region(mailbox, NULL, CUBBY_NOW,
					   &(cubby_region *){ NULL }, NULL),
		      -ENOMSG);
	expect_text(mailbox, "after");
	cubby_region_close(region);
	cubby_close(mailbox);
}

/* Also of what went back. */
static void
what_went_back_is_for_those_who_want_it(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	cubby_mailbox *other = open_mailbox("m", CUBBY_RECEIVE, NULL);
	cubby_message *message;
	cubby_region *region;
	char buffer[64];

	send_region(mailbox, 3);
	receive_region(other, 3, 1);
	cubby_close(other);	/* and the region's handle with it */
	expect_result(cubby_receive(mailbox, buffer, sizeof(buffer), NULL),
		      -EOPNOTSUPP);
	expect_result(cubby_hold(mailbox, NULL, soon(), &message),
		      -EOPNOTSUPP);
	cubby_region_close(receive_region(mailbox, 3, 2));
	expect_no_region(mailbox);
	send_text(mailbox, "text");
	expect_ok(cubby_hold(mailbox, NULL, soon(), &message));
	expect_ok(cubby_reject(message));
	expect_result(cubby_receive_region(mailbox, NULL, CUBBY_NOW, &region,
					   NULL), -ENOMSG);
	expect_text(mailbox, "text");
	cubby_close(mailbox);
}

/* A mailbox may go with regions in it. */
static void
a_mailbox_that_ends_takes_its_regions_along(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_mailbox *mailbox;
	uint64_t before;

	need_root();
	mount_small_root(8 << 20);
	options.memory_limit = 1 << 20;
	options.message_max = 100;
	before = root_bytes_free();
	mailbox = open_mailbox("/m", CUBBY_CREATE | BOTH, &options);
	for (int i = 0; i < 10; i++)
		send_region(mailbox, 1);
	receive_region(mailbox, 1, 1);
	expect_ok(cubby_unlink("/m"));
	cubby_close(mailbox);
	expect_int(root_bytes_free(), before);
}

/* The other orders ------------------------------------------------------- */

static void
a_queue_carries_regions(enum cubby_order order)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	struct cubby_filter filter = CUBBY_FILTER_INIT;
	cubby_mailbox *mailbox, *other;
	cubby_message *message;
	cubby_region *region;
	char buffer[64];

	options.order = order;
	options.capacity = 3;
	mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, &options);
	envelope.type = 5;
	expect_ok(cubby_send_region(mailbox, make_region(1), &envelope,
				    soon()));
	send_text(mailbox, "text");
	send_region(mailbox, 2);
	region = make_region(3);
	expect_result(cubby_send_region(mailbox, region, NULL, CUBBY_NOW),
		      -EAGAIN);
	expect_result(cubby_receive(mailbox, buffer, sizeof(buffer), NULL),
		      -EOPNOTSUPP);
	expect_result(cubby_hold(mailbox, NULL, soon(), &message),
		      -EOPNOTSUPP);
	expect_result(cubby_receive_full(mailbox, NULL, CUBBY_PEEK, CUBBY_NOW,
					 buffer, sizeof(buffer), NULL, NULL),
		      -EOPNOTSUPP);
	/* By its type, which is what its sender said. */
	filter.matching = CUBBY_MATCH_NOT_TYPE;
	filter.type = 5;
	expect_ok(cubby_receive_full(mailbox, &filter, 0, soon(), buffer,
				     sizeof(buffer), NULL, NULL));
	expect_ok(cubby_send_region(mailbox, region, NULL, CUBBY_NOW));
	filter.matching = CUBBY_MATCH_TYPE;
	expect_ok(cubby_receive_region(mailbox, &filter, soon(), &region,
				       &envelope));
	expect_int(envelope.type, 5);
	expect(pattern_holds(cubby_region_data(region), SIZE, 1));
	expect_ok(cubby_send_region(mailbox, region, NULL, soon()));
	cubby_region_close(receive_region(mailbox, 2, 1));
	send_text(mailbox, "x");
	other = open_mailbox("m", CUBBY_RECEIVE, NULL);
	receive_region(other, 3, 1);
	cubby_close(other);
	cubby_region_close(receive_region(mailbox, 3, 2));
	cubby_region_close(receive_region(mailbox, 1, 1));
	expect_result(cubby_receive_region(mailbox, NULL, CUBBY_NOW, &region,
					   NULL), -ENOMSG);
	expect_text(mailbox, "x");
	expect_int(count_links(), 0);
	cubby_close(mailbox);
	expect_ok(cubby_unlink("m"));
}

static void
other_orders_carry_regions_too(void)
{
	a_queue_carries_regions(CUBBY_ORDER_ARRIVAL);
	a_queue_carries_regions(CUBBY_ORDER_PRIORITY);
}

static void
without_a_limit_and_to_an_inbox(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_mailbox *mailbox, *sender;
	cubby_region *region;
	struct child child;

	options.buffering = CUBBY_UNLIMITED;
	mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, &options);
	for (uint64_t i = 0; i < 300; i++)
		send_region(mailbox, i);
	for (uint64_t i = 0; i < 300; i++)
		cubby_region_close(receive_region(mailbox, i, 1));
	expect_int(count_links(), 0);
	cubby_close(mailbox);

	mailbox = open_mailbox("@inbox", CUBBY_CREATE | CUBBY_RECEIVE, NULL);
	sender = open_mailbox("@inbox", CUBBY_SEND, NULL);
	in_child(&child)
		send_region(open_mailbox("@inbox", CUBBY_SEND, NULL), 1);
	child_finish(&child);
	cubby_region_close(receive_region(mailbox, 1, 1));
	cubby_close(mailbox);
	region = make_region(1);
	expect_result(cubby_send_region(sender, region, NULL, soon()), -EPIPE);
	expect(pattern_holds(cubby_region_data(region), SIZE, 1));
	cubby_region_close(region);
	cubby_close(sender);
}

static void
a_region_is_handed_over_when_both_meet(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_region *region = make_region(1);
	cubby_mailbox *mailbox;
	struct child child;

	options.order = CUBBY_ORDER_ARRIVAL;
	options.buffering = CUBBY_RENDEZVOUS;
	mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, &options);
	for (int i = 0; i < 3; i++) {
		expect_result(cubby_send_region(mailbox, region, NULL,
						CUBBY_NOW), -EAGAIN);
		expect_result(cubby_send_region(mailbox, region, NULL,
						cubby_deadline_after(1000000)),
			      -ETIMEDOUT);
		/* Where it can be linked from, for the next time. */
		expect_ok(cubby_sweep("m", NULL));
		expect_int(count_links(), 1);
	}
	expect_no_region(mailbox);
	in_child(&child) {
		cubby_mailbox *mine = open_mailbox("m", CUBBY_RECEIVE, NULL);

		cubby_region_close(receive_region(mine, 1, 1));
		cubby_close(mine);
	}
	expect_ok(cubby_send_region(mailbox, region, NULL, soon()));
	child_finish(&child);
	expect_int(count_links(), 0);
	region = make_region(1);
	expect_result(cubby_send_region(mailbox, region, NULL, CUBBY_NOW),
		      -EAGAIN);
	cubby_region_close(region);
	expect_int(count_links(), 0);
	cubby_close(mailbox);
}

/* Whom the mailbox would have let in has no right to what it did not get. */
static void
what_was_not_sent_is_private_again(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_region *region = make_region(1);
	cubby_mailbox *mailbox;
	struct stat st;

	options.order = CUBBY_ORDER_ARRIVAL;
	options.buffering = CUBBY_RENDEZVOUS;
	options.mode = 0666;
	mailbox = open_mailbox("/m", CUBBY_CREATE | BOTH, &options);
	expect_result(cubby_send_region(mailbox, region, NULL, CUBBY_NOW),
		      -EAGAIN);
	expect_system(fstat(region->memory, &st));
	expect_int(st.st_mode & 07777, 0600);
	expect_result(cubby_send_region(mailbox, region, NULL,
					cubby_deadline_after(1000000)),
		      -ETIMEDOUT);
	expect_system(fstat(region->memory, &st));
	expect_int(st.st_mode & 07777, 0600);
	cubby_region_close(region);
	cubby_close(mailbox);
}

/* One that could not be sent is killed: nothing is left that a sweep leaves. */
static void
what_was_not_sent_goes_with_its_owner(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	struct gate tried = gate_make(), never = gate_make();
	cubby_mailbox *mailbox;
	struct child child;

	options.order = CUBBY_ORDER_ARRIVAL;
	options.buffering = CUBBY_RENDEZVOUS;
	mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, &options);
	in_child(&child) {
		cubby_mailbox *mine = open_mailbox("m", CUBBY_SEND, NULL);

		expect_result(cubby_send_region(mine, make_region(1), NULL,
						CUBBY_NOW), -EAGAIN);
		gate_open(&tried);
		gate_wait(&never);
	}
	gate_wait(&tried);
	expect_ok(cubby_sweep("m", NULL));
	expect_int(count_links(), 1);
	child_kill(&child);
	expect_ok(cubby_sweep("m", NULL));
	expect_int(count_links(), 0);
	cubby_close(mailbox);
}

/* Whoever dies ----------------------------------------------------------- */

static void
the_sender_may_die_when_it_has_sent(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE,
					      NULL);
	struct gate sent = gate_make(), never = gate_make();
	struct child child;

	in_child(&child) {
		send_region(open_mailbox("m", CUBBY_SEND, NULL), 4);
		gate_open(&sent);
		gate_wait(&never);
	}
	gate_wait(&sent);
	child_kill(&child);
	cubby_region_close(receive_region(mailbox, 4, 1));
	cubby_close(mailbox);
}

static void
a_killed_receivers_region_goes_back(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	struct gate got = gate_make(), never = gate_make();
	struct child child;

	send_region(mailbox, 5);
	for (uint32_t round = 1; round < 4; round++) {
		in_child(&child) {
			cubby_mailbox *mine = open_mailbox("m", CUBBY_RECEIVE,
							   NULL);
			cubby_region *region = receive_region(mine, 5, round);

			/* What it has changed remains. */
			pattern_fill(cubby_region_data(region), SIZE, 5);
			gate_open(&got);
			gate_wait(&never);
		}
		gate_wait(&got);
		child_stop(&child);
		expect_no_region(mailbox);
		child_kill(&child);
	}
	cubby_region_close(receive_region(mailbox, 5, 4));
	expect_no_region(mailbox);
	cubby_close(mailbox);
	expect_int(count_links(), 0);
}

static void
a_killed_owner_that_has_sent_it_on_leaves_it_there(void)
{
	cubby_mailbox *a = open_mailbox("a", CUBBY_CREATE | BOTH, NULL);
	cubby_mailbox *b = open_mailbox("b", CUBBY_CREATE | BOTH, NULL);
	struct gate sent = gate_make(), never = gate_make();
	struct child child;

	send_region(a, 6);
	in_child(&child) {
		cubby_mailbox *from = open_mailbox("a", CUBBY_RECEIVE, NULL);
		cubby_mailbox *to = open_mailbox("b", CUBBY_SEND, NULL);

		expect_ok(cubby_send_region(to, receive_region(from, 6, 1),
					    NULL, soon()));
		gate_open(&sent);
		gate_wait(&never);
	}
	gate_wait(&sent);
	child_kill(&child);
	expect_no_region(a);
	cubby_region_close(receive_region(b, 6, 1));
	cubby_close(a);
	cubby_close(b);
	expect_int(count_links(), 0);
}

/* The word as a sender leaves it that is killed somewhere ---------------- */

static void
find_link(char path[PATH_MAX])
{
	char command[2 * PATH_MAX];
	FILE *found;

	snprintf(command, sizeof(command), "find %s -name 'region.*'",
		 test_root());
	found = popen(command, "r");
	expect(found != NULL);
	expect(fgets(path, PATH_MAX, found) != NULL);
	pclose(found);
	path[strcspn(path, "\n")] = '\0';
}

/* Of a region that is new, the number of its nth attempt to be sent. */
static uint32_t
nth(int n)
{
	uint32_t attempt = (uint32_t)START_COUNTER(32, 3);

	while (n-- > 0)
		attempt = transfers_next(attempt);
	return attempt;
}

static void
find_first_link(char *ret)
{
	char suffix[16];

	snprintf(suffix, sizeof(suffix), ".%08x", nth(1));
	find_file(suffix, ret);
}

static void
set_transfers(uint32_t owner, uint32_t attempt)
{
	uint64_t word = transfers_make(owner, attempt);
	char path[PATH_MAX] = "";
	int fd;

	find_link(path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	expect_system(fd);
	expect_int(pwrite(fd, &word, 8, offsetof(struct region_file, transfers)),
		   8);
	close(fd);
}

static void
a_receiver_says_for_the_sender_that_it_was_sent(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	cubby_region *region;

	send_region(mailbox, 1);
	set_transfers(0, nth(1));
	region = receive_region(mailbox, 1, 1);
	expect(region->file->transfers.word ==
	       transfers_make(nth(1), nth(1)));
	cubby_region_close(region);
	cubby_close(mailbox);
}

static void
a_message_that_does_not_count_is_passed_over(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);

	send_region(mailbox, 1);
	set_transfers(0, 2);	/* found void, after its sender's death */
	expect_no_region(mailbox);
	expect_int(count_links(), 0);
	send_region(mailbox, 1);
	set_transfers(3, 3);	/* sent on, by one that was killed then */
	send_region(mailbox, 2);
	cubby_region_close(receive_region(mailbox, 2, 1));
	send_region(mailbox, 1);
	set_transfers(UINT32_MAX, UINT32_MAX);	/* closed, by one killed then */
	expect_no_region(mailbox);
	expect_int(count_links(), 0);
	expect_int(inspect("m").held, 0);
	cubby_close(mailbox);
}

static void
what_an_earlier_holder_tried_is_void(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	cubby_region *region;

	send_region(mailbox, 1);
	set_transfers(nth(1), nth(2)); /* he died, and this is what went back */
	region = receive_region(mailbox, 1, 1);
	expect(region->file->transfers.word ==
	       transfers_make(nth(1), nth(3)));
	/* And what is tried next has a number of its own. */
	expect_ok(cubby_send_region(mailbox, region, NULL, soon()));
	region = receive_region(mailbox, 1, 1);
	expect(region->file->transfers.word ==
	       transfers_make(nth(4), nth(4)));
	cubby_region_close(region);
	cubby_close(mailbox);
}

static void
a_sweep_takes_what_is_left_over_and_no_more(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	struct cubby_swept swept = CUBBY_SWEPT_INIT;
	struct gate got = gate_make(), never = gate_make();
	struct child child;

	send_region(mailbox, 1);
	expect_ok(cubby_sweep("m", &swept));
	expect_int(count_links(), 1);
	in_child(&child) {
		cubby_mailbox *mine = open_mailbox("m", CUBBY_RECEIVE, NULL);

		receive_region(mine, 1, 1);
		gate_open(&got);
		gate_wait(&never);
	}
	gate_wait(&got);
	expect_ok(cubby_sweep("m", &swept));
	expect_int(count_links(), 1);
	/* As its sender left it, who lives: it has a slot. */
	set_transfers(0, nth(1));
	expect_ok(cubby_sweep("m", &swept));
	expect_int(count_links(), 1);
	expect_int(swept.bytes, 0);
	child_kill(&child);
	/* Nobody has it: its sender is dead. */
	expect_ok(cubby_sweep("m", &swept));
	expect_int(count_links(), 0);
	expect(swept.bytes >= SIZE);
	expect_no_region(mailbox);
	cubby_close(mailbox);
}

/* Refused ---------------------------------------------------------------- */

static void
a_full_mailbox_leaves_the_region_where_it_is(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_mailbox *mailbox;
	cubby_region *region = make_region(7);

	options.capacity = 2;
	mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, &options);
	send_region(mailbox, 1);
	send_text(mailbox, "x");
	expect_result(cubby_send_region(mailbox, region, NULL, CUBBY_NOW),
		      -EAGAIN);
	expect_result(cubby_send_region(mailbox, region, NULL,
					cubby_deadline_after(1000000)),
		      -ETIMEDOUT);
	expect(pattern_holds(cubby_region_data(region), SIZE, 7));
	cubby_region_close(receive_region(mailbox, 1, 1));
	expect_ok(cubby_send_region(mailbox, region, NULL, CUBBY_NOW));
	expect_text(mailbox, "x");
	cubby_region_close(receive_region(mailbox, 7, 1));
	cubby_close(mailbox);
}

static void
what_makes_no_sense_is_refused(void)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	struct cubby_filter filter = CUBBY_FILTER_INIT;
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	cubby_mailbox *sender = open_mailbox("m", CUBBY_SEND, NULL), *small;
	cubby_mailbox *receiver = open_mailbox("m", CUBBY_RECEIVE, NULL);
	cubby_region *region = make_region(1), *named = NULL;
	struct child child;

	expect_ok(cubby_region_open("r", CUBBY_CREATE | CUBBY_WRITE, NULL,
				    &named));
	expect_result(cubby_send_region(mailbox, named, NULL, soon()), -EINVAL);
	expect_result(cubby_send_region(mailbox, NULL, NULL, soon()), -EINVAL);
	expect_result(cubby_send_region(receiver, region, NULL, soon()),
		      -EBADF);
	envelope.type = -1;
	expect_result(cubby_send_region(mailbox, region, &envelope, soon()),
		      -EINVAL);
	envelope.type = 0;
	envelope.priority = 1;
	expect_result(cubby_send_region(mailbox, region, &envelope, soon()),
		      -EOPNOTSUPP);
	envelope.priority = 0;
	options.message_max = 31;
	small = open_mailbox("small", CUBBY_CREATE | BOTH, &options);
	expect_result(cubby_send_region(small, region, NULL, soon()),
		      -EMSGSIZE);
	cubby_close(small);
	options.message_max = 64;
	options.sizing = CUBBY_FIXED;
	small = open_mailbox("fixed", CUBBY_CREATE | BOTH, &options);
	expect_result(cubby_send_region(small, region, NULL, soon()),
		      -EMSGSIZE);
	cubby_close(small);

	expect_result(cubby_receive_region(sender, NULL, soon(), &region, NULL),
		      -EBADF);
	expect_result(cubby_receive_region(mailbox, NULL, soon(), NULL, NULL),
		      -EINVAL);
	envelope.struct_size = 1;
	expect_result(cubby_receive_region(mailbox, NULL, soon(), &named,
					   &envelope), -EINVAL);
	filter.struct_size = 1;
	expect_result(cubby_receive_region(mailbox, &filter, soon(), &named,
					   NULL), -EINVAL);
	expect_result(cubby_receive_region(mailbox, NULL, CUBBY_NOW, &named,
					   NULL), -EAGAIN);
	expect_result(cubby_receive_region(mailbox, NULL,
					   cubby_deadline_after(1000000),
					   &named, NULL), -ETIMEDOUT);
	in_child(&child) {
		cubby_mailbox *mine = open_mailbox("m", BOTH, NULL);

		expect_result(cubby_send_region(mailbox, region, NULL, soon()),
			      -ECHILD);
		expect_result(cubby_send_region(mine, region, NULL, soon()),
			      -ECHILD);
		expect_result(cubby_receive_region(mailbox, NULL, soon(),
						   &region, NULL), -ECHILD);
		cubby_close(mine);
	}
	child_finish(&child);
	cubby_region_close(region);
	cubby_region_close(named);
	cubby_close(mailbox);
	cubby_close(sender);
	cubby_close(receiver);
}

static void
a_handle_inherited_by_a_child_harms_nobody(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	cubby_region *region, *other;
	struct child child;

	send_region(mailbox, 1);
	send_region(mailbox, 2);
	region = receive_region(mailbox, 1, 1);
	other = receive_region(mailbox, 2, 1);
	in_child(&child) {
		cubby_region_close(region);
		expect(cubby_region_data(other) == NULL);
		cubby_close(mailbox);	/* and `other` */
	}
	child_finish(&child);
	expect(pattern_holds(cubby_region_data(region), SIZE, 1));
	expect_ok(cubby_send_region(mailbox, region, NULL, soon()));
	cubby_region_close(receive_region(mailbox, 1, 1));
	cubby_region_close(other);
	cubby_close(mailbox);
}

/* What an honest sender would not send. */
static void
a_message_that_lies_is_passed_over(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	char path[PATH_MAX], to[2 * PATH_MAX];
	cubby_region *region;

	/* The link is not there any more, or is something else. */
	send_region(mailbox, 1);
	snprintf(to, sizeof(to), "rm `find %s -name 'region.*'`", test_root());
	expect_int(system(to), 0);
	expect_no_region(mailbox);
	send_region(mailbox, 1);
	snprintf(to, sizeof(to), "f=`find %s -name 'region.*'`; rm $f; "
		 "mkdir $f", test_root());
	expect_int(system(to), 0);
	expect_no_region(mailbox);
	find_first_link(path);
	expect_system(rmdir(path));
	send_region(mailbox, 1);
	snprintf(to, sizeof(to), "f=`find %s -type f -name 'region.*'`; "
		 "rm $f; echo hello > $f", test_root());
	expect_int(system(to), 0);
	expect_no_region(mailbox);
	/* Another region under that name. */
	send_region(mailbox, 2);
	find_first_link(path);
	region = make_region(3);
	expect_system(unlink(path));
	snprintf(to, sizeof(to), "/proc/self/fd/%d", region->memory);
	expect_system(linkat(AT_FDCWD, to, AT_FDCWD, path, AT_SYMLINK_FOLLOW));
	expect_no_region(mailbox);
	cubby_region_close(region);
	cubby_close(mailbox);
}

/* As cubby_send_region() would, but that it says what its sender wants. */
static void
send_ticket(cubby_mailbox *mailbox, const struct region_ticket *ticket,
	    size_t size)
{
	const struct parcel parcel = { .size = size, .type = PARCEL_REGION };
	struct sent sent;

	expect_ok(mailbox->operations->send(mailbox, ticket, &parcel, false,
					    CUBBY_NOW, &sent));
}

static void
many_that_lie_end_with_the_deadline(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	const struct region_ticket ticket = { .number = 1, .size = 1 };
	cubby_region *region = NULL;

	/* Of another size than it can be: of no region at all. */
	send_ticket(mailbox, &ticket, sizeof(ticket) - 8);
	send_region(mailbox, 1);
	cubby_region_close(receive_region(mailbox, 1, 1));
	/* As many as are passed over without a look at the clock, and more. */
	for (int i = 0; i < 100; i++)
		send_ticket(mailbox, &ticket, sizeof(ticket));
	send_region(mailbox, 2);
	expect_result(cubby_receive_region(mailbox, NULL, CUBBY_NOW, &region,
					   NULL), -EAGAIN);
	expect(inspect("m").waiting > 1);
	cubby_region_close(receive_region(mailbox, 2, 1));
	for (int i = 0; i < 100; i++)
		send_ticket(mailbox, &ticket, sizeof(ticket));
	expect_result(cubby_receive_region(mailbox, NULL, 1, &region, NULL),
		      -ETIMEDOUT);
	expect(inspect("m").waiting > 0);
	expect_no_region(mailbox);
	expect_int(inspect("m").waiting, 0);
	cubby_close(mailbox);
}

/* Under the names that its next so many transfers would have. */
static void
plant_links(cubby_mailbox *mailbox, const cubby_region *region, int count)
{
	uint32_t number = transfers_attempt(region->file->transfers.word);
	char name[PATH_MAX];
	int n = snprintf(name, sizeof(name), "region.");

	for (int i = 0; i < 16; i++)
		n += snprintf(name + n, sizeof(name) - (size_t)n, "%02x",
			      region->uuid[i]);
	while (count-- > 0) {
		number = transfers_next(number);
		snprintf(name + n, sizeof(name) - (size_t)n, ".%08x", number);
		expect_system(mknodat(mailbox->view.lanes_directory, name,
				      S_IFREG | 0600, 0));
	}
}

static void
what_is_planted_under_its_name_is_passed_over(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	cubby_region *region = make_region(1);

	plant_links(mailbox, region, 5);
	expect_ok(cubby_send_region(mailbox, region, NULL, soon()));
	cubby_region_close(receive_region(mailbox, 1, 1));
	/* More than are tried: that is told, and the region is as it was. */
	region = make_region(2);
	plant_links(mailbox, region, 100);
	expect_result(cubby_send_region(mailbox, region, NULL, soon()),
		      -EBADMSG);
	expect(pattern_holds(cubby_region_data(region), SIZE, 2));
	expect_empty(mailbox);
	expect_ok(cubby_send_region(mailbox, region, NULL, soon()));
	cubby_region_close(receive_region(mailbox, 2, 1));
	cubby_close(mailbox);
}

/* A sweep takes what it knows for what it is, and no more. */
static void
what_only_looks_like_a_region_is_not_swept(void)
{
	static const char *const names[] = {
		"region.0123456789abcdef0123456789abcdef.00000001",
		"region.0123456789abcdef0123456789abcdeX.00000001",
		"region.0123456789abcdef0123456789abcdef-00000001",
		"region.0123456789abcdef0123456789abcdef.0000000X",
		"regiom.0123456789abcdef0123456789abcdef.00000001",
		"region.",
	};
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	struct cubby_swept swept = CUBBY_SWEPT_INIT;
	char path[PATH_MAX], other[2 * PATH_MAX];
	int lanes = mailbox->view.lanes_directory, fd;
	size_t files;

	/* One is a region's file, but another's. */
	send_region(mailbox, 1);
	find_first_link(path);
	snprintf(other, sizeof(other), "%.*s/region.fedcba9876543210"
		 "fedcba9876543210.00000001",
		 (int)(strrchr(path, '/') - path), path);
	expect_system(link(path, other));
	for (size_t i = 0; i < COUNT_OF(names); i++)
		expect_system(mknodat(lanes, names[i], S_IFREG | 0600, 0));
	fd = openat(lanes, names[0], O_WRONLY | O_CLOEXEC);
	expect_system(fd);
	expect_int(write(fd, "hello", 5), 5);
	close(fd);
	files = count_files();
	expect_ok(cubby_sweep("m", &swept));
	expect_int(swept.bytes, 0);
	expect_int(count_files(), files);
	expect_system(unlink(other));
	cubby_region_close(receive_region(mailbox, 1, 1));
	cubby_close(mailbox);
}

/* Its file says that it is somebody else's by now. */
static void
what_is_not_ones_own_any_more_is_not_sent(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	cubby_region *region = make_region(1);
	uint64_t word = region->file->transfers.word;

	region->file->transfers.word = transfers_make(7, 7);
	expect_result(cubby_send_region(mailbox, region, NULL, soon()),
		      -EBADMSG);
	region->file->transfers.word = TRANSFERS_ENDED;
	expect_result(cubby_send_region(mailbox, region, NULL, soon()),
		      -EBADMSG);
	expect_empty(mailbox);
	region->file->transfers.word = word;
	expect_ok(cubby_send_region(mailbox, region, NULL, soon()));
	cubby_region_close(receive_region(mailbox, 1, 1));
	cubby_close(mailbox);
}

static void
a_mailbox_of_that_size_alone_takes_them(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_mailbox *mailbox;

	options.message_max = sizeof(struct region_ticket);
	options.sizing = CUBBY_FIXED;
	mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, &options);
	send_region(mailbox, 1);
	cubby_region_close(receive_region(mailbox, 1, 1));
	cubby_close(mailbox);
}

/* One that was never in a mailbox. */
static void
a_childs_copy_of_ones_own_is_closed_alone(void)
{
	cubby_region *region = make_region(1);
	struct child child;

	in_child(&child)
		cubby_region_close(region);
	child_finish(&child);
	expect(pattern_holds(cubby_region_data(region), SIZE, 1));
	cubby_region_close(region);
}

/* Of a receiver that has no descriptor left. */
static void
what_cannot_be_opened_now_goes_back(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	struct rlimit limit = { 0, 0 }, before;
	cubby_region *region = NULL;
	uint32_t deliveries = 1;
	int result;

	send_region(mailbox, 1);
	/* The lane is known, and the first message of it no trouble. */
	cubby_region_close(receive_region(mailbox, 1, 1));
	send_region(mailbox, 2);
	expect_system(getrlimit(RLIMIT_NOFILE, &before));
	limit.rlim_max = before.rlim_max;
	for (limit.rlim_cur = 0; limit.rlim_cur < 100; limit.rlim_cur++) {
		expect_system(setrlimit(RLIMIT_NOFILE, &limit));
		result = cubby_receive_region(mailbox, NULL, CUBBY_NOW,
					      &region, NULL);
		if (result == 0)
			break;
		expect_result(result, -EMFILE);
		deliveries++;
	}
	expect_system(setrlimit(RLIMIT_NOFILE, &before));
	expect(deliveries > 3);
	expect(pattern_holds(cubby_region_data(region), SIZE, 2));
	expect_ok(cubby_send_region(mailbox, region, NULL, soon()));
	cubby_region_close(receive_region(mailbox, 2, 1));
	cubby_close(mailbox);
}

/* What a file may say for good. */
static void
what_can_never_be_opened_is_passed_over(void)
{
	cubby_mailbox *mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	uint32_t errors[] = { ETXTBSY, EPERM, EIO };
	struct child child;

	for (size_t i = 0; i < COUNT_OF(errors); i++) {
		send_region(mailbox, 1);
		send_region(mailbox, 2);
		in_child(&child) {
			cubby_mailbox *mine = open_mailbox("m", CUBBY_RECEIVE,
							   NULL);
			cubby_region *region = receive_region(mine, 1, 1);

			forbid_maps(errors[i]);
			expect_no_region(mine);
			cubby_region_close(region);
			cubby_close(mine);
		}
		child_finish(&child);
		expect_no_region(mailbox);
		expect_int(inspect("m").held, 0);
		expect_int(count_links(), 0);
	}
	cubby_close(mailbox);
}

/* From here on this process has addresses, but not for the largest region. (With
   32 bits it never had.) */
static void
use_up_addresses(void)
{
	while (REGION_SIZE_LIMIT <= SIZE_MAX &&
	       mmap(NULL, (size_t)REGION_SIZE_LIMIT, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		    0) != MAP_FAILED)
		;
}

/* Says that it may grow as large as any. */
static void
enlarge(void)
{
	uint64_t size_max = REGION_SIZE_LIMIT;
	char path[PATH_MAX];
	int fd;

	find_link(path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	expect_system(fd);
	expect_int(pwrite(fd, &size_max, 8, offsetof(struct region_file,
						     head.size_max)), 8);
	close(fd);
}

static void
what_is_too_large_to_map_holds_up_no_others(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_region *region = NULL;
	cubby_mailbox *mailbox;
	struct child child;

	need_root();
	share_root();
	options.mode = 0622;
	mailbox = open_mailbox("/m", CUBBY_CREATE | BOTH, &options);
	as_user(&child, STRANGER) {
		cubby_mailbox *mine = open_mailbox("/m", CUBBY_SEND, NULL);

		send_region(mine, 1);
		cubby_close(mine);
	}
	child_finish(&child);
	enlarge();
	send_region(mailbox, 2);
	use_up_addresses();
	cubby_region_close(receive_region(mailbox, 2, 1));
	expect_no_region(mailbox);
	expect_int(count_links(), 0);
	/* One's own is told of, and stays. */
	send_region(mailbox, 3);
	enlarge();
	for (int i = 0; i < 3; i++)
		expect_result(cubby_receive_region(mailbox, NULL, CUBBY_NOW,
						   &region, NULL), -ENOMEM);
	cubby_close(mailbox);
}

static void
a_mailbox_of_another_file_system_takes_none(void)
{
	char path[PATH_MAX];
	cubby_mailbox *mailbox;
	cubby_region *region;

	need_root();
	mount_small_root(1 << 20);
	snprintf(path, sizeof(path), "%s/cubby-0", test_root());
	expect_system(mkdir(path, 0700));
	expect_system(mount("small", path, "tmpfs", 0, "size=1m,mode=0700"));
	mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	region = make_region(1);
	expect_result(cubby_send_region(mailbox, region, NULL, soon()), -EXDEV);
	expect(pattern_holds(cubby_region_data(region), SIZE, 1));
	expect_empty(mailbox);
	cubby_region_close(region);
	cubby_close(mailbox);
	expect_ok(cubby_unlink("m"));
	expect_system(umount(path));
}

static void
what_cannot_be_shared_is_not_sent(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	struct child child;

	need_root();
	share_root();
	options.mode = 0622;
	cubby_close(open_mailbox("/m", CUBBY_CREATE, &options));
	as_user(&child, STRANGER) {
		cubby_mailbox *mailbox = open_mailbox("/m", CUBBY_SEND, NULL);
		cubby_region *region = make_region(1);

		/* Without access control lists, root could not be let in. */
		forbid(SYS_fsetxattr, EOPNOTSUPP);
		expect_result(cubby_send_region(mailbox, region, NULL, soon()),
			      -EOPNOTSUPP);
		expect(pattern_holds(cubby_region_data(region), SIZE, 1));
		cubby_region_close(region);
		cubby_close(mailbox);
	}
	child_finish(&child);
	expect_int(count_links(), 0);
	expect_int(inspect("/m").waiting, 0);
}

/* Threads ---------------------------------------------------------------- */

static cubby_mailbox *shared;

static void *
pass_on(void *context)
{
	for (int i = 0; i < 100; i++) {
		cubby_region *region = NULL;

		expect_ok(cubby_receive_region(shared, NULL, soon(), &region,
					       NULL));
		(*(uint64_t *)cubby_region_data(region))++;
		expect_ok(cubby_send_region(shared, region, NULL, soon()));
	}
	return context;
}

static void
threads_share_a_mailbox(void)
{
	pthread_t threads[4];
	uint64_t sum = 0;

	shared = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	for (int i = 0; i < 3; i++) {
		cubby_region *region = make_region(0);

		*(uint64_t *)cubby_region_data(region) = 0;
		expect_ok(cubby_send_region(shared, region, NULL, soon()));
	}
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		expect_int(pthread_create(&threads[i], NULL, pass_on, NULL), 0);
	for (size_t i = 0; i < COUNT_OF(threads); i++)
		expect_int(pthread_join(threads[i], NULL), 0);
	for (int i = 0; i < 3; i++) {
		cubby_region *region = NULL;

		expect_ok(cubby_receive_region(shared, NULL, soon(), &region,
					       NULL));
		sum += *(uint64_t *)cubby_region_data(region);
		cubby_region_close(region);
	}
	expect_int(sum, 400);
	cubby_close(shared);
}

/* A child of fork() uses its own handles, whatever threads were at. */
static void
a_child_is_not_held_up_by_the_threads_of_its_parent(void)
{
	pthread_t thread;

	/* A fork() leaves the lock of its malloc() with the thread that has it. */
	if (UNDER_TSAN)
		skip_test("ThreadSanitizer itself would hold the child up");
	shared = open_mailbox("m", CUBBY_CREATE | BOTH, NULL);
	send_region(shared, 0);
	send_region(shared, 0);
	expect_int(pthread_create(&thread, NULL, pass_on, NULL), 0);
	for (int i = 0; i < MANY(40); i++) {
		struct child child;

		in_child(&child) {
			cubby_mailbox *mine = open_mailbox("other",
							   CUBBY_CREATE | BOTH,
							   NULL);

			send_region(mine, 1);
			cubby_region_close(receive_region(mine, 1, 1));
			cubby_close(mine);
		}
		child_finish(&child);
	}
	expect_int(pthread_join(thread, NULL), 0);
	cubby_close(shared);
}

/* Users ------------------------------------------------------------------ */

static void
users_pass_it(mode_t mode, uid_t from, uid_t to, uid_t outsider)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	struct child child;
	char path[PATH_MAX];

	options.mode = mode;
	options.group = "62000";
	as_user(&child, OWNER)
		cubby_close(open_mailbox("/m", CUBBY_CREATE, &options));
	child_finish(&child);
	as_user(&child, from) {
		cubby_mailbox *mailbox = open_mailbox("/m", CUBBY_SEND, NULL);

		umask(077);
		send_region(mailbox, 8);
		send_region(mailbox, 9);
		cubby_close(mailbox);
	}
	child_finish(&child);
	find_link(path);
	as_user(&child, outsider) {
		expect(open(path, O_RDONLY | O_CLOEXEC) == -1);
		expect_int(errno, EACCES);
	}
	child_finish(&child);
	as_user(&child, to) {
		cubby_mailbox *mailbox = open_mailbox("/m", CUBBY_RECEIVE,
						      NULL);
		cubby_region *region = receive_region(mailbox, 8, 1);

		memset(cubby_region_data(region), 1, SIZE);
		cubby_region_close(region);
		cubby_close(mailbox);
	}
	child_finish(&child);
	as_user(&child, to) {
		cubby_mailbox *mailbox = open_mailbox("/m", CUBBY_RECEIVE |
						      CUBBY_SEND, NULL);
		cubby_region *region = receive_region(mailbox, 9, 1);

		/* It is not his to send on. */
		expect_result(cubby_send_region(mailbox, region, NULL, soon()),
			      from == to ? 0 : -EACCES);
		if (from != to)
			cubby_region_close(region);
		cubby_close(mailbox);
	}
	child_finish(&child);
	as_user(&child, OWNER) {
		expect_ok(cubby_unlink("/m"));
		expect_ok(cubby_sweep(NULL, NULL));
	}
	child_finish(&child);
	expect_int(count_files(), 0);
}

static void
a_region_goes_from_user_to_user(void)
{
	need_root();
	share_root();
	/* The group may do both, so may the owner. */
	users_pass_it(0660, MEMBER, OWNER, STRANGER);
	users_pass_it(0660, OWNER, MEMBER, STRANGER);
	users_pass_it(0660, MEMBER, MEMBER, STRANGER);
	/* Others send what the owner receives. */
	users_pass_it(0622, STRANGER, OWNER, MEMBER);
	/* Others do both, and the group nothing. */
	users_pass_it(0606, STRANGER, OWNER, MEMBER);
	users_pass_it(0606, OWNER, STRANGER, MEMBER);
}

static cubby_mailbox *
open_for_all(const char *name)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	options.mode = 0666;
	return open_mailbox(name, CUBBY_CREATE | BOTH, &options);
}

/* Root may: nobody else could let anyone in there. */
static void
root_sends_on_what_another_has_made(void)
{
	cubby_mailbox *first, *second;
	struct child child;

	need_root();
	share_root();
	first = open_for_all("/first");
	second = open_for_all("/second");
	as_user(&child, OWNER) {
		cubby_mailbox *mailbox = open_mailbox("/first", CUBBY_SEND,
						      NULL);

		send_region(mailbox, 5);
		cubby_close(mailbox);
	}
	child_finish(&child);
	expect_ok(cubby_send_region(second, receive_region(first, 5, 1), NULL,
				    soon()));
	as_user(&child, STRANGER) {
		cubby_mailbox *mailbox = open_mailbox("/second", CUBBY_RECEIVE,
						      NULL);

		cubby_region_close(receive_region(mailbox, 5, 1));
		cubby_close(mailbox);
	}
	child_finish(&child);
	cubby_close(first);
	cubby_close(second);
	expect_ok(cubby_unlink("/first"));
	expect_ok(cubby_unlink("/second"));
}

/* A sender with a program of his own names a file that is not his. */
static void
another_users_region_is_not_taken_from_a_sender_who_lies(void)
{
	cubby_mailbox *mailbox;
	struct child child;

	need_root();
	share_root();
	mailbox = open_for_all("/m");
	as_user(&child, OWNER) {
		cubby_mailbox *mine = open_mailbox("/m", CUBBY_SEND, NULL);

		send_region(mine, 5);
		cubby_close(mine);
	}
	child_finish(&child);
	as_user(&child, STRANGER) {
		cubby_mailbox *mine = open_mailbox("/m", BOTH, NULL);
		struct region_ticket ticket = { .size = SIZE };
		cubby_region *region = receive_region(mine, 5, 1);

		memcpy(ticket.uuid, region->uuid, sizeof(ticket.uuid));
		expect_ok(region_begin_transfer(region,
						mine->view.lanes_directory,
						&ticket.number));
		send_ticket(mine, &ticket, sizeof(ticket));
		region_complete_transfer(region, ticket.number);
		region->message = NULL;
		cubby_region_close(region);
		cubby_close(mine);
	}
	child_finish(&child);
	expect_no_region(mailbox);
	cubby_close(mailbox);
	expect_ok(cubby_unlink("/m"));
}

/* One that tried to send it on to others, tries again, and is killed over it. */
static void
those_keep_their_right_to_whom_it_goes_back(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	struct gate tried = gate_make();
	struct child child;

	need_root();
	share_root();
	options.mode = 0660;
	options.group = "62000";
	as_user(&child, OWNER) {
		cubby_mailbox *mailbox = open_mailbox("/m", CUBBY_CREATE |
						      CUBBY_SEND, &options);

		send_region(mailbox, 8);
		cubby_close(mailbox);
		options.mode = 0600;
		options.order = CUBBY_ORDER_ARRIVAL;
		options.buffering = CUBBY_RENDEZVOUS;
		cubby_close(open_mailbox("/own", CUBBY_CREATE, &options));
	}
	child_finish(&child);
	as_user(&child, OWNER) {
		cubby_mailbox *mailbox = open_mailbox("/m", CUBBY_RECEIVE,
						      NULL);
		cubby_mailbox *own = open_mailbox("/own", CUBBY_SEND, NULL);
		cubby_region *region = receive_region(mailbox, 8, 1);

		expect_result(cubby_send_region(own, region, NULL, CUBBY_NOW),
			      -EAGAIN);
		gate_open(&tried);
		cubby_send_region(own, region, NULL, CUBBY_FOREVER);
	}
	gate_wait(&tried);
	child_wait_asleep(&child);
	child_kill(&child);
	as_user(&child, MEMBER) {
		cubby_mailbox *mailbox = open_mailbox("/m", CUBBY_RECEIVE,
						      NULL);

		cubby_region_close(receive_region(mailbox, 8, 2));
		cubby_close(mailbox);
	}
	child_finish(&child);
	as_user(&child, OWNER) {
		expect_ok(cubby_unlink("/m"));
		expect_ok(cubby_unlink("/own"));
		expect_ok(cubby_sweep(NULL, NULL));
	}
	child_finish(&child);
}

/* Who receives and may not unlink gives the memory back. */
static void
a_foreign_regions_memory_is_given_back(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	uint64_t before;
	struct child child;

	need_root();
	mount_small_root(8 << 20);
	share_root();
	options.mode = 0660;
	options.group = "62000";
	options.memory_limit = 1 << 20;
	as_user(&child, OWNER) {
		cubby_mailbox *mailbox = open_mailbox("/m", CUBBY_CREATE | BOTH,
						      &options);

		send_text(mailbox, "x");
		cubby_close(mailbox);
	}
	child_finish(&child);
	as_user(&child, MEMBER) {
		cubby_mailbox *mailbox = open_mailbox("/m", BOTH, NULL);

		expect_text(mailbox, "x");
		cubby_close(mailbox);
	}
	child_finish(&child);
	before = root_bytes_free();
	as_user(&child, OWNER) {
		cubby_mailbox *mailbox = open_mailbox("/m", CUBBY_SEND, NULL);

		for (int i = 0; i < 10; i++)
			send_region(mailbox, 8);
		cubby_close(mailbox);
	}
	child_finish(&child);
	expect(root_bytes_free() < before - 10 * SIZE);
	as_user(&child, MEMBER) {
		cubby_mailbox *mailbox = open_mailbox("/m", CUBBY_RECEIVE,
						      NULL);

		for (int i = 0; i < 10; i++)
			cubby_region_close(receive_region(mailbox, 8, 1));
		cubby_close(mailbox);
	}
	child_finish(&child);
	/* Two pages of each are left, for the owner to sweep. */
	expect(root_bytes_free() >= before - (10 * 2 + 20) * 4096);
	as_user(&child, OWNER)
		expect_ok(cubby_sweep("/m", NULL));
	child_finish(&child);
	expect_int(count_links(), 0);
	as_user(&child, OWNER)
		expect_ok(cubby_unlink("/m"));
	child_finish(&child);
}

/* Its sender does, with the next ones, and when it leaves. */
static void
a_sender_removes_what_receivers_may_not(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	struct gate sent = gate_make(), ended = gate_make();
	struct child sender, receiver;

	need_root();
	share_root();
	options.mode = 0660;
	options.group = "62000";
	as_user(&sender, OWNER)
		cubby_close(open_mailbox("/m", CUBBY_CREATE, &options));
	child_finish(&sender);
	as_user(&sender, OWNER) {
		cubby_mailbox *mailbox = open_mailbox("/m", CUBBY_SEND, NULL);

		for (int i = 0; i < 200; i++) {
			send_region(mailbox, 1);
			gate_open(&sent);
			gate_wait(&ended);
		}
		cubby_close(mailbox);
	}
	as_user(&receiver, MEMBER) {
		cubby_mailbox *mailbox = open_mailbox("/m", CUBBY_RECEIVE,
						      NULL);

		for (int i = 0; i < 200; i++) {
			gate_wait(&sent);
			cubby_region_close(receive_region(mailbox, 1, 1));
			expect(i % 50 || count_links() <= 3);
			gate_open(&ended);
		}
		cubby_close(mailbox);
	}
	child_finish(&receiver);
	child_finish(&sender);
	expect_int(count_links(), 0);
	as_user(&sender, OWNER) {
		/* It leaves what has not been received. */
		cubby_mailbox *mailbox = open_mailbox("/m", BOTH, NULL);

		for (int i = 0; i < 100; i++)
			send_region(mailbox, 1);
		cubby_close(mailbox);
		expect_int(count_links(), 100);
		expect_ok(cubby_unlink("/m"));
	}
	child_finish(&sender);
}

static const struct test tests[] = {
	TEST(a_region_goes_from_one_process_to_another),
	TEST(nothing_is_copied),
	TEST(the_envelope_tells_of_it),
	TEST(it_goes_on_from_mailbox_to_mailbox),
	TEST(messages_and_regions_keep_their_order),
	TEST(what_went_back_is_for_those_who_want_it),
	TEST(a_mailbox_that_ends_takes_its_regions_along),
	TEST(other_orders_carry_regions_too),
	TEST(without_a_limit_and_to_an_inbox),
	TEST(a_region_is_handed_over_when_both_meet),
	TEST(what_was_not_sent_is_private_again),
	TEST(what_was_not_sent_goes_with_its_owner),
	TEST(the_sender_may_die_when_it_has_sent),
	TEST(a_killed_receivers_region_goes_back),
	TEST(a_killed_owner_that_has_sent_it_on_leaves_it_there),
	TEST(a_receiver_says_for_the_sender_that_it_was_sent),
	TEST(a_message_that_does_not_count_is_passed_over),
	TEST(what_an_earlier_holder_tried_is_void),
	TEST(a_sweep_takes_what_is_left_over_and_no_more),
	TEST(a_full_mailbox_leaves_the_region_where_it_is),
	TEST(what_makes_no_sense_is_refused),
	TEST(a_handle_inherited_by_a_child_harms_nobody),
	TEST(a_message_that_lies_is_passed_over),
	TEST(many_that_lie_end_with_the_deadline),
	TEST(what_is_planted_under_its_name_is_passed_over),
	TEST(what_only_looks_like_a_region_is_not_swept),
	TEST(what_is_not_ones_own_any_more_is_not_sent),
	TEST(a_mailbox_of_that_size_alone_takes_them),
	TEST(a_childs_copy_of_ones_own_is_closed_alone),
	TEST(what_cannot_be_opened_now_goes_back),
	TEST(what_can_never_be_opened_is_passed_over),
	TEST(what_is_too_large_to_map_holds_up_no_others),
	TEST(a_mailbox_of_another_file_system_takes_none),
	TEST(what_cannot_be_shared_is_not_sent),
	TEST(threads_share_a_mailbox),
	TEST(a_child_is_not_held_up_by_the_threads_of_its_parent),
	TEST(a_region_goes_from_user_to_user),
	TEST(root_sends_on_what_another_has_made),
	TEST(another_users_region_is_not_taken_from_a_sender_who_lies),
	TEST(those_keep_their_right_to_whom_it_goes_back),
	TEST(a_foreign_regions_memory_is_given_back),
	TEST(a_sender_removes_what_receivers_may_not),
};

int
main(void)
{
	return RUN_TESTS("region_send", tests);
}
