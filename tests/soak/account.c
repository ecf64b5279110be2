/* SPDX-License-Identifier: MIT */
/* The account of a soak run; account.h says what is entered and why. */
#include <cubby.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "account.h"
#include "contents.h"
#include "kinds.h"

struct account *account;
static struct message *messages;
static char *buffers;

#define MESSAGES_SIZE \
	((size_t)LIVES_MAX * LIFE_MESSAGES * sizeof(struct message))

/* Address space; memory comes when it is touched. */
static void *
share(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED) {
		perror("soak: memory for the account");
		exit(2);
	}
	return memory;
}

void
account_make(uint64_t seed)
{
	account = share(sizeof(*account));
	messages = share(MESSAGES_SIZE);
	buffers = share(PLACES_MAX * BUFFER_SIZE);
	account->seed = seed;
}

void
account_begin_round(void)
{
	size_t from = offsetof(struct account, round_began);
	size_t to = offsetof(struct account, person) +
		    account->people * sizeof(struct person);

	memset((char *)account + from, 0, to - from);
	account->locked_times = 0;
	madvise(messages, MESSAGES_SIZE, MADV_REMOVE);
	account->round_began = now();
}

struct message *
account_message(uint32_t life, uint32_t number)
{
	return messages + (size_t)life * LIFE_MESSAGES + number;
}

char *
account_buffer(uint32_t place)
{
	return buffers + (size_t)place * BUFFER_SIZE;
}

uint32_t
account_new_life(uint32_t mailbox)
{
	uint32_t life = atomic_fetch_add(&account->lives, 1);

	if (life >= LIVES_MAX) {
		atomic_store(&account->lives, LIVES_MAX);
		return NOBODY;
	}
	account->life[life].mailbox = mailbox;
	return life;
}

int64_t
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

/* From 1 on: 0 says that nothing has been entered. */
uint32_t
microseconds_down(int64_t time)
{
	return (uint32_t)((time - account->round_began) / 1000) + 1;
}

uint32_t
microseconds_up(int64_t time)
{
	return microseconds_down(time + 999);
}

/* Findings ------------------------------------------------------------------ */

static const char *const finding_names[FINDINGS] = {
	"lost",	       "doubled", "out of order", "damaged",
	"no progress", "leaked",  "wrong",
};

static void
write_line(enum finding finding, const char *words)
{
	uint32_t line = atomic_fetch_add(&account->lines, 1);

	atomic_fetch_add(&account->found[finding], 1);
	if (line >= FINDINGS_MAX)
		return;
	snprintf(account->line[line], sizeof(account->line[line]), "%s: %s",
		 finding_names[finding], words);
	fprintf(stderr, "soak: %s\n", account->line[line]);
}

void
found(enum finding finding, const char *format, ...)
{
	char words[900];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(words, sizeof(words), format, arguments);
	va_end(arguments);
	write_line(finding, words);
}

/* Who a person is, in words. */
static void
describe_person(uint32_t number, char *ret, size_t size)
{
	const struct person *person;

	if (number >= PEOPLE_MAX) {
		snprintf(ret, size, "nobody");
		return;
	}
	person = &account->person[number];
	snprintf(ret, size, "person %u (%s at %s, pid %d%s%s)", number,
		 roles[person->role].name, kinds[person->mailbox].name,
		 (int)person->pid, person->doomed ? ", killed" : "",
		 person->leaving ? ", left" : "");
}

void
found_message(enum finding finding, uint32_t life, uint32_t number,
	      const char *format, ...)
{
	const struct message *m = account_message(life, number);
	uint64_t state = m->state;
	char words[300], taker[120];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(words, sizeof(words), format, arguments);
	va_end(arguments);
	describe_person(state & HANDED ? (uint32_t)(state >> 32) : NOBODY,
			taker, sizeof(taker));
	found(finding,
	      "%s: message %u of sender %u at %s, %zu bytes:%s%s%s%s%s%s%s; "
	      "sent in %u..%u us; first delivered in %u..%u us; deliveries "
	      "%u; had by %s; of the sender %u are begun, %u accepted",
	      words, number, life, kinds[account->life[life].mailbox].name,
	      contents_size(account->life[life].mailbox, ID(life, number)),
	      state & BEGUN ? " begun" : "",
	      state & ACCEPTED ? " accepted" : "",
	      state & REFUSED ? " refused" : "",
	      state & HANDED ? " handed" : "", state & DONE ? " done" : "",
	      state & DOUBT ? " in doubt" : "",
	      state & REJECTED ? " rejected" : "", m->send_begun, m->send_ended,
	      m->take_begun, m->take_ended, (unsigned)(state >> 16 & 0xffff),
	      taker, account->life[life].begun, account->life[life].accepted);
}

/* What senders enter -------------------------------------------------------- */

static struct box *
box_of(uint32_t life)
{
	return &account->box[account->life[life].mailbox];
}

void
enter_begun(uint32_t life, uint32_t number)
{
	struct message *m = account_message(life, number);

	atomic_fetch_and(&m->state, ~(uint64_t)REFUSED);
	atomic_fetch_or(&m->state, BEGUN);
	if (account->life[life].begun <= number)
		account->life[life].begun = number + 1;
}

void
enter_accepted(uint32_t life, uint32_t number, int64_t before, int64_t after)
{
	struct message *m = account_message(life, number);
	struct box *box = box_of(life);
	uint64_t old;

	m->send_begun = microseconds_down(before);
	m->send_ended = microseconds_up(after);
	old = atomic_fetch_or(&m->state, ACCEPTED);
	account->life[life].accepted = number + 1;
	if (old & ACCEPTED)
		return;
	if (!(old & HANDED))
		atomic_fetch_add(&box->waiting, 1);
	atomic_fetch_add(&box->accepted, 1);
	atomic_store(&box->moved, after);
}

void
enter_refused(uint32_t life, uint32_t number)
{
	struct message *m = account_message(life, number);
	uint64_t old = atomic_fetch_or(&m->state, REFUSED);

	if (old & HANDED)
		found_message(DOUBLED, life, number,
			      "handed out, though its send failed");
}

/* What receivers enter ------------------------------------------------------- */

/* May a message in that state be handed out, for the deliveries-th time? Says what
   is wrong with it. */
static const char *
objection(uint64_t state, const struct handed *h)
{
	const struct person *had =
		&account->person[state >> 32 & (PEOPLE_MAX - 1)];

	if (!(state & BEGUN))
		return "handed out, and was never sent";
	if (state & REFUSED)
		return "handed out, though its send failed";
	if (state & DONE)
		return "handed out, and had been dealt with";
	if (!(state & HANDED))
		return NULL;
	if (h->deliveries < 2)
		return "handed out twice, and not marked";
	if (state & REJECTED)
		return NULL;
	if (h->once)
		return "served twice";
	return had->doomed || had->leaving ? NULL :
					     "handed out, and another has it";
}

/* Its first delivery, and the account of what waits. */
static void
count_handed(struct message *m, uint64_t old, const struct handed *h)
{
	struct box *box = &account->box[h->mailbox];

	if (old & HANDED) {
		atomic_fetch_add(&account->redelivered, 1);
		return;
	}
	if (h->deliveries == 1) {
		m->take_begun = microseconds_down(h->before);
		m->take_ended = microseconds_up(h->after);
	}
	if (old & ACCEPTED)
		atomic_fetch_sub(&box->waiting, 1);
	if (old & DOUBT)
		atomic_fetch_sub(&box->doubts, 1);
	atomic_fetch_add(&box->handed, 1);
	atomic_store(&box->moved, h->after);
}

bool
enter_handed(const struct handed *h)
{
	uint32_t life = LIFE_OF(h->id), number = NUMBER_OF(h->id);
	_Atomic uint32_t *counting = &account->person[h->me].counting;
	struct message *m;
	uint64_t old, new;
	const char *wrong;

	if (life >= account->lives || number >= LIFE_MESSAGES ||
	    account->life[life].mailbox != h->mailbox) {
		found(DAMAGED, "at %s: there is no message %u of sender %u",
		      kinds[h->mailbox].name, number, life);
		return false;
	}
	m = account_message(life, number);
	old = m->state;
	atomic_store(counting, h->mailbox + 1);
	do {
		wrong = objection(old, h);
		new = (old & 0xffff & ~(uint64_t)REJECTED) | HANDED |
		      (uint64_t)(h->deliveries & 0xffff) << 16 |
		      (uint64_t)h->me << 32 | (h->for_good ? DONE : 0);
	} while (!atomic_compare_exchange_weak(&m->state, &old, new));
	if (wrong)
		found_message(DOUBLED, life, number,
			      "%s (state before %#llx, delivery %u)", wrong,
			      (unsigned long long)old, h->deliveries);
	count_handed(m, old, h);
	atomic_store(counting, 0);
	return true;
}

void
enter_done(uint64_t id)
{
	atomic_fetch_or(&account_message(LIFE_OF(id), NUMBER_OF(id))->state,
			DONE);
}

void
enter_rejecting(uint64_t id)
{
	atomic_fetch_or(&account_message(LIFE_OF(id), NUMBER_OF(id))->state,
			REJECTED);
}

/* A message that one who died had copied. */
static void
enter_doubt(uint32_t mailbox, uint64_t id)
{
	struct message *m;
	uint64_t old;

	if (LIFE_OF(id) >= account->lives || NUMBER_OF(id) >= LIFE_MESSAGES ||
	    account->life[LIFE_OF(id)].mailbox != mailbox)
		return;
	m = account_message(LIFE_OF(id), NUMBER_OF(id));
	old = m->state;
	do {
		if (old & (HANDED | DOUBT))
			return;
	} while (!atomic_compare_exchange_weak(&m->state, &old, old | DOUBT));
	atomic_fetch_add(&account->box[mailbox].doubts, 1);
}

void
enter_doubts(const struct person *person, bool blank_counts)
{
	const char *buffer = account_buffer(person->place);
	size_t at = 0, size;
	uint64_t id;
	bool any = false;

	while (at + CONTENTS_HEAD <= BUFFER_SIZE &&
	       contents_head(buffer + at, &id, &size)) {
		enter_doubt(person->mailbox, id);
		any = true;
		at += (size + 7) & ~(size_t)7;
		if (person->window != WINDOW_BATCH)
			break;
	}
	if (!blank_counts)
		return;
	/* A batch of a queue takes up to so many under one lock. */
	if (person->window == WINDOW_BATCH)
		atomic_fetch_add(&account->box[person->mailbox].blanks, 32);
	else if (!any)
		atomic_fetch_add(&account->box[person->mailbox].blanks, 1);
}

void
enter_uncounted(const struct person *person)
{
	uint32_t counting = person->counting;

	if (counting)
		atomic_fetch_add(&account->box[counting - 1].doubts, 1);
}
