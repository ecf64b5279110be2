/* SPDX-License-Identifier: MIT */
/* Test: timeout 300. */
/*
 * By hand: every mode, every kind of mailbox, every file of it while it is in
 * use, every user. Who can open it for reading and for writing, list it, put
 * something into it and remove it, is compared with the table of rights in
 * cubby_format(5). Needs root, to be several users.
 */
#include "support/actors.h"
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sys/stat.h>

#define FILES_MAX 128

/* A mailbox in use ----------------------------------------------------------- */

/* What each actor keeps open. */
static cubby_mailbox *sender, *receiver;
static cubby_request *request;

static const char *name; /* told by the argument of what is to be done */

static void
send_region(void)
{
	cubby_region *region = NULL;

	expect_ok(cubby_region_open(NULL, CUBBY_CREATE | CUBBY_WRITE, NULL,
				    &region));
	expect_ok(cubby_send_region(sender, region, NULL, CUBBY_NOW));
}

struct part {
	char name[16];
	unsigned int roles;
	bool queue, every, rendezvous;
};

/* A lane with a message, a request under way, a region on its way, a bell. */
static int
take_part(void *argument)
{
	const struct part *part = argument;

	name = part->name;
	if (part->roles & MAY_RECEIVE) {
		expect_ok(cubby_open(name, CUBBY_RECEIVE, NULL, &receiver));
		expect(cubby_fd(receiver, CUBBY_RECEIVE) >= 0);
	}
	if (!(part->roles & MAY_SEND))
		return 0;
	expect_ok(cubby_open(name, CUBBY_SEND, NULL, &sender));
	expect(cubby_fd(sender, CUBBY_SEND) >= 0);
	if (part->rendezvous)
		return 0;
	send_number(sender, 1);
	if (part->every)
		return 0;
	expect_ok(cubby_call_begin(sender, "x", 1, NULL, CUBBY_NOW, &request));
	send_region();
	return 0;
}

static int
leave(void *argument)
{
	(void)argument;
	cubby_close(sender);
	cubby_close(receiver);
	sender = receiver = NULL;
	request = NULL;
	return 0;
}

/* What lies there --------------------------------------------------------------- */

enum what {
	DIRECTORY,
	LANES,
	BELLS,
	RECEIVERS,
	DOORBELL,
	ATTENDANCE,
	QUEUE,		/* and its blocks */
	LANE,
	REPLY,
	REGION,		/* on its way */
	BELL,		/* of a receiver, or in a queue */
	SENDERS_BELL,
	WHATS
};

static const char *const what_names[WHATS] = {
	"directory", "lanes/", "bells/", "receivers", "doorbell", "attendance",
	"queue", "lane.N", "reply.ID", "region.UUID.N", "bells/bell.N",
	"lanes/bell.N",
};

struct file {
	char path[160];
	enum what what;
	uid_t uid;
	/* What came of it. */
	bool reads, writes, changes, lists, creates, removes;
};

static struct {
	struct file files[FILES_MAX];
	size_t count;
} *found;

static bool
begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

static enum what
what_is(const char *path)
{
	static const struct {
		const char *begin;
		enum what what;
	} known[] = {
		{ "lanes/lane.", LANE },    { "lanes/reply.", REPLY },
		{ "lanes/region.", REGION }, { "lanes/bell.", SENDERS_BELL },
		{ "bells/bell.", BELL },    { "receivers", RECEIVERS },
		{ "doorbell", DOORBELL },   { "attendance", ATTENDANCE },
		{ "queue", QUEUE },	    { "blocks", QUEUE },
	};

	if (!strcmp(path, "lanes"))
		return LANES;
	if (!strcmp(path, "bells"))
		return BELLS;
	for (size_t i = 0; i < COUNT_OF(known); i++)
		if (begins(path, known[i].begin))
			return known[i].what;
	fail_at(__FILE__, __LINE__, "what is %s?", path);
}

static int
note(const char *path, const struct stat *st, int type, struct FTW *where)
{
	struct file *file = &found->files[found->count];
	const char *inside = path + strlen(test_root());

	(void)type;
	if (where->level == 0)
		return 0;
	expect(found->count < FILES_MAX && strlen(path) < sizeof(file->path));
	found->count++;
	strcpy(file->path, path);
	file->uid = st->st_uid;
	inside = strchr(inside + 1, '/');
	file->what = inside ? what_is(inside + 1) : DIRECTORY;
	return 0;
}

/* By hand --------------------------------------------------------------------- */

/* Could it be done? What is no question of rights has gone beyond them. */
static bool
could(int result)
{
	if (result >= 0)
		return true;
	return errno != EACCES && errno != EPERM;
}

static bool
opens(const char *path, int flags)
{
	int fd = open(path, flags | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return could(fd);
}

static bool
makes(const char *directory)
{
	char path[200];
	int fd;

	snprintf(path, sizeof(path), "%s/planted", directory);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0) {
		close(fd);
		expect_system(unlink(path));
	}
	return could(fd);
}

/* As the wrong sort of thing: rights are asked for first. */
static bool
removes(const struct file *file)
{
	bool directory = file->what <= BELLS;
	int result = directory ? unlink(file->path) : rmdir(file->path);

	expect(result < 0);
	return could(result);
}

static int
try_all(void *argument)
{
	(void)argument;
	for (size_t i = 0; i < found->count; i++) {
		struct file *file = &found->files[i];
		bool directory = file->what <= BELLS;

		file->removes = removes(file);
		if (directory) {
			file->lists = opens(file->path,
					    O_RDONLY | O_DIRECTORY);
			file->creates = makes(file->path);
			continue;
		}
		file->reads = opens(file->path, O_RDONLY);
		file->writes = opens(file->path, O_WRONLY);
		file->changes = opens(file->path, O_RDWR);
		expect(file->changes == (file->reads && file->writes));
	}
	return 0;
}

/* The table of cubby_format(5) ----------------------------------------------------- */

/* What the class may, and what the file's own user may besides. */
static void
expect_of(const struct file *file, mode_t mode, enum actor actor,
	  struct file *wanted)
{
	unsigned int has = rights_of(mode, actor);
	bool receives = has & MAY_RECEIVE, sends = has & MAY_SEND;
	bool owner = actor == OWNER, root = actor == ROOT;
	bool own = file->uid == actor_uid(actor);

	switch (file->what) {
	case DIRECTORY:
		wanted->lists = has || owner;
		wanted->creates = owner || root;
		wanted->removes = owner || root;
		return;
	case LANES:
		wanted->lists = receives;
		wanted->creates = sends;
		wanted->removes = owner || root;
		return;
	case BELLS:
		wanted->lists = receives;
		wanted->creates = receives;
		wanted->removes = owner || root;
		return;
	case RECEIVERS:
		wanted->reads = has || owner;
		wanted->writes = receives;
		wanted->removes = owner || root;
		return;
	case DOORBELL:
	case QUEUE:
		wanted->reads = wanted->writes = has;
		wanted->removes = owner || root;
		return;
	case ATTENDANCE:
		wanted->reads = wanted->writes = receives;
		wanted->removes = owner || root;
		return;
	case LANE:
		wanted->reads = receives || own;
		wanted->writes = own || root;
		break;
	case REPLY:
	case REGION:
		wanted->reads = wanted->writes = receives || own;
		break;
	case BELL:
		wanted->reads = own || root;
		wanted->writes = has || own;
		break;
	case SENDERS_BELL:
		wanted->reads = own || root;
		wanted->writes = receives || own;
		break;
	default:
		return;
	}
	/* Out of a sticky directory that he may write to. */
	wanted->removes = (file->what == BELL ? receives : sends) &&
			  (own || owner || root);
}

static bool
differ(const struct file *a, const struct file *b)
{
	return a->reads != b->reads || a->writes != b->writes ||
	       a->lists != b->lists || a->creates != b->creates ||
	       a->removes != b->removes;
}

static void
expect_rights(const struct kind *kind, mode_t mode, enum actor actor)
{
	for (size_t i = 0; i < found->count; i++) {
		const struct file *file = &found->files[i];
		struct file wanted = { .what = file->what };

		expect_of(file, mode, actor, &wanted);
		if (differ(file, &wanted))
			fail_at(__FILE__, __LINE__,
				"%s of mode %04o, %s, %s of user %u: "
				"reads %d, writes %d, lists %d, creates %d, "
				"removes %d; wanted %d %d %d %d %d",
				kind->label, mode, actor_names[actor],
				what_names[file->what], file->uid, file->reads,
				file->writes, file->lists, file->creates,
				file->removes, wanted.reads, wanted.writes,
				wanted.lists, wanted.creates, wanted.removes);
	}
}

/* All of them ------------------------------------------------------------------------ */

static struct {
	unsigned int mailboxes, files;
	unsigned int seen[WHATS];
} count;

static void
all_take_part(const struct kind *kind, mode_t mode, struct part *part)
{
	bool served = false;

	for (int i = 0; i < ACTORS; i++) {
		strcpy(part->name, kind->name);
		part->roles = rights_of(mode, (enum actor)i);
		part->queue = kind->queue;
		part->every = kind->every;
		part->rendezvous = kind->options.buffering == CUBBY_RENDEZVOUS;
		/* From an inbox one receives. */
		if (kind->inbox && served)
			part->roles &= ~(unsigned int)MAY_RECEIVE;
		served = served || part->roles & MAY_RECEIVE;
		expect_ok(actor_do((enum actor)i, take_part, part));
	}
}

static void
try_mode(const struct kind *kind, mode_t mode, struct part *part)
{
	kind_create(kind, mode);
	all_take_part(kind, mode, part);
	memset(found, 0, sizeof(*found));
	nftw(test_root(), note, 16, FTW_PHYS);
	for (size_t i = 0; i < found->count; i++)
		count.seen[found->files[i].what]++;
	count.files += (unsigned int)found->count;
	count.mailboxes++;
	for (int i = 0; i < ACTORS; i++) {
		expect_ok(actor_do((enum actor)i, try_all, NULL));
		expect_rights(kind, mode, (enum actor)i);
	}
	for (int i = 0; i < ACTORS; i++)
		expect_ok(actor_do((enum actor)i, leave, NULL));
	kind_remove(kind);
}

/* That the table has been tried, all of it. */
static void
expect_seen(const struct kind *kind)
{
	for (int what = 0; what < WHATS; what++) {
		bool lanes = what == DOORBELL || what == LANE ||
			     what == SENDERS_BELL;

		if ((kind->queue && lanes) || (!kind->queue && what == QUEUE) ||
		    ((what == REPLY || what == REGION) &&
		     (kind->every ||
		      kind->options.buffering == CUBBY_RENDEZVOUS)))
			continue;
		if (kind->options.buffering == CUBBY_UNLIMITED &&
		    what == SENDERS_BELL)
			continue; /* there is always room */
		if (!count.seen[what])
			fail_at(__FILE__, __LINE__, "%s: there was no %s",
				kind->label, what_names[what]);
	}
}

static void
try_kind(const struct kind *kind)
{
	struct part *part = shared_memory(sizeof(*part));

	found = shared_memory(sizeof(*found));
	actors_start();
	for (mode_t mode = 1; mode <= 0777; mode++)
		if (is_mode(mode, kind->queue))
			try_mode(kind, mode, part);
	actors_end();
	expect_seen(kind);
	printf("%s: %u mailboxes, %u files, by %d users each\n", kind->label,
	       count.mailboxes, count.files, ACTORS);
	fflush(stdout);
}

#define OF_KIND(name, number) \
	static void the_files_##name(void) \
	{ \
		try_kind(&kinds[number]); \
	}
OF_KIND(of_lanes, 0)
OF_KIND(without_a_limit, 1)
OF_KIND(of_an_inbox, 2)
OF_KIND(of_a_broadcast, 3)
OF_KIND(of_one_that_overtakes, 4)
OF_KIND(of_arrival, 5)
OF_KIND(of_priority, 6)
OF_KIND(of_a_rendezvous, 7)
OF_KIND(of_a_queued_inbox, 8)

/* Its directory keeps all others out, whatever the mode. */
static int
create_own(void *argument)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	(void)argument;
	options.mode = 0666;
	options.group = ACTORS_GROUP_TEXT;
	sender = open_mailbox("m", CUBBY_CREATE | CUBBY_SEND, &options);
	send_number(sender, 1);
	return 0;
}

static int
remove_own(void *argument)
{
	(void)argument;
	leave(NULL);
	expect_ok(cubby_unlink("m"));
	return 0;
}

static int
note_own(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	if (where->level == 0)
		return 0;
	expect(found->count < FILES_MAX &&
	       strlen(path) < sizeof(found->files->path));
	strcpy(found->files[found->count++].path, path);
	return 0;
}

static int
reach_none(void *argument)
{
	(void)argument;
	for (size_t i = 0; i < found->count; i++)
		expect(open(found->files[i].path,
			    O_RDONLY | O_NONBLOCK | O_CLOEXEC) < 0 &&
		       errno == EACCES);
	return 0;
}

static void
nobody_reaches_anothers_own_mailboxes(void)
{
	found = shared_memory(sizeof(*found));
	actors_start();
	expect_ok(actor_do(OWNER, create_own, NULL));
	nftw(test_root(), note_own, 16, FTW_PHYS);
	expect(found->count > 6);
	for (int i = MEMBER; i <= STRANGER; i++)
		expect_ok(actor_do((enum actor)i, reach_none, NULL));
	expect_ok(actor_do(OWNER, remove_own, NULL));
	actors_end();
}

int
main(void)
{
	static const struct test tests[] = {
		TEST(the_files_of_lanes),
		TEST(the_files_without_a_limit),
		TEST(the_files_of_an_inbox),
		TEST(the_files_of_a_broadcast),
		TEST(the_files_of_one_that_overtakes),
		TEST(the_files_of_arrival),
		TEST(the_files_of_priority),
		TEST(the_files_of_a_rendezvous),
		TEST(the_files_of_a_queued_inbox),
		TEST(nobody_reaches_anothers_own_mailboxes),
	};

	return RUN_TESTS("rights_files", tests);
}
