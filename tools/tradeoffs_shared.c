/* SPDX-License-Identifier: MIT */
/*
 * Raw shared memory, as the textbook has it: a bounded buffer with a mutex and
 * two conditions, both process-shared. The mutex guards the counts alone; a
 * slot is filled and read outside of it, for it belongs to one side at a time.
 *
 * What it lacks is what is being compared: a process that dies or stops inside
 * the mutex holds up the other for ever, nothing is checked, and both may write
 * all of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tradeoffs.h"

#define HEADER ((size_t)4096)

/* At the head of one direction's memory; depth slots follow after HEADER. */
struct buffer {
	pthread_mutex_t mutex;
	pthread_cond_t filled, emptied;
	uint64_t sent, received; /* guarded by the mutex */
};

struct made {
	int fd; /* of a file without a name: two directions */
	size_t size, depth, direction;
};

struct end {
	struct buffer *in, *out;
	char *memory;
	size_t stride, depth, length;
};

static size_t
stride_of(size_t size)
{
	return (size + 63) & ~(size_t)63;
}

static void
prepare(struct buffer *buffer)
{
	pthread_mutexattr_t mutex;
	pthread_condattr_t condition;

	pthread_mutexattr_init(&mutex);
	pthread_mutexattr_setpshared(&mutex, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(&buffer->mutex, &mutex);
	pthread_mutexattr_destroy(&mutex);
	pthread_condattr_init(&condition);
	pthread_condattr_setpshared(&condition, PTHREAD_PROCESS_SHARED);
	pthread_cond_init(&buffer->filled, &condition);
	pthread_cond_init(&buffer->emptied, &condition);
	pthread_condattr_destroy(&condition);
}

static int
map(const struct made *made, char **ret)
{
	void *memory = mmap(NULL, 2 * made->direction, PROT_READ | PROT_WRITE,
			    MAP_SHARED, made->fd, 0);

	if (memory == MAP_FAILED)
		return -errno;
	*ret = memory;
	return 0;
}

/* What shm_open() does, where it can be cleaned up behind us. */
static int
open_memory(size_t size)
{
	char path[TRADEOFFS_ROOT + 16];
	int fd, error;

	snprintf(path, sizeof(path), "%s/shared", tradeoffs_root);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	unlink(path);
	error = posix_fallocate(fd, 0, (off_t)size);
	if (error) {
		close(fd);
		return -error;
	}
	return fd;
}

int
raw_make(size_t size, size_t depth, void **ret)
{
	struct made *made = malloc(sizeof(*made));
	char *memory = NULL;
	int error;

	if (!made)
		return -ENOMEM;
	*made = (struct made){ -1, size, depth,
			       HEADER + ((depth * stride_of(size) + 4095) &
					 ~(size_t)4095) };
	made->fd = open_memory(2 * made->direction);
	error = made->fd < 0 ? made->fd : map(made, &memory);
	if (error) {
		raw_unmake(made);
		return error;
	}
	prepare((struct buffer *)(void *)memory);
	prepare((struct buffer *)(void *)(memory + made->direction));
	munmap(memory, 2 * made->direction);
	*ret = made;
	return 0;
}

void
raw_unmake(void *pointer)
{
	struct made *made = pointer;

	if (made->fd >= 0)
		close(made->fd);
	free(made);
}

int
raw_join(void *pointer, int member, void **ret_end)
{
	const struct made *made = pointer;
	struct end *end = malloc(sizeof(*end));
	void *there, *back;
	int error;

	if (!end)
		return -ENOMEM;
	error = map(made, &end->memory);
	if (error) {
		free(end);
		return error;
	}
	there = end->memory;
	back = end->memory + made->direction;
	end->in = member ? back : there;
	end->out = member ? there : back;
	end->stride = stride_of(made->size);
	end->depth = made->depth;
	end->length = 2 * made->direction;
	*ret_end = end;
	return 0;
}

void
raw_leave(void *pointer)
{
	struct end *end = pointer;

	munmap(end->memory, end->length);
	free(end);
}

static uint64_t *
slot(const struct end *end, struct buffer *buffer, uint64_t number)
{
	return (uint64_t *)(void *)((char *)buffer + HEADER +
				    number % end->depth * end->stride);
}

/* Waits for an empty slot. Whose it is nobody else changes. */
static uint64_t *
await_room(const struct end *end, struct buffer *buffer)
{
	uint64_t number;

	pthread_mutex_lock(&buffer->mutex);
	while (buffer->sent - buffer->received == end->depth)
		pthread_cond_wait(&buffer->emptied, &buffer->mutex);
	number = buffer->sent;
	pthread_mutex_unlock(&buffer->mutex);
	return slot(end, buffer, number);
}

static void
publish(struct buffer *buffer)
{
	pthread_mutex_lock(&buffer->mutex);
	buffer->sent++;
	pthread_cond_signal(&buffer->filled);
	pthread_mutex_unlock(&buffer->mutex);
}

static const uint64_t *
await_message(const struct end *end, struct buffer *buffer)
{
	uint64_t number;

	pthread_mutex_lock(&buffer->mutex);
	while (buffer->sent == buffer->received)
		pthread_cond_wait(&buffer->filled, &buffer->mutex);
	number = buffer->received;
	pthread_mutex_unlock(&buffer->mutex);
	return slot(end, buffer, number);
}

static void
empty(struct buffer *buffer)
{
	pthread_mutex_lock(&buffer->mutex);
	buffer->received++;
	pthread_cond_signal(&buffer->emptied);
	pthread_mutex_unlock(&buffer->mutex);
}

int
raw_produce(struct side *side, uint64_t first)
{
	const struct end *end = side->end;

	words_fill(await_room(end, end->out), side->size, first);
	publish(end->out);
	return 0;
}

int
raw_consume(struct side *side, uint64_t *ret_sum)
{
	const struct end *end = side->end;

	*ret_sum = words_sum(await_message(end, end->in), side->size);
	empty(end->in);
	return 0;
}

int
raw_pass(struct side *side, uint64_t first)
{
	const struct end *end = side->end;

	(void)first;
	await_room(end, end->out);
	publish(end->out);
	return 0;
}

int
raw_take(struct side *side, uint64_t *ret_sum)
{
	const struct end *end = side->end;

	await_message(end, end->in);
	empty(end->in);
	*ret_sum = 0;
	return 0;
}
