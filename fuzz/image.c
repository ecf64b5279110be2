/* SPDX-License-Identifier: MIT */
/*
 * Mailboxes to begin with. One of each kind is made once, by the library, and
 * used in all ways; then its files are read, while all participants are there:
 * put back later, they are those of a mailbox whose participants have died.
 * That is much quicker than to make one, and leaves more to find.
 */
#include "fuzz.h"
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#define PAGE 4096
#define LINE 64
#define ENTRIES 24
#define PLACES 4096
#define FILE_MAX (64 << 20)

struct entry {
	char path[128]; /* below the root */
	mode_t mode;
	off_t length;
	unsigned char *pages; /* those that are not all zeros, and */
	off_t *offsets;	      /* where each lies */
	size_t count;
};

struct image {
	bool made;
	size_t count;
	struct entry entries[ENTRIES]; /* directories before what is in them */
	struct {
		uint32_t *places; /* of words that are not 0, and their line */
		size_t count;
	} parts[PARTS];
};

static struct image images[KINDS][2];
static const struct image *present;
static enum kind present_kind;
static char root[PATH_MAX / 4];
static char home[32]; /* cubby-UID */

uint64_t executions, calls_made, flips_made, patches_made;

void
finding(const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "finding: ");
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, "\n");
	abort();
}

/* What a kind is ----------------------------------------------------------- */

static const struct {
	const char *name;
	enum cubby_order order;
	enum cubby_buffering buffering;
	enum cubby_sizing sizing;
	enum cubby_delivery delivery;
} kinds[KINDS] = {
	[KIND_LANES] = { .name = NAME },
	[KIND_UNLIMITED] = { .name = NAME, .buffering = CUBBY_UNLIMITED },
	[KIND_FIXED] = { .name = NAME, .sizing = CUBBY_FIXED },
	[KIND_INBOX] = { .name = INBOX },
	[KIND_EVERY] = { .name = NAME, .delivery = CUBBY_EVERY },
	[KIND_OVERTAKE] = { .name = NAME, .delivery = CUBBY_EVERY_OVERTAKE },
	[KIND_ARRIVAL] = { .name = NAME, .order = CUBBY_ORDER_ARRIVAL },
	[KIND_PRIORITY] = { .name = NAME,
			    .order = CUBBY_ORDER_PRIORITY,
			    .buffering = CUBBY_UNLIMITED },
	[KIND_RENDEZVOUS] = { .name = NAME,
			      .order = CUBBY_ORDER_PRIORITY,
			      .buffering = CUBBY_RENDEZVOUS },
	[KIND_REGION] = { .name = NAME },
};

const char *
kind_name(enum kind kind)
{
	return kinds[kind].name;
}

struct cubby_options
kind_options(enum kind kind)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;

	options.order = kinds[kind].order;
	options.buffering = kinds[kind].buffering;
	options.sizing = kinds[kind].sizing;
	options.delivery = kinds[kind].delivery;
	options.message_max = options.sizing ? 40 : 3000;
	if (!options.buffering)
		options.capacity = 8;
	options.memory_limit = 1 << 20;
	return options;
}

unsigned int
kind_parts(enum kind kind)
{
	if (kind == KIND_REGION)
		return PART(PART_MEMORY) | PART(PART_LANE_1);
	if (kinds[kind].order)
		return PART(PART_RECEIVERS) | PART(PART_QUEUE) |
		       PART(PART_BLOCKS) | PART(PART_REPLY);
	return PART(PART_RECEIVERS) | PART(PART_DOORBELL) | PART(PART_LANE) |
	       PART(PART_LANE_1) | PART(PART_REPLY);
}

/* Files -------------------------------------------------------------------- */

static const char *const part_names[PARTS] = {
	[PART_RECEIVERS] = "receivers", [PART_DOORBELL] = "doorbell",
	[PART_LANE] = "lane.0",		[PART_LANE_1] = "lane.1",
	[PART_REPLY] = "reply.",	[PART_QUEUE] = "queue",
	[PART_BLOCKS] = "blocks",	[PART_MEMORY] = "memory",
};

static bool
is_part(const char *name, enum part part)
{
	if (part == PART_MEMORY && strncmp(name, "region.", 7) == 0)
		return true; /* one that has been sent */
	return part == PART_REPLY ? strncmp(name, part_names[part], 6) == 0 :
				    strcmp(name, part_names[part]) == 0;
}

static void
path_of(char *ret, const char *below)
{
	snprintf(ret, PATH_MAX, "%s/%s", root, below);
}

/* Calls visit for all that is below that directory, what is in a directory
   after it, or before it. */
static void
walk(const char *below, bool inner_first, void (*visit)(const char *below))
{
	char path[PATH_MAX], inner[PATH_MAX / 2];
	struct dirent *entry;
	DIR *directory;

	path_of(path, below);
	directory = opendir(path);
	if (!directory)
		return;
	while ((entry = readdir(directory))) {
		if (strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(inner, sizeof(inner), "%s%s%s", below,
			 *below ? "/" : "", entry->d_name);
		if (!inner_first)
			visit(inner);
		if (entry->d_type == DT_DIR)
			walk(inner, inner_first, visit);
		if (inner_first)
			visit(inner);
	}
	closedir(directory);
}

static void
remove_one(const char *below)
{
	char path[PATH_MAX];

	path_of(path, below);
	remove(path);
}

void
image_remove(void)
{
	walk("", true, remove_one);
}

static void
remove_root(void)
{
	image_remove();
	umount(root);
	rmdir(root);
}

static char found_below[PATH_MAX / 2];
static enum part wanted_part;

static void
look_for_part(const char *below)
{
	const char *name = strrchr(below, '/');

	if (name && is_part(name + 1, wanted_part))
		snprintf(found_below, sizeof(found_below), "%s", below);
}

/* Where it is in any image. */
static const char *
usual_place(enum part part)
{
	static const char *const directories[] = {
		[PART_RECEIVERS] = "",	[PART_DOORBELL] = "",
		[PART_LANE] = "lanes/", [PART_LANE_1] = "lanes/",
		[PART_QUEUE] = "",	[PART_BLOCKS] = "",
	};
	static char below[PATH_MAX / 2];

	snprintf(below, sizeof(below), "%s/%s/%s%s", home,
		 kinds[present_kind].name, directories[part], part_names[part]);
	return below;
}

int
part_open(enum part part)
{
	char path[PATH_MAX];

	if (part != PART_REPLY && part != PART_MEMORY) {
		path_of(path, usual_place(part));
		return open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	}
	*found_below = '\0';
	wanted_part = part;
	walk(home, false, look_for_part);
	if (!*found_below)
		return -1;
	path_of(path, found_below);
	return open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
}

/* Reading them ------------------------------------------------------------- */

static struct image *making;

static bool
is_zero(const unsigned char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i])
			return false;
	return true;
}

static void
add_page(struct entry *entry, const unsigned char *page, off_t offset)
{
	size_t n = entry->count++;

	entry->pages = realloc(entry->pages, entry->count * PAGE);
	entry->offsets = realloc(entry->offsets,
				 entry->count * sizeof(*entry->offsets));
	need(entry->pages && entry->offsets);
	memcpy(entry->pages + n * PAGE, page, PAGE);
	entry->offsets[n] = offset;
}

static void
add_places(enum part part, const unsigned char *page, off_t offset)
{
	uint32_t **places = &making->parts[part].places;
	size_t *count = &making->parts[part].count;

	for (size_t line = 0; line < PAGE; line += LINE) {
		if (is_zero(page + line, LINE) || *count + 8 > PLACES)
			continue;
		*places = realloc(*places, (*count + 8) * sizeof(**places));
		need(*places);
		for (size_t word = 0; word < LINE; word += 8)
			(*places)[(*count)++] =
				(uint32_t)((size_t)offset + line + word);
	}
}

static void
read_pages(struct entry *entry, int fd, enum part part)
{
	unsigned char page[PAGE];
	off_t at = 0;
	ssize_t size;

	while ((at = lseek(fd, at, SEEK_DATA)) >= 0) {
		at = at / PAGE * PAGE;
		memset(page, 0, sizeof(page));
		size = pread(fd, page, sizeof(page), at);
		if (size > 0 && !is_zero(page, sizeof(page))) {
			add_page(entry, page, at);
			if (part < PARTS && (uint64_t)at < UINT32_MAX)
				add_places(part, page, at);
		}
		at += PAGE;
	}
}

static void
read_entry(const char *below)
{
	const char *name = strrchr(below, '/');
	struct entry *entry = &making->entries[making->count++];
	char path[PATH_MAX];
	enum part part = 0;
	struct stat st;
	int fd;

	need(making->count <= ENTRIES && strlen(below) < sizeof(entry->path));
	strcpy(entry->path, below);
	path_of(path, below);
	need(lstat(path, &st) == 0);
	entry->mode = st.st_mode;
	entry->length = st.st_size;
	if (!S_ISREG(st.st_mode))
		return;
	while (part < PARTS && !is_part(name ? name + 1 : below, part))
		part++;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	need(fd >= 0);
	read_pages(entry, fd, part);
	close(fd);
}

/* Making them -------------------------------------------------------------- */

/* Some of it may be refused; what cannot be done with such a kind. */
static void
use_it(enum kind kind, cubby_mailbox *named, cubby_mailbox *other,
       cubby_mailbox *receiver, cubby_message **ret_held)
{
	struct cubby_envelope envelope = CUBBY_ENVELOPE_INIT;
	size_t large = kinds[kind].sizing ? 40 : 2000;
	size_t small = kinds[kind].sizing ? 40 : 8;
	cubby_region *region;
	unsigned char bytes[2000] = { 1, 2, 3 };
	cubby_request *request;
	cubby_message *message;

	cubby_fd(receiver, CUBBY_RECEIVE);
	cubby_fd(named, CUBBY_SEND);
	envelope.tag = 7;
	envelope.type = 5;
	for (int i = 0; i < 4; i++) {
		cubby_send_full(named, bytes, small, &envelope, 0, CUBBY_NOW);
		cubby_send_full(other, bytes, large, NULL, 0, CUBBY_NOW);
	}
	for (int i = 0; i < 3; i++)
		cubby_hold(receiver, NULL, CUBBY_NOW, &ret_held[i]);
	if (cubby_hold(receiver, NULL, CUBBY_NOW, &message) == 0)
		cubby_reject(message);
	cubby_receive_full(receiver, NULL, 0, CUBBY_NOW, bytes, sizeof(bytes),
			   NULL, NULL);
	cubby_call_begin(named, bytes, small, NULL, CUBBY_NOW, &request);
	if (kind == KIND_REGION &&
	    cubby_region_open(NULL, CUBBY_CREATE | CUBBY_WRITE, NULL,
			      &region) == 0 &&
	    cubby_send_region(other, region, NULL, CUBBY_NOW))
		cubby_region_close(region);
	cubby_send_full(named, bytes, small, &envelope, 0, CUBBY_NOW);
}

static void
use_region(void)
{
	struct cubby_region_options options = CUBBY_REGION_OPTIONS_INIT;
	cubby_region *region;
	cubby_mutex *mutex;

	options.size_max = 1 << 16;
	need(cubby_region_open(REGION, CUBBY_CREATE | CUBBY_WRITE, &options,
			       &region) == 0);
	mutex = cubby_region_data(region);
	cubby_mutex_lock(region, mutex, CUBBY_NOW);
	cubby_semaphore_post(region, (cubby_semaphore *)(mutex + 2));
	/* Attached, with the mutex locked: it is not closed. */
	walk("", false, read_entry);
	cubby_region_close(region);
}

static void
make(enum kind kind, bool used)
{
	struct cubby_options options = kind_options(kind);
	const char *name = kinds[kind].name;
	cubby_mailbox *named, *other, *receiver;
	cubby_message *held[3] = { NULL };

	image_remove();
	making = &images[kind][used];
	need(cubby_open(name, CUBBY_CREATE | used * CUBBY_RECEIVE, &options,
			&receiver) == 0);
	if (used) {
		need(cubby_open(name, CUBBY_SEND, NULL, &other) == 0);
		options = (struct cubby_options)CUBBY_OPTIONS_INIT;
		options.sender = "n";
		need(cubby_open(name, CUBBY_SEND, &options, &named) == 0);
		use_it(kind, named, other, receiver, held);
	}
	if (kind == KIND_REGION)
		use_region();
	else
		walk("", false, read_entry);
	if (used) {
		cubby_close(named);
		cubby_close(other);
	}
	cubby_close(receiver);
	making->made = true;
}

/* Putting them back -------------------------------------------------------- */

static void
restore_file(const struct entry *entry, const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	need(fd >= 0 && ftruncate(fd, entry->length) == 0);
	for (size_t i = 0; i < entry->count; i++)
		need(pwrite(fd, entry->pages + i * PAGE, PAGE,
			    entry->offsets[i]) == PAGE);
	/* What was not a whole page has become one. */
	need(ftruncate(fd, entry->length) == 0);
	close(fd);
}

void
image_restore(enum kind kind, bool used)
{
	const struct image *image = &images[kind][used];
	char path[PATH_MAX];

	if (!image->made)
		make(kind, used);
	present = image;
	present_kind = kind;
	image_remove();
	for (size_t i = 0; i < image->count; i++) {
		const struct entry *entry = &image->entries[i];

		path_of(path, entry->path);
		if (S_ISDIR(entry->mode))
			need(mkdir(path, 0700) == 0 &&
			     chmod(path, entry->mode & 07777) == 0);
		else if (S_ISFIFO(entry->mode))
			need(mkfifo(path, entry->mode & 0777) == 0);
		else
			restore_file(entry, path);
	}
}

uint64_t
part_place(enum part part, struct script *script)
{
	size_t count = present->parts[part].count;
	uint64_t number = script_16(script);

	if (!(number & 0x8000) && count)
		return present->parts[part].places[number % count];
	/* The first pages, or further on: */
	number &= 0x7fff;
	if (number < 0x4000)
		return number * 4;
	return (number & 0x3fff) * 1024 + script_byte(script) % 128 * 8;
}

/* Once --------------------------------------------------------------------- */

static void
tell_counts(void)
{
	struct timespec ran;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ran);
	fprintf(stderr, "%.0f executions in a second of processor time\n",
		(double)executions /
			((double)ran.tv_sec + (double)ran.tv_nsec / 1e9));
	fprintf(stderr,
		"%llu executions, %llu calls, %llu patches, %llu flips\n",
		(unsigned long long)executions, (unsigned long long)calls_made,
		(unsigned long long)patches_made,
		(unsigned long long)flips_made);
}

/*
 * So that files which lie do not make the library take all memory that there
 * is, and so that nothing stays when this process dies: a small file system,
 * which it alone sees. Without the right to that, files that stay small.
 */
static void
confine(void)
{
	const struct rlimit limit = { FILE_MAX, FILE_MAX };

	if (unshare(CLONE_NEWNS) == 0 &&
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount("cubby-fuzz", root, "tmpfs", MS_NOSUID | MS_NODEV,
		  "size=64m,mode=0700") == 0)
		return;
	signal(SIGXFSZ, SIG_IGN);
	need(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *where = getenv("CUBBY_FUZZ_ROOT");

	(void)argc;
	(void)argv;
	snprintf(root, sizeof(root), "%s/cubby-fuzz.XXXXXX",
		 where ? where : "/dev/shm");
	need(mkdtemp(root));
	need(setenv("CUBBY_ROOT", root, 1) == 0);
	confine();
	flips_prepare();
	snprintf(home, sizeof(home), "cubby-%u", (unsigned int)geteuid());
	signal(SIGPIPE, SIG_IGN);
	atexit(remove_root);
	atexit(tell_counts);
	return 0;
}
