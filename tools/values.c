/* SPDX-License-Identifier: MIT */
/* Numbers, sizes and times, as people write them. */
#include "values.h"

#include <errno.h>
#include <grp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cubby.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* A word that may follow a number, and what it multiplies it by. */
struct unit {
	const char *name;
	uint64_t factor;
};

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* strtoull would take a sign, leading spaces, and an empty text. */
static int
parse_base(const char *text, int base, const char *digits, uint64_t *ret)
{
	unsigned long long value;
	char *end;

	if (!*text || text[strspn(text, digits)])
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, base);
	if (errno || *end)
		return -EINVAL;
	*ret = value;
	return 0;
}

int
parse_number(const char *text, uint64_t *ret)
{
	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		return parse_base(text + 2, 16, "0123456789abcdefABCDEF", ret);
	return parse_base(text, 10, "0123456789", ret);
}

int
parse_octal(const char *text, uint64_t *ret)
{
	return parse_base(text, 8, "01234567", ret);
}

bool
is_group(const char *text)
{
	uint64_t number;

	return getgrnam(text) ||
	       (parse_base(text, 10, "0123456789", &number) == 0 &&
		number < UINT32_MAX);
}

static int
find_unit(const char *name, const struct unit *units, size_t count,
	  uint64_t *ret_factor)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(units[i].name, name) == 0) {
			*ret_factor = units[i].factor;
			return 0;
		}
	}
	return -EINVAL;
}

/* Appends decimal digits to *value; returns what follows them, or NULL. */
static const char *
read_digits(const char *text, uint64_t *value)
{
	if (!is_digit(*text))
		return NULL;
	for (; is_digit(*text); text++)
		if (__builtin_mul_overflow(*value, 10, value) ||
		    __builtin_add_overflow(*value, (uint64_t)(*text - '0'),
					   value))
			return NULL;
	return text;
}

/* DIGITS[.DIGITS][UNIT], counted exactly; a part of the unit is dropped. */
static int
parse_with_unit(const char *text, const struct unit *units, size_t count,
		uint64_t *ret)
{
	uint64_t whole = 0, fraction = 0, scale = 1, factor;
	const char *digits;

	text = read_digits(text, &whole);
	if (text && *text == '.') {
		digits = text + 1;
		text = read_digits(digits, &fraction);
		/* 6 digits of the largest unit, an hour in ns, fit 64 bits. */
		if (!text || text - digits > 6)
			return -EINVAL;
		for (; digits < text; digits++)
			scale *= 10;
	}
	if (!text || find_unit(text, units, count, &factor) < 0 ||
	    __builtin_mul_overflow(whole, factor, &whole) ||
	    __builtin_add_overflow(whole, fraction * factor / scale, &whole))
		return -EINVAL;
	*ret = whole;
	return 0;
}

int
parse_size(const char *text, uint64_t *ret)
{
	static const struct unit units[] = {
		{ "", 1 },
		{ "K", UINT64_C(1) << 10 },
		{ "k", UINT64_C(1) << 10 },
		{ "M", UINT64_C(1) << 20 },
		{ "m", UINT64_C(1) << 20 },
		{ "G", UINT64_C(1) << 30 },
		{ "g", UINT64_C(1) << 30 },
	};

	return parse_with_unit(text, units, ARRAY_SIZE(units), ret);
}

int
parse_duration(const char *text, uint64_t *ret)
{
	static const struct unit units[] = {
		{ "", UINT64_C(1000000000) },
		{ "ns", 1 },
		{ "us", UINT64_C(1000) },
		{ "ms", UINT64_C(1000000) },
		{ "s", UINT64_C(1000000000) },
		{ "m", UINT64_C(60000000000) },
		{ "h", UINT64_C(3600000000000) },
	};
	uint64_t value;

	if (parse_with_unit(text, units, ARRAY_SIZE(units), &value) < 0 ||
	    value > INT64_MAX)
		return -EINVAL;
	*ret = value;
	return 0;
}

int
parse_delivery(const char *text, uint64_t *ret)
{
	static const struct unit deliveries[] = {
		{ "overtake", CUBBY_EVERY_OVERTAKE },
	};

	return find_unit(text, deliveries, ARRAY_SIZE(deliveries), ret);
}

int
parse_speed(const char *text, uint64_t *ret)
{
	static const struct unit units[] = {
		{ "", UINT64_C(1000000) },
		{ "x", UINT64_C(1000000) },
	};
	uint64_t value;

	if (strcmp(text, "max") == 0) {
		*ret = 0;
		return 0;
	}
	if (parse_with_unit(text, units, ARRAY_SIZE(units), &value) < 0 ||
	    !value)
		return -EINVAL;
	*ret = value;
	return 0;
}

int
parse_order(const char *text, uint64_t *ret)
{
	static const struct unit orders[] = {
		{ "sender", CUBBY_ORDER_SENDER },
		{ "arrival", CUBBY_ORDER_ARRIVAL },
		{ "priority", CUBBY_ORDER_PRIORITY },
	};

	return find_unit(text, orders, ARRAY_SIZE(orders), ret);
}
