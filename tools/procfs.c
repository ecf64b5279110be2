/* SPDX-License-Identifier: MIT */
/*
 * What /proc says of a process.
 *
 * A pid means something in its PID namespace. In ours, it is the name of a
 * directory of /proc. For the others, each process that we may look at is asked
 * which namespace it is in and what it is called there (NSpid, which ends with
 * the innermost).
 */
#include "procfs.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"

#define STATUS_SIZE 4096
#define PATH_SIZE 64

static uint64_t
namespace_of(const char *process)
{
	char path[PATH_SIZE];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%.20s/ns/pid", process);
	return stat(path, &st) == 0 ? st.st_ino : 0;
}

uint64_t
procfs_namespace(void)
{
	static uint64_t own;

	if (!own)
		own = namespace_of("self");
	return own;
}

/* The beginning of a file, ended by a NUL. Returns its size, 0 if there is
   none. */
static size_t
read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return 0;
	got = read(fd, text, size - 1);
	close(fd);
	text[got > 0 ? got : 0] = '\0';
	return got > 0 ? (size_t)got : 0;
}

static size_t
read_of(pid_t pid, const char *file, char *text, size_t size)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "/proc/%ld/%s", (long)pid, file);
	return read_file(path, text, size);
}

/* What stands in a line of `status`, after its name. */
static const char *
field(const char *status, const char *name)
{
	const char *line = strstr(status, name);

	return line ? line + strlen(name) : "";
}

/* Those of other namespaces ---------------------------------------------- */

struct foreign {
	uint64_t pid_namespace;
	pid_t pid, here;
};

static struct foreign *foreigners;
static size_t foreigner_count;
static bool foreigners_known;

void
procfs_forget(void)
{
	foreigners_known = false;
}

/* The last number of NSpid: its pid in its own namespace. */
static pid_t
innermost_pid(pid_t here)
{
	char status[STATUS_SIZE];
	const char *text;
	char *end;
	long pid = 0, next;

	if (!read_of(here, "status", status, sizeof(status)))
		return 0;
	text = field(status, "\nNSpid:");
	for (;;) {
		next = strtol(text, &end, 10);
		if (end == text || memchr(text, '\n', (size_t)(end - text)))
			return (pid_t)pid;
		pid = next;
		text = end;
	}
}

static void
add_foreigner(const char *name)
{
	uint64_t pid_namespace = namespace_of(name);

	if (!pid_namespace || pid_namespace == procfs_namespace())
		return;
	foreigners = allocate(foreigners,
			      (foreigner_count + 1) * sizeof(*foreigners));
	foreigners[foreigner_count].pid_namespace = pid_namespace;
	foreigners[foreigner_count].here = (pid_t)atol(name);
	foreigners[foreigner_count].pid = innermost_pid((pid_t)atol(name));
	foreigner_count++;
}

static void
find_foreigners(void)
{
	DIR *directory = opendir("/proc");
	const struct dirent *entry;

	foreigners_known = true;
	foreigner_count = 0;
	if (!directory)
		return;
	while ((entry = readdir(directory)) != NULL)
		if (isdigit((unsigned char)entry->d_name[0]))
			add_foreigner(entry->d_name);
	closedir(directory);
}

static pid_t
find_here(uint64_t pid_namespace, pid_t pid)
{
	if (!pid_namespace || !procfs_namespace())
		return 0;
	if (pid_namespace == procfs_namespace())
		return pid;
	if (!foreigners_known)
		find_foreigners();
	for (size_t i = 0; i < foreigner_count; i++)
		if (foreigners[i].pid == pid &&
		    foreigners[i].pid_namespace == pid_namespace)
			return foreigners[i].here;
	return 0;
}

/* One process ------------------------------------------------------------ */

/* Its words, with spaces between; if it has none, its name in brackets. */
static void
read_command(struct process *process, const char *status)
{
	size_t size = read_of(process->here, "cmdline", process->command,
			      sizeof(process->command));
	const char *name = field(status, "Name:\t");

	snprintf(process->name, sizeof(process->name), "%.*s",
		 (int)strcspn(name, "\n"), name);
	while (size && !process->command[size - 1])
		size--;
	for (size_t i = 0; i < size; i++)
		if (!process->command[i])
			process->command[i] = ' ';
	if (!size)
		snprintf(process->command, sizeof(process->command), "[%s]",
			 process->name);
}

/* After the name, which may contain anything, even parentheses. */
static const char *
after_name(const char *stat)
{
	const char *end = strrchr(stat, ')');

	return end && end[1] ? end + 2 : "";
}

/* R if any of its threads runs: then it may do what nobody knows of. */
static char
state_of_threads(pid_t pid)
{
	char path[PATH_SIZE], name[2 * PATH_SIZE], text[1024];
	const struct dirent *entry;
	char state = 'S';
	DIR *directory;

	snprintf(path, sizeof(path), "/proc/%ld/task", (long)pid);
	directory = opendir(path);
	if (!directory)
		return 'R';
	while ((entry = readdir(directory)) != NULL) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(name, sizeof(name), "%s/%.20s/stat", path,
			 entry->d_name);
		if (read_file(name, text, sizeof(text)) &&
		    *after_name(text) != 'S')
			state = 'R';
	}
	closedir(directory);
	return state;
}

static bool
is_of_user(const char *status, uid_t user)
{
	const char *text = field(status, "\nUid:");
	char *end;

	for (int i = 0; i < 4; i++, text = end)
		if (strtoul(text, &end, 10) == user)
			return true;
	return false;
}

static uint64_t
start_of(const char *stat)
{
	const char *text = after_name(stat);

	/* It is the 22nd field; the state is the third. */
	for (int i = 3; i < 22 && text; i++) {
		text = strchr(text, ' ');
		text = text ? text + 1 : NULL;
	}
	return text ? strtoull(text, NULL, 10) : 0;
}

void
procfs_look(uint64_t pid_namespace, pid_t pid, uid_t user, struct process *ret)
{
	char status[STATUS_SIZE], stat[1024];

	memset(ret, 0, sizeof(*ret));
	ret->pid_namespace = pid_namespace;
	ret->pid = pid;
	ret->user = user;
	ret->here = find_here(pid_namespace, pid);
	if (!ret->here ||
	    !read_of(ret->here, "status", status, sizeof(status)) ||
	    !read_of(ret->here, "stat", stat, sizeof(stat)) ||
	    !is_of_user(status, user)) {
		ret->here = 0;
		return;
	}
	ret->known = true;
	ret->started = start_of(stat);
	ret->threads = (unsigned int)atoi(field(status, "\nThreads:"));
	ret->state = *after_name(stat);
	if (ret->state == 'S' && ret->threads > 1)
		ret->state = state_of_threads(ret->here);
	read_command(ret, status);
}
