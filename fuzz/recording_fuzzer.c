/* SPDX-License-Identifier: MIT */
/*
 * What `cubby replay` reads, cubby_record(5): a file that somebody else has made.
 * It is read as replay does, and told as replay --json does: each line is then
 * one of text that steers no terminal.
 *
 * The first byte says which entries and heads of the rest are mended, so that what
 * lies behind their checks is met too; 0: none.
 */
#include "fuzz.h"

#include <stdarg.h>

#include "../tools/json.h"
#include "../tools/output.h"
#include "../tools/recording.h"
#include "../tools/utf8.h"

#define FILE_MAX 65536
#define TOLD_MAX (1 << 20)

static char told[TOLD_MAX];
static size_t told_size;

/* In place of tools/output.c and tools/report.c. */
void *
allocate(void *old, size_t size);

void
output(const void *bytes, size_t size)
{
	if (size > sizeof(told) - told_size)
		finding("%zu bytes of output", told_size + size);
	if (size)
		memcpy(told + told_size, bytes, size);
	told_size += size;
}

void
output_text(const char *text)
{
	output(text, strlen(text));
}

void
output_format(const char *format, ...)
{
	va_list arguments;
	char text[256];
	int size;

	va_start(arguments, format);
	size = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	need(size >= 0 && (size_t)size < sizeof(text));
	output(text, (size_t)size);
}

/* No more memory than there is to read, by and large. */
void *
allocate(void *old, size_t size)
{
	void *new = realloc(old, size ? size : 1);

	if (size > 4 * FILE_MAX)
		finding("%zu bytes of memory", size);
	need(new);
	return new;
}

/* A line without control characters, of UTF-8. */
static void
see_told(void)
{
	if (!told_size || told[told_size - 1] != '\n')
		finding("a line has no end");
	if (!utf8_is_valid(told, told_size))
		finding("what is told is no UTF-8");
	for (size_t i = 0; i + 1 < told_size; i++)
		if ((unsigned char)told[i] < 0x20 || told[i] == 0x7f)
			finding("byte %u is told", (unsigned char)told[i]);
	told_size = 0;
}

static void
tell(const struct recording_entry *entry)
{
	/* All its bytes are there, and its name is short. */
	json_open('{');
	json_member_number("size", entry->size);
	json_member_bytes("data", "base64", entry->data, (size_t)entry->size);
	json_close('}');
	json_end_line();
	see_told();
}

static void
tell_name(const struct recording_head *head)
{
	if (strnlen(head->name, sizeof(head->name)) == sizeof(head->name))
		finding("a name has no end");
	json_open('{');
	json_member_text("name", head->name);
	json_close('}');
	json_end_line();
	told_size = 0; /* JSON of a name that is no UTF-8 says so by itself */
}

/* Entries of a file, with lengths that agree if they are mended. */
static size_t
make_file(struct script *script, unsigned char *file, size_t most)
{
	uint8_t mended = script_byte(script);
	size_t size = 0;

	while (size < most && !script_has_ended(script))
		file[size++] = script_byte(script);
	if (mended & 1 && size >= 64) {
		memcpy(file, "\x89" "CUBBY\r\n\1\0\0\0\100\0\0\0", 16);
		memset(file + 40, 0, 4);
		if (mended & 2) /* a name */
			file[12] = 64 + 8, file[40] = mended >> 5;
	}
	for (size_t at = 64 + 4 * (mended & 2);
	     mended & 4 && at + 80 <= size;) {
		uint64_t data = file[at + 72] & 63;

		memcpy(file + at, file[at] & 1 ? "name" : "mesg", 4);
		memset(file + at + 4, 0, 4);
		file[at + 4] = (unsigned char)(80 + ((data + 7) & ~UINT64_C(7)));
		memset(file + at + 72, 0, 8);
		file[at + 72] = (unsigned char)data;
		at += file[at + 4];
	}
	return size;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned char file[FILE_MAX];
	struct script script = { data, data + size };
	struct recording_reader reader = { 0 };
	struct recording_head head;
	struct recording_entry entry;
	unsigned int entries = 0;
	size_t length = make_file(&script, file, sizeof(file));
	int result;

	executions++;
	if (!length)
		return 0;
	reader.file = fmemopen(file, length, "r");
	need(reader.file);
	result = recording_read_head(&reader, &head);
	if (result == 0) {
		tell_name(&head);
		while ((result = recording_read(&reader, &entry)) == 1) {
			if (++entries > length / 80)
				finding("there is no end of entries");
			if (entry.size > length)
				finding("%llu bytes of data",
					(unsigned long long)entry.size);
			tell(&entry);
		}
		if (reader.offset > length)
			finding("%llu bytes were read",
				(unsigned long long)reader.offset);
	}
	if (result != 0 && result != -EBADMSG && result != -ENODATA &&
	    result != -EPROTO)
		finding("error %d", result);
	fclose(reader.file);
	free(reader.data);
	return 0;
}
