/* SPDX-License-Identifier: MIT */
/*
 * cubby tradeoffs: shared memory against message passing, measured.
 *
 * A *transport* is a way from one process to another. A *contender* is a way to
 * use one: the same memory can be filled and read, or be passed on untouched.
 * All that is measured goes into one struct findings, from which the table, the
 * plot, the JSON and the reading are made.
 */
#ifndef CUBBY_TOOLS_TRADEOFFS_H
#define CUBBY_TOOLS_TRADEOFFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* Ways from one process to another --------------------------------------- */

enum transport_id {
	TRANSPORT_SHARED,
	TRANSPORT_PIPE,
	TRANSPORT_SOCKET,
	TRANSPORT_QUEUE,
	TRANSPORT_CUBBY,
	TRANSPORTS
};

/* What one process has of a transport. Member 1 asks or sends, 0 answers. */
struct side {
	void *end;	  /* the transport's */
	uint64_t *buffer; /* for those that copy: size bytes */
	size_t size;	  /* of a message */
};

struct transport {
	const char *name;
	/*
	 * Makes one for messages of size bytes, of which depth may wait; in the
	 * process that then forks both members. Some are there only when the
	 * first member joins. Returns 0 or -errno.
	 */
	int (*make)(size_t size, size_t depth, void **ret);
	int (*join)(void *made, int member, void **ret_end);
	void (*leave)(void *end);
	void (*unmake)(void *made); /* also when its members were killed */
};

extern const struct transport transports[TRANSPORTS];

int
raw_make(size_t size, size_t depth, void **ret);
int
raw_join(void *made, int member, void **ret_end);
void
raw_leave(void *end);
void
raw_unmake(void *made);

int
ours_make(size_t size, size_t depth, void **ret);
int
ours_join(void *made, int member, void **ret_end);
void
ours_leave(void *end);
void
ours_unmake(void *made);

/* What was in the way of making one. */
const char *
transport_obstacle(enum transport_id transport, int error);

/* Where transports that need a file make it, and mailboxes lie. */
#define TRADEOFFS_ROOT 1024
extern char tradeoffs_root[TRADEOFFS_ROOT];

/* The largest message of the POSIX queues of this system; 0: none are. */
size_t
queue_message_max(void);

/* Takes away the names that a process, killed meanwhile, may have left. */
void
queue_unlink(pid_t pid);

/* Ways to use them ------------------------------------------------------- */

enum contender_id {
	SHARED,
	SHARED_UNTOUCHED,
	PIPE,
	SOCKET,
	QUEUE,
	CUBBY_COPIED,
	CUBBY_IN_PLACE,
	CUBBY_UNTOUCHED,
	CONTENDERS
};

/* Fills a message with words counting from first, and sends it. */
typedef int
produce_function(struct side *side, uint64_t first);
/* Receives one and adds up its words. */
typedef int
consume_function(struct side *side, uint64_t *ret_sum);

struct contender {
	const char *key;    /* in JSON */
	const char *title;  /* in the table */
	const char *legend; /* what it is */
	char letter;	    /* in the plot; 0: not there */
	enum transport_id transport;
	bool untouched; /* neither filled nor read */
	int copies;
	double calls; /* by construction, of a small message */
	produce_function *produce;
	consume_function *consume;
};

extern const struct contender contenders[CONTENDERS];

produce_function raw_produce, raw_pass;
consume_function raw_consume, raw_take;
produce_function ours_produce, ours_produce_in_place, ours_pass;
consume_function ours_consume, ours_consume_in_place, ours_take;

/* What was found --------------------------------------------------------- */

#define SIZES 8
#define CALL_SIZES 2
#define PAIRS_MAX 64
#define MISSING_MAX 48
#define MISSING_TEXT 160

extern const size_t tradeoffs_sizes[SIZES];
extern const size_t tradeoffs_call_sizes[CALL_SIZES];

enum mode {
	HANDOVER, /* one at a time: half of there and back */
	STREAM,	  /* one after the other, as fast as they go */
	MODES
};

/* Of several rounds: the median, and where the middle half of them lies. */
struct figure {
	double median, low, high;
	int rounds; /* 0: it was not measured */
};

struct pair_of_cpus {
	int cpus[2];
	struct figure ns; /* for a line there and back */
};

struct findings {
	int cpu_count;
	double load; /* what else ran at the beginning: processes, on average */
	int pinned[2];				       /* -1: they were not */
	struct figure times[CONTENDERS][SIZES][MODES]; /* ns a message */
	struct figure setup[TRANSPORTS];	       /* ns */
	double calls[CONTENDERS][CALL_SIZES];	       /* -1: not known */
	bool calls_counted; /* else they are by construction */
	struct figure system_call, wake;
	struct figure mutex_free, mutex_shared, mutex_handover;
	struct pair_of_cpus pairs[PAIRS_MAX];
	int pair_count;
	char missing[MISSING_MAX][MISSING_TEXT]; /* what, and why */
	int missing_count;
	double seconds; /* that it took */
};

/* Names what was not measured, and why, once. findings may be NULL. */
__attribute__((format(printf, 2, 3))) void
findings_miss(struct findings *findings, const char *format, ...);

/* Sorts the values. */
struct figure
figure_of(double *values, int count);

/* Measuring: each returns 0, or the number of the signal that ended it. */
int
measure_lines(struct findings *findings, double seconds);
int
measure_synchronisation(struct findings *findings, double seconds);
int
measure_setup(struct findings *findings, double seconds);
int
measure_calls(struct findings *findings, double seconds);
int
measure_times(struct findings *findings, double seconds);

/* Telling. */
void
tradeoffs_table(const struct findings *findings);
void
tradeoffs_plot(const struct findings *findings);
void
tradeoffs_json(const struct findings *findings);
/* The paragraph that reads the figures. The caller frees it. */
char *
tradeoffs_reading(const struct findings *findings);

/* "86 ns", "1.2 us", "64K": into text, which is returned. */
#define TIME_TEXT 16
const char *
time_text(char text[TIME_TEXT], double ns);

/* Small things ----------------------------------------------------------- */

static inline int64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline void
spin_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ __volatile__("yield");
#endif
}

static inline void
words_fill(uint64_t *words, size_t size, uint64_t first)
{
	for (size_t i = 0; i < size / sizeof(*words); i++)
		words[i] = first + i;
}

static inline uint64_t
words_sum(const uint64_t *words, size_t size)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < size / sizeof(*words); i++)
		sum += words[i];
	return sum;
}

/* What words_sum() finds after words_fill(). */
static inline uint64_t
words_expected(size_t size, uint64_t first)
{
	uint64_t count = size / sizeof(uint64_t);

	return count * first + count * (count - 1) / 2;
}

#endif
