/* SPDX-License-Identifier: MIT */
/*
 * Finds the regular files of a tree. Symbolic links are not followed; other
 * file systems are left out, so that / does not lead into /proc.
 */
#include "demo.h"

#include <errno.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int
tree_add(struct tree *tree, const FTSENT *entry)
{
	/* Twice as large whenever the count is a power of 2. */
	if ((tree->count & (tree->count - 1)) == 0) {
		uint64_t room = tree->count == 0 ? 1 : 2 * tree->count;
		void *files = reallocarray(tree->files, room,
					   sizeof(*tree->files));
		if (files == NULL)
			return -ENOMEM;
		tree->files = files;
	}
	struct file *file = &tree->files[tree->count];
	file->path = strdup(entry->fts_path);
	if (file->path == NULL)
		return -ENOMEM;
	file->size = entry->fts_statp->st_size;
	tree->bytes += file->size;
	tree->count++;
	return 0;
}

static int
tree_visit(struct tree *tree, const FTSENT *entry, dev_t root)
{
	switch (entry->fts_info) {
	case FTS_NS: /* a name, but what it is cannot be seen: nor read */
		if (entry->fts_level == FTS_ROOTLEVEL)
			return -entry->fts_errno;
		return tree_add(tree, entry);
	case FTS_F:
		return tree_add(tree, entry);
	case FTS_D:
		if (entry->fts_statp->st_dev != root)
			tree->elsewhere++;
		return 0;
	case FTS_DNR:
	case FTS_ERR:
		if (entry->fts_level == FTS_ROOTLEVEL)
			return -entry->fts_errno;
		complain("%s cannot be read: %s", printable(entry->fts_path),
			 strerror(entry->fts_errno));
		tree->unreadable++;
		return 0;
	default:
		return 0;
	}
}

int
tree_walk(struct tree *tree, const char *root)
{
	char *roots[] = { (char *)root, NULL };
	struct stat status;
	FTSENT *entry;

	*tree = (struct tree){ 0 };
	if (stat(root, &status) < 0)
		return -errno;
	int how = FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR | FTS_XDEV;
	FTS *walk = fts_open(roots, how, NULL);
	if (walk == NULL)
		return -errno;
	int error = 0;
	while (error == 0 && (errno = 0, entry = fts_read(walk)) != NULL)
		error = tree_visit(tree, entry, status.st_dev);
	if (error == 0)
		error = -errno;
	fts_close(walk);
	return error;
}

void
tree_free(struct tree *tree)
{
	for (uint64_t i = 0; i < tree->count; i++)
		free(tree->files[i].path);
	free(tree->files);
	*tree = (struct tree){ 0 };
}
