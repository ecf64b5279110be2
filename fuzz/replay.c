/* SPDX-License-Identifier: MIT */
/*
 * replay FILE-OR-DIRECTORY...: runs a fuzzer's inputs, each once, in place of
 * libFuzzer.
 */
#include "fuzz.h"
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#define INPUT_MAX 65536
#define PATIENCE 120 /* seconds, for one input */

static unsigned int inputs;

static void
run_file(const char *path)
{
	static uint8_t data[INPUT_MAX];
	uint8_t *copy;
	ssize_t size;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	need(fd >= 0);
	size = read(fd, data, sizeof(data));
	close(fd);
	need(size >= 0);
	/* As large as the input exactly, so that a sanitizer sees its end. */
	copy = malloc(size ? (size_t)size : 1);
	need(copy);
	memcpy(copy, data, (size_t)size);
	if (getenv("CUBBY_FUZZ_VERBOSE"))
		fprintf(stderr, "%s\n", path);
	alarm(PATIENCE);
	LLVMFuzzerTestOneInput(copy, (size_t)size);
	alarm(0);
	free(copy);
	inputs++;
}

static void
run(const char *path)
{
	char below[PATH_MAX];
	struct dirent *entry;
	struct stat st;
	DIR *directory;

	need(stat(path, &st) == 0);
	if (!S_ISDIR(st.st_mode)) {
		run_file(path);
		return;
	}
	directory = opendir(path);
	need(directory);
	while ((entry = readdir(directory))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
		run(below);
	}
	closedir(directory);
}

int
main(int argc, char **argv)
{
	LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++)
		run(argv[i]);
	printf("%u inputs\n", inputs);
	return inputs ? 0 : 1;
}
