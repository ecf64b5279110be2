/* SPDX-License-Identifier: MIT */
/*
 * Changes a shared word when it has just been looked at, or written.
 *
 * One line of the library, in a function that is inlined, is looked at from many
 * places, each of which may check what another uses: a call of watch_access() is
 * told from others by where it returns to.
 */
#include "watch.h"
#include "every_access.h"
#include "fuzz.h"

static bool armed;
static struct change change;
static uint32_t seen; /* accesses that the change may be meant for */
static bool forged;
static const void *word_before;	/* of the last access that began */
static uint32_t code_before;
static uint64_t noise, changes_made;
static void (*record)(struct access access);
static struct access *last;

/* What word becomes, of `size` bytes: what a check of it would not let pass, or
   what it would, but is not true. */
static uint64_t
changed(unsigned int how, uint64_t found, unsigned int size)
{
	unsigned int bits = 8 * size;

	switch (how % CHANGES) {
	case 0:
		return UINT64_MAX;
	case 1:
		return found + 1;
	case 2:
		return 0;
	case 3:
		return found ^ UINT64_C(1) << (bits - 1);
	case 4:
		return found ^ UINT64_C(1) << bits / 2;
	case 5:
		return found - 1;
	case 6:
		return UINT64_C(0x7fffffff7fffffff);
	default:
		return found + 4096;
	}
}

static void
write_change(const void *word, unsigned int size, const struct outside *place,
	     unsigned int how)
{
	uint64_t value = 0;
	uint32_t half;

	if (size == 4) {
		memcpy(&half, word, 4);
		half = (uint32_t)changed(how, half, size);
		need(pwrite(place->file, &half, 4, place->offset) == 4);
	} else {
		memcpy(&value, word, 8);
		value = changed(how, value, size);
		need(pwrite(place->file, &value, 8, place->offset) == 8);
	}
	changes_made++;
}

static uint32_t
mixed(uint32_t sum, const char *text)
{
	while (*text)
		sum = (sum ^ (unsigned char)*text++) * 16777619;
	return sum;
}

/* Marsaglia's xorshift. */
static uint64_t
random_next(void)
{
	noise ^= noise << 13;
	noise ^= noise >> 7;
	noise ^= noise << 17;
	return noise;
}

/* Where this program begins: the linker says. */
extern const char __executable_start[];

static uint32_t
code_of(const void *at)
{
	return (uint32_t)((const char *)at - __executable_start);
}

/* An access begins there. It finds as much as there can be, which is not what was
   there. */
static void
forge(const void *word, unsigned int size, uint32_t code)
{
	struct outside place;

	word_before = word;
	code_before = code;
	if (!armed || forged || !code || code != change.forged ||
	    !outside_find(word, &place) ||
	    (uint32_t)place.offset != change.offset)
		return;
	forged = true;
	write_change(word, size, &place, 0);
}

__attribute__((noinline)) void
watch_access(const void *word, unsigned int size, const char *file, int line,
	     bool before)
{
	struct outside place;
	struct access access;
	uint64_t random;

	if (before)
		forge(word, size, code_of(__builtin_return_address(0)));
	if (!armed || (before && !change.before) ||
	    (!before && change.before && !record) || !outside_find(word, &place))
		return;
	access.where = mixed(2166136261, file) * 31 + (uint32_t)line +
		       mixed(7, place.name);
	access.where += !access.where; /* 0 is none */
	access.code = code_of(__builtin_return_address(0));
	access.code_before = word == word_before ? code_before : 0;
	access.site = access.code * 2654435761 + mixed(7, place.name);
	access.offset = (uint32_t)place.offset;
	access.file = file;
	access.line = line;
	memcpy(access.name, place.name, sizeof(access.name));
	if (last)
		*last = access;
	if (record) {
		if (!before)
			record(access);
		return;
	}
	if (change.noise) {
		random = random_next();
		if (random % change.one_of == 0 && seen++ < change.count)
			write_change(word, size, &place,
				     (unsigned int)(random >> 32));
	} else if ((before ? access.where == change.before :
			     access.site == change.site) &&
		   access.offset == change.offset && seen++ == change.count) {
		write_change(word, size, &place, change.how);
	}
}

void
watch_begin(const struct change *wanted, struct access *ret_last)
{
	last = ret_last;
	change = *wanted;
	noise = wanted->noise;
	seen = 0;
	forged = false;
	changes_made = 0;
	record = NULL;
	armed = true;
}

void
watch_record(void (*visit)(struct access access))
{
	record = visit;
	armed = true;
}

uint64_t
watch_end(void)
{
	armed = false;
	return changes_made;
}
