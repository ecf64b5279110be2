/* SPDX-License-Identifier: MIT */
/*
 * One who survives all rounds: in each it opens mailboxes, receives what it gets,
 * and closes them. After that it must have as many descriptors as before, and no
 * mapping of a mailbox's file.
 */
#ifndef SOAK_VETERAN_H
#define SOAK_VETERAN_H

#include <stdint.h>

void
veteran_begin(void);

/* It takes part in the round that begins, as that person. */
void
veteran_round(uint32_t person);

/* Has it died? That is a finding, and nobody waits for it any more. */
void
veteran_watch(void);

void
veteran_end(void);

#endif
