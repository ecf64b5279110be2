/* SPDX-License-Identifier: MIT */
/*
 * For tests of inboxes, which are run with the options that each order makes them
 * with. Included by tests alone, which may use what they want of it.
 */
#ifndef CUBBY_TESTS_INBOX_H
#define CUBBY_TESTS_INBOX_H

#include "support.h"

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)
#define NAME "@worker"

/* What the inbox is made with. */
extern struct cubby_options made;

/* Runs a test of a queue, or without any buffer. */
#define OF_QUEUE(test) \
	static void test##_of_a_queue(void) \
	{ \
		made.order = CUBBY_ORDER_ARRIVAL; \
		test(); \
	}
#define OF_RENDEZVOUS(test) \
	static void test##_at_a_rendezvous(void) \
	{ \
		made.order = CUBBY_ORDER_PRIORITY; \
		made.buffering = CUBBY_RENDEZVOUS; \
		test(); \
	}

cubby_mailbox *
open_receiver(void);
cubby_mailbox *
open_sender(void);

/* A child that receives there, and does nothing; forked from one that has no
   descriptor of it. */
void
owner_fork(struct child *ret);

/* Until the kernel's clock has ticked: what was asked before counts no more. */
void
next_tick(void);

/* Every call that sends says so, and sends nothing. */
void
expect_gone_at(const char *file, int line, cubby_mailbox *sender);
#define expect_gone(sender) expect_gone_at(__FILE__, __LINE__, sender)

#endif
