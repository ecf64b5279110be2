/* SPDX-License-Identifier: MIT */
#ifndef BENCH_SCALE_MEMORY_H
#define BENCH_SCALE_MEMORY_H
/*
 * What takes memory. All in bytes. Not counted: the kernel's inodes and names of
 * files (some 1 KiB a file), its descriptions of open files and of mappings.
 */
#include <stddef.h>

/* The files of a mailbox, by their blocks. */
double
memory_of_files(const char *mailbox);

/* The process's own: its anonymous pages, in memory; of the allocator too. */
double
memory_private(void);

/* The tables by which the kernel maps pages into the process. */
double
memory_tables(void);

/* Mappings; open descriptors. */
size_t
memory_mappings(void);
size_t
memory_descriptors(void);

/* What there is of it: in the machine; where the mailboxes lie. */
double
memory_available(void);
double
memory_available_there(void);

/*
 * Is there so much, with a reserve? In files and private in all. False: why is
 * told.
 */
_Bool
memory_suffices(double files, double private, char *ret_reason, size_t size);

#endif
