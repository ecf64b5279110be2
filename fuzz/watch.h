/* SPDX-License-Identifier: MIT */
/*
 * Included before all else of a source of the library (cc -include): every access
 * to a shared word is told to watch.c, before and once it has been made, which may
 * then change that word, as another process might. See every_access.c.
 */
#ifndef CUBBY_FUZZ_WATCH_H
#define CUBBY_FUZZ_WATCH_H

#include "base.h"
#include "atomics.h"

void
watch_access(const void *word, unsigned int size, const char *file, int line,
	     bool before);

/* The access itself is the function of that name. Of the arguments, the word is
   the first; it is evaluated once. */
#define WATCHED(type, size, access, word, ...) \
	__extension__({ \
		__typeof__(word) watched_word = (word); \
		watch_access(watched_word, size, __FILE__, __LINE__, true); \
		type watched_found = \
			(access)(watched_word __VA_OPT__(, ) __VA_ARGS__); \
		watch_access(watched_word, size, __FILE__, __LINE__, false); \
		watched_found; \
	})
#define WATCHED_VOID(size, access, word, ...) \
	__extension__({ \
		__typeof__(word) watched_word = (word); \
		watch_access(watched_word, size, __FILE__, __LINE__, true); \
		(access)(watched_word, __VA_ARGS__); \
		watch_access(watched_word, size, __FILE__, __LINE__, false); \
	})

#define word64_load_acquire(w) WATCHED(uint64_t, 8, word64_load_acquire, w)
#define word64_load_relaxed(w) WATCHED(uint64_t, 8, word64_load_relaxed, w)
#define word64_store_release(w, ...) \
	WATCHED_VOID(8, word64_store_release, w, __VA_ARGS__)
#define word64_store_relaxed(w, ...) \
	WATCHED_VOID(8, word64_store_relaxed, w, __VA_ARGS__)
#define word64_cas_acq_rel(w, ...) \
	WATCHED(bool, 8, word64_cas_acq_rel, w, __VA_ARGS__)
#define word64_add_acq_rel(w, ...) \
	WATCHED(uint64_t, 8, word64_add_acq_rel, w, __VA_ARGS__)
#define word64_or_acq_rel(w, ...) \
	WATCHED(uint64_t, 8, word64_or_acq_rel, w, __VA_ARGS__)
#define word64_and_acq_rel(w, ...) \
	WATCHED(uint64_t, 8, word64_and_acq_rel, w, __VA_ARGS__)
#define word32_load_acquire(w) WATCHED(uint32_t, 4, word32_load_acquire, w)
#define word32_load_relaxed(w) WATCHED(uint32_t, 4, word32_load_relaxed, w)
#define word32_store_release(w, ...) \
	WATCHED_VOID(4, word32_store_release, w, __VA_ARGS__)
#define word32_store_relaxed(w, ...) \
	WATCHED_VOID(4, word32_store_relaxed, w, __VA_ARGS__)
#define word32_cas_acq_rel(w, ...) \
	WATCHED(bool, 4, word32_cas_acq_rel, w, __VA_ARGS__)
#define word32_add_acq_rel(w, ...) \
	WATCHED(uint32_t, 4, word32_add_acq_rel, w, __VA_ARGS__)

#endif
