/* SPDX-License-Identifier: MIT */
/* One case: faults.h says what is expected of it. */
#include "faults.h"
#include "documented.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

enum { PATTERN = 0xa5, REPETITIONS = 4 };

const char *root;

static struct stage stage;
static struct outs untouched;

/* The storm -------------------------------------------------------------------- */

static volatile sig_atomic_t signals;

static void
on_alarm(int number)
{
	(void)number;
	signals++;
}

/* 10,000 a second. */
static void
set_storm(bool on)
{
	struct itimerval timer = { { 0, on ? 100 : 0 }, { 0, on ? 100 : 0 } };

	if (on)
		inject_handle(SIGALRM, on_alarm);
	setitimer(ITIMER_REAL, &timer, NULL);
}

/* Making it fail ------------------------------------------------------------------ */

static const struct item *item;
static struct inject_report report;
/* Because a call has failed that removes something. */
static bool has_left;

static void
fill_outs(void)
{
	memset(&stage.outs, PATTERN, sizeof(stage.outs));
	stage.outs.envelope.struct_size = sizeof(stage.outs.envelope);
	stage.outs.info.struct_size = sizeof(stage.outs.info);
	stage.outs.region_info.struct_size = sizeof(stage.outs.region_info);
	stage.outs.swept.struct_size = sizeof(stage.outs.swept);
	untouched = stage.outs;
}

static int
act_failing(void)
{
	bool limited = item->how != HOW_INJECT;
	int r;

	fill_outs();
	if (limited && !limit_set(item->how, item->plan.at)) {
		report.is_out_of_choices = true;
		return 0;
	}
	if (!limited)
		inject_begin(&item->plan);
	r = stage.scenario->act(&stage);
	if (limited)
		limit_lift(item->how);
	else
		inject_end(&report);
	has_left |= report.has_left;
	stage.error = report.error;
	return r;
}

static int
act_again(void)
{
	int r;

	do {
		fill_outs();
		r = stage.scenario->act(&stage);
	} while (r == -EINTR);
	return r;
}

/* Judging --------------------------------------------------------------------------- */

static const char *
name_of(int error)
{
	const char *name = error ? strerrorname_np(error) : "success";

	return name ? name : "?";
}

/* What the process or the machine has run out of is told as it is. */
static bool
has_run_out(int error)
{
	switch (error) {
	case ENOMEM:
	case EMFILE:
	case ENFILE:
	case ENOSPC:
	case EDQUOT:
		return true;
	default:
		return false;
	}
}

/* What the point is to be told as: EAGAIN of these says that memory may not be
   locked, and to callers it would mean another thing. */
static int
told_as(void)
{
	bool is_memory = report.name && (!strcmp(report.name, "mmap") ||
					 !strcmp(report.name, "mremap") ||
					 !strcmp(report.name, "madvise"));

	return is_memory && report.error == EAGAIN ? ENOMEM : report.error;
}

static void
judge_result(int r)
{
	int traits = stage.scenario->traits;

	if (!documented(stage.scenario->call, -r))
		fail_at(__FILE__, __LINE__, "%s() does not document %s",
			stage.scenario->call, name_of(-r));
	if (r == -ETIMEDOUT && !(traits & WAITS) &&
	    !(traits & ASKS && item->plan.mode != INJECT_ONCE))
		fail_at(__FILE__, __LINE__, "it has waited in vain");
	if (has_run_out(told_as()) && report.failed == 1 &&
	    !item->has_storm && r != -told_as() && r != -ETIMEDOUT)
		fail_at(__FILE__, __LINE__, "%s is told as %s",
			name_of(report.error), name_of(-r));
	if (memcmp(&stage.outs, &untouched, sizeof(untouched)) != 0)
		fail_at(__FILE__, __LINE__,
			"what is returned by pointers was touched");
}

/* Which of the things in the ledger have to be as before. */
static int
what_stays(void)
{
	int what = LEDGER_DESCRIPTORS | LEDGER_MAPPINGS | LEDGER_FILES;
	int traits = stage.scenario->traits;

	/* What goes on failing keeps it from clearing up; a sweep does that. */
	if (has_left || item->plan.mode != INJECT_ONCE ||
	    (item->how != HOW_INJECT && item->how != HOW_NOFILE) ||
	    (traits & (FILES_GO | PREPARES)))
		what &= ~LEDGER_FILES;
	if (traits & PREPARES)
		what &= ~(LEDGER_MAPPINGS | LEDGER_DESCRIPTORS);
	return what;
}

/*
 * The same again and again: nothing grows. (At first something may: what has
 * been committed by then is kept for the next time, and the k-th point is
 * another one then.) False: it has not failed this time.
 */
static bool
fail_again(void)
{
	struct ledger first, second;
	int i, r, what = LEDGER_DESCRIPTORS | LEDGER_MAPPINGS | LEDGER_FILES |
			 LEDGER_BYTES;

	for (i = 0; i < REPETITIONS; i++) {
		if (i == REPETITIONS - 1)
			ledger_take(root, &first);
		r = act_failing();
		if (r >= 0)
			return false;
		judge_result(r);
	}
	ledger_take(root, &second);
	if (has_left || item->how != HOW_INJECT)
		what &= ~(LEDGER_FILES | LEDGER_BYTES);
	if (stage.scenario->traits & GROWS)
		what &= ~LEDGER_BYTES;
	if ((stage.scenario->traits & RENAMES) && (what & LEDGER_FILES))
		what ^= LEDGER_FILES | LEDGER_COUNT;
	ledger_compare(&first, &second, what, root);
	return true;
}

static void
after_failure(const struct ledger *before, int r, struct outcome *ret)
{
	struct ledger after;

	ret->has_failed = true;
	judge_result(r);
	ledger_take(root, &after);
	ledger_compare(before, &after, what_stays(), root);
	if (stage.scenario->traits & GONE)
		return;
	if (item->plan.mode == INJECT_ONCE &&
	    !(item->how != HOW_INJECT && stage.scenario->traits & ENDS) &&
	    !fail_again())
		return;
	/* In a storm no wait comes to its end. */
	if (stage.scenario->traits & (WAITS | NO_LIMITS))
		set_storm(false);
	if (stage.scenario->traits & PASSES && r == -EAGAIN &&
	    item->plan.mode != INJECT_ONCE &&
	    (report.error == EAGAIN || report.error == EACCES)) {
		stage.is_over = true;
		return;
	}
	r = act_again();
	if (r < 0 && !(r == -ETIMEDOUT && (stage.scenario->traits & WAITS)))
		fail_at(__FILE__, __LINE__, "then it fails with %s",
			name_of(-r));
}

static void
judge(const struct ledger *before, int r, struct outcome *ret)
{
	ret->points = report.points;
	ret->is_out_of_choices = report.is_out_of_choices;
	ret->result = r;
	if (report.unknown >= 0)
		fail_at(__FILE__, __LINE__,
			"system call %d is not in the table (calls.c)",
			report.unknown);
	now_doing("%s/%s%s: %s %u of %s fails with %s (%u failed), returns %s",
		  stage.scenario->name, kind_names[stage.kind],
		  item->has_storm ? " in a storm" : "", how_names[item->how],
		  item->plan.at, report.name ? report.name : "-",
		  name_of(report.error), report.failed, name_of(-r));
	if (r < 0 && !(r == -ETIMEDOUT && (stage.scenario->traits & WAITS)))
		after_failure(before, r, ret);
	else
		ret->has_coped = report.failed > 0;
}

/* The run -------------------------------------------------------------------------------- */

/* What the library makes once in a process is made before the account begins. */
static void
warm_up(void)
{
	cubby_mailbox *mailbox;

	need_ok(cubby_open("warm", CUBBY_CREATE | CUBBY_SEND, NULL, &mailbox));
	cubby_close(mailbox);
	need_ok(cubby_unlink("warm"));
	need_ok(cubby_sweep(NULL, NULL));
}

static void
expect_nothing_left(const struct ledger *begin, bool is_cold)
{
	struct ledger end;
	int what = LEDGER_DESCRIPTORS | LEDGER_FILES | LEDGER_MAPPINGS;

	if (!is_cold)
		what |= LEDGER_BLOCKS;
	ledger_take(root, &end);
	ledger_compare(begin, &end, what, root);
}

_Noreturn void
run_case(const struct item *asked, struct outcome *ret)
{
	const struct scenario *scenario = scenario_at(asked->scenario);
	struct ledger begin, before;
	int r;

	item = asked;
	memset(&report, 0, sizeof(report));
	report.unknown = -1;
	now_doing("%s/%s%s: %s %u, error %u, mode %d", scenario->name,
		  kind_names[item->kind], item->has_storm ? " in a storm" : "",
		  how_names[item->how], item->plan.at, item->plan.choice,
		  item->plan.mode);
	if (!(scenario->traits & COLD))
		warm_up();
	inject_list(ret->calls, COUNT_OF(ret->calls));
	ledger_take(root, &begin);
	stage_make(&stage, scenario, item->kind);
	ledger_take(root, &before);
	if (item->has_storm)
		set_storm(true);
	r = act_failing();
	ret->call_count = inject_listed();
	inject_list(NULL, 0);
	judge(&before, r, ret);
	if (item->how != HOW_INJECT && report.is_out_of_choices) {
		ledger_remove_files(root);
		_exit(0);	/* there is no such step: nothing was done */
	}
	if (scenario->check && !((scenario->traits & GONE) && r < 0))
		scenario->check(&stage);
	if (stage.kind == RENDEZVOUS)
		set_storm(false);
	stage_account(&stage);
	set_storm(false);
	stage_close(&stage);
	expect_nothing_left(&begin, scenario->traits & COLD);
	_exit(0);
}
