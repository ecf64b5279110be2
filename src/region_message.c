/* SPDX-License-Identifier: MIT */
/* Layer 14. May include: base clock exclusion liveness access envelope parcel handle pollable message region region_transfer. */
/*
 * Regions in messages: the public calls that send and receive them. The protocol
 * is in region_transfer.h; here it meets the mailbox.
 *
 * The place in the mailbox is taken first, since that may wait; then the region
 * is linked and its rights are set; then the message is committed, which cannot
 * fail for want of room. A rendezvous has no place to take, so there the message
 * is offered when all else is done.
 */
#include "base.h"
#include "access.h"
#include "clock.h"
#include "envelope.h"
#include "exclusion.h"
#include "handle.h"
#include "liveness.h"
#include "message.h"
#include "pollable.h"
#include "region_transfer.h"

#include <sys/stat.h>
#include <unistd.h>

#define DISCARDS 64	/* messages that do not count, until the clock */

/* Received regions ------------------------------------------------------- */

static void
list_region(struct cubby_mailbox *mailbox, struct cubby_region *region)
{
	region->mailbox = mailbox;
	exclusion_enter(&mailbox->regions_exclusion);
	region->next = mailbox->regions;
	mailbox->regions = region;
	exclusion_leave(&mailbox->regions_exclusion);
}

static void
take_from_list(struct cubby_region *region)
{
	struct cubby_region **at;

	for (at = &region->mailbox->regions; *at; at = &(*at)->next)
		if (*at == region) {
			*at = region->next;
			break;
		}
}

static void
unlist_region(struct cubby_region *region)
{
	struct cubby_mailbox *mailbox = region->mailbox;

	if (!mailbox)
		return;
	exclusion_enter(&mailbox->regions_exclusion);
	take_from_list(region);
	exclusion_leave(&mailbox->regions_exclusion);
}

/* The message by which we had it does not count any more. */
static void
release_message(struct cubby_region *region)
{
	unlist_region(region);
	if (region->message)
		region->mailbox->operations->release(region->mailbox,
						     region->message);
}

/* Closing it: it is gone. */
static void
end(struct cubby_region *region)
{
	if (region->process == liveness_process()) {
		region_finish(region);
		release_message(region);
	} else if (region->mailbox) {
		/* A child's copy of the handles. A thread that it has not got
		   may have had the lock. */
		take_from_list(region);
	}
	region_detach(region);
}

/* Sending ---------------------------------------------------------------- */

static int
check_owner(const struct cubby_region *region)
{
	int fd = region_memory(region);
	struct stat st;

	if (fd < 0)
		return -EMFILE;
	if (fstat(fd, &st) < 0)
		return -errno;
	return st.st_uid == geteuid() || geteuid() == 0 ? 0 : -EACCES;
}

static int
check_send(const struct cubby_mailbox *mailbox,
	   const struct cubby_region *region,
	   const struct cubby_envelope *envelope)
{
	int r;

	r = handle_check(mailbox, CUBBY_SEND);
	if (r < 0)
		return r;
	if (!region)
		return -EINVAL;
	r = region_check(region, false);
	if (r < 0)
		return r;
	if (region->named)
		return -EINVAL;
	/* It has one owner. */
	if (mailbox->view.attributes.delivery)
		return -EOPNOTSUPP;
	r = envelope_check(envelope, mailbox->view.attributes.order);
	if (r < 0)
		return r;
	if (mailbox->message_max < sizeof(struct region_ticket) ||
	    (mailbox->fixed &&
	     mailbox->message_max != sizeof(struct region_ticket)))
		return -EMSGSIZE;
	return check_owner(region);
}

/* What is sent, besides the region. */
struct shipment {
	struct cubby_mailbox *mailbox;
	struct cubby_draft *draft;	/* NULL: rendezvous */
	struct region_ticket ticket;
	struct parcel parcel;
	int64_t deadline;
};

/* Step 3. */
static int
send_ticket(struct shipment *shipment, struct sent *ret)
{
	const struct operations *operations = shipment->mailbox->operations;

	if (!shipment->draft)
		return operations->send(shipment->mailbox, &shipment->ticket,
					&shipment->parcel, false,
					shipment->deadline, ret);
	memcpy(shipment->draft->data, &shipment->ticket,
	       sizeof(shipment->ticket));
	return operations->commit(shipment->mailbox, shipment->draft,
				  &shipment->parcel, ret);
}

static void
fill_ticket(struct cubby_region *region, uint32_t number,
	    struct region_ticket *ret)
{
	memset(ret, 0, sizeof(*ret));
	memcpy(ret->uuid, region->uuid, sizeof(ret->uuid));
	ret->number = number;
	ret->size = cubby_region_size(region);
}

/* Whose mailbox nobody receives from. */
static const struct attributes nobody;

/* Steps 1 to 4. What was not sent has the rights again that it had. */
static int
transfer(struct cubby_region *region, struct shipment *shipment,
	 struct sent *ret)
{
	const struct view *view = &shipment->mailbox->view;
	const struct attributes *from = region->message ?
					&region->mailbox->view.attributes : NULL;
	uint32_t number;
	int r;

	r = region_begin_transfer(region, view_lanes(view), &number);
	if (r < 0)
		return r;
	fill_ticket(region, number, &shipment->ticket);
	/* Those keep it to whom it may go back. This is never done later: its
	   next owner may have done it then. */
	r = access_share(region_memory(region), &view->attributes, from);
	if (r == -EPERM)
		r = -EACCES;	/* -EPERM is about another directory */
	if (r == 0)
		r = send_ticket(shipment, ret);
	if (r < 0) {
		region->end = end;
		if (region_cancel_transfer(region, view_lanes(view),
					   number)) {
			access_share(region_memory(region), &nobody, from);
			return r;
		}
	}
	region_complete_transfer(region, number);
	return 0;
}

/* Notes it, and looks at what has become of earlier ones. */
static void
note_sent(const struct shipment *shipment)
{
	struct cubby_mailbox *mailbox = shipment->mailbox;

	exclusion_enter(&mailbox->regions_exclusion);
	region_sent_add(&mailbox->regions_sent, view_lanes(&mailbox->view),
			&shipment->ticket);
	exclusion_leave(&mailbox->regions_exclusion);
}

/* Steps 5 and 6. */
static void
let_go(struct cubby_region *region)
{
	region_unlink(region);
	release_message(region);
	region_detach(region);
}

int
cubby_send_region(cubby_mailbox *mailbox, cubby_region *region,
		  struct cubby_envelope *envelope, int64_t deadline)
{
	struct shipment shipment = { .mailbox = mailbox,
				     .deadline = deadline };
	struct sent sent = { .sequence = 0 };
	int r;

	r = check_send(mailbox, region, envelope);
	if (r < 0)
		return r;
	shipment.parcel.size = sizeof(shipment.ticket);
	shipment.parcel.type = PARCEL_REGION;
	if (envelope) {
		shipment.parcel.tag = envelope->tag;
		shipment.parcel.type |= (uint64_t)envelope->type;
		shipment.parcel.priority = (uint32_t)envelope->priority;
	}
	r = mailbox->operations->reserve(mailbox, sizeof(shipment.ticket),
					 deadline, &shipment.draft);
	if (r < 0 && r != -EOPNOTSUPP)
		return pollable_told(mailbox, CUBBY_SEND, r);
	r = transfer(region, &shipment, &sent);
	if (r < 0) {
		if (shipment.draft)
			mailbox->operations->abort(mailbox, shipment.draft);
		return r;
	}
	let_go(region);
	note_sent(&shipment);
	envelope_sent(envelope, sent.sender, sent.sequence);
	return 0;
}

/* Receiving -------------------------------------------------------------- */

static void
describe(const struct wish *wish, const struct cubby_region *region,
	 struct cubby_envelope *ret)
{
	struct cubby_envelope full = CUBBY_ENVELOPE_INIT;

	if (!ret)
		return;
	full.tag = wish->taken.tag;
	full.type = (int64_t)(wish->taken.type & ~PARCEL_REGION);
	full.priority = (int32_t)wish->priority;
	full.uid = wish->uid;
	full.sender = wish->taken.lane + 1;
	full.sequence = wish->taken.position + 1;
	full.size = cubby_region_size(region);
	full.deliveries = wish->deliveries;
	envelope_write(ret, &full);
}

/* What the receiver has run out of, and may have again. Anything else the
   message is to blame for: one that went back would be the next one for ever,
   and it is its sender who decides what its file is. */
static bool
passes(int r)
{
	return r == -EMFILE || r == -ENFILE || r == -ENOMEM || r == -ENOSPC ||
	       r == -EDQUOT || r == -ENOLCK || r == -EINTR;
}

/* From a message in hand to the region; 0: the message does not count. */
static int
open_region(struct cubby_mailbox *mailbox, const struct wish *wish,
	    struct cubby_region **ret)
{
	int r, lanes = view_lanes(&mailbox->view);
	struct region_ticket ticket;

	if (wish->taken.size != sizeof(ticket))
		return 0;
	memcpy(&ticket, wish->held->data, sizeof(ticket));
	r = region_open_ticket(lanes, &ticket, wish->uid, ret);
	if (r < 0 && passes(r))
		return r;
	if (r == 0 && region_settle(*ret))
		return 1;
	if (r == 0)
		region_detach(*ret);
	region_unlink_ticket(lanes, &ticket);
	return 0;
}

/* One message: 1: *ret is ours; 0: it did not count. */
static int
receive_one(struct cubby_mailbox *mailbox, struct wish *wish, int64_t deadline,
	    struct cubby_region **ret)
{
	const struct operations *operations = mailbox->operations;
	int r;

	r = operations->receive(mailbox, wish, deadline);
	if (r < 0)
		return r;
	wish->held->owner = mailbox;
	r = open_region(mailbox, wish, ret);
	if (r < 0)
		operations->reject(mailbox, wish->held);
	else if (r == 0)
		operations->release(mailbox, wish->held);
	return r;
}

static bool
has_passed(int64_t deadline)
{
	return deadline != CUBBY_FOREVER && clock_now() >= deadline;
}

int
cubby_receive_region(cubby_mailbox *mailbox, const struct cubby_filter *filter,
		     int64_t deadline, cubby_region **ret,
		     struct cubby_envelope *ret_envelope)
{
	struct wish wish = { .kind = WISH_HOLD, .region = true };
	struct cubby_region *region = NULL;
	int i, r;

	r = handle_check(mailbox, CUBBY_RECEIVE);
	if (r < 0)
		return r;
	if (!ret || (ret_envelope && ret_envelope->struct_size < sizeof(size_t)))
		return -EINVAL;
	r = message_read_filter(filter, &wish);
	for (i = 0; r == 0; i++) {
		r = receive_one(mailbox, &wish, deadline, &region);
		if (r == 0 && i >= DISCARDS && has_passed(deadline))
			r = deadline == CUBBY_NOW ? -EAGAIN : -ETIMEDOUT;
	}
	if (r < 0)
		return pollable_told(mailbox, CUBBY_RECEIVE, r);
	region->message = wish.held;
	region->end = end;
	list_region(mailbox, region);
	describe(&wish, region, ret_envelope);
	*ret = region;
	return 0;
}
