/* SPDX-License-Identifier: MIT */
/* What all persons have in common. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "actors.h"
#include "contents.h"

bool
is_nothing(int result)
{
	return result == -EAGAIN || result == -ETIMEDOUT || result == -EINTR;
}

_Noreturn void
wrong_result(struct actor *actor, const char *call, int result)
{
	found(WRONG, "%s returned %d (%s) to person %u, who is to %s at %s",
	      call, result, cubby_strerror(result), actor->number,
	      actor->role->name, actor->kind->name);
	_exit(0);
}

bool
senders_end(void)
{
	return atomic_load(&account->senders_end);
}

bool
receivers_end(void)
{
	return atomic_load(&account->receivers_end);
}

void
stand_idle(int64_t nanoseconds)
{
	nanosleep(&(struct timespec){ .tv_nsec = nanoseconds }, NULL);
}

bool
open_box(struct actor *actor, uint32_t mailbox, int flags,
	 const char *sender_name, cubby_mailbox **ret)
{
	struct cubby_options options = kind_options(mailbox);
	int result;

	options.sender = sender_name;
	for (;;) {
		result = cubby_open(kinds[mailbox].name, flags | CUBBY_CREATE,
				    &options, ret);
		if (result == 0)
			return true;
		if (result != -EBUSY && result != -EUSERS)
			wrong_result(actor, "cubby_open", result);
		/* Only one may receive from an inbox; a name is its place's. */
		if (result == -EBUSY && mailbox != INBOX)
			wrong_result(actor, "cubby_open", result);
		if (flags & CUBBY_SEND ? senders_end() : receivers_end())
			return false;
		stand_idle(5000000);
	}
}

void
leave(struct actor *actor)
{
	atomic_store(&actor->me->leaving, true);
	cubby_close(actor->handle);
	actor->handle = NULL;
}

int64_t
choose_deadline(struct actor *actor)
{
	uint32_t share = below(&actor->random, 10);

	if (share < 2)
		return CUBBY_NOW;
	if (share < 6)
		return cubby_deadline_after((1 + below(&actor->random, 30)) *
					    INT64_C(1000000));
	return CUBBY_FOREVER;
}

void
pause_now_and_then(struct actor *actor)
{
	if (below(&actor->random, 16) == 0)
		stand_idle(10000 + below(&actor->random, 2000000));
}

void
begin_doing(struct actor *actor, enum doing doing)
{
	atomic_store(&actor->me->since, now());
	atomic_store(&actor->me->doing, doing);
}

void
end_doing(struct actor *actor)
{
	atomic_store(&actor->me->doing, ELSEWHERE);
}

bool
begin_life(struct actor *actor)
{
	_Atomic uint32_t *named = &account->named[actor->me->place];
	uint32_t life;

	if (actor->role->named && atomic_load(named)) {
		actor->life = atomic_load(named) - 1;
		actor->me->life = actor->life;
		return true;
	}
	life = account_new_life(actor->mailbox);
	if (life == NOBODY)
		return false;
	actor->life = life;
	actor->me->life = life;
	actor->next = 0;
	account->life[life].born = now();
	if (actor->role->named)
		atomic_store(named, life + 1);
	return true;
}
