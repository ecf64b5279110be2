/* SPDX-License-Identifier: MIT */
/* Layer 8. May include: base atomics shm exclusion spin robust_lock layout inbox layout_queue parcel rest members answers slots waiters bell. */
/*
 * A queue: all messages of a mailbox in one total order, under one robust lock.
 *
 * Orders arrival and priority, and rendezvous. The locked part of an operation is
 * some dozens of instructions; bytes are copied outside of it, in and out of
 * slots that the process owns.
 *
 *	send	fill a slot of one's own (RESERVED)
 *		lock: is there room? number it; QUEUED; serve one who waits
 *	receive	lock: the first that is wanted; TAKEN, or HELD; serve one who
 *		waits for room, or for this message's being taken
 *		copy it out; the slot is freed with the next lock
 *
 * Killed before QUEUED, the sender has sent nothing, and its slot is taken back;
 * after it, the message is there. Killed before TAKEN, the receiver has received
 * nothing; after it, it has. HELD goes back when its holder dies. Killed under
 * the lock, it is the same: the one store of the state decides, and all that is
 * derived is made anew by the next one (queue_repair.h).
 *
 * Stopped under the lock, a participant stops the others until their deadlines:
 * the first of the two limits of the promise that nobody does. Anywhere else it
 * stops nobody. So what cannot have the lock in time must not need it:
 *
 *	a receive that gives up makes its record GONE by a CAS, and if it finds
 *	that it has been given a message, has it;
 *	a synchronous send that gives up withdraws its message by a CAS of the
 *	slot, QUEUED -> WITHDRAWN, and if that is TAKEN by then, it has been
 *	received;
 *	release makes HELD to TAKEN, which is enough should it die; its slot is
 *	freed by a *chore*, the next time that this handle has the lock;
 *	reject and abort make HELD to REJECTED, and RESERVED to ABORTED, by a
 *	CAS: anybody may do the rest, and `left` says that there is some.
 *
 * Rendezvous is a queue without room. A send gives its slot (GIVEN) to a
 * receiver that waits, the first that came; if there is none it offers it:
 * QUEUED, until a receiver takes it, or it is withdrawn. What is given to one
 * who dies before he has seen it goes back to the mailbox, and not to the
 * sender, whose send has returned. Offers, and receivers, of the dead do not
 * count: whoever has waited for longer than TRUST is asked for by the kernel.
 */
#ifndef CUBBY_QUEUE_H
#define CUBBY_QUEUE_H

#include "base.h"
#include "answers.h"
#include "bell.h"
#include "exclusion.h"
#include "inbox.h"
#include "layout_queue.h"
#include "members.h"
#include "parcel.h"
#include "rest.h"
#include "robust_lock.h"
#include "spin.h"
#include "waiters.h"

/* What is left to do under the lock. */
enum chore_kind {
	CHORE_FREE,		/* a slot: received, or given up */
	CHORE_SEE_TO,		/* a slot that is left to anybody */
	CHORE_FREE_WAITER,
	CHORE_CHUNK_READY,	/* it has its memory */
	CHORE_CHUNK_BARE	/* it has none any more */
};

struct chore {
	enum chore_kind kind;
	uint32_t number;
	uint64_t use;		/* of a slot that others may free */
};

/* The sleeper's own look, as in doorbell.h. */
#define QUEUE_SLICE_FIRST	(50 * NSEC_PER_MSEC)
#define QUEUE_SLICE_LONGEST	(1000 * NSEC_PER_MSEC)
#define QUEUE_SLICE_WORK	(5 * NSEC_PER_MSEC)	/* more is left of the dead */

/* Of a batch, at most so many messages each time that one has the lock: the others
   wait for no longer than for so many single calls. */
#define QUEUE_STEP 32

/* A look at what one who is dead has left, so far. */
struct behind {
	uint64_t dead;		/* generations up to there */
	uint32_t participant;
	uint32_t chunk;		/* the next one of slots */
	bool records;		/* they have gone back */
};

/* A round over all slots for what is left to anybody. */
struct left {
	uint32_t told, seen;	/* as the header said when it began */
	uint32_t chunks;	/* still to be looked at; 0: none is under way */
};

struct queue {
	struct view *view;
	struct queue_map map;
	struct mapping blocks;		/* not mapped before it is needed */
	bool windows;			/* nor ever: see queue_blocks.c */
	int fd, blocks_fd;		/* use them by queue_fd() and so on */
	struct file_identity is, blocks_is;
	struct member member;
	struct answers answers;		/* of one who receives */
	struct addressee *addressee;	/* of an inbox, who sends; or NULL */
	bool inbox;			/* who is awaited by name may have gone */
	int64_t asked;			/* clock_tick(), when last asked that */
	uint64_t owner;			/* owner_make() of ourselves */
	struct robust_locker locker;
	struct exclusion exclusion;	/* of the threads; not while asleep */
	struct spin spin;
	struct chore *chores;
	uint32_t chore_count, chores_max;
	uint32_t spare;			/* a slot for the next send */
	uint32_t spares[QUEUE_STEP];	/* and for the next batch */
	uint32_t spare_count;
	uint32_t cooling;		/* a slot whose block goes back */
	uint32_t shrinking;		/* a chunk that does */
	uid_t uid;			/* when it was opened */
	uint64_t recovered;		/* messages, when it was opened */
	int64_t next_look;
	struct behind behind;	/* at the dead: how far it is */
	struct left left;	/* to anybody: the same */
	int64_t slice;			/* of the next sleep */
	uint32_t receives;		/* until the next look at the clock */
	uint32_t quick;			/* quick looks in vain, as one of several */
	struct cubby_draft *drafts;
	struct cubby_message *held;
	uint32_t descriptors[2];	/* records: see queue_poll.c */
	uint64_t bells[2];
};

/* Its files, or -1: see shm_still(). */
static inline int
queue_fd(const struct queue *queue)
{
	return shm_still(queue->fd, &queue->is);
}

static inline int
queue_blocks_fd(const struct queue *queue)
{
	return shm_still(queue->blocks_fd, &queue->blocks_is);
}

/* Opening (queue_open.c) ------------------------------------------------- */

/* name: the sender's, or NULL. addressee, inbox: see struct queue; the caller fills
   them in. Errors: -EBUSY -EUSERS -ENOSPC -EBADMSG, and the
   kernel's. */
int
queue_open(struct view *view, const char *name, uint32_t roles,
	   struct queue *ret);

/* Gives back what is held, aborts the drafts, leaves. */
void
queue_close(struct queue *queue);

/* In a child after fork(). */
void
queue_forget(struct queue *queue);

/* Blocks (queue_blocks.c) --------------------------------------------------------- */

/* `blocks`, mapped, unless it has to be by windows. Errors: the kernel's, but for
   -ENOMEM. */
int
queue_map_blocks(struct queue *queue);

/*
 * The first `size` bytes of the block of a slot that is ours. *window is theirs
 * alone, or empty: for shm_unmap(), when they are no longer needed. Errors: the
 * kernel's.
 */
int
queue_open_block(struct queue *queue, uint32_t slot, uint64_t size,
		 struct mapping *window, void **ret);

/* Copies them out of the file, which needs no addresses. Errors: -EBADMSG (the
   file is too short), and read's. */
int
queue_read_block(struct queue *queue, uint32_t slot, void *buffer,
		 uint64_t size);

/* Names (queue_names.c) -------------------------------------------------- */

/* The name of an envelope's sender. -EINVAL: there is none of that number. */
int
queue_sender_name(struct queue *queue, uint64_t sender,
		  char ret[SENDER_NAME_MAX + 1]);

/* The envelope's sender that bears the name, or will. Errors: -EUSERS -ENOSPC,
   and the kernel's. */
int
queue_named_sender(struct queue *queue, const char *name, uint64_t *ret);

/* The lock, and what is seen to with it (queue.c) ------------------------ */

/*
 * Takes the lock, puts everything in order if its last owner died, and does the
 * chores. Errors: -ETIMEDOUT -EINTR; -EBADMSG (the file has been cut short).
 */
int
queue_enter(struct queue *queue, int64_t deadline);

/* The deadline of one who does not wait for the lock, but for a moment. Not
   CUBBY_NOW, which waits for an owner that has lost its processor. */
#define QUEUE_AT_ONCE 1

/* As queue_enter(). ret_ticket, if not NULL: -EBUSY: the lock was not to be had
   until the deadline, see robust_lock_take_or_rest(). */
int
queue_enter_or_rest(struct queue *queue, int64_t deadline,
		    uint32_t *ret_ticket);

/* Gives it, wakes, and gives back what memory is not needed. */
void
queue_leave(struct queue *queue, struct wakes *wakes);

/* Something made no sense: all is made anew. Returns -EBADMSG. */
int
queue_nonsense(struct queue *queue);

/* For the next time that we have the lock. Not under the lock. */
void
queue_add_chore_of(struct queue *queue, enum chore_kind kind, uint32_t number,
		   uint64_t use);

static inline void
queue_add_chore(struct queue *queue, enum chore_kind kind, uint32_t number)
{
	queue_add_chore_of(queue, kind, number, 0);
}

/* A slot that is WITHDRAWN, REJECTED or ABORTED: we see to it with the next lock,
   unless others do before. */
static inline void
queue_leave_to_anybody(struct queue *queue, uint32_t slot, uint64_t use)
{
	queue_add_chore_of(queue, CHORE_SEE_TO, slot, use);
}

/* Does the chores now, if the lock is to be had. */
void
queue_do_chores_soon(struct queue *queue);

/* Behind the dead (queue_behind.c) --------------------------------------- */

/* Puts in order what the dead have left, as far as that takes some milliseconds; the
   next look goes on from there. True: that was all. Not under the lock. */
bool
queue_look(struct queue *queue);

/* The same, for one who has to know that it was all: however many participants live,
   all are asked for. */
bool
queue_look_and_ask_all(struct queue *queue);

/* The same, of one who has slept for a slice, the next of which is longer; but short
   while a look at what somebody has left is under way. */
void
queue_look_after_slice(struct queue *queue);

/* Has a look ended before it came to the end of what somebody has left? */
static inline bool
queue_looks_on(const struct queue *queue, bool all)
{
	return !all && (queue->behind.dead || queue->left.chunks);
}

/* The same of one participant, if it is dead. */
void
queue_look_at(struct queue *queue, uint32_t participant);

/* All of it, for one who has time; it ends before only if somebody stands still under
   the lock. Returns the messages that went back. */
uint64_t
queue_look_to_the_end(struct queue *queue);

uint64_t
queue_look_at_to_the_end(struct queue *queue, uint32_t participant);

/* Whoever looks next also looks for what is left to anybody. */
void
queue_tell_left(struct queue *queue);

static inline bool
queue_owner_is_alive(const struct queue *queue, uint64_t owner)
{
	return members_alive(queue->view, &queue->map,
			     owner_participant(owner),
			     owner_generation(owner)) != 0;
}

/* Memory (queue.c) ------------------------------------------------------- */

/*
 * Has the catalogue by sender kept from here on. Under the lock. False: it needs
 * nodes first: leave, queue_commit_nodes(), and ask again.
 */
bool
queue_keep_senders(struct queue *queue);

/* Room for one more message? Under the lock. */
bool
queue_has_room(const struct queue *queue);

/* Memory for nodes of the catalogue, for waiters, for slots; without the lock.
   Errors: -ENOSPC, -EUSERS, shm_commit()'s. */
int
queue_commit_nodes(struct queue *queue);
int
queue_commit_waiters(struct queue *queue);

/* A slot of our own, RESERVED. Not under the lock. Errors: those of
   queue_enter() and -ENOSPC. */
int
queue_reserve_slot(struct queue *queue, uint64_t size, int64_t deadline,
		   uint32_t *ret);

/* Commits a block for size bytes of a slot of ours. Errors: the same. */
int
queue_commit_block(struct queue *queue, uint32_t slot, uint64_t size,
		   int64_t deadline);

/* Gives back the memory of free slots and their blocks. Returns bytes. */
uint64_t
queue_trim(struct queue *queue);

/* Waiting (queue_wait.c) ------------------------------------------------- */

/* Looks for a moment, without the lock and without a record, whether there is a
   message (or room). False: not yet; then it is time to enlist. */
bool
queue_look_for_message(struct queue *queue);
bool
queue_look_for_room(struct queue *queue);

/* Of an inbox: has who receives there gone? -EPIPE. */
static inline int
queue_check(const struct queue *queue)
{
	return likely(!queue->addressee) ? 0 :
	       addressee_check(queue->addressee);
}

/*
 * Rendezvous: has it looked so lately that it counts as living, without the kernel
 * being asked? The time is that of its clock, which is another one in another time
 * namespace. So a time that lies ahead of ours is not lately, however far: the
 * kernel is asked. By another clock than that one lately can be a moment at the
 * wrong time; it is no longer than ours.
 */
bool
queue_looked_lately(const struct queue_waiter *waiter);

/*
 * A record of ours, enlisted by the caller under the lock. Looks for a moment,
 * then sleeps until it is served, or the deadline; one: who could serve it may
 * have gone, so it sleeps for INBOX_SLICE at the most. Not under the lock.
 * Returns 0 (look again), -ETIMEDOUT, -EINTR, -EBADMSG (the record has been
 * spoilt).
 */
int
queue_wait(struct queue *queue, uint32_t waiter, enum waiter_state state,
	   bool one, int64_t deadline);

/* The same, of one who sends. Also -EPIPE: as queue_check(). */
static inline int
queue_wait_sending(struct queue *queue, uint32_t waiter,
		   enum waiter_state state, int64_t deadline)
{
	int r = queue_check(queue);

	return r < 0 ? r : queue_wait(queue, waiter, state, queue->addressee,
				      deadline);
}

/* A record for us, under the lock: 0. -ENOSPC: leave, queue_commit_waiters(), and
   come back. -EBADMSG. */
int
queue_take_waiter(struct queue *queue, uint32_t *waiter);

/* Has it been served? Without the lock. */
bool
queue_is_served(const struct queue *queue, uint32_t waiter);

/* Takes it off its list; it stays ours. Under the lock. */
bool
queue_off_list(struct queue *queue, uint32_t waiter);

/* Gives a record up, enlisted in that state or not, without the lock; it may be
   WAITER_NONE, which it becomes. False: it had been served. */
bool
queue_end_wait(struct queue *queue, uint32_t *waiter, enum waiter_state state);

/* As one of several (queue_rest.c) --------------------------------------- */

/*
 * An end of a handle, that of `role`: as receiver_look() and the others. A record
 * is enlisted with the look under one lock, so that none is needed after it.
 * Where nothing is buffered, there is a message while a sender offers one, and
 * room while a receiver waits that takes any message; not one who himself only
 * waits until there is one.
 */
int
queue_look_role(struct queue *queue, uint32_t role, enum look how);
int
queue_announce(struct queue *queue, uint32_t role, struct rest *ret);
int
queue_retract(struct queue *queue, uint32_t role, struct rest *rest,
	      int slept);

/*
 * 0: there is a message, which stays; -EAGAIN: none. ret_waiter, if not NULL: then
 * a record has been enlisted, asleep, and *ret_ticket is its ticket; -EBUSY: as
 * queue_enter_or_rest(). Other errors: those of queue_enter(), and (of a record)
 * of queue_commit_waiters(). *ret_waiter is the caller's to queue_end_wait().
 */
int
queue_look_for_one(struct queue *queue, int64_t deadline, uint32_t *ret_waiter,
		   uint32_t *ret_ticket);

/*
 * 0: there is a message, which stays; -EAGAIN: none, and the record of a
 * descriptor has been enlisted: *waiter, or a new one. Other errors: those of
 * queue_enter() and queue_commit_waiters().
 */
int
queue_enlist_for_one(struct queue *queue, int64_t deadline, uint64_t bell,
		     uint32_t *waiter);

/* The same of room. */
int
queue_enlist_for_room(struct queue *queue, int64_t deadline, uint64_t bell,
		      uint32_t *waiter);

/* Its descriptors (queue_poll.c) ----------------------------------------- */

void
queue_hang(struct queue *queue, uint32_t role, const struct bell *bell);
int
queue_arm(struct queue *queue, uint32_t role, int64_t *ret_slice);

/* What a participant that is dead up to that generation has left hanging. */
void
queue_take_down_bells(struct queue *queue, uint32_t participant, uint64_t dead);

/* Sending (queue_send.c) ------------------------------------------------- */

int
queue_send(struct queue *queue, const void *data, const struct parcel *parcel,
	   bool synchronous, int64_t deadline, uint64_t *ret_sequence);
int
queue_reserve(struct queue *queue, uint64_t size, int64_t deadline,
	      struct cubby_draft **ret);
int
queue_commit(struct queue *queue, struct cubby_draft *draft,
	     const struct parcel *parcel, uint64_t *ret_sequence);
void
queue_abort(struct queue *queue, struct cubby_draft *draft);
/* The same, but for what takes the lock: queue_do_chores_soon() does that. */
void
queue_abort_later(struct queue *queue, struct cubby_draft *draft);
int
queue_wait_received(struct queue *queue, uint64_t sequence, int64_t deadline);

/* What this sender has published last, and has not withdrawn: no receiver will see
   that, even where nobody could see to it yet. Does not wait for the lock. */
void
queue_published(struct queue *queue, uint64_t *ret_sequence, uint64_t *ret_tag);

/*
 * Several at once (queue_batch.c): one has the lock once for as many as QUEUE_STEP
 * messages. They are queued one after the other, each by the store of its state:
 * killed in between, the first ones have been sent. Returns how many; or an error
 * if none was.
 */
int
queue_send_batch(struct queue *queue, const struct cubby_batch_entry *entries,
		 size_t count, int64_t deadline);

/* Receiving (queue_receive.c) -------------------------------------------- */

int
queue_receive(struct queue *queue, struct wish *wish, int64_t deadline);
int
queue_release(struct queue *queue, struct cubby_message *message);
void
queue_reject(struct queue *queue, struct cubby_message *message);
/* The same, but for what takes the lock: queue_do_chores_soon() does that. */
void
queue_reject_later(struct queue *queue, struct cubby_message *message);

#endif
