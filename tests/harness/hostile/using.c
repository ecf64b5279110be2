/* SPDX-License-Identifier: MIT */
/* What victims do with regions, and what keeps order in them. */
#include <errno.h>

#include "cubby_sync.h"
#include "acts.h"

struct ground {
	cubby_mutex mutex;
	cubby_condition condition;
	cubby_semaphore semaphore;
};

void
open_region(struct victim *victim)
{
	victim->result = cubby_region_open(GROUND, CUBBY_WRITE, NULL,
					   &victim->region);
}

void
open_region_to_read(struct victim *victim)
{
	victim->result = cubby_region_open(GROUND, 0, NULL, &victim->region);
}

void
prepare_ground(struct victim *victim)
{
	open_region(victim);
	manage(victim->result, "region");
}

void
use_region(struct victim *victim)
{
	unsigned char *data = cubby_region_data(victim->region);
	uint64_t size = cubby_region_size(victim->region);

	for (uint64_t i = 2048; i < size; i += 512)
		data[i]++;
	victim->result = cubby_region_grow(victim->region, size + 10000);
}

void
lock_region(struct victim *victim)
{
	struct ground *ground = cubby_region_data(victim->region);
	int result;

	result = cubby_mutex_lock(victim->region, &ground->mutex,
				  in_a_moment());
	victim->result = result;
	if (result == 0 || result == -EOWNERDEAD)
		victim->result = cubby_mutex_unlock(victim->region,
						    &ground->mutex);
}

void
wait_in_region(struct victim *victim)
{
	struct ground *ground = cubby_region_data(victim->region);

	victim->result = cubby_semaphore_wait(victim->region,
					      &ground->semaphore,
					      in_a_moment());
}

void
await_in_region(struct victim *victim)
{
	struct ground *ground = cubby_region_data(victim->region);
	int64_t deadline = in_a_moment();

	victim->result = cubby_mutex_lock(victim->region, &ground->mutex,
					  deadline);
	if (victim->result < 0)
		return;
	victim->result = cubby_condition_wait(victim->region,
					      &ground->condition,
					      &ground->mutex, deadline);
	cubby_mutex_unlock(victim->region, &ground->mutex);
}

void
prepare_own_region(struct victim *victim)
{
	manage(cubby_region_open(NULL, CUBBY_CREATE | CUBBY_WRITE, NULL,
			       &victim->region), "region");
}

void
send_region(struct victim *victim)
{
	victim->result = cubby_send_region(victim->mailbox, victim->region,
					   NULL, in_a_moment());
	if (victim->result == 0)
		victim->region = NULL;
}

void
receive_region(struct victim *victim)
{
	unsigned char *data;

	victim->result = cubby_receive_region(victim->mailbox, NULL,
					      in_a_moment(), &victim->region,
					      &victim->envelope);
	if (victim->result < 0)
		return;
	data = cubby_region_data(victim->region);
	for (uint64_t i = 0; i < cubby_region_size(victim->region); i += 512)
		own.bytes[i % BUFFER] ^= data[i];
}

void
prepare_received_region(struct victim *victim)
{
	receive_region(victim);
	manage(victim->result, "receiving a region");
}

void
close_region(struct victim *victim)
{
	cubby_region_close(victim->region);
	victim->region = NULL;
	victim->result = 0;
}
