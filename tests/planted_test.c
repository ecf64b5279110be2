/* SPDX-License-Identifier: MIT */
/* Test: timeout 120. */
/*
 * Other things in the place of files: links, FIFOs, devices, sockets,
 * directories, put there by the user who owns the mailbox or may put things
 * beside it. Whoever meets them is told, is not made to wait, and touches
 * nothing that they lead to. Needs root, to be several users.
 */
#include "support/support.h"
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>

/* Of renameat2(2). */
#define EXCHANGE 2

#define BOTH (CUBBY_SEND | CUBBY_RECEIVE)
#define OWNER 61001	/* of the mailbox: hostile */
#define VICTIM 61002
#define LARGE 5000

#define as_user(child, uid) \
	in_child(child) \
		if (become_user(uid))

static bool
become_user(uid_t uid)
{
	become(uid, uid, 0);
	return true;
}

/* The victim's secret --------------------------------------------------- */

static char secret[PATH_MAX];
static const char contents[] = "nobody else's";

static void
make_secret(void)
{
	int fd;

	snprintf(secret, sizeof(secret), "%s/secret", test_root());
	fd = open(secret, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	expect_system(fd);
	expect_int(write(fd, contents, sizeof(contents)), sizeof(contents));
	expect_system(fchown(fd, VICTIM, VICTIM));
	close(fd);
}

/* It is what it was, by all that can be seen of it. */
static void
expect_secret(const char *what)
{
	char bytes[sizeof(contents) + 1];
	struct stat st;
	int fd = open(secret, O_RDONLY | O_CLOEXEC);

	expect_system(fd);
	expect_system(fstat(fd, &st));
	if (st.st_size != sizeof(contents) || st.st_uid != VICTIM ||
	    (st.st_mode & 07777) != 0600 || st.st_blocks * 512 > 4096 ||
	    read(fd, bytes, sizeof(bytes)) != sizeof(contents) ||
	    memcmp(bytes, contents, sizeof(contents)) != 0)
		fail_at(__FILE__, __LINE__, "%s: the secret was touched",
			what);
	close(fd);
}

/* Planting -------------------------------------------------------------- */

enum thing {
	SYMLINK, DANGLING, HARD_LINK, FIFO, NULL_DEVICE, ZERO_DEVICE, SOCKET,
	DIRECTORY, EMPTY, MISSING, THINGS
};

static const char *const thing_names[THINGS] = {
	"a symbolic link", "a link to nothing", "a hard link", "a FIFO",
	"the null device", "the zero device", "a socket", "a directory",
	"an empty file", "nothing",
};

static int
bind_socket(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char directory[PATH_MAX], *name;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), cwd, r;

	/* The path may be too long for an address. */
	snprintf(directory, sizeof(directory), "%s", path);
	name = strrchr(directory, '/');
	*name++ = '\0';
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", name);
	cwd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	expect_system(chdir(directory));
	r = bind(fd, (struct sockaddr *)&address, sizeof(address));
	expect_system(fchdir(cwd));
	close(cwd);
	close(fd);
	return r;
}

static int
plant_at(const char *path, enum thing thing)
{
	switch (thing) {
	case SYMLINK:
		return symlink(secret, path);
	case DANGLING:
		return symlink("/dev/shm/cubby-nobody-has-this", path);
	case HARD_LINK:
		return link(secret, path);
	case FIFO:
		return mknod(path, S_IFIFO | 0666, 0);
	case NULL_DEVICE:
		return mknod(path, S_IFCHR | 0666, makedev(1, 3));
	case ZERO_DEVICE:
		return mknod(path, S_IFCHR | 0666, makedev(1, 5));
	case SOCKET:
		return bind_socket(path);
	case DIRECTORY:
		return mkdir(path, 0755);
	case EMPTY:
		return mknod(path, S_IFREG | 0666, 0);
	case MISSING:
	case THINGS:
		return 0;
	}
	return -1;
}

/* All that is possible is done to let others in: root stands in for its owner,
   who may not make a device. */
static void
plant(const char *path, enum thing thing, uid_t uid)
{
	expect_system(plant_at(path, thing));
	if (thing != MISSING && thing != HARD_LINK)
		expect_system(lchown(path, uid, uid));
	if (thing != MISSING && thing != HARD_LINK && thing != SYMLINK &&
	    thing != DANGLING)
		expect_system(chmod(path, thing == DIRECTORY ? 0755 : 0666));
}

static int
remove_entry(const char *path, const struct stat *st, int type,
	     struct FTW *where)
{
	(void)st, (void)type, (void)where;
	return remove(path);
}

static void
clear(const char *path)
{
	struct stat st;

	if (lstat(path, &st) == 0)
		expect_system(nftw(path, remove_entry, 8,
				   FTW_PHYS | FTW_DEPTH));
}

/* The mailbox ----------------------------------------------------------- */

static const char mailbox_name[] = "/m";

static void
create(enum cubby_order order)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	struct child child;

	options.order = order;
	options.mode = 0666;
	as_user(&child, OWNER) {
		cubby_mailbox *mailbox = open_mailbox(
			mailbox_name, CUBBY_CREATE | CUBBY_EXCLUSIVE |
			CUBBY_SEND, &options);

		send_text(mailbox, "before");
		cubby_close(mailbox);
	}
	child_finish(&child);
}

/* What its end leaves, because somebody may still be in it. */
static void
clear_gone(void)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *root = opendir(test_root());

	while ((entry = readdir(root)) != NULL)
		if (!strncmp(entry->d_name, ".cubby.gone.", 12)) {
			snprintf(path, sizeof(path), "%s/%s", test_root(),
				 entry->d_name);
			clear(path);
		}
	closedir(root);
}

/* disowned: without a file that its owner can read it is no mailbox. unknown:
   where who lives cannot be asked, it is not buried. */
static void
remove_it(const char *what, bool disowned, bool unknown)
{
	char path[PATH_MAX];
	struct child child;

	as_user(&child, OWNER) {
		int result = cubby_unlink(mailbox_name);

		if (disowned)
			expect(result == -EACCES || result == -ENOTDIR);
		else if (result != 0)
			fail_at(__FILE__, __LINE__, "%s: unlink: %s", what,
				cubby_strerror(result));
		expect_ok(cubby_sweep(NULL, NULL));
	}
	child_finish(&child);
	snprintf(path, sizeof(path), "%s/cubby.m", test_root());
	if (disowned)
		clear(path);
	if (unknown)
		clear_gone();
	/* The secret alone. */
	if (count_files() != 1)
		fail_at(__FILE__, __LINE__, "%s: something is left", what);
}

/* What a stranger may be told who comes to a mailbox that its owner spoils. */
static void
expect_told(const char *what, const char *call, int result)
{
	static const int errors[] = { 0, EBADMSG, EAGAIN, ENOENT, ENOTDIR,
				      ETIMEDOUT, EACCES, EPROTO, EINPROGRESS };

	for (size_t i = 0; i < COUNT_OF(errors); i++)
		if (result >= 0 || result == -errors[i])
			return;
	fail_at(__FILE__, __LINE__, "%s: %s: %s", what, call,
		cubby_strerror(result));
}

static int
visit_sender(const struct cubby_sender_info *sender, void *context)
{
	(void)sender, (void)context;
	return 0;
}

static int64_t
moment(void)
{
	return cubby_deadline_after(5 * 1000 * 1000);
}

static void
use_as_sender(const char *what, cubby_mailbox *mailbox)
{
	static char bytes[LARGE];
	size_t size;

	expect_told(what, "a send",
		    cubby_send_full(mailbox, "x", 1, NULL, 0, CUBBY_NOW));
	expect_told(what, "a large send",
		    cubby_send_full(mailbox, bytes, sizeof(bytes), NULL, 0,
				    CUBBY_NOW));
	expect_told(what, "a call",
		    cubby_call(mailbox, "x", 1, bytes, sizeof(bytes), &size,
			       moment()));
	expect_told(what, "a descriptor", cubby_fd(mailbox, CUBBY_SEND));
}

static void
use_as_receiver(const char *what, cubby_mailbox *mailbox)
{
	static char bytes[LARGE];
	cubby_message *message;
	int result;

	expect_told(what, "a descriptor", cubby_fd(mailbox, CUBBY_RECEIVE));
	result = cubby_hold(mailbox, NULL, moment(), &message);
	expect_told(what, "a hold", result);
	if (result == 0)
		expect_told(what, "a release", cubby_release(message));
	for (int i = 0; i < 4; i++)
		expect_told(what, "a receive",
			    cubby_receive_full(mailbox, NULL, 0, CUBBY_NOW,
					       bytes, sizeof(bytes), NULL,
					       NULL));
	expect_told(what, "a receive that waits",
		    cubby_receive_full(mailbox, NULL, 0, moment(), bytes,
				       sizeof(bytes), NULL, NULL));
}

/* Everything that a stranger can do with it. Returns what its opening for
   sending and for receiving returned. */
static void
use(const char *what, int ret_opened[2])
{
	struct cubby_info info = CUBBY_INFO_INIT;
	cubby_mailbox *mailbox;

	alarm(30);	/* nothing may block */
	for (int role = CUBBY_SEND; role <= CUBBY_RECEIVE; role++) {
		int result = cubby_open(mailbox_name, role, NULL, &mailbox);

		ret_opened[role - 1] = result;
		expect_told(what, "an open", result);
		if (result != 0)
			continue;
		if (role == CUBBY_SEND)
			use_as_sender(what, mailbox);
		else
			use_as_receiver(what, mailbox);
		cubby_close(mailbox);
	}
	expect_told(what, "inspect", cubby_inspect(mailbox_name, &info));
	expect_told(what, "inspect_senders",
		    cubby_inspect_senders(mailbox_name, visit_sender, NULL));
	expect_told(what, "sweep", cubby_sweep(mailbox_name, NULL));
	expect_told(what, "unlink", cubby_unlink(mailbox_name));
	alarm(0);
}

static int
count_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int count = 0;

	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

/* needed: bits of the roles that cannot do without what was there. */
static void
meet(const char *file, enum thing thing, int needed)
{
	/* What would do: nothing in it is trusted; or it is one. */
	bool would_do = thing == (strcmp(file, "lanes") ? EMPTY : DIRECTORY);
	char what[80];
	struct child child;

	snprintf(what, sizeof(what), "%s in the place of %s",
		 thing_names[thing], file);
	as_user(&child, VICTIM) {
		int opened[2], descriptors = count_descriptors();

		use(what, opened);
		for (int i = 0; i < 2; i++)
			if (needed & 1 << i && !would_do &&
			    opened[i] != -EBADMSG && opened[i] != -ENOENT &&
			    opened[i] != -ENOTDIR)
				fail_at(__FILE__, __LINE__, "%s: open: %d",
					what, opened[i]);
		expect_int(count_descriptors(), descriptors);
	}
	child_finish(&child);
	expect_secret(what);
}

static void
spoil_each(enum cubby_order order, const char *file, int needed)
{
	char path[PATH_MAX], suffix[64];

	for (enum thing thing = 0; thing < THINGS; thing++) {
		create(order);
		snprintf(suffix, sizeof(suffix), "cubby.m/%s", file);
		find_file(suffix, path);
		clear(path);
		plant(path, thing, OWNER);
		meet(file, thing, needed);
		remove_it(thing_names[thing], !strcmp(file, "receivers") &&
			  (thing == HARD_LINK || thing == MISSING),
			  !strcmp(file, "attendance") ||
			  !strcmp(file, "lanes"));
	}
}

static void
what_is_planted_by_the_owner_is_told(void)
{
	share_root();
	make_secret();
	spoil_each(CUBBY_ORDER_SENDER, "receivers", BOTH);
	spoil_each(CUBBY_ORDER_SENDER, "doorbell", BOTH);
	spoil_each(CUBBY_ORDER_SENDER, "attendance", CUBBY_RECEIVE);
	spoil_each(CUBBY_ORDER_SENDER, "lanes", BOTH);
	spoil_each(CUBBY_ORDER_SENDER, "lanes/lane.0", 0);
	spoil_each(CUBBY_ORDER_SENDER, "bells", 0);
	expect_system(unlink(secret));
}

static void
what_is_planted_in_a_queue_is_told(void)
{
	share_root();
	make_secret();
	spoil_each(CUBBY_ORDER_ARRIVAL, "receivers", BOTH);
	spoil_each(CUBBY_ORDER_ARRIVAL, "queue", BOTH);
	spoil_each(CUBBY_ORDER_ARRIVAL, "blocks", BOTH);
	spoil_each(CUBBY_ORDER_ARRIVAL, "attendance", BOTH);
	spoil_each(CUBBY_ORDER_ARRIVAL, "lanes", BOTH);
	spoil_each(CUBBY_ORDER_ARRIVAL, "bells", 0);
	expect_system(unlink(secret));
}

/* Regions --------------------------------------------------------------- */

static void
use_region(const char *what)
{
	struct cubby_region_info info = CUBBY_REGION_INFO_INIT;
	cubby_region *region;

	alarm(30);
	for (int flags = 0; flags <= CUBBY_WRITE; flags += CUBBY_WRITE) {
		int result = cubby_region_open("/r", flags, NULL, &region);

		expect_told(what, "attaching", result);
		if (result != 0)
			continue;
		if (flags)
			expect_told(what, "growing",
				    cubby_region_grow(region, 10000));
		cubby_region_close(region);
	}
	expect_told(what, "inspect", cubby_region_inspect("/r", &info));
	expect_told(what, "unlink", cubby_region_unlink("/r"));
	alarm(0);
}

static void
spoil_region(const char *file, enum thing thing)
{
	struct cubby_region_options options = CUBBY_REGION_OPTIONS_INIT;
	char path[PATH_MAX], suffix[64];
	struct child child;

	options.mode = 0666;
	as_user(&child, OWNER) {
		cubby_region *region;

		expect_ok(cubby_region_open("/r", CUBBY_CREATE | CUBBY_WRITE,
					    &options, &region));
		cubby_region_close(region);
	}
	child_finish(&child);
	snprintf(suffix, sizeof(suffix), "cubby-region.r/%s", file);
	find_file(suffix, path);
	clear(path);
	plant(path, thing, OWNER);
	as_user(&child, VICTIM)
		use_region(thing_names[thing]);
	child_finish(&child);
	expect_secret(thing_names[thing]);
	as_user(&child, OWNER) {
		expect_ok(cubby_region_unlink("/r"));
		expect_ok(cubby_sweep(NULL, NULL));
	}
	child_finish(&child);
	expect_int(count_files(), 1);
}

static void
what_is_planted_in_a_region_is_told(void)
{
	share_root();
	make_secret();
	for (enum thing thing = 0; thing < THINGS; thing++) {
		spoil_region("memory", thing);
		spoil_region("attendance", thing);
	}
	expect_system(unlink(secret));
}

/* Squatters ------------------------------------------------------------- */

/* Of another user, in the place of a mailbox: the name is taken. */
static void
a_squatted_mailbox_is_told(void)
{
	char path[PATH_MAX];
	struct child child;

	share_root();
	make_secret();
	snprintf(path, sizeof(path), "%s/cubby.m", test_root());
	for (enum thing thing = 0; thing < MISSING; thing++) {
		plant(path, thing, OWNER);
		as_user(&child, VICTIM) {
			cubby_mailbox *mailbox;
			int opened[2];
			int result = cubby_open(mailbox_name, CUBBY_CREATE |
						CUBBY_SEND, NULL, &mailbox);

			if (result != -ENOTDIR &&
			    (thing != DIRECTORY || result != -EACCES))
				fail_at(__FILE__, __LINE__, "%s: %d",
					thing_names[thing], result);
			use(thing_names[thing], opened);
			/* Another name is as good. */
			mailbox = open_mailbox("/other", CUBBY_CREATE | BOTH,
					       NULL);
			send_text(mailbox, "goes on");
			expect_text(mailbox, "goes on");
			cubby_close(mailbox);
			expect_ok(cubby_unlink("/other"));
		}
		child_finish(&child);
		expect_secret(thing_names[thing]);
		clear(path);
	}
	expect_int(count_files(), 1);
	expect_system(unlink(secret));
}

static int
visit_name(const char *name, void *context)
{
	(void)name, (void)context;
	return 0;
}

/* Of another user, or whatever it is: nothing of the victim's goes there. */
static void
a_squatted_users_directory_is_refused(void)
{
	char path[PATH_MAX];
	struct child child;

	share_root();
	make_secret();
	snprintf(path, sizeof(path), "%s/cubby-%d", test_root(), VICTIM);
	for (enum thing thing = 0; thing < MISSING; thing++) {
		plant(path, thing, OWNER);
		as_user(&child, VICTIM) {
			cubby_mailbox *mailbox;
			cubby_region *region;

			alarm(30);
			expect_result(cubby_open("m", CUBBY_CREATE | BOTH,
						 NULL, &mailbox), -EPERM);
			expect_result(cubby_open("m", BOTH, NULL, &mailbox),
				      -EPERM);
			expect_result(cubby_region_open("r", CUBBY_CREATE |
							CUBBY_WRITE, NULL,
							&region), -EPERM);
			expect_result(cubby_unlink("m"), -EPERM);
			expect_result(cubby_list(visit_name, NULL), -EPERM);
		}
		child_finish(&child);
		expect_secret(thing_names[thing]);
		clear(path);
	}
	expect_int(count_files(), 1);
	expect_system(unlink(secret));
}

/* The name under which it would be removed. */
static void
a_squatted_end_is_in_nobodys_way(void)
{
	static const char digits[] = "0123456789abcdef";
	char path[PATH_MAX];
	struct cubby_info info;
	struct child child;
	size_t n;

	share_root();
	make_secret();
	for (enum thing thing = 0; thing < MISSING; thing++) {
		create(CUBBY_ORDER_SENDER);
		info = inspect(mailbox_name);
		n = (size_t)snprintf(path, sizeof(path), "%s/.cubby.gone.",
				     test_root());
		for (int i = 0; i < 16; i++) {
			path[n++] = digits[info.uuid[i] >> 4];
			path[n++] = digits[info.uuid[i] & 15];
		}
		path[n] = '\0';
		plant(path, thing, VICTIM);	/* hostile this time */
		as_user(&child, OWNER) {
			expect_ok(cubby_unlink(mailbox_name));
			expect_ok(cubby_sweep(NULL, NULL));
		}
		child_finish(&child);
		expect_secret(thing_names[thing]);
		/* It is still there, and nothing else is. */
		expect_int(count_files(), 2);
		clear(path);
	}
	expect_system(unlink(secret));
}

/* Whoever may send may put things among the lanes. */
static void
what_senders_plant_among_the_lanes_harms_nobody(void)
{
	char path[PATH_MAX], *end;
	struct child child;
	uint32_t lane = 1;

	share_root();
	make_secret();
	create(CUBBY_ORDER_SENDER);
	find_file("/lane.0", path);
	end = strrchr(path, '/') + 1;
	for (enum thing thing = 0; thing < MISSING; thing++) {
		sprintf(end, "lane.%u", lane++);
		plant(path, thing, VICTIM);
		sprintf(end, "reply.%016x", (unsigned)lane);
		plant(path, thing, VICTIM);
		sprintf(end, "bell.%016x", (unsigned)lane);
		plant(path, thing, VICTIM);
	}
	as_user(&child, OWNER) {
		cubby_mailbox *receiver, *sender, *second;
		size_t told = 0;
		char bytes[16];
		int result;

		alarm(30);
		receiver = open_mailbox(mailbox_name, CUBBY_RECEIVE, NULL);
		expect_text(receiver, "before");
		sender = open_mailbox(mailbox_name, CUBBY_SEND, NULL);
		second = open_mailbox(mailbox_name, CUBBY_SEND, NULL);
		send_text(second, "sound");
		do {
			result = cubby_receive_full(receiver, NULL, 0, soon(),
						    bytes, sizeof(bytes), NULL,
						    NULL);
			expect(result == 0 || result == -EBADMSG);
			expect(told++ < 2 * THINGS);
		} while (result != 0);
		expect(!memcmp(bytes, "sound", 5));
		send_text(sender, "too");
		expect_text(receiver, "too");
		inspect(mailbox_name);
		expect_ok(cubby_sweep(mailbox_name, NULL));
		cubby_close(sender);
		cubby_close(second);
		cubby_close(receiver);
	}
	child_finish(&child);
	expect_secret("among the lanes");
	remove_it("what was among the lanes", false, false);
	expect_system(unlink(secret));
}

/* Swapped while it is opened --------------------------------------------- */

enum swap { FOR_ANOTHER, FOR_A_LINK, FOR_LINKS, SWAPS };

static void
name_of(const char *entry, char ret[PATH_MAX])
{
	snprintf(ret, PATH_MAX, "%s/%s", test_root(), entry);
}

/* A directory that looks like a mailbox, of links. */
static void
make_links(const char *directory)
{
	static const char *const names[] = { "receivers", "doorbell",
					     "attendance", "lanes", "bells" };
	char path[2 * PATH_MAX];

	expect_system(mkdir(directory, 0755));
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
		expect_system(symlink(secret, path));
	}
	expect_system(chown(directory, OWNER, OWNER));
}

/* With the rights of its owner. */
static void
swap(enum swap how)
{
	char mailbox[PATH_MAX], other[PATH_MAX], away[PATH_MAX];

	name_of("cubby.m", mailbox);
	name_of("cubby.n", other);
	name_of("cubby.away", away);
	if (how == FOR_LINKS)
		name_of("cubby.links", other);
	expect_system(seteuid(OWNER));
	if (how == FOR_A_LINK) {
		expect_system(rename(mailbox, away));
		expect_system(symlink(secret, mailbox));
	} else {
		expect_system(syscall(SYS_renameat2, AT_FDCWD, mailbox,
				      AT_FDCWD, other, EXCHANGE));
	}
	expect_system(seteuid(0));
}

static void
swap_back(enum swap how)
{
	char mailbox[PATH_MAX], away[PATH_MAX];

	if (how != FOR_A_LINK) {
		swap(how);
		return;
	}
	name_of("cubby.m", mailbox);
	name_of("cubby.away", away);
	expect_system(unlink(mailbox));
	expect_system(rename(away, mailbox));
}

static void
open_traced(int roles, int *ret_result)
{
	cubby_mailbox *mailbox;

	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	*ret_result = cubby_open(mailbox_name, roles, NULL, &mailbox);
	if (*ret_result == 0 && roles & CUBBY_SEND)
		expect_ok(cubby_send_full(mailbox, "swapped", 7, NULL, 0,
					  CUBBY_NOW));
	if (*ret_result == 0)
		cubby_close(mailbox);
}

/* Swaps when the opener stops for the nth time at a system call. False: it does
   not come so far. */
static bool
swap_at(struct child *child, int n, enum swap how)
{
	int status, i;

	expect_system(waitpid(child->pid, &status, 0));
	expect(WIFSTOPPED(status));
	expect_system(ptrace(PTRACE_SETOPTIONS, child->pid, NULL,
			     PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD));
	for (i = 0; i < n; i++) {
		expect_system(ptrace(PTRACE_SYSCALL, child->pid, NULL, NULL));
		expect_system(waitpid(child->pid, &status, 0));
		if (!WIFSTOPPED(status))
			break;
		expect_int(WSTOPSIG(status), SIGTRAP | 0x80);
	}
	if (i == n) {
		swap(how);
		expect_system(ptrace(PTRACE_DETACH, child->pid, NULL, NULL));
		child_finish(child);
		return true;
	}
	expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	close(child->pidfd);
	return false;
}

/* The one message is in one of the two mailboxes, if it was sent. */
static void
collect(int sent, int n)
{
	uint64_t waiting = inspect("/m").waiting + inspect("/n").waiting;
	char bytes[16];

	if (waiting != (uint64_t)(sent ? 1 : 0))
		fail_at(__FILE__, __LINE__, "at call %d: %d sent, %d there",
			n, sent, (int)waiting);
	for (int i = 0; i < 2; i++) {
		cubby_mailbox *mailbox = open_mailbox(i ? "/n" : "/m",
						      CUBBY_RECEIVE, NULL);

		while (cubby_receive_full(mailbox, NULL, 0, CUBBY_NOW, bytes,
					  sizeof(bytes), NULL, NULL) == 0)
			expect(!memcmp(bytes, "swapped", 7));
		cubby_close(mailbox);
	}
}

static void
open_while_it_is_swapped(int roles, enum swap how)
{
	int *result = shared_memory(sizeof(*result));
	struct child child;
	bool swapped = true;

	/* Three kinds of swap, each at every third moment. */
	for (int n = 1 + ((int)how + roles) % SWAPS; swapped; n += SWAPS) {
		*result = 1;
		as_user(&child, VICTIM)
			open_traced(roles, result);
		swapped = swap_at(&child, n, how);
		if (*result == 1)
			fail_at(__FILE__, __LINE__, "at call %d: no result", n);
		expect_told("swapped", "an open", *result);
		if (swapped)
			swap_back(how);
		expect_secret("a directory swapped");
		collect(*result == 0 && roles & CUBBY_SEND, n);
	}
	expect_ok(*result);
	munmap(result, sizeof(*result));
}

static void
a_directory_swapped_while_it_is_opened_harms_nobody(void)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	struct child child;
	char path[PATH_MAX];

	share_root();
	make_secret();
	options.mode = 0666;
	as_user(&child, OWNER) {
		cubby_close(open_mailbox("/m", CUBBY_CREATE, &options));
		cubby_close(open_mailbox("/n", CUBBY_CREATE, &options));
	}
	child_finish(&child);
	name_of("cubby.links", path);
	make_links(path);
	for (enum swap how = 0; how < SWAPS; how++) {
		open_while_it_is_swapped(CUBBY_SEND, how);
		open_while_it_is_swapped(CUBBY_RECEIVE, how);
		open_while_it_is_swapped(BOTH | CUBBY_CREATE, how);
	}
	clear(path);
	as_user(&child, OWNER) {
		expect_ok(cubby_unlink("/m"));
		expect_ok(cubby_unlink("/n"));
		expect_ok(cubby_sweep(NULL, NULL));
	}
	child_finish(&child);
	expect_int(count_files(), 1);
	expect_system(unlink(secret));
}

/* Default ACLs ----------------------------------------------------------- */

static int
try_by_hand(const char *path, const struct stat *st, int type,
	    struct FTW *where)
{
	(void)st;
	if (where->level < 2 || type != FTW_F)
		return 0;
	for (int flags = O_RDONLY; flags <= O_RDWR; flags++)
		if (open(path, flags | O_NONBLOCK | O_CLOEXEC) >= 0)
			fail_at(__FILE__, __LINE__, "user %d opens %s",
				geteuid(), path);
	return 0;
}

/* Of the root: it is inherited by whatever is made there, and lets in all. (The
   group has rights: what the group bits do not have, no entry of a list gives.) */
static void
no_file_inherits_rights(void)
{
	struct gate made = gate_make(), tried = gate_make();
	char command[PATH_MAX + 64];
	struct child owner, child;

	share_root();
	snprintf(command, sizeof(command), "setfacl -d -m u:%d:rwx,o::rwx '%s'",
		 VICTIM, test_root());
	if (system(command) != 0)
		skip_test("needs setfacl and a file system with ACLs");
	as_user(&owner, OWNER) {
		struct cubby_region_options region_options =
			CUBBY_REGION_OPTIONS_INIT;
		struct cubby_options options = CUBBY_OPTIONS_INIT;
		cubby_mailbox *own, *all, *inbox, *queue;
		cubby_request *request;
		cubby_region *region;

		region_options.mode = options.mode = 0660;
		own = open_mailbox("own", CUBBY_CREATE | BOTH, &options);
		all = open_mailbox("/m", CUBBY_CREATE | BOTH, &options);
		inbox = open_mailbox("/@m", CUBBY_CREATE | BOTH, &options);
		options.order = CUBBY_ORDER_ARRIVAL;
		queue = open_mailbox("/q", CUBBY_CREATE | BOTH, &options);
		expect(cubby_fd(all, CUBBY_RECEIVE) >= 0);
		expect(cubby_fd(all, CUBBY_SEND) >= 0);
		expect(cubby_fd(queue, CUBBY_RECEIVE) >= 0);
		expect_ok(cubby_call_begin(all, "x", 1, NULL, CUBBY_NOW,
					   &request));
		expect_ok(cubby_region_open("/r", CUBBY_CREATE | CUBBY_WRITE,
					    &region_options, &region));
		gate_open(&made);
		gate_wait(&tried);
		cubby_region_close(region);
		cubby_close(own);
		cubby_close(all);
		cubby_close(inbox);
		cubby_close(queue);
		expect_ok(cubby_unlink("own"));
		expect_ok(cubby_unlink("/m"));
		expect_ok(cubby_unlink("/@m"));
		expect_ok(cubby_unlink("/q"));
		expect_ok(cubby_region_unlink("/r"));
		expect_ok(cubby_sweep(NULL, NULL));
	}
	gate_wait(&made);
	expect(count_files() > 20);
	/* The paths are root's to find, and another's to try. */
	as_user(&child, VICTIM)
		nftw(test_root(), try_by_hand, 8, FTW_PHYS);
	child_finish(&child);
	gate_open(&tried);
	child_finish(&owner);
}

/* A file of somebody else's, moved there by the mailbox's owner: it has one name,
   and is as long as it has to be. */
static void
somebody_elses_file_as_doorbell_is_told(void)
{
	cubby_mailbox *m;
	char path[PATH_MAX];

	need_root();
	cubby_close(open_mailbox("/d", CUBBY_CREATE, NULL));
	snprintf(path, sizeof(path), "%s/cubby.d/doorbell", getenv("CUBBY_ROOT"));
	expect_system(chown(path, 65534, (gid_t)-1));
	expect_result(cubby_open("/d", CUBBY_SEND, NULL, &m), -EBADMSG);
	expect_result(cubby_open("/d", CUBBY_RECEIVE, NULL, &m), -EBADMSG);
	expect_ok(cubby_unlink("/d"));
}

static const struct test tests[] = {
	TEST(what_is_planted_by_the_owner_is_told),
	TEST(what_is_planted_in_a_queue_is_told),
	TEST(what_is_planted_in_a_region_is_told),
	TEST(a_squatted_mailbox_is_told),
	TEST(a_squatted_users_directory_is_refused),
	TEST(a_squatted_end_is_in_nobodys_way),
	TEST(what_senders_plant_among_the_lanes_harms_nobody),
	TEST(somebody_elses_file_as_doorbell_is_told),
	TEST(a_directory_swapped_while_it_is_opened_harms_nobody),
	TEST(no_file_inherits_rights),
};

int
main(void)
{
	return RUN_TESTS("planted", tests);
}
