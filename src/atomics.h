/* SPDX-License-Identifier: MIT */
/* Layer 0. May include: base. */
/*
 * Every access to a word that another process may touch at the same time.
 *
 * A shared word is a struct, so that no plain access to it compiles. The name
 * of each function carries its memory order (C11 5.1.2.4, 7.17.3); each use
 * says which access elsewhere it pairs with, or why it may be relaxed.
 *
 * An 8-byte load must not write: receivers read lanes, and senders read the
 * receivers' file, through read-only mappings, where a compare-and-swap loop
 * (what some 32-bit compilers make of an 8-byte load) would fault. So there is
 * one load primitive for each ABI.
 *
 * There are no fences here for the sleep and wake-up protocols: the side that
 * is about to sleep runs membarrier (futex.h), which makes every running
 * participant execute a full barrier. order_compiler() marks the other side.
 */
#ifndef CUBBY_ATOMICS_H
#define CUBBY_ATOMICS_H

#include "base.h"

typedef struct { uint32_t word; } word32;
typedef struct { uint64_t word; } __attribute__((aligned(8))) word64;

#if defined(__x86_64__) || defined(__aarch64__) || \
	(defined(__riscv) && __riscv_xlen == 64) || defined(__powerpc64__) || \
	defined(__s390x__) || (defined(__loongarch64)) || defined(__arm__)
#define word64_raw_load(w, order) __atomic_load_n(&(w)->word, order)
#elif defined(__i386__)
/* One x87 load is atomic for 8 aligned bytes (Intel SDM vol. 3, 9.1.1), exact
   for every bit pattern, and never writes to its source. */
static inline uint64_t
word64_load_i386(const word64 *w)
{
	uint64_t value;

	__asm__ __volatile__("fildll %1\n\tfistpll %0"
			     : "=m"(value) : "m"(*w) : "st", "memory");
	return value;
}
#define word64_raw_load(w, order) word64_load_i386(w)
#else
#error "cubby has no read-only 8-byte atomic load for this ABI yet"
#endif

static inline uint64_t
word64_load_acquire(const word64 *w)
{
	return word64_raw_load(w, __ATOMIC_ACQUIRE);
}

static inline uint64_t
word64_load_relaxed(const word64 *w)
{
	return word64_raw_load(w, __ATOMIC_RELAXED);
}

static inline void
word64_store_release(word64 *w, uint64_t value)
{
	__atomic_store_n(&w->word, value, __ATOMIC_RELEASE);
}

static inline void
word64_store_relaxed(word64 *w, uint64_t value)
{
	__atomic_store_n(&w->word, value, __ATOMIC_RELAXED);
}

/* *expected becomes what was found, if that was something else. */
static inline bool
word64_cas_acq_rel(word64 *w, uint64_t *expected, uint64_t desired)
{
	return __atomic_compare_exchange_n(&w->word, expected, desired, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/* These three return what the word was before. */
static inline uint64_t
word64_add_acq_rel(word64 *w, uint64_t n)
{
	return __atomic_fetch_add(&w->word, n, __ATOMIC_ACQ_REL);
}

static inline uint64_t
word64_or_acq_rel(word64 *w, uint64_t bits)
{
	return __atomic_fetch_or(&w->word, bits, __ATOMIC_ACQ_REL);
}

static inline uint64_t
word64_and_acq_rel(word64 *w, uint64_t bits)
{
	return __atomic_fetch_and(&w->word, bits, __ATOMIC_ACQ_REL);
}

/* The half that holds the low 32 bits: for futexes, which are that wide. */
static inline const word32 *
word64_low_half(const word64 *w)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return (const word32 *)w;
#else
	return (const word32 *)w + 1;
#endif
}

static inline uint32_t
word32_load_acquire(const word32 *w)
{
	return __atomic_load_n(&w->word, __ATOMIC_ACQUIRE);
}

static inline uint32_t
word32_load_relaxed(const word32 *w)
{
	return __atomic_load_n(&w->word, __ATOMIC_RELAXED);
}

static inline void
word32_store_release(word32 *w, uint32_t value)
{
	__atomic_store_n(&w->word, value, __ATOMIC_RELEASE);
}

static inline void
word32_store_relaxed(word32 *w, uint32_t value)
{
	__atomic_store_n(&w->word, value, __ATOMIC_RELAXED);
}

static inline bool
word32_cas_acq_rel(word32 *w, uint32_t *expected, uint32_t desired)
{
	return __atomic_compare_exchange_n(&w->word, expected, desired, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

static inline uint32_t
word32_add_acq_rel(word32 *w, uint32_t n)
{
	return __atomic_fetch_add(&w->word, n, __ATOMIC_ACQ_REL);
}

static inline void
atomics_fence_acquire(void)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
}

static inline void
atomics_fence_release(void)
{
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static inline void
atomics_fence_seq_cst(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/*
 * The cheap half of an asymmetric fence: the compiler keeps the order, and
 * the processor is made to keep it by the other side's membarrier.
 */
static inline void
order_compiler(void)
{
	__asm__ __volatile__("" ::: "memory");
}

static inline void
cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
	__asm__ __volatile__("yield");
#else
	order_compiler();
#endif
}

/*
 * Asks for the line of an address, to be written soon, and waits for nothing.
 * Any address will do. (Without -mprfchw compilers make of their builtin a
 * prefetch for reading, after which a store has to ask once more; and every
 * 64-bit processor takes the instruction, or takes it for none.)
 */
static FAST void
prefetch_to_write(const void *address)
{
#if defined(__x86_64__)
	__asm__ __volatile__("prefetchw %0" : : "m"(*(const char *)address));
#else
	__builtin_prefetch(address, 1);
#endif
}

/*
 * Copies between shared memory that may change under the copy and private
 * memory: word by word, relaxed; the caller proves afterwards that what it
 * copied was whole. shared is aligned to 8, and readable (writable) up to the
 * next multiple of 8 beyond size.
 */
static FAST void
copy_out_relaxed(void *private, const word64 *shared, size_t size)
{
	char *to = private;
	uint64_t value;

	for (; size >= 8; size -= 8, to += 8, shared++) {
		value = word64_load_relaxed(shared);
		memcpy(to, &value, 8);
	}
	if (size) {
		value = word64_load_relaxed(shared);
		memcpy(to, &value, size);
	}
}

static FAST void
copy_in_relaxed(word64 *shared, const void *private, size_t size)
{
	const char *from = private;
	uint64_t value;

	for (; size >= 8; size -= 8, from += 8, shared++) {
		memcpy(&value, from, 8);
		word64_store_relaxed(shared, value);
	}
	if (size) {
		value = 0;
		memcpy(&value, from, size);
		word64_store_relaxed(shared, value);
	}
}

/*
 * The same, 16 bytes at a time: half the work, where the words were not stored a
 * moment ago by this processor (a wide load of those waits for the store buffer).
 * A copy may be torn and, under ThreadSanitizer, which has no notion of a copy
 * that is proved afterwards, goes by words.
 */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define COPIES_BY_WORDS 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define COPIES_BY_WORDS 1
#endif
#ifndef COPIES_BY_WORDS
#define COPIES_BY_WORDS 0
#endif

static FAST void
copy_16(char *to, const char *from)
{
	struct { uint64_t halves[2]; } wide;

	memcpy(&wide, from, sizeof(wide));
	memcpy(to, &wide, sizeof(wide));
}

static FAST void
copy_32(char *to, const char *from)
{
	copy_16(to, from);
	copy_16(to + 16, from + 16);
}

/* All of it but the rest of less than 8 bytes. Returns how much that was. */
static FAST size_t
copy_most_wide(char *to, const char *from, size_t size)
{
	size_t done = 0;

	if (COPIES_BY_WORDS)
		return 0;
	for (; size - done >= 32; done += 32)
		copy_32(to + done, from + done);
	if (size & 16) {
		copy_16(to + done, from + done);
		done += 16;
	}
	if (size & 8) {
		memcpy(to + done, from + done, 8);
		done += 8;
	}
	return done;
}

static FAST void
copy_out_wide(void *private, const word64 *shared, size_t size)
{
	size_t done = copy_most_wide(private, (const char *)shared, size);

	if (unlikely(done != size))
		copy_out_relaxed((char *)private + done, shared + done / 8,
				 size - done);
}

static FAST void
copy_in_wide(word64 *shared, const void *private, size_t size)
{
	size_t done = copy_most_wide((char *)shared, private, size);

	if (unlikely(done != size))
		copy_in_relaxed(shared + done / 8, (const char *)private + done,
				size - done);
}

#endif
