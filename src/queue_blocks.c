/* SPDX-License-Identifier: MIT */
/* Layer 8. May include: base shm layout_queue queue. */
/*
 * Getting at the blocks of a queue. Each slot has addresses for the largest
 * message, most of them without memory; so what is mapped at once, when the first
 * block is wanted, can be more than a process has addresses for: with 32 bits
 * already the default, 4224 slots of 1 MiB. Then a block is mapped by itself, for
 * as long as its message is written or held, and what is received by copy is read
 * from the file, because what has been taken already must not fail for want of
 * addresses. Either takes the descriptor that is kept: if the process has closed it,
 * that is -EMFILE, and the message goes back.
 *
 * Which of the two is decided once for each handle: a window beside a mapping of
 * all would be no harm, but no use either.
 */
#include "base.h"
#include "queue.h"

#include <sys/mman.h>
#include <unistd.h>

int
queue_map_blocks(struct queue *queue)
{
	uint64_t length = queue->map.geometry.blocks_length;
	int r = -ENOMEM;

	if (likely(queue->blocks.address) || queue->windows)
		return 0;
	if (length <= SIZE_MAX / 4)
		r = shm_map(queue_blocks_fd(queue), (size_t)length,
			    PROT_READ | PROT_WRITE, &queue->blocks);
	queue->windows = r == -ENOMEM;
	return r == -ENOMEM ? 0 : r;
}

/* It begins on a page of the machine, which may be larger than PAGE. */
static int
open_window(struct queue *queue, uint64_t offset, uint64_t size,
	    struct mapping *window, void **ret)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t from = round_down(offset, page);
	int r = shm_map_at(queue_blocks_fd(queue), from,
			   (size_t)(round_up(offset + size, PAGE) - from),
			   PROT_READ | PROT_WRITE, window);

	if (r == 0)
		*ret = (char *)window->address + (offset - from);
	return r;
}

int
queue_open_block(struct queue *queue, uint32_t slot, uint64_t size,
		 struct mapping *window, void **ret)
{
	uint64_t offset = queue->map.geometry.block_stride * slot;
	int r = queue_map_blocks(queue);

	memset(window, 0, sizeof(*window));
	if (r == 0 && unlikely(queue->windows))
		return open_window(queue, offset, size, window, ret);
	if (r == 0)
		*ret = (char *)queue->blocks.address + offset;
	return r;
}

int
queue_read_block(struct queue *queue, uint32_t slot, void *buffer,
		 uint64_t size)
{
	uint64_t offset = queue->map.geometry.block_stride * slot, done = 0;
	int fd = queue_blocks_fd(queue);
	ssize_t n;

	if (fd < 0)
		return -EMFILE;
	while (done < size) {
		n = pread(fd, (char *)buffer + done,
			  (size_t)(size - done), (off_t)(offset + done));
		if (n == 0)
			return -EBADMSG;	/* it has been cut short */
		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (uint64_t)n : 0;
	}
	return 0;
}
