/* SPDX-License-Identifier: MIT */
/* Regions: made, attached, grown, granted, unlinked; and in messages. */
#include "faults.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { BYTES = 3 * 4096, GROWN = 2500 * 1024, LARGEST = 4 << 20,
       ATTACHED = 300 };	/* more than the slots of a page */

static struct cubby_region_options
sizes(void)
{
	struct cubby_region_options options = CUBBY_REGION_OPTIONS_INIT;

	options.size = BYTES;
	options.size_max = LARGEST;
	return options;
}

/* What it holds, by which it is known again. */
static void
paint(cubby_region *region)
{
	unsigned char *data = cubby_region_data(region);
	uint64_t i, size = cubby_region_size(region);

	need(size >= BYTES);
	for (i = 0; i < size; i++)
		data[i] = (unsigned char)(i * 13 + 1);
}

static void
expect_painted(const cubby_region *region)
{
	const unsigned char *data = cubby_region_data(region);
	uint64_t i;

	need(data && cubby_region_size(region) >= BYTES);
	for (i = 0; i < BYTES; i++)
		need(data[i] == (unsigned char)(i * 13 + 1));
}

static void
make(const char *name, cubby_region **ret)
{
	struct cubby_region_options options = sizes();

	need_ok(cubby_region_open(name, CUBBY_CREATE | CUBBY_WRITE, &options,
				  ret));
	paint(*ret);
}

/* Making one ------------------------------------------------------------- */

static int
create(struct stage *s, const char *name, const char *group, mode_t mode)
{
	struct cubby_region_options options = sizes();
	int exclusive = name ? CUBBY_EXCLUSIVE : 0;

	options.mode = mode;
	options.group = group;
	return cubby_region_open(name, CUBBY_CREATE | exclusive | CUBBY_WRITE,
				 &options, &s->outs.region);
}

/* libc reads once how groups are looked for, and where there is no memory for that
   some of its versions abort. */
static void
group_set(struct stage *s)
{
	cubby_region *region;

	need_ok(create(s, "/r", "1", 0640));
	region = s->outs.region;
	cubby_region_close(region);
	need_ok(cubby_region_unlink("/r"));
}

static int
create_act(struct stage *s)
{
	return create(s, "r", NULL, 0);
}

static int
create_shared_act(struct stage *s)
{
	return create(s, "/r", "1", 0640);
}

static int
create_nameless_act(struct stage *s)
{
	return create(s, NULL, NULL, 0);
}

/* It is whole: all zeros, as large as asked for, and may grow. */
static void
create_check(struct stage *s)
{
	const unsigned char *data;
	unsigned i;

	s->region = s->outs.region;
	data = cubby_region_data(s->region);
	need(cubby_region_size(s->region) == BYTES);
	for (i = 0; i < BYTES; i++)
		need(data[i] == 0);
	paint(s->region);
	need_ok(cubby_region_grow(s->region, GROWN));
	need(data[GROWN - 1] == 0);
}

/* Attaching ---------------------------------------------------------------- */

static void
made_set(struct stage *s)
{
	make("r", &s->region);
}

static int
write_act(struct stage *s)
{
	return cubby_region_open("r", CUBBY_WRITE, NULL, &s->outs.region);
}

static int
read_act(struct stage *s)
{
	return cubby_region_open("r", 0, NULL, &s->outs.region);
}

static void
attach_check(struct stage *s)
{
	struct cubby_region_info info = CUBBY_REGION_INFO_INIT;

	s->region2 = s->outs.region;
	expect_painted(s->region2);
	need_ok(again(cubby_region_inspect("r", &info)));
	need(info.attached > 0 && info.attached != CUBBY_UNKNOWN);
	need(cubby_region_grow(s->region2, GROWN) ==
	     (info.attached > 1 ? 0 : -EACCES));
	if (info.attached > 1)
		need(cubby_region_size(s->region) >= GROWN);
}

/* Others have all the slots that there is memory for. */
static void
attaches_many(struct stage *s)
{
	cubby_region *regions[ATTACHED];
	unsigned i;

	for (i = 0; i < ATTACHED; i++)
		need_ok(cubby_region_open("r", CUBBY_WRITE, NULL, &regions[i]));
	atomic_fetch_add(&s->common->ready, 1);
	while (!atomic_load(&s->common->go))
		usleep(1000);
	for (i = 0; i < ATTACHED; i++)
		cubby_region_close(regions[i]);
}

static void
crowd_set(struct stage *s)
{
	make("r", &s->region);
	help(s, attaches_many);
}

/* Growing ------------------------------------------------------------------ */

static void
nameless_set(struct stage *s)
{
	make(NULL, &s->region);
}

static int
grow_act(struct stage *s)
{
	int r = cubby_region_grow(s->region, GROWN);

	need(cubby_region_size(s->region) == (r < 0 ? BYTES : GROWN));
	return r;
}

static void
grow_check(struct stage *s)
{
	unsigned char *data = cubby_region_data(s->region);
	unsigned i;

	expect_painted(s->region);
	for (i = BYTES; i < GROWN; i++)
		need(data[i] == 0);
	memset(data, 1, GROWN);
}

/* Detaching ---------------------------------------------------------------- */

static void
reader_set(struct stage *s)
{
	make("r", &s->region2);
	need_ok(cubby_region_open("r", 0, NULL, &s->region));
}

static int
close_act(struct stage *s)
{
	cubby_region *region = s->region;

	s->region = NULL;
	cubby_region_close(region);
	return 0;
}

/* Names -------------------------------------------------------------------- */

static int
unlink_act(struct stage *s)
{
	(void)s;
	return cubby_region_unlink("r");
}

static void
unlink_check(struct stage *s)
{
	struct cubby_region_info info = CUBBY_REGION_INFO_INIT;

	need(again(cubby_region_inspect("r", &info)) == -ENOENT);
	expect_painted(s->region);
	make("r", &s->region2);
}

static void
grantable_set(struct stage *s)
{
	make("/r", &s->region);
	need_ok(cubby_region_grant("/r", "group:4321", CUBBY_REGION_READ));
	/* libc reads once how users are looked for. */
	need_ok(cubby_region_grant("/r", "user:4321", CUBBY_REGION_NONE));
}

static int
grant_act(struct stage *s)
{
	(void)s;
	return cubby_region_grant("/r", "user:1234", CUBBY_REGION_WRITE);
}

static int
take_back_act(struct stage *s)
{
	(void)s;
	return cubby_region_grant("/r", "group:4321", CUBBY_REGION_NONE);
}

static void
grant_check(struct stage *s)
{
	struct cubby_region_info info = CUBBY_REGION_INFO_INIT;

	expect_painted(s->region);
	need_ok(again(cubby_region_inspect("/r", &info)));
	need(info.mode == 0600);
}

static void
listed_set(struct stage *s)
{
	char name[16] = "r0";
	cubby_region *region;

	/* More names than there is memory for at first. */
	for (name[1] = 'a'; name[1] <= 't'; name[1]++) {
		make(name, &region);
		cubby_region_close(region);
	}
	make("/r", &s->region);
}

static int
count_names(const char *name, void *context)
{
	struct stage *s = context;

	need(s->visited < 20 ? name[0] == 'r' && name[1] == (char)('a' + s->visited) :
			       !strcmp(name, "/r"));
	s->visited++;
	return 0;
}

static int
list_act(struct stage *s)
{
	int r;

	s->visited = 0;
	r = cubby_region_list(count_names, s);
	need(s->visited == (r < 0 ? 0 : 21));
	return r;
}

static int
inspect_act(struct stage *s)
{
	return cubby_region_inspect("r", &s->outs.region_info);
}

static void
inspect_check(struct stage *s)
{
	const struct cubby_region_info *info = &s->outs.region_info;

	need(info->size == BYTES && info->size_max == LARGEST);
	need(info->mode == 0600 && info->memory >= BYTES);
	need(info->attached == 1);
}

/* In messages -------------------------------------------------------------- */

/* The next message's region, from a handle that receives. */
static void
receive_region_of(struct stage *s, cubby_mailbox *receiver, cubby_region **ret)
{
	need_ok(again(cubby_receive_region(receiver, NULL, soon(), ret, NULL)));
	expect_painted(*ret);
	(void)s;
}

static void
send_set(struct stage *s)
{
	open_mine(s, CUBBY_SEND);
	open_other(s, CUBBY_RECEIVE);
	make(NULL, &s->region);
}

static int
send_act(struct stage *s)
{
	int r = cubby_send_region(s->mine, s->region, NULL, CUBBY_NOW);

	if (r == 0)
		s->region = NULL;
	else
		expect_painted(s->region);
	return r;
}

/* It arrives once, and is the receiver's to write and to grow. */
static void
send_check(struct stage *s)
{
	cubby_region *none;

	receive_region_of(s, s->others[0], &s->region2);
	need(again(cubby_receive_region(s->others[0], NULL, CUBBY_NOW, &none,
					NULL)) == -EAGAIN);
	need_ok(cubby_region_grow(s->region2, GROWN));
	cubby_region_close(s->region2);
	s->region2 = NULL;
	/* It has no more than its place in the capacity. */
	if (s->options.capacity) {
		fill(s, s->mine);
		need(s->accepted_count == s->options.capacity);
	}
}

/* One that has been received, from this mailbox and to it. */
static void
send_on_set(struct stage *s)
{
	send_set(s);
	need_ok(cubby_send_region(s->mine, s->region, NULL, soon()));
	receive_region_of(s, s->others[0], &s->region);
}

/* Nobody receives from it: each waits for the other. */
static void
meets(struct stage *s)
{
	cubby_mailbox *mailbox;
	cubby_region *region;

	need_ok(cubby_open(s->name, CUBBY_RECEIVE, &s->options, &mailbox));
	atomic_fetch_add(&s->common->ready, 1);
	need_ok(again(cubby_receive_region(mailbox, NULL, soon(), &region,
					   NULL)));
	expect_painted(region);
	cubby_region_close(region);
	cubby_close(mailbox);
}

static void
meeting_set(struct stage *s)
{
	open_mine(s, CUBBY_SEND);
	make(NULL, &s->region);
	help(s, meets);
}

static int
meeting_act(struct stage *s)
{
	int r = cubby_send_region(s->mine, s->region, NULL, soon());

	if (r == 0)
		s->region = NULL;
	else
		expect_painted(s->region);
	return r;
}

static void
receive_set(struct stage *s)
{
	open_other(s, CUBBY_SEND);
	open_mine(s, CUBBY_RECEIVE);
	make(NULL, &s->region);
	need_ok(cubby_send_region(s->others[0], s->region, NULL, soon()));
	s->region = NULL;
}

static int
receive_act(struct stage *s)
{
	int r = cubby_receive_region(s->mine, NULL, CUBBY_NOW, &s->outs.region,
				     &s->outs.envelope);

	/* One whose file cannot be read is passed over, and gone. */
	s->is_over = r == -EAGAIN && s->error == EIO;
	return s->is_over ? 0 : r;
}

static void
receive_check(struct stage *s)
{
	cubby_region *none;

	if (s->is_over)
		return;
	s->region = s->outs.region;
	expect_painted(s->region);
	need(s->outs.envelope.size == BYTES);
	need_ok(cubby_region_grow(s->region, GROWN));
	need(again(cubby_receive_region(s->mine, NULL, CUBBY_NOW, &none,
					NULL)) == -EAGAIN);
	cubby_region_close(s->region);
	s->region = NULL;
}

static void
receives_and_dies(struct stage *s)
{
	cubby_mailbox *mailbox;
	cubby_region *region;

	need_ok(cubby_open(s->name, CUBBY_RECEIVE, &s->options, &mailbox));
	receive_region_of(s, mailbox, &region);
}

static void
returned_set(struct stage *s)
{
	open_other(s, CUBBY_SEND);
	make(NULL, &s->region);
	need_ok(cubby_send_region(s->others[0], s->region, NULL, soon()));
	s->region = NULL;
	die_after(s, receives_and_dies);
	open_mine(s, CUBBY_RECEIVE);
}

/* What has been received ends, or goes back with the handle of its mailbox. */
static void
received_set(struct stage *s)
{
	receive_set(s);
	receive_region_of(s, s->mine, &s->region);
	/* An inbox lets one receive at a time. */
	if (s->kind != INBOX)
		open_other(s, CUBBY_RECEIVE);
}

static void
end_check(struct stage *s)
{
	cubby_region *none;

	need(again(cubby_receive_region(s->mine, NULL, CUBBY_NOW, &none,
					NULL)) == -EAGAIN);
}

static int
close_mailbox_act(struct stage *s)
{
	cubby_mailbox *mailbox = s->mine;

	s->mine = NULL;
	s->region = NULL;
	cubby_close(mailbox);
	return 0;
}

static void
close_mailbox_check(struct stage *s)
{
	if (s->kind == INBOX)
		open_other(s, CUBBY_RECEIVE);
	receive_region_of(s, s->others[1], &s->region);
	cubby_region_close(s->region);
	s->region = NULL;
}

#define CARRY (TO_ONE | QUEUES)

static const struct scenario list[] = {
	{ "region-create", "cubby_region_open", NO_MAILBOX, 0, NULL, create_act,
	  create_check },
	{ "region-create-first", "cubby_region_open", NO_MAILBOX, COLD, NULL,
	  create_act, create_check },
	{ "region-create-shared", "cubby_region_open", NO_MAILBOX, COLD,
	  group_set, create_shared_act, create_check },
	{ "region-create-nameless", "cubby_region_open", NO_MAILBOX, 0, NULL,
	  create_nameless_act, create_check },
	{ "region-attach", "cubby_region_open", NO_MAILBOX, 0, made_set,
	  write_act, attach_check },
	{ "region-attach-reading", "cubby_region_open", NO_MAILBOX, 0,
	  made_set, read_act, attach_check },
	{ "region-attach-crowd", "cubby_region_open", NO_MAILBOX,
	  MANY | PREPARES | NO_LIMITS, crowd_set, write_act, attach_check },
	{ "region-grow", "cubby_region_grow", NO_MAILBOX, GROWS, made_set,
	  grow_act, grow_check },
	{ "region-grow-nameless", "cubby_region_grow", NO_MAILBOX, GROWS,
	  nameless_set, grow_act, grow_check },
	{ "region-close", "cubby_region_close", NO_MAILBOX, GONE, made_set,
	  close_act, NULL },
	{ "region-close-nameless", "cubby_region_close", NO_MAILBOX, GONE,
	  nameless_set, close_act, NULL },
	{ "region-close-reading", "cubby_region_close", NO_MAILBOX, GONE,
	  reader_set, close_act, NULL },
	{ "region-unlink", "cubby_region_unlink", NO_MAILBOX, FILES_GO,
	  made_set, unlink_act, unlink_check },
	{ "region-grant", "cubby_region_grant", NO_MAILBOX, COLD, grantable_set,
	  grant_act, grant_check },
	{ "region-take-back", "cubby_region_grant", NO_MAILBOX, COLD,
	  grantable_set, take_back_act, grant_check },
	{ "region-list", "cubby_region_list", NO_MAILBOX, 0, listed_set,
	  list_act, NULL },
	{ "region-inspect", "cubby_region_inspect", NO_MAILBOX, 0, made_set,
	  inspect_act, inspect_check },
	{ "send-region", "cubby_send_region", CARRY, PREPARES | RENAMES,
	  send_set, send_act, send_check },
	{ "send-region-on", "cubby_send_region", CARRY, PREPARES | RENAMES,
	  send_on_set, send_act, send_check },
	{ "send-region-met", "cubby_send_region", ONLY(RENDEZVOUS),
	  PREPARES | NO_LIMITS | RENAMES, meeting_set, meeting_act, NULL },
	{ "receive-region", "cubby_receive_region", CARRY,
	  PREPARES | RENAMES | PASSES, receive_set, receive_act, receive_check },
	{ "receive-region-returned", "cubby_receive_region", CARRY,
	  PREPARES | RENAMES | PASSES, returned_set, receive_act, receive_check },
	{ "region-close-received", "cubby_region_close", CARRY, GONE,
	  received_set, close_act, end_check },
	{ "close-with-region", "cubby_close", CARRY, GONE, received_set,
	  close_mailbox_act, close_mailbox_check },
	{ NULL, NULL, 0, 0, NULL, NULL, NULL },
};
SCENARIOS(list);
