/* SPDX-License-Identifier: MIT */
/*
 * Messages that are held: claim, confirm, and what follows when the holder dies
 * (src/claims.h).
 *
 * One lane, whose sender has a single block for all of its MESSAGES: it writes
 * the next one when the head has passed the one before and no record names it.
 * Two receivers with a record each, A in slot 0 and B in slot 1, hold messages,
 * read the block, and release them. A may be killed anywhere. Who lives takes
 * over what went back, and repairs the slots of the dead. C has no record:
 *	C=1	it repairs as well, in slot 2, and may be killed at that
 *	C=2	it joins in slot 0 when A has died, repairs that before it is
 *		there, and holds messages in A's record
 *
 * Held: nobody takes a message that another living one has, or that has been
 * released; who holds one finds its bytes in the block; and when nothing else
 * will happen, all have been released: none is lost, and no block.
 *
 * Memory: memory.pml. Stands for:
 *	src/claims.c: claims_find_free claims_intend claims_confirm claims_reset
 *	src/claims.c: claims_settle claims_read claims_take_over claims_free
 *	src/claims.c: claims_return
 *	src/taking.c: claim
 *	src/lane_reader.c: take_by_cas lane_look look_at
 *	src/lane.c: settle_dead repair_claim lane_repair_slot
 *	src/participants.c: clear_slot participants_find_dead
 *	src/carry.c: read_hand carry_reclaim
 *	src/lane_writer.c: lane_send_block
 * Left out:
 *	RING-A2 RING-A3: several rings of a lane
 *
 * Run one: -DMESSAGES=2 -DHALTS=1 -DC=0
 * Run successor: -DMESSAGES=1 -DHALTS=1 -DC=2
 * Run long repairer: -DMESSAGES=1 -DHALTS=1 -DC=1
 * Run long successors: -DMESSAGES=1 -DHALTS=2 -DC=2
 * Run long repairers: -DMESSAGES=1 -DHALTS=2 -DC=1
 * Run long three: -DMESSAGES=3 -DHALTS=1 -DC=0
 */
#if C
#define PARTICIPANTS 4
#else
#define PARTICIPANTS 3
#endif
#define DEPTH 4
#define STOPS 0		/* one who is stopped just takes no step */
#define EARLY

/* The words, and what they say. */
#define HEAD		0		/* {position, claim + 1} */
#define SEQUENCE	1		/* messages published */
#define BLOCK		2
#define WORD(c)		(3 + (c))	/* {use, slot, state} */
#define POSITION(c)	(5 + (c))
#define WORDS		7

#define head_make(position, named)	((position) * 4 + (named))
#define head_position(head)	((head) / 4)
#define head_claim(head)	((head) % 4)

#define FREE		0
#define INTENT		1
#define HELD		2
#define RETURNED	3
#define claim_make(use, slot, state)	((use) * 16 + (slot) * 4 + (state))
#define claim_state(word)	((word) % 4)
#define claim_slot(word)	((word) / 4 % 4)
#define claim_use(word)		((word) / 16)
#define claim_with(word, state)	((word) - claim_state(word) + (state))

#define is_registered(p)	true
#define is_mortal(p)	((p) == 1 || (p) == 3)

#include "memory.pml"

/* Participants: the sender, A, B, C. */
#define SENDER	0
#define A	1
#define B	2

/* What only the model knows of each message. */
byte holder[MESSAGES];		/* participant; 0: nobody yet */
bit released[MESSAGES];
byte done;			/* so many are released */

/* Slots: who has it, locked in `attendance`. */
byte owner[3];
byte joining[3];		/* who has the lock of the slot to be */
bit announced[3];		/* its pid is set */

#define is_alive(slot)	(owner[slot] && !has_died(owner[slot]))
#define may_join(slot)	(!joining[slot] || has_died(joining[slot]))

#define is_returned(c)	(claim_state(mem[WORD(c)]) == RETURNED)
#define something	(mem[SEQUENCE] > head_position(mem[HEAD]) || \
			 is_returned(0) || is_returned(1))
#define has_left(slot)	(announced[slot] && !is_alive(slot))

/* Ghosts: it has the message from here on. */
inline note_taken(p, position)
{
	assert(!released[position]);
	assert(!holder[position] || has_died(holder[position]));
	holder[position] = p;
}

inline note_released(position)
{
	released[position] = 1;
	holder[position] = 0;
	done++;
}

/* Reads a record: word and position, good if `same`. */
inline claims_read(p, c)
{
	load_acquire(p, WORD(c), word);			/* CLAIM-A3 */
	prefetch(p, WORD(c));
	load_relaxed(p, POSITION(c), position);
	atomic {
		fence_acquire(p);			/* CLAIM-F2 */
		load_relaxed(p, WORD(c), again)
	};
	same = (again == word);
	again = 0
}

inline claims_confirm(p, c, intent)
{
	cas_acq_rel(p, WORD(c), intent, claim_with(intent, HELD), won,
		    again);				/* CLAIM-C2 */
	again = 0
}

inline claims_settle(p, c, at)
{
	claims_read(p, c);
	if
	:: same && claim_state(word) == INTENT && position == (at) ->
		claims_confirm(p, c, word)
	:: else
	fi
}

/* The message is in its hands: reads it, and releases it. */
inline use_it(p, c, at)
{
	atomic {
		load_relaxed(p, BLOCK, again);
		assert(again == (at) + 1);
		again = 0
	};
	d_step {
		note_released(at);
		if
		:: stored[p] == 0 ->
			add_store(p, WORD(c), claim_with(mine, FREE))
		:: else ->
			add_store(p, WORD(c) + RELEASE, claim_with(mine, FREE))
		fi;	/* store_release(CLAIM-R4) */
	}
}

/* The next message of the lane, by the record c of slot's. */
inline hold_next(p, c, slot)
{
	atomic {
		/* At once: the CAS proves that it was so. */
		load_acquire(p, HEAD, head);		/* LANE-A5 */
		load_acquire(p, SEQUENCE, word)		/* LANE-A1 */
	};
	if
	:: word > head_position(head) ->
		atomic {
			load_acquire(p, WORD(c), word);	/* CLAIM-A2 */
			assert(claim_state(word) == FREE);
			mine = claim_make(claim_use(word) + 1, slot, INTENT);
			fence_release(p);		/* CLAIM-F1 */
			store_relaxed(p, POSITION(c), head_position(head));
			store_release(p, WORD(c), mine)	/* CLAIM-R2 */
		};
		if
		:: head_claim(head) ->
			claims_settle(p, head_claim(head) - 1,
				      head_position(head) - 1)
		:: else
		fi;
		d_step {
			let_all_out(p);
			won = (mem[HEAD] == head);
			if
			:: won ->
				/* cas_acq_rel(LANE-C1) */
				mem[HEAD] = head_make(head_position(head) + 1,
						      (c) + 1);
				note_taken(p, head_position(head))
			:: else
			fi;
		}
		if
		:: won ->
			claims_confirm(p, c, mine);
			mine = claim_with(mine, HELD);
			use_it(p, c, head_position(head))
		:: else ->
			cas_acq_rel(p, WORD(c), mine, claim_with(mine, FREE),
				    won, again)		/* CLAIM-C3 */
		fi
	:: else
	fi
}

/* One that went back, in record c. */
inline hold_returned(p, c, slot)
{
	claims_read(p, c);
	if
	:: same && claim_state(word) == RETURNED ->
		mine = claim_make(claim_use(word) + 1, slot, HELD);
		d_step {
			let_all_out(p);
			won = (mem[WORD(c)] == word);
			if
			:: won ->
				/* cas_acq_rel(CLAIM-C4) */
				mem[WORD(c)] = mine;
				note_taken(p, position)
			:: else
			fi;
		}
		if
		:: won -> use_it(p, c, position)
		:: else
		fi
	:: else
	fi
}

inline settle_dead(p, c)
{
	load_acquire(p, HEAD, head);			/* BIAS-A2 */
	if
	:: head == head_make(position + 1, (c) + 1) ->
		claims_confirm(p, c, word);
		word = claim_with(word, HELD)
	:: else ->
		cas_acq_rel(p, WORD(c), word, claim_with(word, FREE), won,
			    again);			/* CLAIM-C3 */
		word = 0
	fi
}

inline claims_return(p, c)
{
	cas_acq_rel(p, WORD(c), word, claim_with(word, RETURNED), won,
		    again)				/* CLAIM-C5 */
}

inline repair_claim(p, c, slot, ours)
{
	claims_read(p, c);
	do
	:: !same && ours -> claims_read(p, c)
	:: else -> break
	od;
	if
	:: same && claim_slot(word) == slot && claim_state(word) != FREE &&
	   claim_state(word) != RETURNED ->
		/* Who wrote the word is asked for after it has been read. */
		if
		:: ours || !is_alive(slot) ->
			if
			:: claim_state(word) == INTENT -> settle_dead(p, c)
			:: else
			fi;
			if
			:: claim_state(word) == HELD -> claims_return(p, c)
			:: else
			fi
		:: else
		fi
	:: else
	fi
}

inline clear(p)
{
	atomic {
		head = 0; word = 0; position = 0; again = 0; mine = 0;
		same = 0; won = 0
	}
}

/* What the dead owner of a slot has left. */
inline find_dead(p, slot)
{
	repair_claim(p, 0, slot, false);
	repair_claim(p, 1, slot, false);
	if
	:: d_step { may_join(slot) -> joining[slot] = p; }
		if
		:: !is_alive(slot) ->
			repair_claim(p, 0, slot, true);
			repair_claim(p, 1, slot, true);
			announced[slot] = 0
		:: else
		fi;
		joining[slot] = 0
	:: else			/* somebody else does it */
		-> !has_left(slot) || may_join(slot)
	fi;
	clear(p)
}

inline receive_and_repair(p, c, slot)
{
	do
	:: done < MESSAGES && something ->
		if
		:: is_returned(0) -> hold_returned(p, 0, slot)
		:: is_returned(1) -> hold_returned(p, 1, slot)
		:: mem[SEQUENCE] > head_position(mem[HEAD]) &&
		   claim_state(mem[WORD(c)]) == FREE ->
			hold_next(p, c, slot)
		:: else		/* others were faster */
		fi;
		clear(p)
	:: has_left(0) && slot != 0 -> find_dead(p, 0)
	:: has_left(2) && slot != 2 -> find_dead(p, 2)
	:: done == MESSAGES -> break
	od
}

proctype Holder(byte p; byte own)
{
	byte head, word, position, again, mine;
	bit same, won;

	{
		receive_and_repair(p, own, own)
	} unless { is_halted(p) }
}

#if C == 1
proctype Repairer(byte p)
{
	byte head, word, position, again, mine;
	bit same, won;

	{
	do
	:: has_left(0) -> find_dead(p, 0)
	:: done == MESSAGES -> break
	od
	} unless { is_halted(p) }
}
#endif

#if C == 2
proctype Successor(byte p)
{
	byte head, word, position, again, mine;
	bit same, won;

	{
	do
	:: done == MESSAGES -> goto gone
	:: d_step { owner[0] == A && has_died(A) && may_join(0) ->
		    joining[0] = p; } ->
		break
	od;
	repair_claim(p, 0, 0, true);
	repair_claim(p, 1, 0, true);
	clear(p);
	d_step { owner[0] = p; announced[0] = 1; joining[0] = 0; }
	receive_and_repair(p, 0, 0);
gone:	skip
	} unless { is_halted(p) }
}
#endif

/* Is the message in a hand? */
inline read_hand(p, c)
{
	do
	:: claims_read(p, c);
		if
		:: same -> break
		:: else
		fi
	od;
	if
	:: claim_state(word) != FREE && position == n - 1 -> in_hand = 1
	:: else
	fi
}

proctype Sender(byte p)
{
	byte n, head, word, position, again;
	bit same, won, in_hand;

	do
	:: n < MESSAGES && (n == 0 || !in_hand) ->
		n++;
		atomic {
			store_relaxed(p, BLOCK, n);
			store_release(p, SEQUENCE, n)	/* LANE-R1 */
		};
		in_hand = 1
	:: n == MESSAGES ->
		break
	:: n < MESSAGES && in_hand && head_position(mem[HEAD]) == n ->
		load_acquire(p, HEAD, head);		/* BIAS-A2 */
		in_hand = 0;
		read_hand(p, 0);
		read_hand(p, 1);
		atomic {
			fence_release(p);		/* CARRY-F1 */
			head = 0; word = 0; position = 0; same = 0
		}
	od
}

/* Nothing else will happen. */
active proctype Quiet()
{
	timeout -> assert(done == MESSAGES)
}

init {
	atomic {
		owner[0] = A; announced[0] = 1;
		owner[1] = B; announced[1] = 1;
#if C == 1
		owner[2] = 3; announced[2] = 1;
		run Repairer(3);
#elif C == 2
		run Successor(3);
#endif
		run Sender(SENDER);
		run Holder(A, 0);
		run Holder(B, 1)
	}
}
