/* SPDX-License-Identifier: MIT */
#ifndef HARNESS_H
#define HARNESS_H
/*
 * Killed and stopped at every instruction.
 *
 * A *scenario* is an operation and a state that it starts from. A *run* of it:
 *
 *	the worker	builds the starting state with handles of its own (the
 *			bystanders), forks the victim and traces it
 *	the victim	opens its own handle, prepares, marks START, performs
 *			the operation, marks END
 *
 * The first run of a scenario takes one machine instruction at a time from
 * START to END and lists the *points* it meets: an address in libcubby's text,
 * or the moment before or after a system call made for libcubby, with the
 * number of the visit, up to 3. What libc and the loader do between is run
 * through and counts for nothing.
 *
 * Then each point gets a run for each strike. A breakpoint takes the victim to it;
 * there it is killed, or left stopped. The survivors, those that were attached and
 * fresh ones, go on: they send, receive, take over. A victim that was left stopped
 * is then continued, and must finish and be of use. Each run ends with the account
 * of every message (account.c), and with an empty directory.
 *
 * One that is left stopped may find, when it goes on, that meanwhile all has been
 * drained and refilled, several times round (REFILLED), or that its mailbox has
 * been unlinked and another one has the name (REPLACED): it finishes as its man
 * page says, and the account is the same. In a spread a point has one of these.
 *
 * Each operation starts from each state that has a meaning for it (--table prints
 * the points). It has none where what an operation is for is not there: nothing to
 * release in an empty mailbox, no descriptor to wait by where something is ready, no
 * room for a draft in a full one, none of whom to take over while he lives, nobody
 * alone at home in a lane of which there are two or more; a competitor who takes what
 * is not there. Who has died, or been rejected from, before a sleeper came, has
 * served it; a rendezvous has a message only while somebody waits; what goes with
 * its last user has no other; a region has no senders. Rings of a mailbox without a
 * limit are a state of their own. Large messages, and regions, go the way of short
 * ones but for their bytes: those states in which that makes a difference.
 *
 * Two deaths (double.h): after the first, another participant meets what is left,
 * and is killed while it repairs that.
 *
 * What keeps the harness honest: a point that a run does not come by again is
 * counted and printed; nothing waits without a deadline; a worker that does not
 * move for 10 seconds is reported as a hang by the process that watches it; a path
 * that does not come by what its scenario is about (aims.c) is a failure. While a
 * path is listed, which takes a thousand times as long as it does otherwise, who
 * sleeps stands still in his sleep, and does not look for himself.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdnoreturn.h>
#include <sys/types.h>
#include <time.h>

#include "cubby.h"

#define NANOSECONDS	INT64_C(1000000000)
#define PATIENCE	(10 * NANOSECONDS)	/* longer is a hang */
/* The deadline of calls that have to go well. Who hangs is told long before by the
   process that watches (pool.c): it knows who only waited for a processor, or
   sleeps while a victim goes step by step. */
#define FAR_OFF		(30 * PATIENCE)
#define MAILBOX		"stage"
#define INBOX_NAME	"@stage"
#define BYSTANDER_NAME	"bystander"	/* as a sender */
#define RETURNING_NAME	"returning"	/* of those who come back to one lane */

enum {
	CAPACITY = 4,
	QUEUE_CAPACITY = 6,	/* over all senders */
	SHORT = 40,		/* bytes: fits the cell */
	LONG = 3000,		/* does not */
	REGIONAL = 5000,	/* lies in a region that is sent */
	BATCH = 3,		/* messages in one call */
	BUFFER = 64 * 1024,
	VISITS = 3,
	CROWD = 16,
	PARTNERS = 4,
	STREAK = 40,		/* messages after which a receiver that is
				   alone has settled down */
	/* In a mailbox without a limit, of cells so large that a ring is soon
	   full: what fills its first ring, and those that are never given back
	   while they are in use; where the sender looks at the head. */
	RING = 15,
	RINGS = 236,
	LOOK = 8,
	ROUNDS = 40,		/* go once round all of the rest */
	LEFT_BYTES = 32 * 1024,	/* in a lane that is empty and left: at most */
	POINTS_MAX = 12288	/* of one scenario */
};

static inline int64_t
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * NANOSECONDS + time.tv_nsec;
}

/* What the mailbox is. */
enum kind { LANES, ARRIVAL, PRIORITY, RENDEZVOUS, UNLIMITED, KINDS };

/* account.c: what was sent, and what became of it ------------------------ */

/* Everyone who sends, and everyone who receives, by number. */
enum actor {
	NOBODY,
	BYSTANDER,
	SECOND,			/* bystander */
	VICTIM,
	GHOST,			/* died before the victim began */
	SLEEPER,		/* asleep when the victim begins */
	FRESH,			/* comes after the victim was struck */
	PARTNER,		/* at the other end of a rendezvous */
	HEIR,			/* meets what a dead victim left: double.h */
	RETURNER,		/* has the victim's name, when that has gone */
	ACTORS
};

enum { NUMBERS = 480, DELIVERIES = 1280 };

enum fate { UNSENT, BEGUN, ACCEPTED, REFUSED };

/*
 * One message. Each field is written by the process that acts; the processes
 * of a run take turns, so no order among the fields is needed.
 */
struct entry {
	_Atomic(int) fate;	/* by the sender */
	_Atomic(int) ended;	/* received, or held and released: how often */
	_Atomic(int) holder;	/* who holds it now */
	_Atomic(uint64_t) begun, returned;	/* the send: time by the account's
						   clock; 0: not yet */
};

/* When something was delivered. */
enum era { BEFORE_STRIKE, AFTER_STRIKE, BESIDE_VICTIM };

struct delivery {
	enum actor to, from;
	uint32_t number, deliveries;
	uint64_t lane, sequence;
	uint64_t asked;		/* when the receive began */
	int era;		/* enum era */
};

struct account {
	struct entry entries[ACTORS][NUMBERS];
	_Atomic(uint32_t) last[ACTORS];		/* number sent */
	_Atomic(uint32_t) count;
	_Atomic(int) era;
	_Atomic(int) kind;			/* enum kind */
	_Atomic(bool) bears[ACTORS];		/* RETURNING_NAME; set before
						   the open */
	_Atomic(uint64_t) clock;		/* counts beginnings and ends */
	struct delivery deliveries[DELIVERIES];
};

struct letter {
	enum actor from;
	uint32_t number;
	size_t size;
	unsigned char bytes[LONG + 64];
};

/* Writes the next message of an actor, and enters it as begun. */
void
letter_write(struct account *account, enum actor from, size_t size,
	     struct letter *ret);

/* What goes with it: the tag, and in a queue the type and the priority. */
void
letter_address(const struct account *account, const struct letter *letter,
	       struct cubby_envelope *ret);

/* A moment of the account's clock. */
uint64_t
account_tick(struct account *account);

/* Enters what the send of it returned. */
void
account_sent(struct account *account, const struct letter *letter, int result);

/*
 * Checks the bytes and the envelope of what was received, and tells whose
 * message it is. Returns NULL, or what is wrong with it.
 */
const char *
letter_read(const struct account *account, const void *bytes,
	    const struct cubby_envelope *envelope, enum actor *ret_from,
	    uint32_t *ret_number);

/* The actor is dead: what it held is held by nobody. */
void
account_died(struct account *account, enum actor actor);

/* Enters that it was handed out to an actor, for good or (held) for now, by a
   call that began at that moment. */
void
account_handed(struct account *account, enum actor to,
	       const struct cubby_envelope *envelope, bool held,
	       uint64_t asked);

/* Enters the end of a hold. */
void
account_released(struct account *account,
		 const struct cubby_envelope *envelope, bool ended);

/* Accepted messages that nobody has. */
int
account_waiting(const struct account *account);

/* Whether the last message of an actor has been received. */
bool
account_last_ended(const struct account *account, enum actor actor);

/*
 * One who has come back under a name is told what those who had it before him
 * published last: that tag, or 0. Of one who was killed in a send this decides
 * whether it was accepted, and so must come, or never may. NULL, or what is
 * wrong. several: there are two mailboxes of that name.
 */
const char *
account_published(struct account *account, uint64_t tag, bool several);

/* What a run may leave open in the account. */
struct allowance {
	int missing;		/* accepted messages that nobody has */
	int gaps;		/* in a batch of one who was killed: where one
				   who was killed as well took one */
	int unseen;		/* hand-outs that nobody entered: the victim's */
	bool ordered;		/* after the strike each sender's come in order, the
				   returned ones too: their return was seen to
				   before */
	bool several;		/* mailboxes: lanes' numbers tell nothing */
	bool filtered;		/* the victim does not take the first there is */
};

/* How often the messages with those tags have come, together. */
int
account_came(const struct account *account, uint64_t tag, uint64_t other);

/* Returns NULL, or what is wrong, in a static buffer. */
const char *
account_check(const struct account *account, const struct allowance *allowance);

/* text.c: libcubby in memory --------------------------------------------- */

struct text {
	uintptr_t base;		/* of the library */
	uintptr_t start, end;	/* of its instructions, without the PLT */
};

/* Finds libcubby's text. Ends the program if it is not a shared library. */
void
text_find(struct text *ret);

/* Where a function of libcubby lies. False: there is none that is called so. */
bool
text_function(const struct text *text, const char *name, uintptr_t *ret_start,
	      uintptr_t *ret_end);

/* "function+0x12" for an address of libcubby. */
const char *
text_name(const struct text *text, uintptr_t address);

/* points.c --------------------------------------------------------------- */

enum moment { AT, BEFORE, AFTER };

/* One distinct place in the performance of a scenario. */
struct point {
	uintptr_t address;	/* in libcubby: here, or of the call that led
				   to the system call */
	uint16_t visit;		/* of the address; from 1 */
	uint16_t nth;		/* system call since then; from 0 */
	uint16_t syscall;
	uint8_t moment;
	bool locked;		/* the victim had the queue's lock there */
};

struct points {
	uint32_t count;
	uint32_t clash;		/* index of the competitor's moment, or none */
	bool lost;		/* the victim, to the competitor */
	uint64_t steps;		/* instructions taken, libc included */
	struct point list[POINTS_MAX];
};

#define NO_CLASH UINT32_MAX

const char *
point_name(const struct text *text, const struct point *point);

/* scenarios.c ------------------------------------------------------------ */

enum start { EMPTY, ONE, FULL, WRAPPED, ASLEEP_THERE, SEVERAL, STARTS };

/* What an operation does to messages, and so what its death may leave. */
enum effect {
	SENDS = 1 << 0,
	TAKES = 1 << 1,		/* plain receive: may be gone with it */
	HOLDS = 1 << 2,		/* must come back */
	ENDS = 1 << 3,		/* of a hold: gone or back */
	GIVES_BACK = 1 << 4,	/* must come back */
	CREATES = 1 << 5,	/* the mailbox is not there before */
	UNLINKS = 1 << 6,	/* ... nor after */
	OPENS = 1 << 7,		/* performs the open itself */
	AWAITS = 1 << 8,	/* waits until its message is received */
	BORROWS = 1 << 9,	/* has a dead sender's lane for a moment */
	INBOX = 1 << 10,	/* of an inbox: the victim alone receives, if it
				   does, else the bystander */
	LEAVES = 1 << 11,	/* closes its handle */
	NAMED = 1 << 12,	/* the bystander has a name */
	MOVES = 1 << 13,	/* one message becomes another: never both */
	NAMED_REGION = 1 << 14,	/* there is a region, and survivors use it */
	GROWS = 1 << 15,	/* the mailbox is without a limit */
	CHOOSES = 1 << 16,	/* what it receives: not the first there is */
	ENDS_BY_ITSELF = 1 << 17, /* has a deadline: is given nothing */
	BY_PRIORITY = 1 << 18,	/* of a queue: order priority as well */
	MANY = 1 << 20,		/* it takes up to BATCH at one instant */
	RETURNS = 1 << 21,	/* its lane, and the ghost's, has a name */
	TEMPORARY = 1 << 22,	/* the mailbox goes with its last user: the victim,
				   or the ghost before it */
	BOUND = 1 << 23,	/* to the process that received when it opened */
	PASSED = 1 << 19	/* while it stands still the bystander sends,
				   through several rings, and nobody receives */
};

/* What the worker arranges besides the starting state. */
enum scenery {
	NOTHING,
	UNTOUCHED,		/* nobody has received anything yet */
	CROWDED,		/* the same, and more senders than receivers
				   make room for in advance */
	GHOST_SENDER,		/* a dead sender's backlog */
	GHOST_SENDER_HELD,	/* ... one of which a bystander holds */
	GHOST_GONE,		/* the same of one who has closed, and gone */
	GHOST_HOLDER,		/* a dead receiver held one */
	REJECTED,		/* one was given back */
	SETTLED_BYSTANDER,	/* a bystander has received a streak alone */
	SETTLED_VICTIM,		/* the victim has: MARK_SEND, MARK_FURNISH */
	GHOST_DRAFTS,		/* a dead sender kept places */
	GHOST_OWNER,		/* died with the queue's lock: MARK_BREAK */
	USED_UP,		/* no slot of a queue is free */
	LATE_SENDER,		/* the sleeper sends synchronously, and gives up */
	POLLER,			/* the sleeper polls a descriptor */
	WAITER,			/* ... waits for several mailboxes */
	GHOST_POLLER		/* a dead receiver polled one */
};

struct victim;

struct operation {
	const char *name;
	unsigned effects;
	int roles;		/* that the victim opens for */
	unsigned starts;	/* bits of enum start */
	size_t size;		/* of its messages */
	enum scenery scenery;
	int clash;		/* the competitor acts at which locked
				   instruction; 0: at none */
	void (*prepare)(struct victim *victim);
	void (*perform)(struct victim *victim);
	void (*conclude)(struct victim *victim);
};

struct scenario {
	const struct operation *operation;
	enum start start;
	enum kind kind;
};

/* Messages that its mailbox has room for. */
int
scenario_capacity(const struct scenario *scenario);

/* Whether the victim is there before what it starts from: it asks for that by
   MARK_FURNISH when it has settled down, or has received from its inbox. */
bool
scenario_waits_for_victim(const struct scenario *scenario);

/* All scenarios; *ret_count tells how many. */
const struct scenario *
scenarios(uint32_t *ret_count);

/* "send-inline/full" */
const char *
scenario_name(const struct scenario *scenario);

/* victim.c --------------------------------------------------------------- */

/* Why a victim stopped itself: what it asks of the worker. */
enum mark {
	MARK_NONE,
	MARK_TAKE,		/* take what there is */
	MARK_SEND,		/* send me one */
	MARK_FURNISH,		/* now build the starting state */
	MARK_BREAK,		/* the lock's owner shall have died */
	MARK_ROOM,		/* I have received: who sleeps for room may have it */
	MARK_START,
	MARK_END
};

/* What worker, victim and helpers of a run share. */
struct stage {
	struct account account;
	_Atomic(int) mark;
	_Atomic(int) result;	/* of the operation */
	_Atomic(bool) replaced;	/* what the victim's name meant: REPLACED */
	_Atomic(bool) gone;	/* who received from the inbox may have gone: set
				   before he does */
	_Atomic(int) owner;	/* the process whose inbox it is */
	_Atomic(uint64_t) moved_from, moved_to;	/* MOVES: tags */
	/* In other plays: messages that somebody has begun to send, and how
	   many of them were accepted. */
	_Atomic(uint64_t) begun[ACTORS], accepted[ACTORS];
	char complaint[256];	/* of a victim or helper that gave up */
};

struct victim {
	enum actor actor;
	const struct scenario *scenario;
	struct stage *stage;
	cubby_mailbox *mailbox;
	cubby_mailbox *beside;	/* another one, in which nothing happens */
	cubby_draft *draft;
	cubby_message *message;
	cubby_region *region;
	struct cubby_envelope held;
	struct letter letter;
	struct cubby_envelope envelope;
	cubby_draft **drafts;
	unsigned char *buffer;
	size_t size;
	uint64_t asked;		/* when the receive began */
	struct letter letters[BATCH];
	struct cubby_envelope envelopes[BATCH];
	struct cubby_batch_entry entries[BATCH];
	int result;
};

/* The victim's life, from fork to exit. */
noreturn void
victim_live(const struct scenario *scenario, struct stage *stage,
	    enum actor actor);

/* What the bystanders' and the victim's mailbox is made with, and its name. */
void
mailbox_options(const struct scenario *scenario, struct cubby_options *ret);
const char *
mailbox_name(const struct operation *operation);

/* actors.c: each enters in the account what it does ---------------------- */

/* Sends the next message of an actor; 0 or an error. */
int
actor_send(struct stage *stage, cubby_mailbox *mailbox, enum actor actor,
	   size_t size, int64_t deadline);

/* The same, synchronously. */
int
actor_send_synchronous(struct stage *stage, cubby_mailbox *mailbox,
		       enum actor actor, size_t size, int64_t deadline);

/* Receives one message and enters it; 0 or an error. */
int
actor_take(struct stage *stage, cubby_mailbox *mailbox, enum actor actor,
	   int64_t deadline);

/* The same by hold and release. */
int
actor_hold_release(struct stage *stage, cubby_mailbox *mailbox,
		   enum actor actor, int64_t deadline);

/* Holds one message, and enters that. */
int
actor_hold(struct stage *stage, cubby_mailbox *mailbox, enum actor actor,
	   int64_t deadline, cubby_message **ret);

/* Checks a held message once more, then releases or rejects it; 0 or an error.
 */
int
actor_release(struct stage *stage, cubby_message *message);
int
actor_reject(struct stage *stage, cubby_message *message);

/* Enters a message that the caller has received, after checking it. */
void
actor_enter(struct stage *stage, enum actor actor, const void *bytes,
	    const struct cubby_envelope *envelope, bool held, uint64_t asked);

struct run;

/* growing.c: without a limit --------------------------------------------- */

/* What waits in the starting state: in the last ring, or through all. */
int
cast_large_backlog(enum start start);
/* What a lane has grown to is given back when its sender has gone. */
void
growing_check(struct run *run);

/* Before the operation. */

/* The ring is full: the first, or all that are kept. */
void
prepare_grow(struct victim *victim);
void
prepare_reserve_grow(struct victim *victim);
void
prepare_grow_far(struct victim *victim);
/* The memory that the ring has is full. */
void
prepare_extend(struct victim *victim);
/* Drained, and about to look at the head: in the second ring, or the last. */
void
prepare_shrink(struct victim *victim);
void
prepare_shrink_far(struct victim *victim);
void
prepare_close_grown(struct victim *victim);
/* That has been left, and is passed. */
void
prepare_retire(struct victim *victim);
void
prepare_retire_far(struct victim *victim);
/* The next message to be received is the first of the next ring. */
void
prepare_turn(struct victim *victim);
void
prepare_turn_far(struct victim *victim);
void
prepare_turn_settled(struct victim *victim);

/* regions.c: letters in regions; a region with a name -------------------- */

int
actor_send_region(struct stage *stage, cubby_mailbox *mailbox,
		  enum actor actor, int64_t deadline);

/* One that is there, or -EAGAIN, -ENOMSG. */
int
actor_take_region(struct stage *stage, cubby_mailbox *mailbox,
		  enum actor actor);

void
actor_enter_region(struct stage *stage, enum actor actor, cubby_region *region,
		   struct cubby_envelope *envelope, bool held);

cubby_region *
region_with_letter(struct stage *stage, enum actor actor,
		   struct letter *letter);

/* The region of a run: made, used by survivors, and looked at in the end. */
void
named_region_begin(void);
void
named_region_use(void);
void
named_region_end(void);
/* Another one has its name. */
void
named_region_replace(void);

/* What victims do. */
void
prepare_send_region(struct victim *victim);
void
perform_send_region(struct victim *victim);
void
conclude_send_region(struct victim *victim);
void
perform_receive_region(struct victim *victim);
void
conclude_receive_region(struct victim *victim);
void
prepare_held_region(struct victim *victim);
void
perform_close_region(struct victim *victim);
void
conclude_close_region(struct victim *victim);
void
conclude_region_back(struct victim *victim);
void
prepare_forward(struct victim *victim);
void
conclude_forward(struct victim *victim);
void
perform_region_open(struct victim *victim);
void
prepare_region(struct victim *victim);
void
perform_region_grow(struct victim *victim);
void
perform_region_grant(struct victim *victim);
void
perform_region_unlink(struct victim *victim);
void
perform_region_close(struct victim *victim);
void
conclude_region(struct victim *victim);

/* stepper.c -------------------------------------------------------------- */

enum stop {
	STOP_STEP,
	STOP_BREAK,
	STOP_SYSCALL,
	STOP_MARK,
	STOP_ASLEEP,		/* not stopped: sleeps in a system call */
	STOP_SIGNAL,
	STOP_EXIT
};

enum { BREAKPOINTS = 2 };

struct breakpoint {
	uintptr_t address;	/* 0: none */
	long original;
};

struct tracee {
	pid_t pid;
	int proc;		/* its /proc/PID/syscall */
	int status;		/* what waitpid() last told */
	bool asleep_told;
	struct breakpoint breakpoints[BREAKPOINTS];
};

/* The child's part, and the parent's. The child is stopped afterwards. */
void
tracee_offer(void);
void
tracee_take(struct tracee *tracee, pid_t pid);

/* Lets it run until the next stop. how: PTRACE_CONT and its like. */
enum stop
tracee_resume(struct tracee *tracee, int how);

/* After STOP_ASLEEP: waits on. */
enum stop
tracee_wait(struct tracee *tracee, int how);

/* One instruction that cannot block: quicker. */
enum stop
tracee_step(struct tracee *tracee);

struct user_regs_struct;
void
tracee_registers(const struct tracee *tracee, struct user_regs_struct *ret);

long
tracee_peek(const struct tracee *tracee, uintptr_t address);

void
tracee_break(struct tracee *tracee, int slot, uintptr_t address);
void
tracee_unbreak(struct tracee *tracee, int slot);

/* After STOP_BREAK: which; then on past it. */
uintptr_t
tracee_broke_at(const struct tracee *tracee);
void
tracee_pass(struct tracee *tracee);

/* Kills it and takes its remains. */
void
tracee_kill(struct tracee *tracee);

/* The FIFO below a descriptor of this process's, the only one: who waits for it and
   not for the timer besides comes the same way each time. bell.c */
int
bell_find(void);

/* From here on this process is told -ENOSYS by that system call. refuse.c */
enum { FUTEX_WAITV = 449, TIMERFD_SETTIME = 286 };
void
refuse_call(uint32_t number);

/* It is told that it is done, and it is not. */
void
pretend_call(uint32_t number);

/* Of a sleep, that a wake-up ends. */
bool
is_futex_call(unsigned long number);

/* Whether a process sleeps in a system call that waits for another. */
bool
asleep(int proc);
int
asleep_open(pid_t pid);

/* clock.c: of this process, that it goes by how often it is asked, or not */
void
clock_by_count(bool by_count);

/* cast.c: those who are not the victim ----------------------------------- */

struct run {
	const struct scenario *scenario;
	const struct text *text;
	struct points *points;
	struct stage *stage;
	const char *root;
	cubby_mailbox *senders[ACTORS], *receivers[ACTORS];
	cubby_mailbox *crowd_of[CROWD];	/* senders that do nothing */
	cubby_message *held;		/* by the bystander */
	pid_t sleeper;			/* 0: none, or it has left */
	bool still;			/* it stands still in its sleep */
	struct tracee victim;
	pid_t partners[PARTNERS];	/* that make offers */
	struct queue_view *view;	/* of a queue's file */
	bool (*is_locked)(const struct run *run, pid_t victim);	/* or NULL */
	uint64_t ghost;			/* a dead owner's word in its lock */
	enum actor awaited;		/* what a partner receives: whose */
	uint32_t awaited_number;	/* and which */
	size_t offered;			/* what a partner sends: its size */
	bool supplied;			/* what the victim waits for is there */
	bool tight;			/* ... one of many that it waits for */
	int64_t supplied_at;
	uint32_t present, crowd;	/* senders now, and the most at once */
	int descriptors, mappings;	/* at the beginning */
	uint64_t bytes;			/* of the mailbox, before any message */
};

/* What waits in the starting state, from one sender; *ret_through: what has gone
   through before. */
int
cast_backlog(const struct scenario *scenario, int *ret_through);
/* Builds the starting state. */
void
cast_enter(struct run *run);
/* The competitor takes what there is, and leaves another one. */
void
cast_clash(struct run *run);
/* The victim stands still with the queue's lock: calls with a deadline end with
   it. which: the calls differ from run to run. */
void
cast_held_up(struct run *run, uint32_t which);
/* Rendezvous: the next message, if the victim waits for one, goes to it. */
void
cast_feed(struct run *run);
/* What the victim asks for while it prepares. */
void
cast_oblige(struct run *run, enum mark mark);
/* A sender comes or goes. */
void
cast_count(struct run *run, int senders);
/* The sleeper stands still in its sleep, so that it does not look for itself while
   a path is recorded, which takes long; and goes on. */
void
cast_still(struct run *run);
void
cast_rouse(struct run *run);
/* Who was asleep gets what it waited for, and leaves. send: it gets a
   bystander's message for want of one of the victim's. */
void
cast_wake(struct run *run, bool send);
/* Who sleeps for room in an inbox has been given some, by the one who receives
   from it. */
void
cast_make_way(struct run *run);
/* That one has gone, and who sleeps for room is told. */
void
cast_forsake(struct run *run);
/* The sleeper has a deadline, and comes to its end by itself. */
void
cast_outlast(struct run *run);
/* Those who were attached go on; fresh ones come, and take lanes over as they
   are, if there is room. */
void
cast_go_on(struct run *run);
void
cast_fresh(struct run *run);
/* The bystander sends all through its rings. */
void
cast_pass(struct run *run);
/* Round and round, and then full. */
void
cast_refill(struct run *run);
/* After the victim has gone: all who can send do. */
void
cast_send_again(struct run *run);
/* What a bystander has held all the time must still be what it was. */
void
cast_release(struct run *run);
/* Receives until no more than left accepted messages are missing. */
void
cast_collect(struct run *run, int left);
/* Takes whatever is there now. */
void
cast_drain(struct run *run);
/* Lets one message wait for the victim. */
void
cast_supply(struct run *run);
/* The victim's inbox is the bystander's, if it may have it; sure: it may. */
void
cast_succeed(struct run *run, bool sure);
/* Is there one that nobody but the victim may receive from? */
bool
cast_is_victims(const struct run *run);
/* The inbox of one who has died is the bystander's. */
void
cast_inherit(struct run *run);
/* Gives the victim what it sleeps for, if it is not there. */
void
cast_assist(struct run *run);
/* All is drained and the victim gone: the room and memory are there again. */
void
cast_check_room(struct run *run, int left);
void
cast_check_memory(struct run *run);
/* Everyone leaves; nothing may be left. */
void
cast_leave(struct run *run);

/* sleeper.c: see also cast_wake() and cast_outlast() */
void
sleeper_enter(struct run *run);

/* ghost.c: the scenery's ghost lives, and dies */
void
ghost_enter(struct run *run);

/* returning.c: senders with a name, who come back to their lane ------------ */

/* For an actor who opens with RETURNING_NAME. */
void
returning_options(struct stage *stage, enum actor actor,
		  struct cubby_options *ret);
/* One comes back, if the victim does not have the lane, is told what was
   published last, sends, and closes. */
void
returner_comes(struct run *run);
void
perform_return(struct victim *victim);
void
conclude_return(struct victim *victim);

/* temporary.c: mailboxes that go with their last user ----------------------- */

/* What went with it was all that waited, or nothing; and it has gone again. */
void
temporary_check(const struct run *run);

/* helper.c: children that act -------------------------------------------- */

/* A child that acts, and dies without a word to libcubby. */
pid_t
helper_fork(struct run *run, void (*act)(struct run *run));
/* Waits until it has come to a good end. */
void
helper_bury(struct run *run, pid_t pid, const char *who);
/* Returns when it sleeps. False: it has come to its end. */
bool
helper_lull(pid_t pid);
/* Returns when it has woken up by itself, and sleeps again, or has ended. */
void
helper_let_look(pid_t pid);
/* It stands still in its sleep, until SIGCONT. */
void
helper_still(struct run *run, pid_t pid, const char *who);

/* partner.c: the other end of a rendezvous ------------------------------- */

/* Sends, to a partner who comes for that. */
void
partner_send(struct run *run, enum actor actor, size_t size);
/* One comes who offers a message of that size, and waits. */
void
partner_offer(struct run *run, size_t size);
/* Those who have come to an end, or do when all is drained, leave. */
void
partners_leave(struct run *run);

/* queue_view.c: the file of a queue -------------------------------------- */

/* Opens it if there is one. */
void
queue_view_open(struct run *run);
void
queue_view_close(struct run *run);
/* Has that process its lock? */
bool
queue_view_locked(const struct run *run, pid_t pid);
/* What the lock says of the participant whose process that is, or was. */
uint64_t
queue_view_owner(const struct run *run, pid_t pid);
/* As if run->ghost had died with the lock in the middle of everything. */
void
queue_view_break(const struct run *run);
uint32_t
queue_view_free(const struct run *run);

/* tree.c: what lies in a directory, and what a process has open */
uint64_t
tree_bytes(const char *root);
/* The path of something in it; NULL if it is empty. */
const char *
tree_leftover(const char *root);
/* Of a region that lies in a mailbox; NULL: there is none. */
const char *
tree_region(const char *root);
void
tree_remove(const char *root);
int
count_descriptors(void);
int
count_mappings(const char *root);

/* path.c: from START to END ---------------------------------------------- */

/* Stops, and so tells the tracer. */
void
victim_mark(struct stage *stage, enum mark mark);

/* Who wakes up looks at what others have left if his last look was 50 ms ago. Step
   by step it always was; so let it be in every run, or it goes another way. */
void
victim_pass_time(void);

/* The trap of victim_mark(). */
extern const char mark_instruction[];

/* The victim does what it should not: ends the run. */
noreturn void
path_failed(struct run *run, enum stop stop, const char *where);

/* Is stopped, by a mark; any other stop is wrong. */
enum mark
path_marked(struct run *run, enum stop stop, const char *where);

/* A sleep ended with that result: slept although it had been woken? */
void
path_check_wake(const struct run *run, int64_t slept_at, bool supplied_before,
		long result);

/* Takes the victim from START to the next mark, instruction by instruction, and
   lists the points; what it sleeps for is given by cast_assist(). In haste what
   libc does is passed over, callbacks too. */
void
path_record(struct run *run, bool hasty);

/* Does the path that was recorded last come by this system call? */
bool
path_calls(const struct run *run, int number);

/* ... by this function of libcubby's? */
bool
path_passes(const struct run *run, const char *function);

/* What scenarios are about whose name begins so: a function of libcubby's. Ends the
   run if the path of this one does not come by it. The last one has no name. */
struct aim {
	const char *name, *function;
};
void
path_check_aims(const struct run *run, const struct aim *aims);

/* aims.c: what the scenario is about, and its path does not come by; or NULL. */
const char *
aims_missed(const struct run *run);

/* Runs on, giving it what it sleeps for. */
enum stop
path_resume(struct run *run, int how);

/* Takes it to a point. false: it came by another way, to the end. */
bool
path_reach(struct run *run, uint32_t point);

/* It was left stopped at that point, and finishes the operation. If it sleeps
   though what it waits for is there, and wakes up by itself alone, a wake-up was
   lost. */
void
path_finish(struct run *run, uint32_t point);

/* It prepares: takes it to the next mark. */
enum mark
path_prepare(struct run *run);

/* run.c ------------------------------------------------------------------ */

enum strike {
	UNHARMED,
	KILLED,
	STOPPED,
	REFILLED,	/* stopped, and meanwhile all is drained and refilled,
			   several times round */
	REPLACED,	/* stopped, and meanwhile the mailbox is unlinked, and
			   another one has its name */
	/* double.h */
	PLAIN,
	LISTED,
	DOUBLE
};

/* Those that a scenario is for: bits. */
unsigned
run_strikes(const struct scenario *scenario);

/* Lists the points of a scenario, and checks that it goes well unharmed. */
void
run_record(struct run *run);

/* One run. Returns false if the point was not met. */
bool
run_strike(struct run *run, uint32_t point, enum strike strike);

/* report.c: what a worker tells the process that watches it -------------- */

/* Shared by a worker and the main process. */
struct report {
	_Atomic(int64_t) moved;		/* when it was last seen to move */
	_Atomic(bool) hang;
	const char *doing;		/* a literal: the same in all processes */
	char failure[512];
	int64_t longest;		/* anyone waited for something */
	const char *longest_what;
};

/* This process is a worker; fail() and the rest go to this report. */
void
report_to(struct report *report);

/* This process is a worker's child; fail() is a complaint to the worker. */
void
complain_to(struct stage *stage);

/* Ends the process: something is wrong. */
noreturn void
fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
noreturn void
fail_hang(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Tells that the run is alive. */
void
progress(const char *doing);

/* Tells how long somebody was made to wait. */
void
waited(const char *what, int64_t since);


/* section.c: the instructions at which a queue's lock is held ------------ */

/* Prints how many there are, by operation. */
void
section_print(const struct text *text, const struct points *points,
	      const bool *chosen);
/* False: there are more than the file says. */
bool
section_check(const char *path, const struct text *text,
	      const struct points *points, const bool *chosen);

/* distinct.c: of each operation, how many points are distinct ------------- */
void
distinct_print(const struct points *points, const bool *chosen);
/* Of each scenario, the functions that its path comes by. */
void
distinct_print_functions(const struct text *text, const struct points *points,
			 const bool *chosen);
/* By starting state. */
void
distinct_print_table(const struct points *points, const bool *chosen);

/* pool.c: the workers ---------------------------------------------------- */

enum outcome { NOT_DONE, ASTRAY, DONE };

struct item {
	uint16_t scenario;
	uint16_t strike;	/* enum strike; UNHARMED: list the points */
	uint32_t point;		/* of two deaths: the number of the pair */
	uint32_t second;
	enum outcome outcome;
};

/* What became of the runs of one scenario. */
struct tally {
	uint32_t runs, failures, hangs, astray;
	int64_t longest;
	const char *longest_what;
};

/*
 * Does all the items, by that many workers at a time; leaves a scenario out
 * when too much of it has failed. once: ends at the first failure. points and
 * tallies: one for each scenario, points shared.
 */
void
pool_run(const struct text *text, struct item *items, uint32_t count,
	 struct points *points, struct tally *tallies, int workers, bool once);

/* Memory that this process and its children share. */
void *
share(size_t size);

#endif
