/* SPDX-License-Identifier: MIT */
/* Layer 6. May include: base names listing. */
/*
 * Lists what has a name. The names are gathered first: who visits one may make
 * and unlink what he likes.
 */
#include "base.h"
#include "listing.h"
#include "names.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct names {
	char **names;
	size_t count, room;
};

static void
free_names(struct names *list)
{
	while (list->count)
		free(list->names[--list->count]);
	free(list->names);
}

static int
add_name(struct names *list, const char *prefix, const char *name)
{
	char **bigger, *full;

	if (list->count == list->room) {
		bigger = realloc(list->names, (2 * list->room + 16) *
				 sizeof(*bigger));
		if (!bigger)
			return -ENOMEM;
		list->names = bigger;
		list->room = 2 * list->room + 16;
	}
	if (asprintf(&full, "%s%s", prefix, name) < 0)
		return -ENOMEM;
	list->names[list->count++] = full;
	return 0;
}

/* What keeps us from looking, and says nothing about what is there. */
static int
want(int error)
{
	return error == ENOMEM || error == EIO ? -error : 0;
}

/* Is it a directory with that file in it? Errors: -ENOMEM -EIO. */
static int
is_of_kind(int parent, const char *entry, const char *file)
{
	char path[2 * NAME_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", entry, file);
	if (fstatat(parent, entry, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return want(errno);
	if (!S_ISDIR(st.st_mode))
		return 0;
	if (fstatat(parent, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return want(errno);
	return 1;
}

/* Those in a directory whose entry begins with prefix, which becomes `instead`
   in their names. */
static int
list_directory(int directory, const char *prefix, const char *instead,
	       const char *file, struct names *list)
{
	size_t length = strlen(prefix);
	struct dirent *d;
	DIR *dir;
	int r = 0;

	dir = fdopendir(directory);
	if (!dir) {
		r = -errno;
		close(directory);
		return r;
	}
	while (r == 0 && (errno = 0, d = readdir(dir))) {
		if (strncmp(d->d_name, prefix, length) != 0 ||
		    d->d_name[length] == '.')
			continue;
		r = is_of_kind(dirfd(dir), d->d_name, file);
		if (r > 0)
			r = add_name(list, instead, d->d_name + length);
	}
	if (r == 0 && errno)
		r = -errno;
	closedir(dir);
	return r;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Of both directories; each part sorted. */
static int
list_all(const struct listing_kind *kind, struct names *list)
{
	int fd = names_own_directory(), r = 0;
	size_t own;

	if (fd >= 0)
		r = list_directory(fd, kind->own, "", kind->file, list);
	else if (fd != -ENOENT)
		r = fd;
	if (r < 0)
		return r;
	own = list->count;
	fd = names_shared_directory();
	if (fd < 0)
		return fd;
	r = list_directory(fd, kind->shared, "/", kind->file, list);
	if (own > 1)
		qsort(list->names, own, sizeof(*list->names), compare_names);
	if (list->count > own + 1)
		qsort(list->names + own, list->count - own,
		      sizeof(*list->names), compare_names);
	return r;
}

int
listing_visit(const struct listing_kind *kind,
	      int (*visit)(const char *name, void *context), void *context)
{
	struct names list = { .names = NULL };
	size_t i;
	int r;

	r = list_all(kind, &list);
	for (i = 0; r == 0 && i < list.count; i++)
		r = visit(list.names[i], context);
	free_names(&list);
	return r;
}
