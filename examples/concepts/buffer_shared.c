/* SPDX-License-Identifier: MIT */
/* A bounded buffer in shared memory: mutex, conditions and indices by hand. */
#include <cubby.h>
#include <cubby_sync.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLOTS 4
#define TRY(call) ((call) < 0 ? _exit(1) : (void)0)

static cubby_region *region;
static struct {
	cubby_mutex mutex;
	cubby_condition has_room, has_item;
	unsigned int count, in, out, slots[SLOTS];
} *buffer;

static void
put(unsigned int item)
{
	TRY(cubby_mutex_lock(region, &buffer->mutex, CUBBY_FOREVER));
	while (buffer->count == SLOTS)
		TRY(cubby_condition_wait(region, &buffer->has_room,
					 &buffer->mutex, CUBBY_FOREVER));
	buffer->slots[buffer->in++ % SLOTS] = item;
	buffer->count++;
	TRY(cubby_condition_signal(region, &buffer->has_item));
	TRY(cubby_mutex_unlock(region, &buffer->mutex));
}

static unsigned int
get(void)
{
	TRY(cubby_mutex_lock(region, &buffer->mutex, CUBBY_FOREVER));
	while (buffer->count == 0)
		TRY(cubby_condition_wait(region, &buffer->has_item,
					 &buffer->mutex, CUBBY_FOREVER));
	unsigned int item = buffer->slots[buffer->out++ % SLOTS];
	buffer->count--;
	TRY(cubby_condition_signal(region, &buffer->has_room));
	TRY(cubby_mutex_unlock(region, &buffer->mutex));
	return item;
}

int
main(void)
{
	struct cubby_region_options options = CUBBY_REGION_OPTIONS_INIT;
	int consumer = fork() == 0, sum = 0;

	options.size = sizeof *buffer;
	TRY(cubby_region_open("concept-buffer", CUBBY_CREATE | CUBBY_WRITE,
			      &options, &region));
	buffer = cubby_region_data(region);
	for (int item = 1; item <= 100; item++)
		consumer ? (void)(sum += get()) : put(item);
	if (consumer)
		return printf("sum: %d\n", sum) < 0;
	return wait(NULL) < 0 || cubby_region_unlink("concept-buffer") != 0;
}
