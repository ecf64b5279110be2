/* SPDX-License-Identifier: MIT */
/* Scripts, and what they write into a mailbox's files. */
#include "fuzz.h"
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define PAGE 4096
#define LENGTH_MAX ((uint64_t)64 << 20) /* of what a flip may reach */

/* Scripts ------------------------------------------------------------------ */

uint8_t
script_byte(struct script *script)
{
	return script_has_ended(script) ? 0 : *script->at++;
}

uint16_t
script_16(struct script *script)
{
	uint16_t low = script_byte(script);

	return (uint16_t)(low | script_byte(script) << 8);
}

uint64_t
script_64(struct script *script)
{
	uint64_t value = 0;

	for (int i = 0; i < 64; i += 8)
		value |= (uint64_t)script_byte(script) << i;
	return value;
}

uint64_t
script_value(struct script *script)
{
	static const uint64_t edges[] = {
		UINT64_MAX,
		UINT64_MAX - 1,
		UINT64_C(1) << 63,
		(UINT64_C(1) << 63) - 1,
		UINT64_C(1) << 62,
		UINT64_C(3) << 62,
		UINT64_C(1) << 48,
		(UINT64_C(1) << 48) - 1,
		UINT64_C(1) << 32,
		UINT32_MAX,
		UINT64_C(1) << 31,
		INT32_MAX,
		UINT64_C(1) << 30,
		0xffff,
		0x8000,
		4095,
		4096,
		8192,
		UINT64_C(0xffffffff00000001),
		UINT64_C(0x8000000080000000),
		UINT64_C(0x7fffffff7fffffff),
	};
	uint8_t how = script_byte(script);

	if (how < 128)
		return how;
	if (how < 160)
		return edges[how % COUNT_OF(edges)];
	if (how < 176)
		return -(uint64_t)(how - 159);
	if (how < 200)
		return script_16(script);
	return script_64(script);
}

/* One of these parts. */
static enum part
script_part(struct script *script, unsigned int parts)
{
	unsigned int n = script_byte(script), count = 0;

	for (unsigned int part = 0; part < PARTS; part++)
		count += parts >> part & 1;
	n %= count;
	for (unsigned int part = 0; part < PARTS; part++)
		if (parts >> part & 1 && n-- == 0)
			return part;
	return 0;
}

/* Patches ------------------------------------------------------------------ */

enum {
	SET_64,
	SET_32,
	ADD,
	XOR,
	COPY,
	FILL,
	BYTES,
	PUNCH,
	TRUNCATE,
	REPLACE,
	FOREIGN,
	WAYS
};

/* Where that can be. */
static void
write_at(int fd, const void *bytes, size_t size, off_t at)
{
	if (pwrite(fd, bytes, size, at) < 0)
		need(errno == EINVAL || errno == EFBIG || errno == ENOSPC);
}

static void
change_word(struct script *script, int fd, off_t at, unsigned int how)
{
	uint64_t word = 0, value;
	size_t size = how == SET_32 ? 4 : 8;

	if (pread(fd, &word, size, at) < 0)
		return;
	value = script_value(script);
	if (how == ADD)
		word += (uint64_t)(int64_t)(int8_t)value;
	else if (how == XOR)
		word ^= UINT64_C(1) << (value & 63);
	else
		word = value;
	write_at(fd, &word, size, at);
}

static void
copy_word(struct script *script, unsigned int parts, int fd, off_t at)
{
	enum part part = script_part(script, parts);
	uint64_t word = 0;
	int from = part_open(part);

	if (from < 0)
		return;
	if (pread(from, &word, sizeof(word),
		  (off_t)part_place(part, script)) == sizeof(word))
		write_at(fd, &word, sizeof(word), at);
	close(from);
}

static void
fill(struct script *script, int fd, off_t at)
{
	unsigned char bytes[PAGE];
	size_t size = script_16(script) % (sizeof(bytes) + 1);

	memset(bytes, script_byte(script), sizeof(bytes));
	write_at(fd, bytes, size, at);
}

/* What comes next in the script. */
static void
write_bytes(struct script *script, int fd, off_t at, size_t size_max)
{
	size_t size = script_byte(script) % size_max;

	if (size > (size_t)(script->end - script->at))
		size = (size_t)(script->end - script->at);
	write_at(fd, script->at, size, at);
	script->at += size;
}

static void
cut(struct script *script, int fd, off_t at)
{
	off_t less = (int8_t)script_byte(script);

	need(ftruncate(fd, at + less < 0 ? 0 : at + less) == 0);
}

void
patch(struct script *script, unsigned int parts, bool truncate)
{
	unsigned int how = script_byte(script) % (truncate ? WAYS : TRUNCATE);
	enum part part = script_part(script, parts);
	off_t at = (off_t)part_place(part, script);
	int fd = part_open(part);

	if (fd < 0)
		return;
	patches_made++;
	switch (how) {
	case COPY:
		copy_word(script, parts, fd, at);
		break;
	case FILL:
		fill(script, fd, at);
		break;
	case BYTES:
		write_bytes(script, fd, at, 64);
		break;
	case PUNCH:
		fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			  at / PAGE * PAGE, PAGE);
		break;
	case TRUNCATE:
		cut(script, fd, at);
		break;
	case REPLACE:
		need(ftruncate(fd, 0) == 0);
		write_bytes(script, fd, 0, 256);
		break;
	case FOREIGN: /* of another user's, where that is possible */
		need(fchown(fd, 65534, (gid_t)-1) == 0 || errno == EPERM);
		break;
	default:
		change_word(script, fd, at, how);
	}
	close(fd);
}

/* Flips -------------------------------------------------------------------- */

#define FLIPS 32

struct flip {
	_Atomic uint64_t *word;
	uint64_t value;
	uint8_t how;
};

static struct flip flips[FLIPS];
static unsigned int count;
static struct {
	void *at;
	size_t length;
} mapped[PARTS];
/* One thread, which sleeps between runs: to begin and to end one is slow. */
static sem_t begun, under_way, ended;
static atomic_bool over;
pid_t flips_thread;

static void
map_part(enum part part, int fd)
{
	struct stat st;
	void *at;

	need(fstat(fd, &st) == 0);
	if (st.st_size == 0)
		return;
	mapped[part].length = (uint64_t)st.st_size < LENGTH_MAX ?
				      (size_t)st.st_size :
				      LENGTH_MAX;
	at = mmap(NULL, mapped[part].length, PROT_READ | PROT_WRITE, MAP_SHARED,
		  fd, 0);
	need(at != MAP_FAILED);
	mapped[part].at = at;
}

/* Where that is, in a mapping of our own, with memory; NULL: nowhere. */
static _Atomic uint64_t *
word_at(enum part part, uint64_t place)
{
	_Atomic uint64_t *word = NULL;
	int fd = part_open(part);

	if (fd < 0)
		return NULL;
	if (!mapped[part].at)
		map_part(part, fd);
	place &= ~UINT64_C(7);
	if (mapped[part].at && place + 8 <= mapped[part].length &&
	    fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)place / PAGE * PAGE,
		      PAGE) == 0)
		word = (_Atomic uint64_t *)((char *)mapped[part].at + place);
	close(fd);
	return word;
}

static uint64_t
flipped(const struct flip *flip, uint64_t found)
{
	switch (flip->how % 5) {
	case 0:
		return flip->value;
	case 1:
		return found + (uint64_t)(int64_t)(int8_t)flip->value;
	case 2:
		return found ^ flip->value;
	case 3:
		return found ^ UINT64_C(1) << (flip->value & 63);
	default:
		return (found & UINT64_C(0xffffffff00000000)) |
		       (uint32_t)flip->value;
	}
}

/* Each there, and back. */
static uint64_t
flip_each(void)
{
	uint64_t found;

	for (unsigned int i = 0; i < count; i++) {
		struct flip *flip = &flips[i];

		found = atomic_load(flip->word);
		atomic_store(flip->word, flipped(flip, found));
		/* For a while, so that somebody sees it. */
		for (unsigned int n = flip->how; n; n--)
			atomic_signal_fence(memory_order_seq_cst);
		atomic_store(flip->word, found);
	}
	return 2 * count;
}

static void
pass(sem_t *semaphore)
{
	while (sem_wait(semaphore))
		need(errno == EINTR);
}

static void *
flip_on(void *unused)
{
	flips_thread = gettid();
	need(sem_post(&under_way) == 0);
	for (;;) {
		pass(&begun);
		flips_made += flip_each();
		need(sem_post(&under_way) == 0);
		while (!atomic_load(&over))
			flips_made += flip_each();
		need(sem_post(&ended) == 0);
	}
	return unused;
}

void
flips_prepare(void)
{
	pthread_t thread;

	need(sem_init(&begun, 0, 0) == 0 && sem_init(&under_way, 0, 0) == 0 &&
	     sem_init(&ended, 0, 0) == 0);
	need(pthread_create(&thread, NULL, flip_on, NULL) == 0);
	pthread_detach(thread);
	pass(&under_way);
}

void
flips_begin(struct script *script, unsigned int parts)
{
	unsigned int wanted = script_byte(script) % FLIPS;

	for (count = 0; wanted && !script_has_ended(script); wanted--) {
		enum part part = script_part(script, parts);
		uint64_t place = part_place(part, script);

		flips[count].how = script_byte(script);
		flips[count].value = script_value(script);
		flips[count].word = word_at(part, place);
		count += flips[count].word != NULL;
	}
	if (!count)
		return;
	atomic_store(&over, false);
	need(sem_post(&begun) == 0);
	pass(&under_way);
}

void
flips_end(void)
{
	if (count) {
		atomic_store(&over, true);
		pass(&ended);
		count = 0;
	}
	for (unsigned int part = 0; part < PARTS; part++) {
		if (mapped[part].at)
			munmap(mapped[part].at, mapped[part].length);
		mapped[part].at = NULL;
	}
}
