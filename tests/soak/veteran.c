/* SPDX-License-Identifier: MIT */
/* One who survives all rounds. */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actors.h"
#include "veteran.h"

static const uint32_t boxes[] = { LANES,    ENDLESS, LARGE,	   ARRIVAL,
				  PRIORITY, MEETING, TYPED_ARRIVAL };
#define BOXES (sizeof(boxes) / sizeof(boxes[0]))

static pid_t pid;

static int
count_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int count = 0;

	while (directory && readdir(directory))
		count++;
	if (directory)
		closedir(directory);
	return count;
}

/* Of files below the root. */
static int
count_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	const char *root = getenv("CUBBY_ROOT");
	char line[4096];
	int count = 0;

	while (maps && fgets(line, sizeof(line), maps))
		count += strstr(line, root) != NULL;
	if (maps)
		fclose(maps);
	return count;
}

static void
take_part(uint32_t number)
{
	struct actor actor = { .me = &account->person[number],
			       .number = number,
			       .role = &roles[0],
			       .kind = &kinds[0] };
	cubby_mailbox *handles[BOXES] = { NULL };
	size_t i;

	for (i = 0; i < BOXES; i++)
		open_box(&actor, boxes[i], CUBBY_RECEIVE, NULL, &handles[i]);
	while (!receivers_end()) {
		for (i = 0; i < BOXES; i++)
			hold_one(&actor, handles[i], boxes[i], NULL, CUBBY_NOW);
		stand_idle(2000000);
	}
	atomic_store(&actor.me->leaving, true);
	for (i = 0; i < BOXES; i++)
		cubby_close(handles[i]);
}

static _Noreturn void
live(uint32_t round)
{
	int before = count_descriptors(), after, mappings;

	for (;;) {
		while (atomic_load(&account->rounds) == round)
			stand_idle(1000000);
		round++;
		take_part(account->veteran);
		after = count_descriptors();
		mappings = count_mappings();
		if (after > before || mappings)
			found(LEAKED,
			      "who has survived round %u has %d "
			      "descriptors, and had %d; and %d mappings of "
			      "files that it has closed",
			      round, after, before, mappings);
		atomic_store(&account->veteran_done, round);
	}
}

void
veteran_begin(void)
{
	uint32_t rounds = atomic_load(&account->rounds);

	pid = fork();
	setpgid(pid, 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		live(rounds);
	}
}

void
veteran_round(uint32_t person)
{
	account->person[person].pid = pid;
	account->veteran = person;
	atomic_fetch_add(&account->rounds, 1);
}

void
veteran_watch(void)
{
	int status;

	if (waitpid(pid, &status, WNOHANG) != pid)
		return;
	found(WRONG, "who survives all rounds ended with status %#x", status);
	veteran_begin();
	atomic_store(&account->veteran_done, atomic_load(&account->rounds));
}

void
veteran_end(void)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
