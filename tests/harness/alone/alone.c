/* SPDX-License-Identifier: MIT */
/* A play without heirs, where nobody dies in one who repairs; and the strikes of
   one that has no others. */
#include "../double.h"

uint32_t
heirs_count(void)
{
	return 0;
}

const char *
heir_name(uint32_t heir)
{
	(void)heir;
	return "nobody";
}

bool
heir_fits(const struct scenario *scenario, uint32_t heir)
{
	(void)scenario, (void)heir;
	return false;
}

bool
double_strike(struct run *run, struct pair *pair, unsigned char *plain,
	      enum strike strike, uint32_t second)
{
	(void)run, (void)pair, (void)plain, (void)strike, (void)second;
	fail("nobody has an heir in this play");
}

unsigned
run_strikes(const struct scenario *scenario)
{
	(void)scenario;
	return 1 << KILLED | 1 << STOPPED;
}
