/* SPDX-License-Identifier: MIT */
/*
 * A synchronous send through a queue whose deadline passes: withdrawn, and then
 * nobody ever receives it, or received (src/queue.h, src/waiters.h).
 *
 * One sender with one message, which may give up at any moment while it waits
 * (DEADLINE=0: never), and then have the lock or not. RECEIVERS receivers take
 * it; HOLDS: whoever has it first holds it, and rejects it. What lies under the
 * robust lock is a step for each store: whoever is killed there leaves the rest
 * to the next owner, who makes all anew.
 *
 * Held: a send that was told -ETIMEDOUT was not received, and never will be; a
 * send that was told 0 has been received; nobody receives it a second time but
 * after it was rejected, or its holder killed; and when nothing else will
 * happen, the sender does not wait for what has happened, and the message lies
 * nowhere, unless one was stopped with the lock, or no receiver is left. If who
 * has served the sender is halted before the wake-up, it is the sleeper's own
 * look that tells it.
 *
 * Memory: memory.pml. Stands for:
 *	src/queue_send.c: queue_put await_taking withdraw withdraw_alone give_up
 *	src/queue_send.c: wait_taken
 *	src/queue_take.c: take tell awaits choose
 *	src/slots.c: slots_change slots_set slots_free
 *	src/waiters.c: waiters_serve waiters_dismiss waiters_enlist change
 *	src/queue_wait.c: announce queue_end_wait still_waits queue_off_list
 *	src/queue_repair.c: see_sender see_slot see_rejected
 *	src/queue_repair.c: queue_free_withdrawn queue_put_back withdraw_offer
 *	src/robust_lock.h: robust_lock_take_free robust_lock_give
 * Left out:
 *	WATCH-R2 WATCH-R3: for who asks what was published last, which nobody does
 *	here; both are plain stores, which holds no less with the order
 *
 * Run live: -DRECEIVERS=2 -DHALTS=0
 * Run patient: -DRECEIVERS=2 -DHALTS=0 -DDEADLINE=0 -DHOLDS
 * Run halted: -DRECEIVERS=1 -DHALTS=1 -E
 * Run waiting: -DRECEIVERS=2 -DHALTS=1 -DDEADLINE=0 -E
 * Run held: -DRECEIVERS=1 -DHALTS=1 -DHOLDS -E
 * Run long both: -DRECEIVERS=2 -DHALTS=1 -E
 * Run long held_by_two: -DRECEIVERS=2 -DHALTS=1 -DHOLDS -E
 */
#ifndef DEADLINE
#define DEADLINE 1
#endif
#define PARTICIPANTS (1 + RECEIVERS)	/* the sender is 0 */
#define DEPTH 5

#define LOCK		0	/* owner + 1 */
#define STATE		1	/* of the slot: {deliveries, use, state} */
#define WAITER_OF	2	/* the slot's: 1: our record; 0: none */
#define RECORD		3	/* the record's state */
#define RECORD_USE	4	/* and the use that it waits for */
#define EVENTS		5
#define ASLEEP		6
#define LISTED		7	/* the message is in the catalogue */
#define WORDS		8

#define FREE		0
#define RESERVED	1
#define QUEUED		2
#define TAKEN		3
#define WITHDRAWN	4
#define HELD		5
#define REJECTED	6
#define slot_make(use, state)	((use) * 8 + (state))
#define slot_state(word)	((word) % 8)
#define slot_use(word)		((word) / 8 % 8)
#define slot_deliveries(word)	((word) / 64)
#define slot_taken(word)	(slot_with(word, 0) + 64 + taken_state(word))
#ifdef HOLDS
#define taken_state(word)	(slot_deliveries(word) -> TAKEN : HELD)
#else
#define taken_state(word)	TAKEN
#endif
#define slot_with(word, state)	((word) - slot_state(word) + (state))

#define UNUSED		0
#define AWAITS		1	/* WAITER_TAKEN */
#define SERVED		2
#define GONE		3

#define is_registered(p)	true
#define is_mortal(p)	true

#include "memory.pml"

bit sleeping;			/* the sender, in the kernel's hands */
bit told_timeout, told_received;
byte receptions;
byte holder;
bit owed[PARTICIPANTS];		/* a wake-up, by who has served it */

/* The robust lock, with all that its owner's death does to it. */
#define lock_is_free	(mem[LOCK] == 0)
#define lock_is_dead	(mem[LOCK] != 0 && has_died(mem[LOCK] - 1))

#define lock_is_there	(lock_is_free || lock_is_dead)
#define lock_stands	(mem[LOCK] != 0 && is_halted(mem[LOCK] - 1))

inline serve(p)
{
	atomic {
		cas_acq_rel(p, RECORD, AWAITS, SERVED, won, seen); /* WAIT-C1 */
		owed[p] = won
	};
	if
	:: won ->
		load_relaxed(p, ASLEEP, seen);
		if
		:: seen ->
			store_relaxed(p, ASLEEP, 0);
			atomic {
				load_relaxed(p, EVENTS, seen);
				store_relaxed(p, EVENTS, seen + 1)
			};
			wakes = 1
		:: else
		fi
	:: else ->
		store_relaxed(p, RECORD, UNUSED)	/* it has given up */
	fi
}

inline dismiss(p)
{
	load_relaxed(p, RECORD, seen);
	if
	:: seen == GONE -> store_relaxed(p, RECORD, UNUSED)
	:: seen == AWAITS -> serve(p)
	:: else
	fi
}

/* Behind an owner of the lock that has died. */
inline make_anew(p)
{
	load_relaxed(p, STATE, word);
	if
	:: slot_state(word) == QUEUED -> store_relaxed(p, LISTED, 1)
#ifdef HOLDS
	:: slot_state(word) == REJECTED ->
		cas_acq_rel(p, STATE, word, slot_with(word, QUEUED), won,
			    seen);			/* SLOT-C1 */
		store_relaxed(p, LISTED, 1)
#endif
	:: slot_state(word) == WITHDRAWN ->
		store_relaxed(p, LISTED, 0);
		store_release(p, STATE, slot_with(word, FREE))
	:: else -> store_relaxed(p, LISTED, 0)
	fi;
	load_relaxed(p, RECORD, seen);
	if
	:: seen == GONE -> store_relaxed(p, RECORD, UNUSED)
	:: seen == AWAITS ->
		load_relaxed(p, STATE, word);
		load_relaxed(p, WAITER_OF, seen);
		if
		:: slot_state(word) == QUEUED && seen ->
			load_relaxed(p, RECORD_USE, seen);
			if
			:: seen != slot_use(word) -> serve(p)
			:: else
			fi
		:: else -> serve(p)
		fi
	:: else
	fi
}

/* Blocks until it has the lock. */
inline take_lock(p)
{
	do
	:: lock_is_there ->
		atomic {
			load_relaxed(p, LOCK, seen);
			if
			:: seen == 0 || has_died(seen - 1) -> won = 1
			:: else -> won = 0
			fi
		};
		if
		:: won ->
			anew = (seen != 0);
			cas_acq_rel(p, LOCK, seen, (p) + 1, won,
				    seen);		/* ROBUST-X1 */
			if
			:: won -> break
			:: else
			fi
		:: else
		fi
	od;
	if
	:: anew ->
		make_anew(p);
		anew = 0;
		if
		:: wakes -> wake(p)
		:: else
		fi
	:: else
	fi;
	seen = 0;
	won = 0
}

inline wake(p)
{
	d_step {
		let_all_out(p);
		sleeping = 0;
		wakes = 0;
		owed[p] = 0;
	}
}

inline give_lock(p)
{
	d_step {
		owed[p] = wakes;
		let_all_out(p);
		/* cas_acq_rel(ROBUST-X2) */
		mem[LOCK] = 0;
	}
	if
	:: wakes -> wake(p)
	:: else
	fi
}

inline withdraw(p)
{
	cas_acq_rel(p, STATE, word, slot_with(word, WITHDRAWN), won,
		    seen)				/* SLOT-C1 */
}

proctype Sender(byte p)
{
	byte word, seen, ticket;
	bit won, anew, wakes, late;

	{
	take_lock(p);
	/* queue_put: numbers it, and says who waits for it */
	store_relaxed(p, RECORD_USE, 1);
	store_relaxed(p, WAITER_OF, 1);
	store_release(p, RECORD, AWAITS);		/* WAIT-R1 */
	store_release(p, STATE, slot_make(1, QUEUED));	/* SLOT-R5 */
	store_relaxed(p, LISTED, 1);
	give_lock(p);
	/* wait_taken */
	do
	:: load_acquire(p, RECORD, seen);		/* WAIT-A1 */
		if
		:: seen == SERVED -> break
		:: else
		fi;
		if
		:: DEADLINE -> late = 1; break
		:: take_lock(p)
		fi;
		load_relaxed(p, EVENTS, ticket);
		load_acquire(p, RECORD, seen);		/* WAIT-A1 */
		if
		:: seen == AWAITS -> store_relaxed(p, ASLEEP, 1)
		:: else
		fi;
		if
		:: seen == AWAITS -> won = 1
		:: else -> won = 0
		fi;
		late = won;
		give_lock(p);
		if
		:: late ->
			late = 0;
			d_step {
				let_all_out(p);
				sleeping = (mem[EVENTS] == ticket);
			}
end_asleep:		if
			:: !sleeping
			:: sleeping && DEADLINE ->
				sleeping = 0;
				late = 1;
				break
			fi
		:: else
		fi
	od;
	if
	:: late ->
		/* give_up */
		if
		:: lock_is_there ->
			take_lock(p);
			load_relaxed(p, STATE, word);
			load_relaxed(p, WAITER_OF, seen);
			won = 0;
			if
			:: word == slot_make(1, QUEUED) && seen ->
				withdraw(p)
			:: else
			fi;
			late = won;
			if
			:: won ->
				store_relaxed(p, WAITER_OF, 0);
				store_relaxed(p, ASLEEP, 0);
				store_relaxed(p, RECORD, SERVED);
				store_relaxed(p, LISTED, 0);
				store_release(p, STATE, slot_make(1, FREE))
			:: else
			fi;
			give_lock(p)
		:: !lock_is_there ->
			load_relaxed(p, STATE, word);
			won = 0;
			if
			:: word == slot_make(1, QUEUED) ->
				withdraw(p)
			:: else
			fi;
			late = won
		fi;
	:: else
	fi;
	d_step {
		if
		:: late ->
			assert(receptions == 0);
			told_timeout = 1
		:: else ->
			assert(receptions > 0);
			told_received = 1
		fi
	}
	/* queue_end_wait */
	cas_acq_rel(p, RECORD, AWAITS, GONE, won, seen)	/* WAIT-C2 */
	} unless { is_halted(p) }
}

/* Ghost: the instant of receiving. */
inline note_taken(p)
{
	assert(!told_timeout);
	assert(receptions == slot_deliveries(word));
	receptions++;
	holder = p
}

#ifdef HOLDS
#define is_held_by_dead	(slot_state(mem[STATE]) == HELD && has_died(holder))
#define is_left		(slot_state(mem[STATE]) == REJECTED || is_held_by_dead)

/* Rejected, or of a dead holder: queue_put_back. */
inline put_back(p)
{
	load_relaxed(p, STATE, word);
	if
	:: slot_state(word) == REJECTED ||
	   (slot_state(word) == HELD && has_died(holder)) ->
		cas_acq_rel(p, STATE, word, slot_with(word, QUEUED), won,
			    seen);				/* SLOT-C1 */
		if
		:: won ->
			store_relaxed(p, WAITER_OF, 0);
			store_relaxed(p, LISTED, 1)
		:: else
		fi
	:: else
	fi
}

/* Without the lock. */
inline reject(p)
{
	if
	:: slot_state(mem[STATE]) == HELD && holder == p ->
		load_relaxed(p, STATE, word);
		cas_acq_rel(p, STATE, word, slot_with(word, REJECTED), won,
			    seen)				/* SLOT-C1 */
	:: else
	fi
}
#else
#define is_left		false
#define put_back(p)	skip
#define reject(p)	skip
#endif

inline taken(p)
{
	store_relaxed(p, LISTED, 0);
	store_relaxed(p, WAITER_OF, 0);
	load_relaxed(p, RECORD_USE, seen);
	if
	:: seen == slot_use(word) -> dismiss(p)
	:: else
	fi
}

proctype Receiver(byte p)
{
	byte word, seen;
	bit won, anew, wakes;

	{
end:	do
	:: (mem[LISTED] || lock_is_dead || is_left ||
	    (has_died(0) && mem[RECORD] == AWAITS)) && lock_is_there ->
		take_lock(p);
		if
		:: has_died(0) ->
			/* Its record goes; what it has sent stays. */
			load_relaxed(p, RECORD, seen);
			if
			:: seen == AWAITS ->
				store_relaxed(p, WAITER_OF, 0);
				store_relaxed(p, RECORD, UNUSED)
			:: else
			fi
		:: else
		fi;
		put_back(p);
		load_relaxed(p, LISTED, seen);
		if
		:: seen ->
			load_relaxed(p, STATE, word);
			load_relaxed(p, WAITER_OF, seen);
			if
			:: slot_state(word) == WITHDRAWN ->
				store_relaxed(p, WAITER_OF, 0);
				if
				:: seen -> dismiss(p)
				:: else
				fi;
				store_relaxed(p, LISTED, 0);
				store_release(p, STATE, slot_with(word, FREE))
			:: slot_state(word) == QUEUED && seen ->
				d_step {
					let_all_out(p);
					won = (mem[STATE] == word);
					if
					:: won ->
						/* cas_acq_rel(SLOT-C1) */
						mem[STATE] =
							slot_taken(word);
						note_taken(p)
					:: else
					fi;
				}
				if
				:: won -> taken(p)
				:: else
				fi
			:: slot_state(word) == QUEUED && !seen ->
				d_step {
					/* store_release(SLOT-R5) */
					add_store(p, STATE + RELEASE,
						  slot_taken(word));
					note_taken(p);
				}
				store_relaxed(p, LISTED, 0)
			:: else
			fi
		:: else
		fi;
		give_lock(p);
		reject(p);
		atomic { word = 0; seen = 0; won = 0 }
	od
	} unless { is_halted(p) }
}

#if RECEIVERS == 1
#define wake_is_owed	((owed[0] && is_halted(0)) || \
			 (owed[1] && is_halted(1)))
#define all_halted	is_halted(1)
#else
#define wake_is_owed	((owed[0] && is_halted(0)) || \
			 (owed[1] && is_halted(1)) || \
			 (owed[2] && is_halted(2)))
#define all_halted	(is_halted(1) && is_halted(2))
#endif

/* Nothing else will happen. */
active proctype Quiet()
{
	timeout ->
	if
	:: sleeping && wake_is_owed ->
		sleeping = 0;		/* its slice is over */
		timeout
	:: else
	fi;
	assert(told_timeout || told_received || is_halted(0) || all_halted ||
	       lock_stands);
	assert(all_halted || lock_stands ||
	       (slot_state(mem[STATE]) != QUEUED &&
		slot_state(mem[STATE]) != WITHDRAWN && !is_left))
}

init {
	byte i;
	atomic {
		mem[STATE] = slot_make(1, RESERVED);
		mem[RECORD] = SERVED;
		run Sender(0);
		i = 1;
		do
		:: i < PARTICIPANTS -> run Receiver(i); i++
		:: else -> break
		od
	}
}
