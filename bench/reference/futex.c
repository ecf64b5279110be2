/* SPDX-License-Identifier: MIT */
/*
 * The bare futex ping-pong: one word each way, and no more calls to the kernel
 * than it takes. The word is both the message and what is slept on, so a
 * wake-up cannot be lost: the kernel compares it before it lets one sleep.
 */
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../asleep.h"
#include "reference.h"
#include "shared.h"

struct word {
	_Alignas(128) _Atomic uint32_t count;
};

struct words {
	struct word question, answer;
	/* private, each side its own */
	_Alignas(128) uint32_t answered;
};

static int
make(const struct contender *self, void **ret)
{
	(void)self;
	return shared_make(sizeof(struct words), ret);
}

static void
word_raise(struct word *word)
{
	atomic_fetch_add(&word->count, 1);
}

static void
word_raise_and_wake(struct word *word)
{
	word_raise(word);
	syscall(SYS_futex, &word->count, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void
word_sleep(struct word *word, uint32_t not )
{
	while (atomic_load(&word->count) == not )
		syscall(SYS_futex, &word->count, FUTEX_WAIT, not, NULL, NULL,
			0);
}

ALWAYS_INLINE int
ask(void *side, uint64_t first)
{
	struct words *words = side;

	(void)first;
	word_raise_and_wake(&words->question);
	return 0;
}

/* The answer's count follows the question's, which only the asker raises. */
ALWAYS_INLINE int
sleep_for_answer(void *side, uint64_t *ret_sum)
{
	struct words *words = side;

	word_sleep(&words->answer, atomic_load(&words->question.count) - 1);
	*ret_sum = 0;
	return 0;
}

ALWAYS_INLINE int
spin_for_answer(void *side, uint64_t *ret_sum)
{
	struct words *words = side;
	uint32_t count = atomic_load(&words->question.count);

	while (atomic_load_explicit(&words->answer.count,
				    memory_order_acquire) != count)
		spin_pause();
	*ret_sum = 0;
	return 0;
}

ALWAYS_INLINE int
sleep_for_question(void *side, uint64_t *ret_sum)
{
	struct words *words = side;

	word_sleep(&words->question, words->answered++);
	*ret_sum = 0;
	return 0;
}

ALWAYS_INLINE int
answer_and_wake(void *side, uint64_t first)
{
	struct words *words = side;

	(void)first;
	word_raise_and_wake(&words->answer);
	return 0;
}

ALWAYS_INLINE int
answer(void *side, uint64_t first)
{
	struct words *words = side;

	(void)first;
	word_raise(&words->answer);
	return 0;
}

static void
run(void *side, int member, struct round *round)
{
	if (member == 0)
		loop_answer(round, side, answer_and_wake, sleep_for_question,
			    0);
	else
		loop_ask_asleep(round, side, ask, sleep_for_answer, 0);
}

static void
run_spinning(void *side, int member, struct round *round)
{
	if (member == 0)
		loop_answer(round, side, answer, sleep_for_question, 0);
	else
		loop_ask_asleep(round, side, ask, spin_for_answer, 0);
}

const struct contender futex_round_trip = {
	.system = "bare futex",
	.size = sizeof(uint32_t),
	.senders = 1,
	.receivers = 1,
	.make = make,
	.join = shared_join,
	.run = run,
	.leave = shared_leave,
	.unmake = shared_unmake,
};

const struct contender futex_round_trip_spinning = {
	.system = "bare futex, asker spins",
	.size = sizeof(uint32_t),
	.senders = 1,
	.receivers = 1,
	.make = make,
	.join = shared_join,
	.run = run_spinning,
	.leave = shared_leave,
	.unmake = shared_unmake,
};
