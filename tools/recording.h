/* SPDX-License-Identifier: MIT */
/*
 * The file of a recording: cubby_record(5) describes it. A head, then entries,
 * each of a known length, the last of which says that it is the last; so that
 * what is there of a file that was cut off can be read.
 */
#ifndef CUBBY_TOOLS_RECORDING_H
#define CUBBY_TOOLS_RECORDING_H

#include <stdio.h>
#include <stdint.h>

#include <cubby.h>

enum recording_flags {
	RECORDING_FIXED = 1,	/* messages of message_max bytes exactly */
	RECORDING_EVERY = 2,	/* the mailbox delivers to every receiver */
	RECORDING_OVERTAKE = 4, /* and overtakes the slow */
	RECORDING_TAKEN = 8	/* the messages were taken out of it */
};

struct recording_head {
	uint64_t began; /* ns since 1970 */
	uint64_t message_max;
	uint32_t order; /* enum cubby_order */
	uint32_t flags;
	char name[CUBBY_NAME_MAX + 1];
};

enum recording_kind {
	RECORDING_MESSAGE, /* "mesg" */
	RECORDING_NAME,	   /* "name": what a sender calls itself */
	RECORDING_DONE	   /* "done": the last; sequence: how many messages */
};

struct recording_entry {
	enum recording_kind kind;
	uint64_t time; /* ns since it began, whatever the wall clock did */
	uint64_t sender;
	uint64_t sequence;
	uint64_t tag;
	int64_t type;
	uint32_t priority;
	uint32_t uid;
	uint32_t deliveries;
	uint64_t missed;
	uint64_t size;
	const void *data; /* of the reader: until the next is read */
};

/* Write to stdout, by output(). */
void
recording_write_head(const struct recording_head *head);
void
recording_write(const struct recording_entry *entry);

struct recording_reader {
	FILE *file;
	uint64_t offset; /* of the next entry */
	unsigned char *data;
	size_t room;
};

/* Errors: -EBADMSG (it is no recording) -EPROTO (of a later version) -ENODATA
   (cut off) and the system's. */
int
recording_read_head(struct recording_reader *reader,
		    struct recording_head *ret);

/*
 * The next entry of a kind that is known. 1; 0: there was the last. Errors:
 * -EBADMSG (what lies at reader->offset makes no sense) -ENODATA (cut off) and
 * the system's.
 */
int
recording_read(struct recording_reader *reader, struct recording_entry *ret);

#endif
