/* SPDX-License-Identifier: MIT */
/*
 * Who waits for whom, and who waits in vain.
 *
 * A wait is ended by any one of those who could end it, its helpers; and a
 * process that waits for several things goes on when one of them happens. So
 * this is a graph of ORs, and who can never go on is found as garbage is: mark
 * those that can, then those that wait for one of them, and so on. Who is left
 * waits for nobody but others that are left.
 *
 *	goes on		it runs; or a wait of its is open: it can be ended by
 *			somebody who is not known; or one of its helpers goes on
 *	stuck		all others
 *
 * Of the stuck, those are *the deadlock* that all wait for each other, by
 * however many steps, and for nobody else (a knot). The rest wait for a
 * deadlock without being part of one.
 *
 * One that waits for a message in a mailbox into which it may send itself counts
 * as idle: workers that share a mailbox and put work into it, too, all sleep
 * when there is none.
 *
 * It is as true as what it is told. It cannot know: what other threads of a
 * process do; other ways in which processes may wake each other (signals,
 * sockets, files); a wait that ends by itself, at a deadline; those who are not
 * attached yet, and will come and send.
 */
#ifndef CUBBY_TOOLS_WAITS_H
#define CUBBY_TOOLS_WAITS_H

#include <stdbool.h>
#include <stddef.h>

enum wait_kind {
	WAIT_MESSAGE,	/* for a message */
	WAIT_ROOM,	/* for room, or for its message's being taken */
	WAIT_REPLY	/* for the reply to a call */
};

/* helpers: processes, in any order, the one who waits perhaps among them. */
struct wait {
	size_t process;
	enum wait_kind kind;
	bool open;
	const size_t *helpers;
	size_t helper_count;
};

enum verdict {
	GOES_ON,
	WAITS_IN_VAIN,	/* for a deadlock */
	DEADLOCKED
};

/* knot: of those that are DEADLOCKED, which one, from 0. The rest is of use while
   it is found out. */
struct judgement {
	enum verdict verdict;
	size_t knot;
	bool goes_on;
	bool reached;
};

/*
 * runs and ret have an element for each process: one that does not run has at
 * least one wait, or goes on. Returns how many knots there are.
 */
size_t
waits_judge(const struct wait *waits, size_t count, const bool *runs,
	    size_t processes, struct judgement *ret);

#endif
