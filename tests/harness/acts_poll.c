/* SPDX-License-Identifier: MIT */
/*
 * What victims do who poll a descriptor of the mailbox: they ask for it, arm it
 * by a call that finds nothing, and come back when it is readable. But they
 * wait for its FIFO alone, and not for its timer: whoever brings what they wait
 * for tells them, since nobody but the victim is ever struck. (The sleeper who
 * polls while a victim is struck that should tell it waits for both:
 * sleeper.c.)
 */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "acts.h"

static int bell;

/* The FIFO below it. */
static int
find_bell(void)
{
	DIR *dir = opendir("/proc/self/fd");
	char path[200];
	struct dirent *d;
	struct stat st;
	int found = -1;
	ssize_t n;

	while (dir && found < 0 && (d = readdir(dir))) {
		if (fstat(atoi(d->d_name), &st) < 0 || !S_ISFIFO(st.st_mode))
			continue;
		n = readlinkat(dirfd(dir), d->d_name, path, sizeof(path) - 1);
		path[n < 0 ? 0 : n] = 0;
		if (strstr(path, "/bell."))
			found = atoi(d->d_name);
	}
	if (dir)
		closedir(dir);
	if (found < 0)
		fail("the victim finds no bell");
	return found;
}

static int
role(const struct victim *victim)
{
	return victim->scenario->operation->roles;
}

void
perform_poll_open(struct victim *victim)
{
	int result = cubby_fd(victim->mailbox, role(victim));

	victim->result = result < 0 ? result : 0;
}

void
prepare_poll(struct victim *victim)
{
	perform_poll_open(victim);
	expect(victim, 0);
	bell = find_bell();
}

/* It has been rung, and what it was rung for is gone: so what follows arms it. */
void
prepare_poll_receive(struct victim *victim)
{
	prepare_poll(victim);
	if (victim->scenario->start != EMPTY)
		return;
	victim_mark(victim->stage, MARK_SEND);
	victim->result = actor_take(victim->stage, victim->mailbox, victim->actor,
				    CUBBY_NOW);
	expect(victim, 0);
}

void
prepare_poll_send(struct victim *victim)
{
	prepare_poll(victim);
	prepare_send(victim);
}

/* It is armed, and the victim leaves it so. */
void
prepare_polling(struct victim *victim)
{
	prepare_poll(victim);
	perform_receive_now(victim);
	expect(victim, -EAGAIN);
	victim->result = 0;
}

static void
until_done(struct victim *victim, void (*perform)(struct victim *victim))
{
	struct pollfd asked = { .fd = bell, .events = POLLIN };

	for (;;) {
		perform(victim);
		if (victim->result != -EAGAIN)
			break;
		poll(&asked, 1, -1);
	}
}

void
perform_poll_receive(struct victim *victim)
{
	until_done(victim, perform_receive_now);
}

void
perform_poll_send(struct victim *victim)
{
	until_done(victim, perform_send_now);
}
