/* SPDX-License-Identifier: MIT */
/*
 * Receivers that sleep, and senders that wake them (src/doorbell.h).
 *
 * Each sender sends MESSAGES, each receiver receives one and leaves. The lanes'
 * bits are set (cool.pml is about those).
 *
 * Held: nobody sleeps while a message is there and nothing else will happen. If
 * participants may be halted: unless one who owes a wake-up has been, a sender
 * after his publish, or a receiver who has been rung; and then the sleeper's
 * own look, which comes when nothing else will happen, finds the message.
 * UNFENCED: receivers have no membarrier, and their own look makes up for it.
 *
 * Memory: memory.pml. Stands for:
 *	src/lane.h: lane_publish
 *	src/doorbell.h: doorbell_is_wanted
 *	src/doorbell.c: doorbell_barrier doorbell_announced doorbell_begin
 *	src/doorbell.c: doorbell_retract ring_slot ring_from
 *	src/lane_reader.c: look_at lane_look take_by_cas
 *	src/receiver.c: sleep_once ring_on
 * Left out:
 *	RING-A2 RING-A3: several rings of a lane
 *
 * Run small: -DSENDERS=1 -DRECEIVERS=2 -DATTENTIVE
 * Run again: -DSENDERS=1 -DRECEIVERS=2 -DATTENTIVE -DMESSAGES=2
 * Run two: -DSENDERS=2 -DRECEIVERS=1 -DATTENTIVE
 * Run pairs: -DSENDERS=2 -DRECEIVERS=2 -DAT_ONCE
 * Run fencing: -DSENDERS=1 -DRECEIVERS=2 -DFENCING=1
 * Run mixed: -DSENDERS=2 -DRECEIVERS=1 -DFENCING=2
 * Run unfenced: -DSENDERS=1 -DRECEIVERS=2 -DUNFENCED
 * Run halted: -DSENDERS=1 -DRECEIVERS=2 -DHALTS=1
 * Run long all: -DSENDERS=2 -DRECEIVERS=2 -DATTENTIVE
 */
#ifndef MESSAGES
#define MESSAGES 1
#endif
#ifndef HALTS
#define HALTS 0
#endif
#ifndef FENCING		/* participants whom membarrier does not reach */
#define FENCING 0
#endif
#define PARTICIPANTS (SENDERS + RECEIVERS)	/* senders first */
#define DEPTH 2
#define KILLS 0		/* nobody is asked here whether he lives */

#define SEQUENCE(s)	(s)
#define HEAD(s)		(SENDERS + (s))
#define SLEEP(r)	(2 * SENDERS + (r) - SENDERS)
#define EVENTS(r)	(2 * SENDERS + RECEIVERS + (r) - SENDERS)
#define ATTENTION	(2 * SENDERS + 2 * RECEIVERS)
#define WORDS		(ATTENTION + 1)

#define ASLEEP		1
#define sleep_make(ticket)	((ticket) * 2 + ASLEEP)
#define sleep_ticket(sleep)	((sleep) / 2)
#define bit_of(r)	(1 << ((r) - SENDERS))

#define is_registered(p)	(!((FENCING) >> (p) & 1))
#define is_mortal(p)	true

#include "memory.pml"

bit sleeping[PARTICIPANTS];	/* in the kernel's hands */
bit owes[PARTICIPANTS];		/* a wake-up */

#define is_there(s)	(mem[SEQUENCE(s)] > mem[HEAD(s)])
#if SENDERS == 1
#define any_there	is_there(0)
#else
#define any_there	(is_there(0) || is_there(1))
#endif

inline ring(p)
{
	atomic {
		fence_seq_cst(p);			/* BELL-F3 */
		load_acquire(p, ATTENTION, bits)	/* BELL-A1 */
	};
	slot = SENDERS;
	do
	:: slot < PARTICIPANTS ->
		if
		:: bits & bit_of(slot) ->
			load_acquire(p, SLEEP(slot), seen);	/* BELL-A2 */
			won = 0;
			if
			:: seen & ASLEEP ->
				cas_acq_rel(p, EVENTS(slot), sleep_ticket(seen),
					    sleep_ticket(seen) + 1, won,
					    seen);		/* BELL-C1 */
			:: else
			fi;
			if
			:: won ->
				owes[slot] = 1;
				futex_wake(p, slot);
				break
			:: else
			fi
		:: else
		fi;
		slot++
	:: else ->
		break
	od;
	atomic { slot = 0; bits = 0; seen = 0; won = 0 }
}

inline futex_wake(p, whom)
{
	d_step {
		let_all_out(p);
		sleeping[whom] = 0;
	}
}

proctype Sender(byte p)
{
	byte n, bits, slot, seen;
	bit won;

	{
	do
	:: n < MESSAGES ->
		atomic {
			n++;
			owes[p] = 1;
			store_release(p, SEQUENCE(p), n)	/* LANE-R1 */
		};
		/* LANE-O1, BELL-O1: the compiler keeps the order */
		load_relaxed(p, ATTENTION, bits);
		if
		:: bits || !is_registered(p) -> ring(p)
		:: else
		fi;
		owes[p] = 0
	:: else ->
		break
	od
	} unless { is_halted(p) }
}

/* One look at everything; a message is taken if there is one. */
inline look(p)
{
	lane = 0;
	do
	:: lane < SENDERS ->
		atomic {
			/* At once: the CAS proves that it was so. */
			load_acquire(p, HEAD(lane), head);	/* LANE-A5 */
			load_acquire(p, SEQUENCE(lane), seen)	/* LANE-A1 */
		};
		if
		:: seen > head ->
			cas_acq_rel(p, HEAD(lane), head, head + 1, took,
				    seen);			/* LANE-C1 */
			if
			:: took -> break
			:: else
			fi
		:: else ->
			lane++
		fi
	:: else ->
		break
	od;
	atomic { lane = 0; head = 0; seen = 0 }
}

inline announce(p)
{
	atomic {
		load_acquire(p, EVENTS(p), ticket);		/* BELL-A3 */
		owes[p] = 0;
		store_release(p, SLEEP(p), sleep_make(ticket))	/* BELL-R1 */
	};
	if
	:: attentive ->
		fence_seq_cst(p)				/* BELL-F2 */
	:: else ->
		or_acq_rel(p, ATTENTION, bit_of(p));		/* BELL-R2 */
#ifndef UNFENCED
		membarrier(p);					/* BELL-M1 */
#endif
		fence_seq_cst(p);				/* BELL-F1 */
#ifdef ATTENTIVE
		if
		:: attentive = 1
		:: skip
		fi
#endif
	fi
}

inline retract(p)
{
	store_release(p, SLEEP(p), 0);				/* BELL-R3 */
	if
	:: !attentive ->
		and_acq_rel(p, ATTENTION, 255 - bit_of(p))	/* BELL-R4 */
	:: else
	fi;
	fence_seq_cst(p)					/* BELL-F5 */
}

inline futex_wait(p)
{
	d_step {
		let_all_out(p);
		if
		:: mem[EVENTS(p)] == ticket -> sleeping[p] = 1
		:: else
		fi;
	}
end_asleep:
	!sleeping[p]
}

/* The message found before the sleep was another than it was rung for, perhaps:
   is there one, for others? */
inline ring_on(p)
{
	load_relaxed(p, ATTENTION, bits);	/* BELL-O1 */
	if
	:: bits ->
		lane = 0;
		do
		:: lane < SENDERS ->
			load_acquire(p, HEAD(lane), head);	/* LANE-A5 */
			load_acquire(p, SEQUENCE(lane), seen);	/* LANE-A1 */
			if
			:: seen > head -> break
			:: else -> lane++
			fi
		:: else ->
			break
		od;
		if
		:: lane < SENDERS -> ring(p)
		:: else
		fi;
		atomic { lane = 0; head = 0; seen = 0; bits = 0 }
	:: else
	fi
}

proctype Receiver(byte p)
{
	byte lane, head, seen, ticket, bits, slot;
	bit took, won, attentive;

	{
	do
	:: took -> break
	:: else ->
		announce(p);
		look(p);
		if
		:: took ->
			retract(p);
			ring_on(p);
			break
		:: else
		fi;
		futex_wait(p);
		retract(p);
		look(p)
	od;
	owes[p] = 0
	} unless { is_halted(p) }
}

#ifdef UNFENCED
#define excused	true
#elif HALTS && PARTICIPANTS == 3
#define excused	((halted[0] && owes[0]) || (halted[1] && owes[1]) || \
		 (halted[2] && owes[2]))
#else
#define excused	false
#endif

/* When nothing else will happen, who sleeps looks by himself. */
active proctype Quiet()
{
	byte p, looks;

end:	do
	:: timeout ->
		p = SENDERS;
		do
		:: p < PARTICIPANTS ->
			if
			:: sleeping[p] && !is_halted(p) && any_there ->
				assert(excused);
				assert(looks < SENDERS * MESSAGES);
				looks++;
				sleeping[p] = 0;
				break
			:: else
			fi;
			p++
		:: else ->
			goto quiet
		od
	od;
quiet:	skip
}

init {
	byte i;
	atomic {
		do
		:: i < PARTICIPANTS ->
			if
			:: i < SENDERS -> run Sender(i)
			:: else -> run Receiver(i)
			fi;
			i++
		:: else ->
			break
		od
	}
}
