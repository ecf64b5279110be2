/* SPDX-License-Identifier: MIT */
/* Layer 1. May include: base. */
/*
 * The lock of one end of a handle, among the threads of its process. Not taken
 * while the process has one thread. It is never held during a sleep, so a
 * thread that waits for a message holds no other up.
 */
#ifndef CUBBY_EXCLUSION_H
#define CUBBY_EXCLUSION_H

#include "base.h"

#include <pthread.h>
#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#define exclusion_is_needed() (!__libc_single_threaded)
#else
#define exclusion_is_needed() true
#endif

struct exclusion {
	pthread_mutex_t mutex;
	bool taken;	/* by the one who has it, really */
};

static inline void
exclusion_init(struct exclusion *exclusion)
{
	pthread_mutex_init(&exclusion->mutex, NULL);
	exclusion->taken = false;
}

static inline void
exclusion_enter(struct exclusion *exclusion)
{
	if (likely(!exclusion_is_needed()))
		return;
	pthread_mutex_lock(&exclusion->mutex);
	exclusion->taken = true;
}

static inline void
exclusion_leave(struct exclusion *exclusion)
{
	if (likely(!exclusion->taken))
		return;
	exclusion->taken = false;
	pthread_mutex_unlock(&exclusion->mutex);
}

#endif
