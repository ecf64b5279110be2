/* SPDX-License-Identifier: MIT */
/* What victims do who call, or serve. */
#include <errno.h>

#include "acts.h"

void
call(struct victim *victim)
{
	victim->result = cubby_call(victim->mailbox, own.bytes, own.act->size,
				    victim->buffer, BUFFER, &victim->size,
				    in_a_moment());
}

void
prepare_called(struct victim *victim)
{
	victim->result = cubby_call_begin(victim->mailbox, own.bytes,
					  own.act->size, NULL, in_a_moment(),
					  &own.request);
	manage(victim->result, "request");
}

void
prepare_answered(struct victim *victim)
{
	prepare_called(victim);
	victim_mark(victim->stage, MARK_TAKE);
}

void
prepare_call_again(struct victim *victim)
{
	prepare_answered(victim);
	manage(cubby_call_end(own.request, victim->buffer, BUFFER, NULL,
			    in_a_moment()), "first call");
	own.request = NULL;
}

void
end_call(struct victim *victim)
{
	victim->result = cubby_call_end(own.request, victim->buffer, BUFFER,
					&victim->size, in_a_moment());
	cubby_call_cancel(victim->result == -ETIMEDOUT ? own.request : NULL);
}

void
cancel(struct victim *victim)
{
	cubby_call_cancel(own.request);
	victim->result = 0;
}

void
prepare_taken(struct victim *victim)
{
	receive(victim);
	manage(victim->result, "taking");
}

void
reply(struct victim *victim)
{
	victim->result = cubby_reply(victim->mailbox, &victim->envelope,
				     own.bytes, own.act->size);
}
