/* SPDX-License-Identifier: MIT */
/*
 * Actors wait for a pointer to a function, which lies at the same place in them,
 * and answer with what it has returned. One that ends over it closes its pipe,
 * and so is missed at once.
 */
#include "actors.h"
#include <fcntl.h>
#include <poll.h>

#define PATIENCE 30000 /* ms */

const char *const actor_names[ACTORS] = { "owner", "member", "fellow",
					  "stranger", "root" };

static const struct {
	uid_t uid;
	gid_t gid, other;
} users[ACTORS] = {
	{ 61001, 61001, ACTORS_GROUP },
	{ 61002, 61002, ACTORS_GROUP },
	{ 61003, ACTORS_GROUP, 0 },
	{ 61004, 61004, 0 },
	{ 0, 0, 0 },
};

struct task {
	int (*work)(void *argument);
	void *argument;
};

static struct {
	struct child child;
	int tasks, results;
} actors[ACTORS];

/* What a mailbox is to be made with. */
static struct creation {
	struct cubby_options options;
	char group[16];
	char name[16];
	bool grouped;
} *creation;

uid_t
actor_uid(enum actor actor)
{
	return users[actor].uid;
}

static _Noreturn void
act(int tasks, int results)
{
	struct task task;
	int result;

	while (read(tasks, &task, sizeof(task)) == sizeof(task)) {
		result = task.work(task.argument);
		expect(write(results, &result, sizeof(result)) ==
		       sizeof(result));
	}
	child_exit();
}

static void
start(enum actor actor)
{
	int tasks[2], results[2];

	expect_system(pipe2(tasks, O_CLOEXEC));
	expect_system(pipe2(results, O_CLOEXEC));
	in_child(&actors[actor].child) {
		/* Else nobody would miss those that were started before. */
		for (int i = 0; i < (int)actor; i++) {
			close(actors[i].tasks);
			close(actors[i].results);
		}
		close(tasks[1]);
		close(results[0]);
		if (actor != ROOT)
			become(users[actor].uid, users[actor].gid,
			       users[actor].other);
		act(tasks[0], results[1]);
	}
	close(tasks[0]);
	close(results[1]);
	actors[actor].tasks = tasks[1];
	actors[actor].results = results[0];
}

void
actors_start(void)
{
	share_root();
	creation = shared_memory(sizeof(*creation));
	for (int i = 0; i < ACTORS; i++)
		start((enum actor)i);
}

void
actors_end(void)
{
	for (int i = 0; i < ACTORS; i++) {
		close(actors[i].tasks);
		close(actors[i].results);
		child_finish(&actors[i].child);
	}
}

void
actor_begin(enum actor actor, int (*work)(void *argument), void *argument)
{
	struct task task = { work, argument };

	expect(write(actors[actor].tasks, &task, sizeof(task)) == sizeof(task));
}

int
actor_result(enum actor actor)
{
	struct pollfd answer = { actors[actor].results, POLLIN, 0 };
	int result;

	expect_int(poll(&answer, 1, PATIENCE), 1);
	if (read(actors[actor].results, &result, sizeof(result)) !=
	    sizeof(result))
		fail_at(__FILE__, __LINE__, "%s has ended",
			actor_names[actor]);
	return result;
}

int
actor_do(enum actor actor, int (*work)(void *argument), void *argument)
{
	actor_begin(actor, work, argument);
	return actor_result(actor);
}

/* The oracle -------------------------------------------------------------- */

unsigned int
rights_of(mode_t mode, enum actor actor)
{
	switch (actor) {
	case ROOT:
		return MAY_RECEIVE | MAY_SEND;
	case OWNER:
		return mode >> 6 & 6;
	case MEMBER:
	case FELLOW:
		return mode >> 3 & 6;
	default:
		return mode & 6;
	}
}

bool
may_look(mode_t mode, enum actor actor)
{
	return rights_of(mode, actor) || actor == OWNER;
}

/* No execution; where all write one file, both rights or none for each class. */
bool
is_mode(mode_t mode, bool queue)
{
	for (int shift = 0; shift <= 6; shift += 3) {
		unsigned int bits = mode >> shift & 7;

		if (bits & 1 || (queue && bits != 0 && bits != 6))
			return false;
	}
	return mode <= 0777;
}

/* Kinds of mailboxes ------------------------------------------------------- */

/* Little memory: of each page that is mapped, tests try what can be done to it. */
#define INIT .struct_size = sizeof(struct cubby_options), \
	.memory_limit = 1 << 20, .message_max = 1 << 16

const struct kind kinds[] = {
	{ "lanes", "/m", .options = { INIT, .capacity = 32 } },
	{ "unlimited", "/m",
	  .options = { INIT, .buffering = CUBBY_UNLIMITED } },
	{ "inbox", "/@m", .inbox = true,
	  .options = { INIT, .capacity = 32 } },
	{ "broadcast", "/m", .every = true,
	  .options = { INIT, .delivery = CUBBY_EVERY, .capacity = 32 } },
	{ "overtaking", "/m", .every = true,
	  .options = { INIT, .delivery = CUBBY_EVERY_OVERTAKE,
		       .capacity = 32 } },
	{ "arrival", "/m", .queue = true,
	  .options = { INIT, .order = CUBBY_ORDER_ARRIVAL, .capacity = 32 } },
	{ "priority", "/m", .queue = true,
	  .options = { INIT, .order = CUBBY_ORDER_PRIORITY, .capacity = 32 } },
	{ "rendezvous", "/m", .queue = true,
	  .options = { INIT, .order = CUBBY_ORDER_ARRIVAL,
		       .buffering = CUBBY_RENDEZVOUS } },
	{ "queued inbox", "/@m", .queue = true, .inbox = true,
	  .options = { INIT, .order = CUBBY_ORDER_ARRIVAL, .capacity = 32 } },
};
const size_t kinds_count = COUNT_OF(kinds);

static int
create(void *argument)
{
	cubby_mailbox *mailbox = NULL;
	int result;

	(void)argument;
	creation->options.group = creation->grouped ? creation->group : NULL;
	result = cubby_open(creation->name, CUBBY_CREATE | CUBBY_EXCLUSIVE,
			    &creation->options, &mailbox);
	if (result == 0)
		cubby_close(mailbox);
	return result;
}

int
kind_try_create(const struct kind *kind, mode_t mode, const char *group)
{
	memset(creation, 0, sizeof(*creation));
	creation->options = kind->options;
	creation->options.mode = mode;
	creation->grouped = group != NULL;
	if (group)
		strcpy(creation->group, group);
	strcpy(creation->name, kind->name);
	return actor_do(OWNER, create, NULL);
}

void
kind_create(const struct kind *kind, mode_t mode)
{
	int result = kind_try_create(kind, mode, ACTORS_GROUP_TEXT);

	if (result != 0)
		fail_at(__FILE__, __LINE__, "%s of mode %04o: %s", kind->label,
			mode, cubby_strerror(result));
}

static int
remove_named(void *argument)
{
	expect_ok(cubby_unlink(argument));
	return cubby_sweep(NULL, NULL);
}

void
kind_remove(const struct kind *kind)
{
	expect_ok(actor_do(OWNER, remove_named, (void *)(uintptr_t)kind->name));
	expect_int(count_files(), 0);
}
