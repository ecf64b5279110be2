/* SPDX-License-Identifier: MIT */
/*
 * The memory that the models work on: words of a byte, and a store buffer for
 * each participant.
 *
 * A store waits in its participant's buffer, seen by himself alone, until the
 * process Memory lets it out, at any time. Each access is one step.
 *
 *	relaxed store	may be let out before earlier ones to other words (as
 *			aarch64 does, and x86 never)
 *	release store	not before all that were stored earlier; later ones may
 *			go first
 *	release fence	what is stored after it, not before what was before it
 *	load		the youngest in one's own buffer, else the memory
 *	early load	a relaxed load may have been made earlier, back to one's
 *			last acquire, fence, locked instruction or system call:
 *			a model says by prefetch() which may, and from where
 *	locked		acts on the memory at once, after all of one's own stores
 *	instruction	(so on x86. On aarch64 what follows may be loaded before
 *			it is seen: not modelled)
 *	fence seq_cst	waits until one's own stores are let out
 *	membarrier	lets out the stores of each registered participant, one
 *			after the other, at different times (AT_ONCE: at the
 *			same time, in configurations that are large)
 *	system call	as fence seq_cst
 *
 * So it is weaker than x86 (TSO), on which a release is a plain store, and
 * stronger than C11: there is one memory, loads are made in order but for those
 * that prefetch() names, and no load sees a store that has yet to be made.
 *
 * Whoever is killed is killed between two steps; what he has stored is let out
 * all the same, and the kernel tells of his death only after that (has_died()).
 *
 * A model defines before it includes this: WORDS, PARTICIPANTS (numbered from
 * 0), DEPTH (stores in a buffer; one more is an error), is_registered(p).
 */

byte mem[WORDS];

/* Of participant p: entries p * DEPTH and on; the oldest first. */
byte stored_word[PARTICIPANTS * DEPTH];
byte stored_value[PARTICIPANTS * DEPTH];
byte stored[PARTICIPANTS];

#define RELEASE		128		/* beside the word */
#define FENCE		255		/* in its place */

#define word_of(p, i)	stored_word[(p) * DEPTH + (i)]
#define value_of(p, i)	stored_value[(p) * DEPTH + (i)]

#ifdef EARLY
byte early_word[PARTICIPANTS];		/* word + 1; 0: none */
byte early_value[PARTICIPANTS];
#define nothing_early(p) \
	early_word[p] = 0; early_value[p] = 0
#else
#define nothing_early(p) skip
#endif

byte m_i;
byte m_n;
byte m_q;

/* Its oldest, or one that may overtake those before it. */
#define may_go(p, i)	(word_of(p, i) < RELEASE && \
			 word_of(p, 0) != FENCE && \
			 (word_of(p, i) ^ word_of(p, 0)) & 127)

#define can_go_0(p)	(stored[p] > 0)
#define can_go_1(p)	(stored[p] > 1 && may_go(p, 1))
#define can_go_2(p)	(stored[p] > 2 && may_go(p, 2) && \
			 word_of(p, 1) != FENCE && \
			 (word_of(p, 2) ^ word_of(p, 1)) & 127)
#define can_go_3(p)	(stored[p] > 3 && may_go(p, 3) && \
			 word_of(p, 1) != FENCE && word_of(p, 2) != FENCE && \
			 (word_of(p, 3) ^ word_of(p, 1)) & 127 && \
			 (word_of(p, 3) ^ word_of(p, 2)) & 127)
#define can_go_4(p)	(stored[p] > 4 && may_go(p, 4) && \
			 word_of(p, 1) != FENCE && word_of(p, 2) != FENCE && \
			 word_of(p, 3) != FENCE && \
			 (word_of(p, 4) ^ word_of(p, 1)) & 127 && \
			 (word_of(p, 4) ^ word_of(p, 2)) & 127 && \
			 (word_of(p, 4) ^ word_of(p, 3)) & 127)

/* In a d_step. */
inline close_gap(p, i)
{
	m_i = i;
	do
	:: m_i + 1 < stored[p] ->
		word_of(p, m_i) = word_of(p, m_i + 1);
		value_of(p, m_i) = value_of(p, m_i + 1);
		m_i++
	:: else ->
		break
	od;
	m_i = 0;
	stored[p]--;
	word_of(p, stored[p]) = 0;
	value_of(p, stored[p]) = 0;
}

inline let_out(p, i)
{
	mem[word_of(p, i) & 127] = value_of(p, i);
	close_gap(p, i);
	if
	:: stored[p] > 0 && word_of(p, 0) == FENCE -> close_gap(p, 0)
	:: else
	fi;
}

inline let_all_out(p)
{
	m_n = 0;
	do
	:: m_n < stored[p] ->
		if
		:: word_of(p, m_n) != FENCE ->
			mem[word_of(p, m_n) & 127] = value_of(p, m_n)
		:: else
		fi;
		word_of(p, m_n) = 0;
		value_of(p, m_n) = 0;
		m_n++
	:: else ->
		break
	od;
	stored[p] = 0;
	m_n = 0;
	nothing_early(p);
}

inline add_store(p, the_word, the_value)
{
	assert(stored[p] < DEPTH);
	word_of(p, stored[p]) = the_word;
	value_of(p, stored[p]) = the_value;
	stored[p]++;
}

/* In a d_step: what p sees there. */
inline see(p, the_word, to_ret)
{
	m_i = stored[p];
	do
	:: m_i > 0 && (word_of(p, m_i - 1) == FENCE ||
		       (word_of(p, m_i - 1) & 127) != (the_word)) -> m_i--
	:: else -> break
	od;
	if
	:: m_i > 0 -> to_ret = value_of(p, m_i - 1)
	:: else -> to_ret = mem[the_word]
	fi;
	m_i = 0;
}

/* The accesses ------------------------------------------------------------ */

inline store_relaxed(p, the_word, the_value)
{
	d_step {
		add_store(p, the_word, the_value);
	}
}

inline store_release(p, the_word, the_value)
{
	d_step {
		if
		:: stored[p] == 0 -> add_store(p, the_word, the_value)
		:: else -> add_store(p, (the_word) + RELEASE, the_value)
		fi;
	}
}

inline fence_release(p)
{
	d_step {
		if
		:: stored[p] > 0 -> add_store(p, FENCE, 0)
		:: else
		fi;
	}
}

#ifdef EARLY
inline load_relaxed(p, the_word, to_ret)
{
	d_step {
		if
		:: early_word[p] == (the_word) + 1 ->
			to_ret = early_value[p];
			nothing_early(p)
		:: else ->
			see(p, the_word, to_ret)
		fi;
	}
}

/* A later relaxed load may be made here; then it is the next of that word. */
inline prefetch(p, the_word)
{
	if
	:: d_step {
		see(p, the_word, early_value[p]);
		early_word[p] = (the_word) + 1;
	   }
	:: skip
	fi
}
#else
inline load_relaxed(p, the_word, to_ret)
{
	d_step {
		see(p, the_word, to_ret);
	}
}
#endif

inline load_acquire(p, the_word, to_ret)
{
	d_step {
		see(p, the_word, to_ret);
		nothing_early(p);
	}
}

inline fence_acquire(p)
{
	d_step {
		nothing_early(p);
	}
}

inline fence_seq_cst(p)
{
	d_step {
		let_all_out(p);
	}
}

/* *to_won: whether it was `from_value`; *to_found: what it was. */
inline cas_acq_rel(p, the_word, from_value, to_value, to_won, to_found)
{
	d_step {
		let_all_out(p);
		m_n = mem[the_word];
		to_won = (m_n == (from_value));
		if
		:: to_won -> mem[the_word] = to_value
		:: else
		fi;
		to_found = m_n;
		m_n = 0;
	}
}

inline or_acq_rel(p, the_word, the_bits)
{
	d_step {
		let_all_out(p);
		mem[the_word] = mem[the_word] | (the_bits);
	}
}

inline and_acq_rel(p, the_word, the_bits)
{
	d_step {
		let_all_out(p);
		mem[the_word] = mem[the_word] & (the_bits);
	}
}

inline add_acq_rel(p, the_word, n)
{
	d_step {
		let_all_out(p);
		mem[the_word] = mem[the_word] + n;
	}
}

inline system_call(p)
{
	d_step {
		let_all_out(p);
	}
}

inline reach(q)
{
	d_step {
		if
		:: is_registered(q) -> let_all_out(q)
		:: else
		fi;
	}
}

/* Of the caller too. */
inline membarrier(p)
{
#ifdef AT_ONCE
	d_step {
		m_q = 0;
		do
		:: m_q < PARTICIPANTS ->
			if
			:: is_registered(m_q) || m_q == p -> let_all_out(m_q)
			:: else
			fi;
			m_q++
		:: else ->
			break
		od;
		m_q = 0;
	}
#else
	system_call(p);
	reach(0);
#if PARTICIPANTS > 1
	reach(1);
#endif
#if PARTICIPANTS > 2
	reach(2);
#endif
#if PARTICIPANTS > 3
	reach(3);
#endif
#if PARTICIPANTS > 4
	reach(4);
#endif
#endif
}

#define LET_OUT(p) \
	:: d_step { can_go_0(p) -> let_out(p, 0); } \
	LET_OUT_1(p) LET_OUT_2(p) LET_OUT_3(p) LET_OUT_4(p)
#if DEPTH > 1
#define LET_OUT_1(p) :: d_step { can_go_1(p) -> let_out(p, 1); }
#else
#define LET_OUT_1(p)
#endif
#if DEPTH > 2
#define LET_OUT_2(p) :: d_step { can_go_2(p) -> let_out(p, 2); }
#else
#define LET_OUT_2(p)
#endif
#if DEPTH > 3
#define LET_OUT_3(p) :: d_step { can_go_3(p) -> let_out(p, 3); }
#else
#define LET_OUT_3(p)
#endif
#if DEPTH > 4
#define LET_OUT_4(p) :: d_step { can_go_4(p) -> let_out(p, 4); }
#else
#define LET_OUT_4(p)
#endif

active proctype Memory()
{
end:	do
	LET_OUT(0)
#if PARTICIPANTS > 1
	LET_OUT(1)
#endif
#if PARTICIPANTS > 2
	LET_OUT(2)
#endif
#if PARTICIPANTS > 3
	LET_OUT(3)
#endif
#if PARTICIPANTS > 4
	LET_OUT(4)
#endif
	od
}

/* Deaths and stops -------------------------------------------------------- */

/*
 * Fate halts participants at any step, HALTS of them at most (those that
 * is_mortal(p) says): one that is killed the kernel tells of, one that is
 * stopped nobody does. A participant is
 *	{ ... } unless { is_halted(p) }
 */
#if HALTS
bit halted[PARTICIPANTS];
bit killed[PARTICIPANTS];
#define is_halted(p)	halted[p]
#define has_died(p)	(killed[p] && stored[p] == 0)

byte halts;

#ifndef KILLS
#define KILLS 1
#endif
#ifndef STOPS
#define STOPS 1
#endif

#define HALT(p) \
	:: d_step { halts < HALTS && is_mortal(p) && !halted[p] && STOPS -> \
		halted[p] = 1; halts++; } \
	:: d_step { halts < HALTS && is_mortal(p) && !halted[p] && KILLS -> \
		halted[p] = 1; killed[p] = 1; halts++; }

active proctype Fate()
{
end:	do
	HALT(0)
#if PARTICIPANTS > 1
	HALT(1)
#endif
#if PARTICIPANTS > 2
	HALT(2)
#endif
#if PARTICIPANTS > 3
	HALT(3)
#endif
	:: halts == HALTS -> break
	od
}
#else
#define is_halted(p)	false
#define has_died(p)	false
#endif
