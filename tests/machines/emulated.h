/* SPDX-License-Identifier: MIT */
#ifndef CUBBY_TESTS_MACHINES_EMULATED_H
#define CUBBY_TESTS_MACHINES_EMULATED_H

/* What the kernel does in a new child, and the emulator does not; before the child
   is made, and in the parent after it. */
void
emulated_before(void);
void
emulated_child(void);
void
emulated_parent(void);

#endif
