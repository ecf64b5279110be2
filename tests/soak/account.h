/* SPDX-License-Identifier: MIT */
/*
 * The account of a soak run: kept outside of cubby, in memory that all processes
 * of the run share, written by each of them as it goes.
 *
 * A *person* is one process, from its fork to its end. A *life* numbers the
 * messages of one sender: of one person, or, if it bears a name, of all those that
 * bore it one after the other. A message is known by its life and its number, and
 * that is what its tag and its contents say. Its size, type and priority follow
 * from them, so that whoever receives it knows what it has to be.
 *
 * What is entered of a message, and why the account is exact:
 *
 *	BEGUN		by its sender, before it calls. Killed in the call, it may
 *			have sent it or not: at most once is all that is claimed.
 *	ACCEPTED	by its sender, when a call has said so. From here on it
 *			must be handed out, whoever dies.
 *	REFUSED		by its sender, when a call has said that nothing was sent.
 *			It must never be handed out, unless it is sent again.
 *	HANDED		by who received it, with his number. A second time is a
 *			double, unless cubby marks it as handed out before
 *			(`deliveries`) *and* who had it was killed, was about to
 *			close, or had given it back. The supervisor says `doomed`
 *			before it kills; the others say `leaving`, or REJECTED,
 *			before they call. So there is no time at which a good
 *			redelivery can look like a double.
 *	DONE		by who held it, when cubby_release() has returned; or at
 *			once, if it was received by copy. After that any delivery
 *			is a double, whoever has died.
 *	DOUBT		by the supervisor, when it has reaped one who was killed
 *			between beginning to receive by copy and entering what he
 *			got. His buffer is in shared memory, and was empty before
 *			the call, so it says which message he had copied; that
 *			one he has taken, or has not. No other may be missing.
 *			(In a queue the copy comes after the taking. So one that
 *			died awake with an empty buffer accounts for one missing
 *			message of that mailbox, which is counted: `blank`.)
 *
 * So what is lost is what is ACCEPTED and neither HANDED nor DOUBT when the
 * mailbox has been emptied, less the blanks. All of it is exact for each message,
 * as is the order: the time before and after each call is entered, and only what
 * cannot have been so in any order of the calls' instants is an error.
 */
#ifndef SOAK_ACCOUNT_H
#define SOAK_ACCOUNT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LIVES_MAX 16384
#define LIFE_MESSAGES 8192
#define PEOPLE_MAX 65536
#define PLACES_MAX 2048
#define FINDINGS_MAX 64
#define BUFFER_SIZE ((size_t)1 << 20)
#define NOBODY UINT32_MAX

enum {
	BEGUN = 1,
	ACCEPTED = 2,
	REFUSED = 4,
	HANDED = 8,
	DONE = 16,
	DOUBT = 32,
	REJECTED = 64
	/* bits 16 to 31: deliveries; 32 to 63: who had it */
};

/* Times are in microseconds of the round, those before a call rounded down and
   those after it rounded up. */
struct message {
	_Atomic uint64_t state;
	uint32_t send_begun, send_ended;
	_Atomic uint32_t take_begun, take_ended; /* of the first delivery */
};

struct life {
	uint32_t mailbox;	   /* of the table in kinds.c */
	_Atomic uint32_t begun;	   /* numbers below it were BEGUN */
	_Atomic uint32_t accepted; /* numbers below it were ACCEPTED */
	_Atomic int64_t born;	   /* when the first of its senders opened */
};

/* What a person is about; of interest to the supervisor. */
enum doing {
	ELSEWHERE = 0,
	SENDING,	 /* waits for room, if need be */
	SENDING_MEETING, /* waits for a receiver */
	RECEIVING	 /* waits for any message */
};

enum window {
	WINDOW_SHUT = 0,
	WINDOW_COPY, /* receives one by copy, not entered yet */
	WINDOW_BATCH
};

struct person {
	uint32_t role, mailbox, place, life;
	pid_t pid;
	_Atomic bool doomed, leaving, stopped;
	_Atomic uint32_t doing;
	_Atomic uint32_t window;
	_Atomic uint32_t counting; /* its mailbox + 1, while it enters there
				      what it got */
	_Atomic int64_t since;	   /* of `doing` */
};

/* One mailbox of the table, in this round. */
struct box {
	_Atomic int64_t waiting; /* ACCEPTED, and not HANDED */
	_Atomic int64_t doubts;	 /* of them, DOUBT, or perhaps HANDED */
	_Atomic int64_t blanks;
	_Atomic uint64_t accepted, handed;
	_Atomic int64_t moved;	  /* when one was accepted or handed out */
	_Atomic uint32_t senders; /* persons that may send, alive */
};

enum finding {
	LOST = 0,
	DOUBLED,
	DISORDERED,
	DAMAGED, /* contents, or what its envelope says */
	STALLED,
	LEAKED,
	WRONG, /* an error that no call may return just then; or a
				   process that ended by itself */
	FINDINGS
};

struct account {
	/* Of the whole run. */
	uint64_t seed;
	_Atomic uint64_t messages, kills, stops, births, signals, redelivered,
		refused_memory, calls_answered, calls_broken, regions, locked,
		owners_died, broadcast, overtaken, resumed, in_doubt, blanks,
		swept, unlinked, deaths;
	_Atomic uint64_t found[FINDINGS];
	_Atomic uint32_t lines;
	char line[FINDINGS_MAX][1024];
	_Atomic int64_t longest; /* ns without progress */
	char longest_what[128];
	struct pair_times { /* ns of each way that pairs.c goes */
		_Atomic uint32_t count;
		uint32_t time[4096]; /* us */
	} pair[8];
	_Atomic uint32_t veteran; /* as which person; with `rounds` */
	_Atomic uint32_t rounds, veteran_done;
	/* Of the round. */
	int64_t round_began;
	_Atomic bool senders_end, receivers_end;
	_Atomic uint32_t lives, people;
	_Atomic uint32_t named[PLACES_MAX]; /* life + 1 of each name */
	struct box box[32];
	struct life life[LIVES_MAX];
	struct person person[PEOPLE_MAX];
	/* Of the region that all lock, see locks.c. */
	_Atomic uint64_t locked_times;
};

extern struct account *account;

/* Makes it; ends the program if there is no memory. */
void
account_make(uint64_t seed);

/* Forgets the last round. */
void
account_begin_round(void);

struct message *
account_message(uint32_t life, uint32_t number);

/* Of a place: into which its person receives by copy. */
char *
account_buffer(uint32_t place);

/* A new life for that mailbox; NOBODY if there are too many. */
uint32_t
account_new_life(uint32_t mailbox);

int64_t
now(void);

uint32_t
microseconds_down(int64_t time);
uint32_t
microseconds_up(int64_t time);

/* Notes a finding: its kind, and words. */
void
found(enum finding finding, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The same about one message, whose history is told with it. */
void
found_message(enum finding finding, uint32_t life, uint32_t number,
	      const char *format, ...) __attribute__((format(printf, 4, 5)));

/* What senders enter. Times: before and after the call. */
void
enter_begun(uint32_t life, uint32_t number);
void
enter_accepted(uint32_t life, uint32_t number, int64_t before, int64_t after);
void
enter_refused(uint32_t life, uint32_t number);

/* What receivers enter: that `me` got it, in a call between those times, for good
   or to hold it. once: a request, which is never served again. */
struct handed {
	uint32_t me, mailbox;
	uint64_t id;
	uint32_t deliveries;
	bool for_good, once;
	int64_t before, after;
};
/* False if no such message can be. */
bool
enter_handed(const struct handed *handed);
void
enter_done(uint64_t id);
void
enter_rejecting(uint64_t id);

/* What the supervisor enters when it has reaped a person that was killed while its
   window was open; blank_counts: with an empty buffer it may have had one. */
void
enter_doubts(const struct person *person, bool blank_counts);

/* The same, of one that was killed at any time: what it had marked as HANDED may
   count as waiting still. */
void
enter_uncounted(const struct person *person);

#define ID(life, number) ((uint64_t)(life) << 32 | (number))
#define LIFE_OF(id) ((uint32_t)((id) >> 32))
#define NUMBER_OF(id) ((uint32_t)(id))

#endif
