/* SPDX-License-Identifier: MIT */
/* The supervisor; it calls nothing of cubby itself. */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "actors.h"
#include "chaos.h"
#include "contents.h"
#include "pairs.h"
#include "progress.h"
#include "veteran.h"

#define SECOND INT64_C(1000000000)
#define END_SECONDS 60

static const struct settings *settings;
static uint64_t random_state;
static struct place places[PLACES_MAX];
static struct timeline {
	int64_t kill, stop, signal, sample;
} next;

/* Births --------------------------------------------------------------------- */

/* Interrupts what sleeps, and does nothing. */
static void
on_signal(int number)
{
	(void)number;
}

static void
become_child(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Among hundreds of them the supervisor has to get its turns. */
	setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + 5);
	sigaction(SIGUSR1, &action, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void
play(uint32_t number)
{
	struct person *person = &account->person[number];
	struct actor actor = {
		.me = person,
		.number = number,
		.mailbox = person->mailbox,
		.kind = &kinds[person->mailbox],
		.role = &roles[person->role],
		.random = mix(settings->seed ^ (uint64_t)account->rounds << 32 ^
			      number),
		.buffer = account_buffer(person->place),
	};

	actor.data = malloc(BUFFER_SIZE);
	if (!actor.data)
		_exit(1);
	actor.role->play(&actor);
	atomic_store(&person->leaving, true);
	_exit(0);
}

static pid_t
fork_child(void)
{
	pid_t pid = fork();

	if (pid < 0) {
		perror("soak: fork");
		exit(2);
	}
	if (pid == 0)
		become_child();
	return pid;
}

void
in_process(void (*body)(void))
{
	int status;
	pid_t pid = fork_child();

	if (pid == 0) {
		body();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	if (status)
		found(WRONG, "who tidies up ended with status %#x", status);
}

/* A new person; NOBODY if the account of this round is full. */
static uint32_t
new_person(uint32_t place, uint32_t role)
{
	uint32_t number = atomic_load(&account->people);
	struct person *person = &account->person[number];

	if (number == PEOPLE_MAX || account->lives >= LIVES_MAX)
		return NOBODY;
	atomic_store(&account->people, number + 1);
	person->role = role;
	person->mailbox = roles[role].mailbox;
	person->place = place;
	person->life = NOBODY;
	return number;
}

static uint32_t
role_of_place(uint32_t place)
{
	uint32_t shares = 0, i;

	/* One of each first, then as the shares say. */
	if (place < roles_count)
		return place;
	for (i = 0; i < roles_count; i++)
		shares += roles[i].shares;
	place = (uint32_t)(mix(place) % shares);
	for (i = 0; place >= roles[i].shares; i++)
		place -= roles[i].shares;
	return i;
}

void
chaos_print_left_out(FILE *file, uint32_t processes)
{
	if (processes >= roles_count)
		return;
	fprintf(file, "left out, %u roles (mailbox), for all it takes %u processes:",
		roles_count - processes, roles_count);
	for (uint32_t i = processes; i < roles_count; i++)
		fprintf(file, "%s %s (%s)", i > processes ? "," : "",
			roles[i].name, kinds[roles[i].mailbox].name);
	fputc('\n', file);
}

static bool
give_birth(uint32_t at)
{
	struct place *place = &places[at];
	uint32_t number = new_person(at, role_of_place(at));
	pid_t pid;

	if (number == NOBODY)
		return false;
	pid = fork_child();
	if (pid == 0) {
		account->person[number].pid = getpid();
		play(number);
	}
	account->person[number].pid = pid;
	place->person = number;
	place->pid = pid;
	place->continue_at = 0;
	atomic_fetch_add(&account->births, 1);
	return true;
}

/* Deaths --------------------------------------------------------------------- */

static struct person *
person_at(const struct place *place)
{
	return &account->person[place->person];
}

/* Of one that is stopped: was it asleep? (And not about to wake another.) */
static bool
sleeps(pid_t pid)
{
	char path[64], text[128] = "";
	unsigned long operation;
	long number;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = 0;
	close(fd);
	if (sscanf(text, "%ld %*x %lx", &number, &operation) != 2 ||
	    number != SYS_futex)
		return false;
	operation &= FUTEX_CMD_MASK;
	return operation == FUTEX_WAIT || operation == FUTEX_WAIT_BITSET;
}

static void
kill_place(struct place *place)
{
	struct person *person = person_at(place);
	siginfo_t info;

	atomic_store(&person->doomed, true);
	if (person->window && kinds[person->mailbox].order) {
		/* Who sleeps has taken nothing. */
		kill(place->pid, SIGSTOP);
		if (waitid(P_PID, (id_t)place->pid, &info,
			   WSTOPPED | WEXITED | WNOWAIT) == 0)
			place->asleep = sleeps(place->pid);
	}
	kill(place->pid, SIGKILL);
	atomic_fetch_add(&account->kills, 1);
}

static void
settle(struct place *place, int status)
{
	struct person *person = person_at(place);
	bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;

	atomic_fetch_add(&account->deaths, 1);
	if (killed && person->doomed) {
		enter_uncounted(person);
		if (person->window)
			enter_doubts(person, kinds[person->mailbox].order &&
						     !place->asleep);
	} else if (status) {
		found(WRONG,
		      "person %u, who is to %s at %s, ended by itself "
		      "with status %#x",
		      place->person, roles[person->role].name,
		      kinds[person->mailbox].name, status);
	}
	place->pid = 0;
	place->asleep = false;
}

static uint32_t
place_of(pid_t pid)
{
	uint32_t i;

	for (i = 0; i < settings->processes && places[i].pid != pid; i++)
		;
	return i;
}

/* Reaps who has ended; again: others take their places. False if there is no room
   for them. (Children of another kind are in groups of their own.) */
static bool
reap(bool again)
{
	bool room = true;
	uint32_t at;
	int status;
	pid_t pid;

	while ((pid = waitpid(0, &status, WNOHANG)) > 0) {
		at = place_of(pid);
		if (at == settings->processes)
			continue;
		settle(&places[at], status);
		if (again)
			room &= give_birth(at);
	}
	return room;
}

/* Stops ----------------------------------------------------------------------- */

static void
stop_place(struct place *place)
{
	int64_t length = 1 + below(&random_state, 200);

	if (place->continue_at)
		return;
	if (below(&random_state, 20) == 0)
		length *= 10;
	atomic_store(&person_at(place)->stopped, true);
	kill(place->pid, SIGSTOP);
	place->continue_at = now() + length * 1000000;
	atomic_fetch_add(&account->stops, 1);
}

static void
continue_place(struct place *place)
{
	kill(place->pid, SIGCONT);
	place->continue_at = 0;
	atomic_store(&person_at(place)->since, now());
	atomic_store(&person_at(place)->stopped, false);
}

static void
continue_due(int64_t time)
{
	for (uint32_t i = 0; i < settings->processes; i++)
		if (places[i].pid && places[i].continue_at &&
		    places[i].continue_at <= time)
			continue_place(&places[i]);
}

/* The round -------------------------------------------------------------------- */

static struct place *
someone(void)
{
	struct place *place =
		&places[below(&random_state, settings->processes)];

	return place->pid && !person_at(place)->doomed ? place : NULL;
}

/* Is that due, which happens so often a second? */
static bool
is_due(int64_t *when, int64_t time, uint32_t per_second)
{
	if (!per_second || time < *when)
		return false;
	*when += (SECOND / per_second) * (1 + below(&random_state, 200)) / 100;
	if (*when < time - SECOND / 10)
		*when = time;
	return true;
}

static void
torment(int64_t time)
{
	struct place *place;

	while (is_due(&next.kill, time, settings->kills)) {
		place = someone();
		if (place)
			kill_place(place);
	}
	while (is_due(&next.stop, time, settings->stops)) {
		place = someone();
		if (place)
			stop_place(place);
	}
	while (is_due(&next.signal, time, settings->signals)) {
		place = someone();
		if (!place)
			continue;
		kill(place->pid, SIGUSR1);
		atomic_fetch_add(&account->signals, 1);
	}
	continue_due(time);
	if (is_due(&next.sample, time, 100))
		progress_sample(places, settings->processes);
}

/* Until a child ends, or a millisecond. */
static void
wait_a_little(void)
{
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigtimedwait(&child, NULL, &(struct timespec){ .tv_nsec = 1000000 });
}

/* Waits until those who send, or all, have gone by themselves; wakes them. */
static void
let_end(bool senders)
{
	int64_t until = now() + END_SECONDS * SECOND, wake = 0;
	uint32_t i, left;

	do {
		bool due = now() >= wake;

		if (due)
			wake = now() + SECOND / 50;
		reap(false);
		for (i = left = 0; i < settings->processes; i++) {
			if (!places[i].pid ||
			    (senders &&
			     !roles[person_at(&places[i])->role].sends))
				continue;
			left++;
			if (due)
				kill(places[i].pid, SIGUSR1);
		}
		if (left)
			wait_a_little();
	} while (left && now() < until);
	for (i = 0; left && i < settings->processes; i++) {
		struct person *person = person_at(&places[i]);

		if (!places[i].pid || (senders && !roles[person->role].sends))
			continue;
		found(STALLED,
		      "person %u (pid %d), who is to %s at %s, does "
		      "not end",
		      places[i].person, (int)places[i].pid,
		      roles[person->role].name, kinds[person->mailbox].name);
		kill_place(&places[i]);
	}
}

static void
end_round(void)
{
	continue_due(INT64_MAX);
	atomic_store(&account->senders_end, true);
	let_end(true);
	atomic_store(&account->receivers_end, true);
	let_end(false);
	while (!reap(false) || atomic_load(&account->veteran_done) !=
				       atomic_load(&account->rounds)) {
		veteran_watch();
		wait_a_little();
	}
}

void
chaos_begin(const struct settings *to)
{
	sigset_t child;

	settings = to;
	random_state = to->seed;
	/* Until a child has its handler. */
	signal(SIGUSR1, SIG_IGN);
	/* Waited for, never delivered; children do not inherit it. */
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	veteran_begin();
}

void
chaos_round(int64_t length)
{
	uint64_t kills = account->kills +
			 (uint64_t)(length / SECOND) * settings->kills / 4;
	int64_t time, until;
	struct pair pair;

	account_begin_round();
	in_process(make_locked);
	veteran_round(new_person(PLACES_MAX - 1, 0));
	pair_begin(&pair);
	for (uint32_t i = 0; i < settings->processes; i++)
		give_birth(i);
	time = now();
	until = time + length;
	progress_begin(time);
	next = (struct timeline){ time, time, time, time };
	/* On a machine that is too busy for that, it takes longer. */
	while ((time = now()) < until ||
	       (account->kills < kills && time < until + 3 * length)) {
		torment(time);
		if (!reap(true))
			break;
		wait_a_little();
	}
	end_round();
	pair_end(&pair);
}
