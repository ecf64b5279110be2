/* SPDX-License-Identifier: MIT */
/* What must hold when all persons of a round have gone. */
#ifndef SOAK_CHECK_H
#define SOAK_CHECK_H

/* Empties the mailboxes: what is left in them is received, and entered. */
void
check_emptied(void);

/* Nothing lost, nothing out of order. */
void
check_account(void);

/* Unlinks everything; then nothing is left of it. */
void
check_nothing_left(void);

#endif
