/* SPDX-License-Identifier: MIT */
/* Test: timeout 300. */
/*
 * From inside: whoever has a mailbox open stores into each page of each file of
 * it that he has mapped, by hand. Where his role is not to write, that must be a
 * fault; he must not be able to change that by mprotect(2), nor write through a
 * descriptor that the library keeps. Needs root, to be several users.
 */
#include "support/actors.h"
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define PAGE 4096
#define LARGE 20000

/* What a role writes ------------------------------------------------------------ */

enum what { RECEIVERS, DOORBELL, ATTENDANCE, QUEUE, LANE, REPLY, BELL, WHATS };

static const char *const what_begins[WHATS] = { "receivers", "doorbell",
						"attendance", "queue", "lane.",
						"reply.", "bell." };

/* Of a path with or without " (deleted)" behind it; WHATS: of no file. */
static enum what
what_is(const char *path)
{
	const char *last = strrchr(path, '/');
	int what;

	for (what = 0; last && what < WHATS; what++)
		if (!strncmp(last + 1, what_begins[what],
			     strlen(what_begins[what])))
			return (enum what)what;
	return last && !strncmp(last + 1, "blocks", 6) ? QUEUE : WHATS;
}

static struct {
	char name[16];
	bool queue, every;
	int role;		/* of the handle that is open */
	unsigned long stride;
	/* What was found. */
	unsigned long pages[WHATS];	/* where a store was a fault */
	unsigned int mappings[WHATS], writable[WHATS], descriptors;
} *now;

/* The table of cubby_format(5), of a handle. own: a file of this user's. */
static bool
may_write(enum what what, bool own)
{
	bool receives = now->role == CUBBY_RECEIVE;

	switch (what) {
	case LANE:
		return own && !receives;
	case REPLY:
		return own || receives;
	case RECEIVERS:
	case ATTENDANCE:
		return receives || (now->queue && what == ATTENDANCE);
	default:
		return true;
	}
}

/* Stores ---------------------------------------------------------------------------- */

static sigjmp_buf fault;

/* Of a mapping, the first page and one of so many; 1: all of them, as the long
   form of this test (CUBBY_TEST_LONG) has it, and the mode that matters most. */
static unsigned long stride;

static void
on_fault(int number)
{
	siglongjmp(fault, number);
}

/* The signal that it is; 0: it was done. */
static int
store(char *address)
{
	int number = sigsetjmp(fault, 1);

	if (number)
		return number;
	*(_Atomic char *)address = 1;
	return 0;
}

static void
expect_closed(const char *line, char *begin, char *end)
{
	for (char *page = begin; page < end; page += stride * PAGE) {
		int number = store(page + 8);

		if (number != SIGSEGV)
			fail_at(__FILE__, __LINE__,
				"role %d stores at +%#lx of %s: %s", now->role,
				(unsigned long)(page - begin), line,
				number ? strsignal(number) : "done");
	}
	if (mprotect(begin, (size_t)(end - begin), PROT_READ | PROT_WRITE) !=
		    -1 ||
	    errno != EACCES)
		fail_at(__FILE__, __LINE__, "role %d makes writable: %s",
			now->role, line);
}

static bool
is_own(const char *path)
{
	struct stat st;

	/* One that has no name any more is of nobody else. */
	return stat(path, &st) < 0 || st.st_uid == geteuid();
}

static void
try_mapping(const char *line)
{
	unsigned long begin, end;
	char rights[8], path[PATH_MAX] = "";
	enum what what;

	if (sscanf(line, "%lx-%lx %7s %*s %*s %*s %4095[^\n]", &begin, &end,
		   rights, path) != 4 ||
	    strncmp(path, test_root(), strlen(test_root())) != 0)
		return;
	what = what_is(path);
	if (what == WHATS)
		fail_at(__FILE__, __LINE__, "what is %s?", line);
	now->mappings[what]++;
	if (may_write(what, is_own(path))) {
		now->writable[what] += rights[1] == 'w';
		return;
	}
	if (rights[1] == 'w')
		fail_at(__FILE__, __LINE__, "role %d has mapped %s", now->role,
			line);
	/* A sender maps no lane of another's, and no reply of his. */
	if (now->role == CUBBY_SEND && (what == LANE || what == REPLY))
		fail_at(__FILE__, __LINE__, "a sender has mapped %s", line);
	expect_closed(line, (char *)begin, (char *)end);
	now->pages[what] += ((end - begin) / PAGE + stride - 1) / stride;
}

static void
try_mappings(void)
{
	struct sigaction action = { .sa_handler = on_fault }, segv, bus;
	static char lines[400][PATH_MAX];
	FILE *maps = fopen("/proc/self/maps", "re");
	size_t count = 0;

	expect(maps != NULL);
	while (count < COUNT_OF(lines) &&
	       fgets(lines[count], sizeof(lines[count]), maps))
		count++;
	fclose(maps);
	expect(count < COUNT_OF(lines));
	/* Without the library's own, which would answer for its mappings. */
	expect_system(sigaction(SIGSEGV, &action, &segv));
	expect_system(sigaction(SIGBUS, &action, &bus));
	for (size_t i = 0; i < count; i++)
		try_mapping(lines[i]);
	sigaction(SIGSEGV, &segv, NULL);
	sigaction(SIGBUS, &bus, NULL);
}

/* Those that the library keeps. */
static void
try_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *d;

	expect(dir != NULL);
	while ((d = readdir(dir))) {
		char path[PATH_MAX];
		ssize_t n = readlinkat(dirfd(dir), d->d_name, path,
				       sizeof(path) - 1);
		enum what what;

		path[n < 0 ? 0 : n] = 0;
		if (strncmp(path, test_root(), strlen(test_root())) != 0)
			continue;
		what = what_is(path);
		if (what == WHATS || may_write(what, is_own(path)))
			continue;
		now->descriptors++;
		if (pwrite(atoi(d->d_name), "", 0, 0) != -1 || errno != EBADF)
			fail_at(__FILE__, __LINE__,
				"role %d may write through a descriptor: %s",
				now->role, path);
	}
	closedir(dir);
}

static int
try_stores(void *argument)
{
	(void)argument;
	stride = now->stride;
	try_mappings();
	try_descriptors();
	return 0;
}

/* Taking part ----------------------------------------------------------------------- */

static cubby_mailbox *sender, *receiver;
static cubby_request *request;
static cubby_message *held;

static int
open_sender(void *argument)
{
	(void)argument;
	expect_ok(cubby_open(now->name, CUBBY_SEND, NULL, &sender));
	expect(cubby_fd(sender, CUBBY_SEND) >= 0);
	return 0;
}

static int
send_some(void *argument)
{
	static char large[LARGE];

	(void)argument;
	if (!sender)
		return 0;
	cubby_call_cancel(request);
	request = NULL;
	send_number(sender, 1);
	expect_ok(cubby_send_full(sender, large, sizeof(large), NULL, 0,
				  soon()));
	if (!now->every)
		expect_ok(cubby_call_begin(sender, "x", 1, NULL, soon(),
					   &request));
	return 0;
}

static int
close_sender(void *argument)
{
	(void)argument;
	request = NULL;
	cubby_close(sender);
	sender = NULL;
	return 0;
}

static int
open_receiver(void *argument)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	(void)argument;
	if (now->every)
		options.history = 8;
	expect_ok(cubby_open(now->name, CUBBY_RECEIVE, &options, &receiver));
	expect(cubby_fd(receiver, CUBBY_RECEIVE) >= 0);
	return 0;
}

/* All that is there, the last one held. */
static int
receive_some(void *argument)
{
	static char data[LARGE];
	int result, count = 0;

	(void)argument;
	for (;;) {
		struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;

		result = cubby_receive_full(receiver, NULL, 0, CUBBY_NOW, data,
					    sizeof(data), NULL, &envelope);
		if (result < 0)
			break;
		if (envelope.call)
			expect_ok(cubby_reply(receiver, &envelope, data,
					      LARGE));
		count++;
	}
	expect_result(result, -EAGAIN);
	return count;
}

static int
hold_one(void *argument)
{
	(void)argument;
	expect_ok(cubby_hold(receiver, NULL, CUBBY_NOW, &held));
	return 0;
}

static int
close_receiver(void *argument)
{
	(void)argument;
	cubby_close(receiver);
	receiver = NULL;
	return 0;
}

/* All of them ------------------------------------------------------------------------ */

static struct {
	unsigned long pages[WHATS];
	unsigned int mailboxes, handles, descriptors, writable[WHATS];
} total;

static void
begin(int role)
{
	memset(now->pages, 0, sizeof(now->pages));
	memset(now->mappings, 0, sizeof(now->mappings));
	memset(now->writable, 0, sizeof(now->writable));
	now->descriptors = 0;
	now->role = role;
}

static void
end(void)
{
	for (int what = 0; what < WHATS; what++) {
		total.pages[what] += now->pages[what];
		total.writable[what] += now->writable[what];
	}
	total.descriptors += now->descriptors;
	total.handles++;
}

/* Each with a lane that it writes, and the receivers' file that it does not. */
static void
try_senders(mode_t mode)
{
	for (int i = 0; i < ACTORS; i++) {
		if (!(rights_of(mode, (enum actor)i) & MAY_SEND))
			continue;
		expect_ok(actor_do((enum actor)i, open_sender, NULL));
		expect_ok(actor_do((enum actor)i, send_some, NULL));
		begin(CUBBY_SEND);
		expect_ok(actor_do((enum actor)i, try_stores, NULL));
		expect(now->pages[RECEIVERS] > 100 / now->stride);
		expect(now->writable[now->queue ? QUEUE : LANE] >= 1);
		end();
	}
}

/* Each while the others send; of all lanes it writes none. */
static void
try_receiver(mode_t mode, enum actor actor)
{
	unsigned int others = 0;
	int came;

	if (rights_of(mode, actor) & MAY_SEND)
		expect_ok(actor_do(actor, close_sender, NULL));
	expect_ok(actor_do(actor, open_receiver, NULL));
	for (int i = 0; i < ACTORS; i++)
		if (i != (int)actor &&
		    rights_of(mode, (enum actor)i) & MAY_SEND) {
			expect_ok(actor_do((enum actor)i, send_some, NULL));
			others++;
		}
	came = actor_do(actor, receive_some, NULL);
	expect(came >= (now->every ? 2 : 3) * (int)others);
	for (int i = 0; i < ACTORS; i++)
		if (i != (int)actor &&
		    rights_of(mode, (enum actor)i) & MAY_SEND)
			expect_ok(actor_do((enum actor)i, send_some, NULL));
	if (others)
		expect_ok(actor_do(actor, hold_one, NULL));
	begin(CUBBY_RECEIVE);
	expect_ok(actor_do(actor, try_stores, NULL));
	expect(now->writable[RECEIVERS] >= 1);
	if (!now->queue)
		expect(now->mappings[LANE] >= others &&
		       now->pages[LANE] >= others);
	end();
	actor_do(actor, receive_some, NULL);
	expect_ok(actor_do(actor, close_receiver, NULL));
}

static void
try_mode(const struct kind *kind, mode_t mode)
{
	kind_create(kind, mode);
	strcpy(now->name, kind->name);
	now->queue = kind->queue;
	now->every = kind->every;
	now->stride = getenv("CUBBY_TEST_LONG") || mode == 0620 ? 1 :
		      kind->every ? 509 : 61;
	try_senders(mode);
	for (int i = 0; i < ACTORS; i++)
		if (rights_of(mode, (enum actor)i) & MAY_RECEIVE) {
			try_receiver(mode, (enum actor)i);
			if (rights_of(mode, (enum actor)i) & MAY_SEND)
				expect_ok(actor_do((enum actor)i, open_sender,
						   NULL));
		}
	for (int i = 0; i < ACTORS; i++)
		expect_ok(actor_do((enum actor)i, close_sender, NULL));
	kind_remove(kind);
	total.mailboxes++;
}

static void
try_kind(const struct kind *kind)
{
	now = shared_memory(sizeof(*now));
	actors_start();
	for (mode_t mode = 1; mode <= 0777; mode++)
		if (is_mode(mode, kind->queue))
			try_mode(kind, mode);
	actors_end();
	printf("%s: %u mailboxes, %u handles; faults: %lu in receivers, %lu in "
	       "lanes; %u descriptors\n",
	       kind->label, total.mailboxes, total.handles,
	       total.pages[RECEIVERS], total.pages[LANE], total.descriptors);
	fflush(stdout);
}

#define OF_KIND(name, number) \
	static void no_store_##name(void) \
	{ \
		try_kind(&kinds[number]); \
	}
OF_KIND(into_lanes, 0)
OF_KIND(without_a_limit, 1)
OF_KIND(into_an_inbox, 2)
OF_KIND(into_a_broadcast, 3)
OF_KIND(into_one_that_overtakes, 4)
OF_KIND(into_what_receivers_of_a_queue_write, 5)

int
main(void)
{
	static const struct test tests[] = {
		TEST(no_store_into_lanes),
		TEST(no_store_without_a_limit),
		TEST(no_store_into_an_inbox),
		TEST(no_store_into_a_broadcast),
		TEST(no_store_into_one_that_overtakes),
		TEST(no_store_into_what_receivers_of_a_queue_write),
	};

	return RUN_TESTS("rights_stores", tests);
}
