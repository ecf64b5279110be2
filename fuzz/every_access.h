/* SPDX-License-Identifier: MIT */
/* Between every_access.c, watch.c, which changes words when they have just been
   looked at, and outside.c, which knows where they lie. */
#ifndef CUBBY_FUZZ_EVERY_ACCESS_H
#define CUBBY_FUZZ_EVERY_ACCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define ACCESS_NAME 12
#define CHANGES 8 /* ways to change a word */

/* One access: a line of the library, and what it looked at. One line may be that
   of a function that is inlined in many places: each is a *site*. */
struct access {
	uint32_t where;	 /* of that line, and that kind of file */
	uint32_t site;	 /* of that place in the program, and that kind of file */
	uint32_t code;	 /* where that place is; and what is called before it */
	uint32_t code_before;
	uint32_t offset; /* in the file */
	const char *file;
	int line;
	char name[ACCESS_NAME]; /* of the file looked at, without a number */
};

struct change {
	/* After the access of that site to that word that comes after `count`
	   such ones: */
	uint32_t site, offset, count;
	unsigned int how;
	/* Or before the one of that line, if it is not 0: */
	uint32_t before;
	/* Besides, before it, at that code, to all ones; 0: not so. */
	uint32_t forged;
	/* Or, if this is not 0: now and then, one of so many accesses, at most
	   `count` times in all; by chance, which begins here. */
	uint64_t noise;
	unsigned int one_of;
};

/* ret_last: the access that was looked at last, whatever ends this process. */
void
watch_begin(const struct change *wanted, struct access *ret_last);
/* Changes nothing: tells of each access. */
void
watch_record(void (*visit)(struct access access));
/* Returns how many changes were made. */
uint64_t
watch_end(void);

/* A word of a mapped file. */
struct outside {
	int file; /* open for writing */
	off_t offset;
	const char *name;
};

/* From now on mapped files are opened once more, for writing. */
void
outside_watch(void);

/* Is memory that is committed, or given back, beyond all that is mapped of a file a
   finding? It is, as long as nobody changes the attributes, by which each handle
   maps it. */
void
outside_bound_commits(bool bound);
bool
outside_find(const void *word, struct outside *ret);

#endif
