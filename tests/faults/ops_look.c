/* SPDX-License-Identifier: MIT */
/* Listing, sweeping. */
#include "faults.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { NAMES = 20 };	/* more than there is memory for at first */

/* Listing ----------------------------------------------------------------- */

static void
names_set(struct stage *s)
{
	char name[16] = "ma";
	cubby_mailbox *mailbox;

	(void)s;
	for (; name[1] < 'a' + NAMES; name[1]++) {
		need_ok(cubby_open(name, CUBBY_CREATE, NULL, &mailbox));
		cubby_close(mailbox);
	}
	need_ok(cubby_open("/m", CUBBY_CREATE, NULL, &mailbox));
	cubby_close(mailbox);
}

static int
count_names(const char *name, void *context)
{
	struct stage *s = context;

	need(s->visited < NAMES ?
	     name[0] == 'm' && name[1] == (char)('a' + s->visited) :
	     !strcmp(name, "/m"));
	s->visited++;
	return 0;
}

/* All of them, or an error. */
static int
list_act(struct stage *s)
{
	int r;

	s->visited = 0;
	r = cubby_list(count_names, s);
	need(s->visited == (r < 0 ? 0 : NAMES + 1));
	return r;
}

static void
names_check(struct stage *s)
{
	char name[16] = "ma";

	(void)s;
	for (; name[1] < 'a' + NAMES; name[1]++)
		need_ok(again(cubby_unlink(name)));
	need_ok(again(cubby_unlink("/m")));
}

/* Sweeping ----------------------------------------------------------------- */

static void
polls_and_dies(struct stage *s)
{
	cubby_mailbox *mailbox;
	cubby_message *message;

	need_ok(cubby_open(s->name, CUBBY_SEND, &s->options, &mailbox));
	need(cubby_fd(mailbox, CUBBY_SEND) >= 0);
	need_ok(cubby_open(s->name, CUBBY_RECEIVE, &s->options, &mailbox));
	need(cubby_fd(mailbox, CUBBY_RECEIVE) >= 0);
	need_ok(cubby_hold(mailbox, NULL, soon(), &message));
}

static int
bells_in(const char *directory)
{
	char path[512];
	struct dirent *d;
	int count = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/cubby-%d/m/%s", root, (int)geteuid(),
		 directory);
	dir = opendir(path);
	need(dir);
	while ((d = readdir(dir)))
		count += !strncmp(d->d_name, "bell.", 5);
	closedir(dir);
	return count;
}

static int
bells(void)
{
	return bells_in("lanes") + bells_in("bells");
}

/* Of the living: two bells, of a sender and of a receiver. */
static void
left_set(struct stage *s)
{
	s->has_returned = true;
	open_other(s, CUBBY_SEND);
	send_many(s, s->others[0], 3, SMALL);
	die_after(s, polls_and_dies);
	open_mine(s, CUBBY_RECEIVE);
	need(cubby_fd(s->others[0], CUBBY_SEND) >= 0);
	need(cubby_fd(s->mine, CUBBY_RECEIVE) >= 0);
	need(bells() >= 2);
}

static int
sweep_act(struct stage *s)
{
	return cubby_sweep(s->name, &s->outs.swept);
}

static int
sweep_all_act(struct stage *s)
{
	return cubby_sweep(NULL, &s->outs.swept);
}

/* Those of the living are never taken down. */
static void
sweep_check(struct stage *s)
{
	need(bells() >= 2);
	need_ok(again(cubby_sweep(s->name, NULL)));
	need(bells() == 2);
}

static const struct scenario list[] = {
	{ "list", "cubby_list", NO_MAILBOX, 0, names_set, list_act,
	  names_check },
	{ "sweep", "cubby_sweep", (TO_ONE | QUEUES) & ~ONLY(INBOX), FILES_GO,
	  left_set, sweep_act, sweep_check },
	{ "sweep-all", "cubby_sweep", ONLY(LIMITED) | ONLY(ARRIVAL), FILES_GO,
	  left_set, sweep_all_act, sweep_check },
	{ NULL, NULL, 0, 0, NULL, NULL, NULL },
};
SCENARIOS(list);
