/* SPDX-License-Identifier: MIT */
/* Test: timeout 240. */
/*
 * A queue in use, of which one word after the other is spoilt: what its slots,
 * their chunks, its waiters, its index and its participants say. Whoever may
 * write it may write anything; every call comes to its end all the same, with
 * an error that it has, and what it says to have received makes sense.
 *
 * With CUBBY_TEST_LONG every word, with every value; else a part of them.
 */
#include "handle.h"
#include "support/support.h"
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)
#define LARGE 20000

/* A queue of which something is in every state. */
struct scene {
	cubby_mailbox *one, *other;
	cubby_message *held;
	cubby_draft *draft;
};

static struct cubby_options options;
static char data[LARGE], buffer[LARGE];

static bool
is_documented(int result)
{
	static const int errors[] = { EAGAIN, ETIMEDOUT, EBADMSG, EMSGSIZE,
				      ENOSPC, EUSERS, EPIPE, ENOMEM, EINVAL,
				      EINPROGRESS, EBUSY, EOPNOTSUPP };

	for (size_t i = 0; i < COUNT_OF(errors); i++)
		if (result == -errors[i])
			return true;
	return result >= 0;
}

#define expect_documented(call) expect(is_documented(call))

static void
set_up(struct scene *s)
{
	bool has_room = options.buffering != CUBBY_RENDEZVOUS;

	memset(s, 0, sizeof(*s));
	s->one = open_mailbox("m", CUBBY_CREATE | BOTH, &options);
	s->other = open_mailbox("m", BOTH, NULL);
	if (has_room) {
		send_text(s->one, "a");
		expect_ok(cubby_hold(s->other, NULL, CUBBY_NOW, &s->held));
		send_text(s->one, "b");
		expect_ok(cubby_send(s->other, data, LARGE));
		expect_ok(cubby_reserve(s->other, 100, CUBBY_NOW, &s->draft));
	}
	/* In the lists of those who wait. */
	expect(cubby_fd(s->one, CUBBY_RECEIVE) >= 0);
	expect(cubby_fd(s->other, CUBBY_SEND) >= 0);
}

static void
receive_one(cubby_mailbox *mailbox, int flags, int64_t deadline)
{
	size_t size = 0;
	int r = cubby_receive_full(mailbox, NULL, flags, deadline, buffer,
				   sizeof(buffer), &size, NULL);

	expect_documented(r);
	expect(r != 0 || size <= sizeof(buffer));
}

/* Everything that there is, at both handles. */
static void
use(struct scene *s)
{
	struct cubby_wait_entry entries[2] = {
		{ s->one, BOTH, 0 }, { s->other, BOTH, 0 }
	};
	cubby_message *message;
	cubby_draft *draft;

	receive_one(s->one, CUBBY_PEEK, CUBBY_NOW);
	expect_documented(cubby_send_full(s->other, "c", 1, NULL, 0,
					  CUBBY_NOW));
	expect_documented(cubby_wait(entries, 2, CUBBY_NOW));
	if (s->held)
		cubby_release(s->held);
	if (s->draft)
		expect_documented(cubby_commit(s->draft, 100, NULL));
	if (cubby_hold(s->one, NULL, CUBBY_NOW, &message) == 0)
		cubby_reject(message);
	for (int i = 0; i < 3; i++)
		receive_one(i & 1 ? s->one : s->other, 0, CUBBY_NOW);
	expect_documented(cubby_send_full(s->one, data, LARGE, NULL,
					  CUBBY_SYNCHRONOUS, 1));
	if (cubby_reserve(s->one, LARGE, CUBBY_NOW, &draft) == 0)
		cubby_abort(draft);
	receive_one(s->other, 0, 1);
}

/* A third one comes, and looks. */
static void
look_from_outside(void)
{
	struct cubby_info info = CUBBY_INFO_INIT;
	struct cubby_swept swept = CUBBY_SWEPT_INIT;
	cubby_mailbox *third = NULL;
	int r = cubby_open("m", BOTH, NULL, &third);

	expect(is_documented(r) || r == -EPROTO);
	if (r == 0)
		receive_one(third, 0, CUBBY_NOW);
	cubby_close(third);
	r = cubby_inspect("m", &info);
	expect(is_documented(r) || r == -EPROTO);
	r = cubby_sweep("m", &swept);
	expect(is_documented(r) || r == -EPROTO);
}

/* Returns the file's words that are something, by their number. */
static size_t
find_words(const struct scene *s, uint32_t **ret)
{
	const uint32_t *words = (const uint32_t *)s->one->queue.map.file;
	size_t count = 0, room = 1 << 16;
	off_t from = 0, to;
	int fd = s->one->queue.fd;

	*ret = malloc(room * sizeof(**ret));
	expect(*ret != NULL);
	while ((from = lseek(fd, from, SEEK_DATA)) >= 0) {
		to = lseek(fd, from, SEEK_HOLE);
		for (; from < to; from += 4)
			/* Of zeros some; others are no part of anything. */
			if ((words[from / 4] || from % 52 == 0) &&
			    count < room)
				(*ret)[count++] = (uint32_t)(from / 4);
	}
	return count;
}

static uint32_t
harmful(uint32_t was, size_t which)
{
	switch (which) {
	case 0:
		return UINT32_MAX;
	case 1:
		return was + 1;
	case 2:
		return was ? 0 : 1;
	case 3:
		return 7;
	case 4:
		return was ^ 0x80000000;
	default:
		return was ^ 3;
	}
}

#define HARMS 6

/* In a child: spoils that word so, and lets all happen. */
static void
try_word(uint32_t word, size_t which)
{
	struct scene s;
	uint32_t *words;

	set_up(&s);
	words = (uint32_t *)s.one->queue.map.file;
	__atomic_store_n(&words[word], harmful(words[word], which),
			 __ATOMIC_RELAXED);
	use(&s);
	look_from_outside();
	cubby_close(s.one);
	cubby_close(s.other);
	cubby_unlink("m");
}

/* So many in one process: a crash is told with where it was. */
static void
spoil_words(uint64_t step)
{
	uint32_t *now = shared_memory(2 * sizeof(*now)), *words;
	struct child child;
	struct scene s;
	siginfo_t end;
	size_t count;

	memset(buffer, 0, sizeof(buffer));
	set_up(&s);
	count = find_words(&s, &words);
	use(&s);
	cubby_close(s.one);
	cubby_close(s.other);
	expect_ok(cubby_unlink("m"));
	expect(count > 100);
	in_child(&child)
		for (uint64_t i = 0; i < count * HARMS; i += step) {
			now[0] = words[i / HARMS];
			now[1] = (uint32_t)(i % HARMS);
			try_word(now[0], now[1]);
		}
	/* Before it is reaped: that may end us. */
	expect_system(waitid(P_PID, (id_t)child.pid, &end, WEXITED | WNOWAIT));
	printf("%zu words, the last at %u, harm %u\n", count, 4 * now[0],
	       now[1]);
	fflush(stdout);
	child_finish(&child);
	free(words);
	cubby_unlink("m");
	cubby_sweep(NULL, NULL);
}

static void
spoil(enum cubby_order order, enum cubby_buffering buffering)
{
	/* Who lies may make others take memory: no more than there is here. */
	mount_small_root(64 << 20);
	options = (struct cubby_options)CUBBY_OPTIONS_INIT;
	options.order = order;
	options.buffering = buffering;
	options.capacity = buffering == CUBBY_LIMITED ? 6 : 0;
	options.message_max = LARGE;
	/* Prime to HARMS, so that all words and all harms have their turn. */
	spoil_words(getenv("CUBBY_TEST_LONG") ? 1 : 11);
}

static void
any_word_of_a_queue_in_order_of_arrival(void)
{
	spoil(CUBBY_ORDER_ARRIVAL, CUBBY_LIMITED);
}

static void
any_word_of_a_queue_with_priorities(void)
{
	spoil(CUBBY_ORDER_PRIORITY, CUBBY_LIMITED);
}

static void
any_word_of_a_queue_without_a_limit(void)
{
	spoil(CUBBY_ORDER_PRIORITY, CUBBY_UNLIMITED);
}

static void
any_word_of_a_rendezvous(void)
{
	spoil(CUBBY_ORDER_ARRIVAL, CUBBY_RENDEZVOUS);
}

/* A free slot says that it has more of a block than there can be, and that all of
   it is to be committed again. */
static void
no_more_of_a_block_is_committed_than_there_can_be(void)
{
	uint64_t lie = UINT64_C(1) << 40;
	cubby_mailbox *mailbox;
	struct queue_slot *slot;
	struct queue_map *map;
	cubby_draft *draft;
	struct stat st;

	mount_small_root(16 << 20);
	options = (struct cubby_options)CUBBY_OPTIONS_INIT;
	options.order = CUBBY_ORDER_ARRIVAL;
	options.message_max = LARGE;
	mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, &options);
	map = &mailbox->queue.map;
	expect_ok(cubby_send(mailbox, data, LARGE));
	receive_one(mailbox, 0, CUBBY_NOW);
	slot = queue_slot(map, get32(&map->file->free_warm.head));
	expect(slot && get64(&slot->block));
	set64(&map->file->memory, get64(&slot->accounted) - lie);
	set64(&slot->block, lie);
	set32(&slot->holes, 1);
	expect_ok(cubby_reserve(mailbox, LARGE, CUBBY_NOW, &draft));
	expect_system(fstat(mailbox->queue.blocks_fd, &st));
	expect((uint64_t)st.st_size <= map->geometry.blocks_length);
	cubby_abort(draft);
	cubby_close(mailbox);
	expect_ok(cubby_unlink("m"));
}

/* One of no bytes says that they lie in a block, where there are none. */
static void
one_without_a_place_does_not_stop_the_others(void)
{
	cubby_mailbox *mailbox;
	cubby_message *held;
	struct queue_slot *slot;
	uint32_t n;

	options = (struct cubby_options)CUBBY_OPTIONS_INIT;
	options.order = CUBBY_ORDER_ARRIVAL;
	options.message_max = 16;
	mailbox = open_mailbox("m", CUBBY_CREATE | BOTH, &options);
	expect_ok(cubby_send(mailbox, "", 0));
	send_text(mailbox, "b");
	for (n = 0; n < CHUNK_SLOTS; n++) {
		slot = queue_slot(&mailbox->queue.map, n);
		if (slot_state_of(get64(&slot->state)) == SLOT_QUEUED &&
		    get64(&slot->size) == 0)
			set32(&slot->in_block, IN_BLOCK);
	}
	expect_result(cubby_hold(mailbox, NULL, CUBBY_NOW, &held), -EBADMSG);
	expect_ok(cubby_hold(mailbox, NULL, CUBBY_NOW, &held));
	expect_ok(cubby_release(held));
	cubby_close(mailbox);
	expect_ok(cubby_unlink("m"));
}

static const struct test tests[] = {
	TEST(one_without_a_place_does_not_stop_the_others),
	TEST(no_more_of_a_block_is_committed_than_there_can_be),
	TEST(any_word_of_a_queue_in_order_of_arrival),
	TEST(any_word_of_a_queue_with_priorities),
	TEST(any_word_of_a_queue_without_a_limit),
	TEST(any_word_of_a_rendezvous),
};

int
main(void)
{
	return RUN_TESTS("queue damage", tests);
}
