/* SPDX-License-Identifier: MIT */
/*
 * The command of work and serve, with the message put where its mark stands.
 * No shell sees it: whatever is in a message is one piece of one argument.
 */
#include "template.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"

#define USUAL_PATH "/bin:/usr/bin" /* as execvp(3) has it, without a PATH */

static size_t
marks_in(const char *word, const char *mark)
{
	size_t marks = 0;

	while ((word = strstr(word, mark)) != NULL) {
		word += strlen(mark);
		marks++;
	}
	return marks;
}

void
template_make(struct template *template, char **words, int count,
	      const char *mark)
{
	template->words = allocate(NULL,
				   ((size_t)count + 1) * sizeof(char *));
	memcpy(template->words, words, (size_t)count * sizeof(char *));
	template->words[count] = NULL;
	template->mark = mark;
	template->marks = 0;
	for (int i = 0; i < count; i++)
		template->marks += marks_in(words[i], mark);
}

int
template_varies(const struct template *template)
{
	return strstr(template->words[0], template->mark) != NULL;
}

int
template_is_line(const struct template *template)
{
	const char *word = template->words[0];

	return !template->words[1] && word[strcspn(word, " |;&<>$")];
}

/* Returns 0, or a negative errno. */
static int
try_file(const char *path)
{
	struct stat status;

	if (stat(path, &status) < 0)
		return -errno;
	if (S_ISDIR(status.st_mode))
		return -EACCES;
	return access(path, X_OK) < 0 ? -errno : 0;
}

/* In each directory of PATH; one that may not be executed is told if no other
   is found. */
static int
try_path(const char *name)
{
	const char *path = getenv("PATH");
	int result = -ENOENT;
	char *file;
	size_t size;

	if (!path)
		path = USUAL_PATH;
	file = allocate(NULL, strlen(path) + strlen(name) + 2);
	for (;; path += size + 1) {
		size = strcspn(path, ":");
		memcpy(file, path, size);
		file[size] = '/';
		strcpy(file + size + (size > 0), name);
		switch (-try_file(file)) {
		case 0:
			free(file);
			return 0;
		case EACCES:
			result = -EACCES;
		}
		if (!path[size])
			break;
	}
	free(file);
	return result;
}

int
template_find(const struct template *template)
{
	const char *name = template->words[0];

	if (template_varies(template) && !template_is_line(template))
		return 0;
	if (!*name)
		return -ENOENT;
	return strchr(name, '/') ? try_file(name) : try_path(name);
}

/* A copy of the word, with the message in place of each mark. */
static char *
fill_word(const struct template *template, const char *word,
	  const void *message, size_t size)
{
	size_t mark = strlen(template->mark);
	size_t room = strlen(word) + marks_in(word, template->mark) * size + 1;
	char *filled = allocate(NULL, room);
	char *end = filled;
	const char *found;

	while ((found = strstr(word, template->mark)) != NULL) {
		end = mempcpy(end, word, (size_t)(found - word));
		end = mempcpy(end, message, size);
		word = found + mark;
	}
	strcpy(end, word);
	return filled;
}

char **
template_fill(const struct template *template, const void *message,
	      size_t size)
{
	size_t count = 0;
	char **words;

	if (template->marks && memchr(message, '\0', size))
		return NULL;
	while (template->words[count])
		count++;
	words = allocate(NULL, (count + 1) * sizeof(*words));
	for (size_t i = 0; i < count; i++)
		words[i] = fill_word(template, template->words[i], message,
				     size);
	words[count] = NULL;
	return words;
}

void
template_free(char **words)
{
	if (!words)
		return;
	for (size_t i = 0; words[i]; i++)
		free(words[i]);
	free(words);
}
