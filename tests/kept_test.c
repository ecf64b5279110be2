/* SPDX-License-Identifier: MIT */
/* Test: orders. */
/*
 * A process closes all of its descriptors, as daemons do, and opens files of its own
 * under their numbers. Of these nothing is believed, and in these nothing is changed:
 * who lives is not called dead, and what cannot go on says so.
 */
#include "support/support.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)
#define NUMBERS 128	/* more than the library ever has open here */
#define SIZE (UINT64_C(1) << 20)

/* The application's file: its bytes are all 'A', and it has all of its memory. */
static int
make_own_file(void)
{
	int fd = memfd_create("own", MFD_CLOEXEC);
	static char block[65536];

	expect_system(fd);
	memset(block, 'A', sizeof(block));
	for (uint64_t done = 0; done < SIZE; done += sizeof(block))
		expect_int(write(fd, block, sizeof(block)), sizeof(block));
	return fd;
}

static void
expect_untouched(int fd)
{
	struct stat st;
	char *bytes;

	expect_system(fstat(fd, &st));
	expect_int(st.st_size, SIZE);
	expect_int(st.st_blocks, SIZE / 512);
	bytes = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
	expect(bytes != MAP_FAILED);
	for (uint64_t i = 0; i < SIZE; i++)
		if (bytes[i] != 'A')
			expect_int(i, -1);
	munmap(bytes, SIZE);
}

/* In a child: every number but the gates' is that file. */
static void
become_own(int file, const struct gate *one, const struct gate *other)
{
	int kept = fcntl(file, F_DUPFD, NUMBERS);

	expect_system(kept);
	for (int fd = 3; fd < NUMBERS; fd++)
		if (fd != one->fd && fd != other->fd)
			expect_system(dup2(kept, fd));
}

static void
a_living_receiver_of_a_broadcast_is_waited_for(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	struct gate full = gate_make(), received = gate_make();
	uint64_t *sent = shared_memory(sizeof(*sent));
	int file = make_own_file();
	cubby_mailbox *mailbox;
	struct child child;

	need_order_sender();
	options.delivery = CUBBY_EVERY;
	options.capacity = 16;
	mailbox = open_mailbox("m", CUBBY_CREATE | CUBBY_RECEIVE, &options);
	in_child(&child) {
		cubby_mailbox *own = open_mailbox("m", CUBBY_SEND, NULL);
		int r = 0;

		become_own(file, &full, &received);
		while (r == 0 && *sent < 1000) {
			r = cubby_send_full(own, sent, sizeof(*sent), NULL, 0,
					    CUBBY_NOW);
			*sent += r == 0;
		}
		expect_result(r, -EAGAIN);
		/* Longer than until it is asked again who lives. */
		expect_result(cubby_send_full(own, sent, sizeof(*sent), NULL,
					      0, cubby_deadline_after(
					      INT64_C(50000000))), -ETIMEDOUT);
		gate_open(&full);
		gate_wait(&received);
		send_number(own, *sent);
		cubby_close(own);
		expect_untouched(NUMBERS);
	}
	gate_wait(&full);
	expect_int(*sent, 16);
	for (uint64_t i = 0; i < *sent; i++)
		expect_int(receive_number(mailbox), i);
	gate_open(&received);
	expect_int(receive_number(mailbox), 16);
	child_finish(&child);
	expect_untouched(file);
	close(file);
	cubby_close(mailbox);
}

static const struct test tests[] = {
	TEST(a_living_receiver_of_a_broadcast_is_waited_for),
};

int
main(void)
{
	return RUN_TESTS("kept", tests);
}
