/* SPDX-License-Identifier: MIT */
/* The steps that have to do with regions, and with what keeps order in them. */
#include "play.h"

#define SYNC_ERRORS EACCES, EBADMSG, EINVAL

void
play_detach(struct play *play, int handle)
{
	call_begins("cubby_region_close");
	cubby_region_close(play->regions[handle]);
	call_ended(0, &(const int){ 0 });
	play->regions[handle] = NULL;
	play->received[handle] = false;
}

static void
attach(struct play *play, struct script *script, int handle)
{
	uint8_t how = script_byte(script);
	int flags = how & 1 ? 0 : CUBBY_WRITE;

	play_detach(play, handle);
	if (how & 2)
		flags |= CUBBY_CREATE;
	play->writable[handle] = flags & CUBBY_WRITE || (how & 12) == 12;
	CALL(cubby_region_open((how & 12) == 12 ? NULL : REGION,
			       (how & 12) == 12 ? CUBBY_CREATE | CUBBY_WRITE :
						  flags,
			       NULL, &play->regions[handle]),
	     "cubby_region_open", EACCES, EBADMSG, EEXIST, EFBIG, EINVAL,
	     ENOENT, ENOMEM, ENOSPC, ENOTDIR, EOPNOTSUPP, EPERM, EPROTO,
	     EUSERS);
}

/* Its bytes may all be touched, as far as it says. */
static void
touch(struct play *play, struct script *script, int handle)
{
	cubby_region *region = play->regions[handle];
	uint64_t size = cubby_region_size(region), at;
	unsigned char *bytes = cubby_region_data(region);
	static unsigned char seen;

	if (size > UINT64_C(1) << 40)
		finding("a region of %llu bytes", (unsigned long long)size);
	for (at = 0; at < size && at < 1 << 16; at += 512)
		seen ^= bytes[at];
	at = script_value(script);
	if (at < size)
		seen ^= bytes[at];
	if (at < size && play->writable[handle])
		bytes[at] = seen;
}

static void
grow(struct play *play, struct script *script, int handle)
{
	uint64_t size = script_value(script);

	/* As much memory as that, but not more. */
	if (size > 1 << 20 && size < UINT64_C(1) << 45)
		size = 1 << 20;
	CALL(cubby_region_grow(play->regions[handle], size),
	     "cubby_region_grow", EACCES, EBADMSG, EFBIG, ENOSPC);
}

static void
send_region(struct play *play, struct script *script, int handle)
{
	if (!play->handles[handle] ||
	    CALL(cubby_send_region(play->handles[handle], play->regions[handle],
				   NULL, deadline_of(script)),
		 "cubby_send_region", EACCES, EAGAIN, EBADF, EBADMSG, EINVAL,
		 EMSGSIZE, ENOMEM, ENOSPC, EOPNOTSUPP, EPIPE, ETIMEDOUT, EXDEV))
		return;
	play->regions[handle] = NULL;
	play->received[handle] = false;
}

static void
receive_region(struct play *play, struct script *script, int handle)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	cubby_region *region;

	if (!play->handles[handle] ||
	    CALL(cubby_receive_region(play->handles[handle], NULL,
				      deadline_of(script), &region, &envelope),
		 "cubby_receive_region", EAGAIN, EBADF, EBADMSG, EINVAL, ENOMEM,
		 ENOSPC, EOPNOTSUPP, EPIPE, ETIMEDOUT, ENOMSG, ENOLCK))
		return;
	play_detach(play, handle);
	play->regions[handle] = region;
	play->received[handle] = true;
	play->writable[handle] = true;
}

/* Mostly one of the first eight objects; or anywhere. */
static void *
object(struct play *play, struct script *script, int handle)
{
	char *data = cubby_region_data(play->regions[handle]);
	uint8_t which = script_byte(script);

	return which < 0xf0 ? data + which % 8 * 32 :
			      (char *)((uintptr_t)data +
				       (uintptr_t)script_value(script));
}

static void
lock_mutex(struct play *play, struct script *script, int handle)
{
	cubby_mutex *mutex = object(play, script, handle);

	CALL(cubby_mutex_lock(play->regions[handle], mutex,
			      deadline_of(script)),
	     "cubby_mutex_lock", SYNC_ERRORS, EAGAIN, EDEADLK, ENOTRECOVERABLE,
	     EOWNERDEAD, ETIMEDOUT);
}

static void
unlock_mutex(struct play *play, struct script *script, int handle)
{
	cubby_mutex *mutex = object(play, script, handle);

	if (script_byte(script) & 1)
		CALL(cubby_mutex_consistent(play->regions[handle], mutex),
		     "cubby_mutex_consistent", SYNC_ERRORS, EPERM);
	CALL(cubby_mutex_unlock(play->regions[handle], mutex),
	     "cubby_mutex_unlock", SYNC_ERRORS, EPERM);
}

static void
wait_condition(struct play *play, struct script *script, int handle)
{
	cubby_condition *condition = object(play, script, handle);
	cubby_mutex *mutex = object(play, script, handle);

	CALL(cubby_condition_wait(play->regions[handle], condition, mutex,
				  deadline_of(script)),
	     "cubby_condition_wait", SYNC_ERRORS, EAGAIN, EOWNERDEAD, ETIMEDOUT,
	     ENOTRECOVERABLE, EPERM);
}

static void
signal_condition(struct play *play, struct script *script, int handle)
{
	cubby_condition *condition = object(play, script, handle);

	CALL(cubby_condition_signal(play->regions[handle], condition),
	     "cubby_condition_signal", SYNC_ERRORS);
	CALL(cubby_condition_broadcast(play->regions[handle], condition),
	     "cubby_condition_broadcast", SYNC_ERRORS);
}

static void
use_semaphore(struct play *play, struct script *script, int handle)
{
	cubby_semaphore *semaphore = object(play, script, handle);
	cubby_region *region = play->regions[handle];
	uint32_t value;

	CALL(cubby_semaphore_value(region, semaphore, &value),
	     "cubby_semaphore_value", EBADMSG, EINVAL);
	if (script_byte(script) & 1)
		CALL(cubby_semaphore_post(region, semaphore),
		     "cubby_semaphore_post", SYNC_ERRORS, EOVERFLOW);
	else
		CALL(cubby_semaphore_wait(region, semaphore,
					  deadline_of(script)),
		     "cubby_semaphore_wait", SYNC_ERRORS, EAGAIN, ETIMEDOUT);
}

static int
see(const char *name, void *context)
{
	(void)context;
	return strlen(name) > CUBBY_NAME_MAX + 1;
}

static void
look(struct play *play, struct script *script, int handle)
{
	struct cubby_region_info info = CUBBY_REGION_INFO_INIT;

	(void)play;
	(void)handle;
	CALL(cubby_region_inspect(REGION, &info), "cubby_region_inspect",
	     INSPECT_ERRORS, ENOMEM);
	CALL(cubby_region_list(see, NULL), "cubby_region_list", ENOMEM, EPERM,
	     EINVAL);
	if (!(script_byte(script) & 7))
		CALL(cubby_region_unlink(REGION), "cubby_region_unlink", EACCES,
		     EINVAL, ENOENT, ENOTDIR, EPERM);
}

void
region_step(struct play *play, struct script *script, unsigned int which,
	    int handle)
{
	static void (*const steps[])(struct play *, struct script *, int) = {
		attach,		  touch,	 grow,	       send_region,
		receive_region,	  lock_mutex,	 unlock_mutex, wait_condition,
		signal_condition, use_semaphore, look,
	};
	unsigned int n = which % COUNT_OF(steps);

	if (!play->regions[handle] && steps[n] != receive_region &&
	    steps[n] != look)
		n = 0;
	steps[n](play, script, handle);
}
