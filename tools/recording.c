/* SPDX-License-Identifier: MIT */
/* The file of a recording. Little-endian, whatever the machine is. */
#include "recording.h"

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "output.h"

#define MAGIC \
	"\x89" \
	"CUBBY\r\n"
#define MAGIC_SIZE 8
#define VERSION 1
#define HEAD_SIZE 64
#define HEAD_MOST 4096 /* of later versions, with what they add */
#define ENTRY_SIZE 80
#define ROOM_FIRST 65536
#define MESSAGE_MOST (UINT64_C(1) << 30)

/* As they lie in the file. */
struct head {
	char magic[MAGIC_SIZE];
	uint32_t version;
	uint32_t bytes; /* with the name */
	uint64_t began;
	uint64_t message_max;
	uint32_t order;
	uint32_t flags;
	uint32_t name_size;
	uint32_t reserved[5];
};

struct entry {
	char kind[4];
	uint32_t bytes; /* with the data, and zeros up to a multiple of 8 */
	uint64_t time;
	uint64_t sender;
	uint64_t sequence;
	uint64_t tag;
	uint64_t type;
	uint32_t priority;
	uint32_t uid;
	uint32_t deliveries;
	uint32_t reserved;
	uint64_t missed;
	uint64_t size;
};

_Static_assert(sizeof(struct head) == HEAD_SIZE, "as documented");
_Static_assert(sizeof(struct entry) == ENTRY_SIZE, "as documented");

static const char kinds[][5] = {
	[RECORDING_MESSAGE] = "mesg",
	[RECORDING_NAME] = "name",
	[RECORDING_DONE] = "done",
};

/* Writing ---------------------------------------------------------------- */

static uint64_t
padded(uint64_t size)
{
	return (size + 7) & ~UINT64_C(7);
}

static void
write_padded(const void *data, uint64_t size)
{
	output(data, size);
	output("\0\0\0\0\0\0\0", padded(size) - size);
}

void
recording_write_head(const struct recording_head *head)
{
	uint64_t size = strlen(head->name);
	struct head out = {
		.version = htole32(VERSION),
		.bytes = htole32((uint32_t)(HEAD_SIZE + padded(size))),
		.began = htole64(head->began),
		.message_max = htole64(head->message_max),
		.order = htole32(head->order),
		.flags = htole32(head->flags),
		.name_size = htole32((uint32_t)size),
	};

	memcpy(out.magic, MAGIC, MAGIC_SIZE);
	output(&out, sizeof(out));
	write_padded(head->name, size);
}

void
recording_write(const struct recording_entry *entry)
{
	struct entry out = {
		.bytes = htole32((uint32_t)(ENTRY_SIZE + padded(entry->size))),
		.time = htole64(entry->time),
		.sender = htole64(entry->sender),
		.sequence = htole64(entry->sequence),
		.tag = htole64(entry->tag),
		.type = htole64((uint64_t)entry->type),
		.priority = htole32(entry->priority),
		.uid = htole32(entry->uid),
		.deliveries = htole32(entry->deliveries),
		.missed = htole64(entry->missed),
		.size = htole64(entry->size),
	};

	memcpy(out.kind, kinds[entry->kind], sizeof(out.kind));
	output(&out, sizeof(out));
	write_padded(entry->data, entry->size);
}

/* Reading ---------------------------------------------------------------- */

/* 1: all of it; 0: nothing, it is the end; -ENODATA: a part. */
static int
read_all(struct recording_reader *reader, void *data, size_t size)
{
	size_t count = fread(data, 1, size, reader->file);

	if (count == size)
		return 1;
	if (ferror(reader->file))
		return errno ? -errno : -EIO;
	return count ? -ENODATA : 0;
}

/* What is to follow. It takes as much memory as there is to read, whatever a short
   file says: twice what has been read at most. */
static int
read_rest(struct recording_reader *reader, uint64_t size)
{
	uint64_t done = 0, step;
	int result = 1;

	for (; result == 1 && done < size; done += step) {
		if (done == reader->room) {
			reader->room = done ? 2 * done : ROOM_FIRST;
			reader->data = allocate(reader->data, reader->room);
		}
		step = reader->room - done;
		if (step > size - done)
			step = size - done;
		result = read_all(reader, reader->data + done, step);
	}
	return result == 0 ? -ENODATA : result;
}

static int
check_head(const struct head *in)
{
	uint32_t bytes = le32toh(in->bytes);

	if (memcmp(in->magic, MAGIC, MAGIC_SIZE) != 0)
		return -EBADMSG;
	if (le32toh(in->version) != VERSION)
		return -EPROTO;
	if (bytes < HEAD_SIZE || bytes > HEAD_MOST ||
	    le32toh(in->name_size) > CUBBY_NAME_MAX ||
	    le32toh(in->name_size) > bytes - HEAD_SIZE)
		return -EBADMSG;
	return 0;
}

int
recording_read_head(struct recording_reader *reader, struct recording_head *ret)
{
	uint32_t name_size;
	struct head in;
	int result = read_all(reader, &in, sizeof(in));

	if (result < 0)
		return result == -ENODATA ? -EBADMSG : result;
	if (result == 0)
		return -EBADMSG;
	result = check_head(&in);
	if (result == 0)
		result = read_rest(reader, le32toh(in.bytes) - HEAD_SIZE);
	if (result < 0)
		return result;
	name_size = le32toh(in.name_size);
	*ret = (struct recording_head){
		.began = le64toh(in.began),
		.message_max = le64toh(in.message_max),
		.order = le32toh(in.order),
		.flags = le32toh(in.flags),
	};
	if (name_size)
		memcpy(ret->name, reader->data, name_size);
	reader->offset = le32toh(in.bytes);
	return strlen(ret->name) == name_size ? 0 : -EBADMSG;
}

/* Lengths that agree, and a kind of four small letters. */
static bool
makes_sense(const struct entry *in)
{
	uint64_t size = le64toh(in->size);

	for (size_t i = 0; i < sizeof(in->kind); i++)
		if (in->kind[i] < 'a' || in->kind[i] > 'z')
			return false;
	return size <= MESSAGE_MOST &&
	       le32toh(in->bytes) == ENTRY_SIZE + padded(size);
}

static void
translate(const struct entry *in, const unsigned char *data,
	  struct recording_entry *ret)
{
	ret->time = le64toh(in->time);
	ret->sender = le64toh(in->sender);
	ret->sequence = le64toh(in->sequence);
	ret->tag = le64toh(in->tag);
	ret->type = (int64_t)le64toh(in->type);
	ret->priority = le32toh(in->priority);
	ret->uid = le32toh(in->uid);
	ret->deliveries = le32toh(in->deliveries);
	ret->missed = le64toh(in->missed);
	ret->size = le64toh(in->size);
	ret->data = ret->size ? (const void *)data : "";
}

/* A kind of a later version is passed over. */
static bool
is_known(const struct entry *in, enum recording_kind *ret)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (memcmp(in->kind, kinds[i], sizeof(in->kind)) != 0)
			continue;
		*ret = (enum recording_kind)i;
		return true;
	}
	return false;
}

int
recording_read(struct recording_reader *reader, struct recording_entry *ret)
{
	struct entry in;
	int result;

	do {
		result = read_all(reader, &in, sizeof(in));
		if (result <= 0)
			return result < 0 ? result : -ENODATA;
		if (!makes_sense(&in))
			return -EBADMSG;
		result = read_rest(reader, le32toh(in.bytes) - ENTRY_SIZE);
		if (result < 0)
			return result;
		reader->offset += le32toh(in.bytes);
	} while (!is_known(&in, &ret->kind));
	translate(&in, reader->data, ret);
	return ret->kind != RECORDING_DONE;
}
