/* SPDX-License-Identifier: MIT */
/*
 * cubby doctor: what the kernel can do and lets this process do, its limits, the
 * namespaces it is in, and who clears /dev/shm behind it.
 */
#include "doctor.h"

#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <linux/membarrier.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cubby.h>

#include "table.h"

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

#define FILES_FEW 256
#define FILE_SMALL (UINT64_C(64) << 20)
#define FIRST_NAMESPACE UINT64_C(0xeffffffc) /* PROC_PID_INIT_INO */

/* The kernel ------------------------------------------------------------- */

static void
check_version(void)
{
	struct utsname name;

	if (uname(&name) < 0)
		return;
	diagnose(FINE, "version", NULL, "cubby %s on %s %s", cubby_version(),
		 name.sysname, name.release);
}

static void
check_membarrier(void)
{
	long commands = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);

	if (commands >= 0 && commands & MEMBARRIER_CMD_GLOBAL_EXPEDITED)
		diagnose(FINE, "membarrier", NULL,
			 "who goes to sleep pays for it, not who sends");
	else
		diagnose(WARN, "membarrier",
			 "Linux 4.16 or later; in a container, let its seccomp "
			 "profile allow membarrier",
			 "not there: each send and receive costs a fence, and "
			 "sleeps are short slices");
}

/* Nothing is waited for: only one who has it says that this makes no sense. */
static void
check_waitv(void)
{
	if (syscall(SYS_futex_waitv, NULL, 0, 0, NULL, 0) == 0 ||
	    errno == EINVAL)
		diagnose(FINE, "waitv", NULL,
			 "several mailboxes are waited for with one call");
	else
		diagnose(WARN, "waitv",
			 "Linux 5.16 or later; in a container, let its seccomp "
			 "profile allow futex_waitv",
			 "futex_waitv is not there (%s): waiting on several "
			 "mailboxes takes the slower way",
			 strerror(errno));
}

/* Limits ----------------------------------------------------------------- */

static void
check_limit(int resource, const char *name, uint64_t least, const char *cure,
	    const char *what)
{
	struct rlimit limit;
	char text[SIZE_TEXT];

	if (getrlimit(resource, &limit) < 0 ||
	    limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= least)
		return;
	if (resource == RLIMIT_NOFILE)
		snprintf(text, sizeof(text), "%" PRIu64,
			 (uint64_t)limit.rlim_cur);
	else
		size_text(text, limit.rlim_cur);
	diagnose(WARN, "limits", cure, "%s is %s: %s", name, text, what);
}

static void
check_limits(void)
{
	check_limit(RLIMIT_NOFILE, "RLIMIT_NOFILE", FILES_FEW, "ulimit -n 1024",
		    "few mailboxes can be open at a time");
	check_limit(RLIMIT_FSIZE, "RLIMIT_FSIZE", FILE_SMALL,
		    "ulimit -f unlimited",
		    "no file of a mailbox can grow beyond it, and sends end "
		    "with -ENOSPC");
	check_limit(RLIMIT_AS, "RLIMIT_AS", UINT64_C(1) << 36,
		    "ulimit -v unlimited",
		    "mailboxes without a limit, and regions, take address "
		    "space, and cannot be opened when it ends");
}

/* The number in a file, or UINT64_MAX ("max"). */
static uint64_t
read_number(const char *path)
{
	FILE *file = fopen(path, "re");
	uint64_t number;
	bool is_one;

	if (!file)
		return UINT64_MAX;
	is_one = fscanf(file, "%" SCNu64, &number) == 1;
	fclose(file);
	return is_one ? number : UINT64_MAX;
}

/* Of the unified hierarchy: this process's group, and those above it. */
static uint64_t
least_of_groups(char *path, size_t root)
{
	uint64_t least = UINT64_MAX, limit;
	char file[4200];
	char *end;

	for (;;) {
		snprintf(file, sizeof(file), "%s/memory.max", path);
		limit = read_number(file);
		if (limit < least)
			least = limit;
		end = strrchr(path, '/');
		if (!end || (size_t)(end - path) < root)
			return least;
		*end = '\0';
	}
}

static void
check_memory(void)
{
	char line[4096], path[4160] = "", text[SIZE_TEXT];
	FILE *file = fopen("/proc/self/cgroup", "re");
	struct statvfs fs;
	uint64_t limit;

	if (!file)
		return;
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, "0::/", 4) == 0)
			snprintf(path, sizeof(path), "/sys/fs/cgroup%.*s",
				 (int)strcspn(line + 3, "\n"), line + 3);
	fclose(file);
	if (!*path || statvfs(doctor_root(), &fs) < 0)
		return;
	limit = least_of_groups(path, strlen("/sys/fs/cgroup"));
	if (limit >= (uint64_t)fs.f_blocks * fs.f_frsize)
		return;
	size_text(text, limit);
	diagnose(WARN, "memory",
		 "set --memory-limit of mailboxes (cubby create), or make "
		 "/dev/shm smaller than the limit",
		 "this control group may use %s, less than %s holds: messages "
		 "count, and beyond it the kernel kills processes",
		 text, doctor_root());
}

/* Namespaces ------------------------------------------------------------- */

static void
check_namespace(void)
{
	struct stat st;

	if (stat("/proc/self/ns/pid", &st) < 0)
		diagnose(
			WARN, "namespace", "mount -t proc proc /proc, as root",
			"no /proc: what the kernel says of processes cannot be "
			"read");
	else if ((uint64_t)st.st_ino != FIRST_NAMESPACE)
		diagnose(FINE, "namespace", NULL,
			 "in a PID namespace of its own: pids of others are "
			 "told as they see them; other containers are met only "
			 "where %s is shared",
			 doctor_root());
	else
		diagnose(FINE, "namespace", NULL, "in the first PID namespace");
}

/* Who clears /dev/shm ---------------------------------------------------- */

/* "RemoveIPC=no": 0, "=yes": 1; of another line: unknown. */
static int
read_setting(const char *line, int unknown)
{
	const char *value;

	line += strspn(line, " \t");
	if (strncmp(line, "RemoveIPC", 9) != 0)
		return unknown;
	value = line + 9 + strspn(line + 9, " \t");
	if (*value++ != '=')
		return unknown;
	value += strspn(value, " \t");
	switch (tolower((unsigned char)*value)) {
	case 'n':
	case 'f':
	case '0':
		return 0;
	case 'o':
		return tolower((unsigned char)value[1]) == 'n';
	case 't':
	case 'y':
	case '1':
		return 1;
	}
	return unknown;
}

static int
read_settings(const char *path, int setting)
{
	FILE *file = fopen(path, "re");
	char line[1024];

	if (!file)
		return setting;
	while (fgets(line, sizeof(line), file))
		setting = read_setting(line, setting);
	fclose(file);
	return setting;
}

/* As systemd-logind does it, but for files of the same name, of which it reads
   one: here the last counts. */
static bool
removes_ipc(void)
{
	static const char *const drop_ins[] = {
		"/usr/lib/systemd/logind.conf.d/*.conf",
		"/run/systemd/logind.conf.d/*.conf",
		"/etc/systemd/logind.conf.d/*.conf",
	};
	int setting = read_settings("/etc/systemd/logind.conf", 1);
	glob_t found;

	for (size_t i = 0; i < sizeof(drop_ins) / sizeof(drop_ins[0]); i++) {
		if (glob(drop_ins[i], 0, NULL, &found) != 0)
			continue;
		for (size_t j = 0; j < found.gl_pathc; j++)
			setting = read_settings(found.gl_pathv[j], setting);
		globfree(&found);
	}
	return setting;
}

static bool
lingers(void)
{
	const struct passwd *user = getpwuid(geteuid());
	char path[300];

	if (!user)
		return false;
	snprintf(path, sizeof(path), "/var/lib/systemd/linger/%s",
		 user->pw_name);
	return access(path, F_OK) == 0;
}

/* Users of the system keep what is theirs. */
static void
check_logout(void)
{
	if (strncmp(doctor_root(), "/dev/shm", 8) != 0 ||
	    access("/run/systemd/seats", F_OK) < 0 || geteuid() < 1000 ||
	    !removes_ipc())
		diagnose(FINE, "logout", NULL,
			 "mailboxes stay when you log out");
	else if (lingers())
		diagnose(FINE, "logout", NULL,
			 "mailboxes stay when you log out: you linger");
	else
		diagnose(
			WARN, "logout",
			"loginctl enable-linger; or RemoveIPC=no in "
			"/etc/systemd/logind.conf; or a user of the system for "
			"services",
			"RemoveIPC: when your last session ends, systemd "
			"removes what is yours in /dev/shm, mailboxes in use "
			"included");
}

void
doctor_system(void)
{
	check_version();
	check_membarrier();
	check_waitv();
	check_limits();
	check_memory();
	check_namespace();
	check_logout();
}
