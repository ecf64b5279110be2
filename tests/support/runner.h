/* SPDX-License-Identifier: MIT */
/* Between the files of tests/support; tests include support.h. */
#ifndef CUBBY_TESTS_RUNNER_H
#define CUBBY_TESTS_RUNNER_H

/* Closes what gate_make() opened. */
void
gates_close(void);

#endif
