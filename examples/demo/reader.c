/* SPDX-License-Identifier: MIT */
/* The other way of each file, to compare with: read and hashed, no cubby. */
#include "demo.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define CHUNK ((size_t)1 << 20)

static int
hash_all(struct run *run, int fd, XXH3_state_t *state, char *chunk,
	 struct outcome *outcome)
{
	ssize_t got;

	XXH3_128bits_reset(state);
	do {
		got = read_file(fd, chunk, CHUNK);
		if (got < 0)
			return got;
		XXH3_128bits_update(state, chunk, got);
		outcome->size += got;
		outcome->pieces++;
		count(run, READER, 0, got);
	} while (got == CHUNK);
	outcome->hash = XXH3_128bits_digest(state);
	return 0;
}

static void
read_one(struct run *run, const char *path, XXH3_state_t *state, char *chunk,
	 struct outcome *outcome)
{
	int fd = open_file(path);
	int error = fd;

	if (fd >= 0) {
		error = hash_all(run, fd, state, chunk, outcome);
		close(fd);
	}
	if (error < 0) {
		outcome->error = -error;
		outcome->pieces = 1;
	}
}

int
read_plainly(struct run *run, unsigned index)
{
	XXH3_state_t *state = XXH3_createState();
	char *chunk = malloc(CHUNK);

	(void)index;
	if (state == NULL || chunk == NULL) {
		complain("out of memory");
		return 1;
	}
	for (uint64_t i = 0; i < run->count; i++)
		read_one(run, run->files[i].path, state, chunk,
			 &run->outcomes[i]);
	free(chunk);
	XXH3_freeState(state);
	return 0;
}
