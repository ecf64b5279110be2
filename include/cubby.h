/* SPDX-License-Identifier: MIT */
#ifndef CUBBY_H
#define CUBBY_H
/*
 * cubby: message passing and shared memory between the processes of one
 * Linux machine.
 *
 * A *mailbox* has a name. Any number of processes send messages to it and any
 * number receive them; each message goes to one receiver, or, if it is made so,
 * to every receiver. A mailbox lives in
 * shared memory, so nothing has to be started and, while nobody sleeps, a
 * message costs no system call.
 *
 *	cubby_mailbox *jobs;
 *	cubby_open("jobs", CUBBY_CREATE | CUBBY_SEND, NULL, &jobs);
 *	cubby_send(jobs, "hello", 5);
 *	cubby_close(jobs);
 *
 * Two calls for the textbook's send and receive, and one *full* form of each.
 * To send without a copy, reserve memory in the mailbox, fill it, commit it. To
 * receive without a copy, or to be sure that a message survives your own death,
 * hold it, read it in place, release it.
 *
 * Names
 *	"jobs"		the user's own mailbox
 *	"/jobs"		machine-wide
 *	"@worker"	the inbox of the process that calls itself worker;
 *	"/@worker"	machine-wide. One handle at a time receives from it, and
 *			who sends there is told that its process has gone
 *	1 to 200 bytes, no '/' but the leading one, not beginning with '.'.
 *
 * Deadlines are points on CLOCK_MONOTONIC, in nanoseconds (negative: passed);
 * CUBBY_NOW never waits, CUBBY_FOREVER waits for ever, cubby_deadline_after()
 * makes one.
 *
 * Results: 0 (or more) for success, a negative errno for failure; each errno
 * has one meaning throughout, told by cubby_strerror():
 *	-EACCES		the mode of the mailbox or region does not let you; or
 *			the mailbox has ended, and is another user's to remove
 *	-EAGAIN		deadline CUBBY_NOW, and: nothing to receive, or full
 *	-EBADF		the handle was not opened for that role
 *	-EBADMSG	a lane (or the whole mailbox, or a region) makes no
 *			sense; it has been cut off, the others go on
 *	-EBUSY		a sender of that name has the mailbox open already; or
 *			another handle receives from the inbox
 *	-ECHILD		the handle was opened before fork(); open your own
 *	-EEXIST		the mailbox exists (CUBBY_EXCLUSIVE), or exists with
 *			other attributes
 *	-EFBIG		larger than a region may become, or than the process may
 *			make a file (RLIMIT_FSIZE)
 *	-EINPROGRESS	synchronous: the wait has ended (the deadline has passed,
 *			a signal came, or the inbox's process has gone), and the
 *			message is still queued and will be delivered
 *	-EINTR		a signal handler ran during a wait; nothing was sent or
 *			received. From a call: as with -ETIMEDOUT
 *	-EINVAL		an argument makes no sense
 *	-EMSGSIZE	too large for the mailbox, not its fixed size, or larger
 *			than the buffer (then ret_size tells the size, and the
 *			message stays)
 *	-ENAMETOOLONG	the name is longer than 200 bytes
 *	-ENOENT		no such mailbox or region
 *	-ENOMSG		the next message carries no region; it stays
 *	-ENOSPC		the memory (of /dev/shm, or of the mailbox's own limit)
 *			is used up; nothing was sent
 *	-ENOTDIR	something that is no mailbox or region bears that name
 *	-EOPNOTSUPP	the mailbox's order (or the file system) cannot do that;
 *			or the next message carries a region
 *	-EPERM		the directory that mailboxes live in is not safe to use
 *	-EPIPE		the process that receives from the inbox has gone, by
 *			cubby_close() or by its death; nothing was sent. From a
 *			receive: the sender that was asked for has gone, and
 *			nothing of its is left. From a call: who took the
 *			request has gone or will not reply, and may have carried
 *			it out; from a reply: nobody waits for it
 *	-EPROTO		made by an incompatible version of cubby
 *	-ESRCH		no process of that id, as you see ids, has an inbox that
 *			you can see
 *	-ETIMEDOUT	the deadline has passed; nothing was sent or received.
 *			From a call: the request may be carried out all the same
 *	-EUSERS		too many senders of one user, too many receivers, too
 *			many that have a region attached for writing, too many
 *			grants, or too many calls under way
 *	-EXDEV		the mailbox lies in another file system than the region
 * and those of the kernel for what the process itself or the file system has run
 * out of (-ENOMEM, -EMFILE, -ENFILE, -ENOLCK, -EDQUOT, -EFBIG, -EMLINK; -EMFILE also
 * when it has closed the descriptors that the handle keeps), or for a file system that
 * fails (-EIO, -EROFS). Out-parameters (named ret_...) are untouched on failure, but
 * for ret_size with -EMSGSIZE.
 *
 * Threads may share a handle. After fork() the child's calls on an inherited
 * handle return -ECHILD; it opens its own. Nothing here is safe to call from a
 * signal handler. See cubby_safety(7).
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define CUBBY_PUBLIC __attribute__((visibility("default")))
#else
#define CUBBY_PUBLIC
#endif

#define CUBBY_VERSION "0.1.0"

/* A mailbox that is open, a message being written, a message being held. */
typedef struct cubby_mailbox cubby_mailbox;
typedef struct cubby_draft cubby_draft;
typedef struct cubby_message cubby_message;

/* A request whose reply is awaited. */
typedef struct cubby_request cubby_request;

/* Shared memory that is open. */
typedef struct cubby_region cubby_region;

#define CUBBY_NAME_MAX 200

/* Deadlines -------------------------------------------------------------- */

#define CUBBY_NOW	INT64_C(0)
#define CUBBY_FOREVER	INT64_MAX

/*
 * The deadline that lies nanoseconds ahead. Does not block. Negative counts as
 * 0; a sum that overflows is CUBBY_FOREVER.
 */
CUBBY_PUBLIC int64_t
cubby_deadline_after(int64_t nanoseconds);

/* Opening ---------------------------------------------------------------- */

enum cubby_flags {
	/* cubby_open */
	CUBBY_SEND = 1 << 0,		/* this handle may send */
	CUBBY_RECEIVE = 1 << 1,		/* this handle may receive */
	CUBBY_CREATE = 1 << 2,		/* make it if it does not exist */
	CUBBY_EXCLUSIVE = 1 << 3,	/* with CREATE: -EEXIST if it does */
	CUBBY_TRUST_SENDERS = 1 << 4,	/* hold other users' messages in place,
					   uncopied */
	/* cubby_send_full */
	CUBBY_SYNCHRONOUS = 1 << 5,	/* return when a receiver has it */
	/* cubby_receive_full */
	CUBBY_PEEK = 1 << 6,		/* copy it, and let it stay */
	/* cubby_region_open */
	CUBBY_WRITE = 1 << 7		/* for reading and writing */
};

enum cubby_order {
	CUBBY_ORDER_SENDER = 0,		/* each sender's in the order sent;
					   capacity counts per sender */
	CUBBY_ORDER_ARRIVAL,		/* one total order */
	CUBBY_ORDER_PRIORITY		/* highest first, then oldest */
};

enum cubby_buffering {
	CUBBY_LIMITED = 0,		/* capacity messages */
	CUBBY_UNLIMITED,		/* while memory lasts */
	CUBBY_RENDEZVOUS		/* none: sender and receiver meet */
};

enum cubby_sizing {
	CUBBY_VARIABLE = 0,		/* 0 to message_max bytes */
	CUBBY_FIXED			/* message_max bytes exactly, 0 allowed */
};

enum cubby_delivery {
	CUBBY_ONE = 0,		/* each message to one receiver */
	CUBBY_EVERY,		/* to every receiver that has it open; a slow
				   one holds the senders back */
	CUBBY_EVERY_OVERTAKE	/* the same; a slow one is overtaken, and told
				   how many messages it has missed */
};

enum cubby_lifetime {
	CUBBY_PERSISTENT = 0,		/* until it is unlinked */
	CUBBY_TEMPORARY			/* until its last user has gone */
};

/*
 * What cubby_open() makes, and what it expects of what exists. Set struct_size
 * (CUBBY_OPTIONS_INIT does); zero elsewhere means the default when creating,
 * and "whatever it is" when opening. The enums and the sizes that you do set
 * are compared with those of an existing mailbox: -EEXIST if one differs.
 */
struct cubby_options {
	size_t struct_size;
	enum cubby_order order;
	enum cubby_buffering buffering;
	enum cubby_sizing sizing;
	enum cubby_lifetime lifetime;
	uint64_t capacity;	/* messages, per sender with ORDER_SENDER;
				   default 128; at most 2^30; 0 if UNLIMITED
				   (else -EINVAL) */
	uint64_t message_max;	/* bytes; default 1 MiB, at most 1 GiB */
	uint64_t memory_limit;	/* bytes a sender; default 64 MiB or a quarter
				   of the file system, the smaller. UNLIMITED:
				   of cells, and of larger messages as much
				   again; default: the file system's size, at
				   most 16 GiB (64 GiB of the other orders).
				   In a 32-bit process it is at most 32 MiB by
				   default */
	uint32_t cell_size;	/* bytes: a power of 2, 64 to 4096; default
				   128. A message of up to cell_size - 24 bytes
				   needs no memory but its cell */
	mode_t mode;		/* r: may receive, w: may send; default 0600;
				   the umask is not applied */
	const char *group;	/* name or number; default: the process's */
	const char *sender;	/* a name for this sender: it comes back to
				   its own lane, see cubby_published(). 1 to
				   63 bytes; default: unnamed */
	enum cubby_delivery delivery;	/* other than CUBBY_ONE: ORDER_SENDER
				   and LIMITED alone, else -EOPNOTSUPP */
	uint64_t history;	/* of this handle, if it receives what every
				   receiver gets: it begins with the last so many
				   messages of each sender, as far as they are
				   still there; default 0: with what is sent from
				   now on */
};
#define CUBBY_OPTIONS_INIT { sizeof(struct cubby_options), \
	CUBBY_ORDER_SENDER, CUBBY_LIMITED, CUBBY_VARIABLE, CUBBY_PERSISTENT, \
	0, 0, 0, 0, 0, NULL, NULL, CUBBY_ONE, 0 }

/*
 * Opens the mailbox called name. flags: the roles CUBBY_SEND and CUBBY_RECEIVE
 * (either, both, or none: a handle to create or to keep a temporary mailbox
 * alive), CUBBY_CREATE, CUBBY_EXCLUSIVE, CUBBY_TRUST_SENDERS. options may be
 * NULL: defaults. Does not wait for other processes. *ret is yours to
 * cubby_close().
 *
 * With CUBBY_SEND the handle has a lane of its own; with a name given in
 * options->sender, that sender's lane (-EBUSY if it is in use).
 *
 * An inbox ("@worker") is received from by one handle at a time: -EBUSY while
 * another one does, in whatever process, stopped ones included. The dead are
 * replaced at once, and what was sent to them is their successor's. Until
 * somebody has received there for the first time, messages wait for him. A
 * handle without CUBBY_RECEIVE is as for any mailbox.
 *
 * Errors: -EACCES -EBADMSG -EBUSY -EEXIST -EINVAL -ENAMETOOLONG -ENOENT -ENOSPC
 * -ENOTDIR -EOPNOTSUPP -EPERM -EPROTO -EUSERS, and the kernel's.
 */
CUBBY_PUBLIC int
cubby_open(const char *name, int flags, const struct cubby_options *options,
	   cubby_mailbox **ret);

/*
 * Opens the inbox of a process for sending. pid: as getpid() tells it to the
 * process itself, if it is in the caller's PID namespace. It is looked up once,
 * in the user's own inboxes, then in machine-wide ones that belong to the user
 * whose process it is; of several the first by name. The handle is bound to what
 * was found: when that process has gone, or has closed its inbox, this is what
 * sends are told, though another may have taken the name or the pid. flags:
 * CUBBY_SEND or 0; options as for cubby_open().
 *
 * Errors: -EINVAL (flags, or pid is not positive) -ESRCH, and those of
 * cubby_open().
 */
CUBBY_PUBLIC int
cubby_open_process(pid_t pid, int flags, const struct cubby_options *options,
		   cubby_mailbox **ret);

/*
 * Closes the handle; NULL is allowed. Messages sent stay; drafts are aborted,
 * held messages and received regions go back (and their handles become
 * invalid). The last user of a temporary or unlinked mailbox removes it. No
 * other thread may be using it. Does not block. In a child after fork() it only
 * frees the handle.
 */
CUBBY_PUBLIC void
cubby_close(cubby_mailbox *mailbox);

/*
 * Takes the name away. Those who have it open go on until they close; the name
 * can be used for a new mailbox at once. Does not block.
 *
 * Errors: -EACCES -EINVAL -ENAMETOOLONG -ENOENT -ENOSPC -ENOTDIR -EPERM, and
 * the kernel's.
 */
CUBBY_PUBLIC int
cubby_unlink(const char *name);

/* Messages, copied ------------------------------------------------------- */

/*
 * What is told about a message. Serves both directions: before a send, the
 * sender sets tag, type and priority; the library fills in the rest. Set
 * struct_size (CUBBY_ENVELOPE_INIT does).
 */
struct cubby_envelope {
	size_t struct_size;
	uint64_t tag;		/* the sender's own, passed on as it is */
	int64_t type;		/* 0: none; positive: the sender's choice */
	int32_t priority;	/* 0 to 32767, 0 but for ORDER_PRIORITY */
	uid_t uid;		/* out: the sender's user, from the kernel;
				   ORDER_ARRIVAL and _PRIORITY: its own word */
	uint64_t sender;	/* out: which sender of this mailbox; 1 and up */
	uint64_t sequence;	/* out: counts the sender's messages, in order;
				   filled in on send as well */
	uint64_t size;		/* out: bytes */
	uint32_t deliveries;	/* out: 1, more if it was handed out before */
	uint64_t missed;	/* out: messages overtaken since the last */
	uint64_t call;		/* out: not 0: a request, see cubby_reply() */
};
#define CUBBY_ENVELOPE_INIT { sizeof(struct cubby_envelope), \
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/*
 * Sends size bytes at data as one message. data may be NULL if size is 0.
 * Blocks while the mailbox is full (of this sender's messages, with
 * ORDER_SENDER). A message whose send returned 0 is never lost.
 *
 * To an inbox whose process has gone: -EPIPE, and nothing is sent; what was sent
 * before stays for a successor. A close is told at once, a death from the next
 * tick of the kernel's clock on (1 to 10 ms); to a send that waits, within a few
 * milliseconds.
 *
 * Errors: -EBADF -EBADMSG -ECHILD -EINTR -EMSGSIZE -ENOMEM -ENOSPC -EPIPE, and
 * the kernel's.
 */
CUBBY_PUBLIC int
cubby_send(cubby_mailbox *mailbox, const void *data, size_t size);

/*
 * As cubby_send(), until a deadline, with an envelope and flags. envelope may
 * be NULL; its sequence and sender are filled in when the message was sent.
 * CUBBY_SYNCHRONOUS blocks until a receiver has the message (has copied it, or
 * holds it); with CUBBY_EVERY, until all have it; with CUBBY_EVERY_OVERTAKE it is
 * -EOPNOTSUPP.
 *
 * Errors: those of cubby_send() and -EAGAIN -EINPROGRESS -EINVAL -EOPNOTSUPP
 * -ETIMEDOUT. With ORDER_SENDER, -EINTR and -EPIPE during a synchronous wait are
 * told as -EINPROGRESS, for the message has been sent; with the others it is
 * withdrawn.
 */
CUBBY_PUBLIC int
cubby_send_full(cubby_mailbox *mailbox, const void *data, size_t size,
		struct cubby_envelope *envelope, int flags, int64_t deadline);

/*
 * Blocks until a receiver has the message with that sequence, sent by this
 * handle (and so all before it).
 *
 * Errors: -EAGAIN (deadline CUBBY_NOW: not yet) -EBADF -EBADMSG -ECHILD -EINTR
 * -EINVAL (not sent yet) -EOPNOTSUPP (CUBBY_EVERY_OVERTAKE) -EPIPE (the inbox's
 * process has gone; the message stays for a successor) -ENOSPC (no memory to be
 * told by) -ETIMEDOUT, and the kernel's.
 */
CUBBY_PUBLIC int
cubby_wait_received(cubby_mailbox *mailbox, uint64_t sequence,
		    int64_t deadline);

/*
 * What this handle's lane last published: sequence (0: nothing yet) and tag.
 * After a named sender's return, that of its earlier life. Does not block.
 *
 * Errors: -EBADF -ECHILD.
 */
CUBBY_PUBLIC int
cubby_published(cubby_mailbox *mailbox, uint64_t *ret_sequence,
		uint64_t *ret_tag);

/*
 * Receives one message into buffer, at most size bytes; *ret_size (may be NULL)
 * is its size. Blocks while there is none. A message larger than size stays:
 * -EMSGSIZE, and *ret_size tells.
 *
 * Errors: -EBADF -EBADMSG -ECHILD -EINTR -EMSGSIZE -ENOMEM -ENOSPC, and the
 * kernel's.
 */
CUBBY_PUBLIC int
cubby_receive(cubby_mailbox *mailbox, void *buffer, size_t size,
	      size_t *ret_size);

enum cubby_matching {
	CUBBY_MATCH_ANY = 0,	/* any type, or none */
	CUBBY_MATCH_TYPE,	/* this type exactly */
	CUBBY_MATCH_NOT_TYPE,	/* any but this one; without a type, too */
	CUBBY_MATCH_LOWEST	/* the lowest type there is, up to this one */
};

/*
 * Which messages to receive. Zero: any. Set struct_size. By sender and by type at
 * the same time costs a look at each message of that sender; else no receive
 * costs more because more messages wait.
 *
 * By name: only what was sent by one who called itself so (options->sender), be
 * it there already or not; senders of several users may bear one name, and the
 * envelope tells the user. A receive from an inbox ends with -EPIPE when such a
 * sender was there, has gone, and has left nothing to receive.
 */
struct cubby_filter {
	size_t struct_size;
	uint64_t sender;	/* an envelope's sender; 0: anyone */
	enum cubby_matching matching;	/* ORDER_ARRIVAL and _PRIORITY alone,
					   else -EOPNOTSUPP */
	int64_t type;		/* that matching is about: positive */
	const char *sender_name;	/* 1 to 63 bytes; NULL: anyone */
};
#define CUBBY_FILTER_INIT { sizeof(struct cubby_filter), 0, \
	CUBBY_MATCH_ANY, 0, NULL }

/*
 * As cubby_receive(), until a deadline; filter and ret_envelope may be NULL
 * (set ret_envelope->struct_size). CUBBY_PEEK copies the message and lets it
 * stay: it is not delivered.
 *
 * Errors: those of cubby_receive() and -EAGAIN -EINVAL -EOPNOTSUPP -EPIPE
 * -ETIMEDOUT.
 */
CUBBY_PUBLIC int
cubby_receive_full(cubby_mailbox *mailbox, const struct cubby_filter *filter,
		   int flags, int64_t deadline, void *buffer, size_t size,
		   size_t *ret_size, struct cubby_envelope *ret_envelope);

/*
 * The name of a sender, as an envelope numbers them: what it gave as
 * options->sender, or "" if it gave none. Needs the role CUBBY_RECEIVE. Does not
 * block. The name is the sender's own word; its user, in the envelope, is the
 * kernel's.
 *
 * Errors: -EBADF -ECHILD -EINVAL (no sender has that number, or buffer is NULL)
 * -EMSGSIZE (the name and its end do not fit into size bytes), and the kernel's.
 */
CUBBY_PUBLIC int
cubby_sender_name(cubby_mailbox *mailbox, uint64_t sender, char *buffer,
		  size_t size);

/* Messages, many at once ------------------------------------------------- */

/* One message of a batch. */
struct cubby_batch_entry {
	const void *data;	/* sending: its bytes; receiving, out: where in
				   the buffer they are */
	size_t size;		/* bytes; receiving: out */
	struct cubby_envelope *envelope;	/* or NULL; as for one message */
};

/*
 * Sends count messages, in order, at less cost than one by one. flags: 0. Blocks
 * while the mailbox is full, until all are sent or the deadline. Returns how many
 * were sent: the first ones. That is less than count if the deadline has passed,
 * a signal came, or the next one cannot be sent; which is told if it is the
 * first, so by a call with those that are left.
 *
 * A batch is no unit: receivers may have the first of it before the last is sent,
 * other threads may send between them, and of a batch whose sender dies the first
 * ones may have been sent, in order and whole. To wait until receivers have all
 * of it, cubby_wait_received() the sequence of the last.
 *
 * count 0: 0. Errors, if none was sent: those of cubby_send() and -EAGAIN -EINVAL
 * (of the first message; flags is not 0; entries is NULL) -EOPNOTSUPP -ETIMEDOUT.
 */
CUBBY_PUBLIC int
cubby_send_batch(cubby_mailbox *mailbox,
		 const struct cubby_batch_entry *entries, size_t count,
		 int flags, int64_t deadline);

/*
 * Receives up to count messages into one buffer of size bytes, at less cost than
 * one by one. filter may be NULL; flags: 0. Blocks until there is one, then takes
 * what is there and fits; it does not wait for more. Fewer than count does not
 * mean that the mailbox is empty: a step takes at most 64, of one sender, and may
 * be the last; -EAGAIN says so, with CUBBY_NOW. Returns how many it has
 * received, and entries tells of each; the entries after them, and the rest of
 * the buffer, have arbitrary contents. Each message begins at a multiple of 8
 * bytes from the beginning of the buffer, right behind the one before it: so
 * messages of one size that is a multiple of 8 are an array.
 *
 * A message that does not fit into the rest of the buffer stays, and so do those
 * after it: the next call gets them. If it is the first: -EMSGSIZE, and
 * entries[0].size tells its size. A message that carries a region ends the batch
 * before it.
 *
 * Several are taken at one instant (as far as they are of one sender): a receiver
 * that dies before it has received none of these, after it all.
 *
 * count 0: 0. Errors, if none was received: those of cubby_receive_full().
 */
CUBBY_PUBLIC int
cubby_receive_batch(cubby_mailbox *mailbox, const struct cubby_filter *filter,
		    int flags, int64_t deadline,
		    struct cubby_batch_entry *entries, size_t count,
		    void *buffer, size_t size);

/* Messages, in place ----------------------------------------------------- */

/*
 * Reserves memory for a message of up to size bytes, and its place in the
 * capacity. Blocks while the mailbox is full. Several drafts may be open at a
 * time and be committed in any order; the order of commit is the order of the
 * messages. Fill the memory at cubby_draft_data(); it is aligned to 64 bytes
 * and its contents are arbitrary at first.
 *
 * Errors: those of cubby_send() and -EAGAIN -EINVAL -EOPNOTSUPP (nothing is
 * buffered) -ETIMEDOUT.
 */
CUBBY_PUBLIC int
cubby_reserve(cubby_mailbox *mailbox, size_t size, int64_t deadline,
	      cubby_draft **ret);

CUBBY_PUBLIC void *
cubby_draft_data(cubby_draft *draft);

/* The size that was reserved. */
CUBBY_PUBLIC size_t
cubby_draft_size(const cubby_draft *draft);

/*
 * Sends the first size bytes of the draft (at most what was reserved), with an
 * envelope or NULL as in cubby_send_full(). Never waits for room and never fails
 * for want of it. (ORDER_ARRIVAL and _PRIORITY: while another stands still under
 * the mailbox's lock, it waits for that one.) On success the draft is gone; on
 * failure it is as it was.
 *
 * Errors: -EBADMSG -ECHILD -EINVAL -EMSGSIZE -EOPNOTSUPP -EPIPE.
 */
CUBBY_PUBLIC int
cubby_commit(cubby_draft *draft, size_t size, struct cubby_envelope *envelope);

/* Gives the draft up; NULL is allowed. Does not block. */
CUBBY_PUBLIC void
cubby_abort(cubby_draft *draft);

/*
 * Takes one message without ending it: nobody else gets it while it is held,
 * and it goes back, ahead of all of its sender's that have not been handed out,
 * when its holder dies, closes the mailbox or rejects it. Read it in place at
 * cubby_message_data(). Several may be held at a time and be ended in any
 * order. Blocks while there is none. filter may be NULL.
 *
 * Errors: -EAGAIN -EBADF -EBADMSG -ECHILD -EINTR -EINVAL -ENOMEM -ENOSPC (too
 * many are held already) -EOPNOTSUPP -EPIPE -ETIMEDOUT, and the kernel's.
 */
CUBBY_PUBLIC int
cubby_hold(cubby_mailbox *mailbox, const struct cubby_filter *filter,
	   int64_t deadline, cubby_message **ret);

/* The message's bytes, read-only, valid until it is released or rejected. */
CUBBY_PUBLIC const void *
cubby_message_data(const cubby_message *message);

CUBBY_PUBLIC size_t
cubby_message_size(const cubby_message *message);

/* Fills in *ret. Set ret->struct_size first. Errors: -EINVAL. */
CUBBY_PUBLIC int
cubby_message_envelope(const cubby_message *message,
		       struct cubby_envelope *ret);

/*
 * Ends a held message: it has been dealt with. The handle is gone, whatever is
 * returned. Does not block. -EBADMSG says that the sender's file was damaged
 * while it was held, so that what was read may be wrong.
 *
 * Errors: -EBADMSG -ECHILD.
 */
CUBBY_PUBLIC int
cubby_release(cubby_message *message);

/*
 * Gives a held message back: the next receive gets it, ahead of all of its
 * sender's that have not been handed out, with deliveries one higher. The
 * handle is gone, whatever is returned. Does not block.
 *
 * Errors: -ECHILD; -EOPNOTSUPP (the mailbox delivers to every receiver: it has
 * been released).
 */
CUBBY_PUBLIC int
cubby_reject(cubby_message *message);

/* Several mailboxes ------------------------------------------------------ */

struct cubby_wait_entry {
	cubby_mailbox *mailbox;	/* NULL: passed over */
	int events;		/* what to wait for: CUBBY_RECEIVE, a message;
				   CUBBY_SEND, room for one; or both */
	int ready;		/* out: which of them; 0: none */
};

/*
 * Blocks until one of the mailboxes is ready, or the deadline. Ready means that
 * a receive, or a send, with CUBBY_NOW would not return -EAGAIN, if nobody else
 * is quicker: there is a message, or room, or an error to be told. Nothing is
 * received or sent. Any number of mailboxes of any orders; the same one may
 * occur several times. Without any, it waits for the deadline.
 *
 * Where nothing is buffered, CUBBY_RECEIVE is ready while a sender offers a
 * message, and CUBBY_SEND while a receiver waits that takes any. Two who both
 * wait here do not meet.
 *
 * Returns how many entries are ready, and tells of each of them. On failure
 * they are untouched. Errors: -EAGAIN (deadline CUBBY_NOW: none is ready) -EBADF
 * -ECHILD -EINTR (by a handler without SA_RESTART, where it waits for several)
 * -EINVAL (events; or nothing to wait for, CUBBY_FOREVER) -ENOMEM -ENOSPC (also:
 * too many wait at one mailbox) -ETIMEDOUT, and the kernel's.
 */
CUBBY_PUBLIC int
cubby_wait(struct cubby_wait_entry *entries, size_t count, int64_t deadline);

/* Request and reply ------------------------------------------------------ */

/*
 * Sends a request, and waits for its reply: at most size bytes into buffer,
 * *ret_size (may be NULL) is its size. Any number of callers and of servers may
 * use one mailbox, of any order; the reply comes back to the caller alone, and
 * not through the mailbox.
 *
 * A request is served once at the most. Nobody has taken it: it waits, until the
 * deadline. Who took it has died, has closed the mailbox, or has released it
 * unanswered: -EPIPE, within a few milliseconds; it is not given to another
 * then. A server that lives may reject it: then another gets it. A server that
 * is stopped is waited for.
 *
 * A caller that gives up, by a deadline, a signal or its death, leaves nothing
 * behind but its request: that is not handed out any more, but keeps its place in
 * the capacity until a receiver comes to it and passes over it. Where nobody
 * receives, such requests fill the mailbox. If somebody has it already, his reply
 * goes nowhere.
 *
 * Errors: -EACCES (the effective user was another one when the handle was opened,
 * and the mailbox has CUBBY_ORDER_SENDER: open one more, as that user; or the
 * kernel does not let a file of one's own be changed) -EAGAIN
 * (the mailbox is full; or there is no reply yet) -EBADF -EBADMSG (also: another
 * process has spoilt the memory for replies) -ECHILD -EINTR -EINVAL -EMSGSIZE
 * (the request; or the reply, which is lost: ret_size tells) -ENOMEM -ENOSPC
 * -EOPNOTSUPP (the mailbox cannot, or the file system) -EPIPE -ETIMEDOUT -EUSERS
 * (1024 are under way, those among them that were given up while a server had
 * them), and the kernel's.
 */
CUBBY_PUBLIC int
cubby_call(cubby_mailbox *mailbox, const void *request, size_t request_size,
	   void *buffer, size_t size, size_t *ret_size, int64_t deadline);

/*
 * The same in two halves, so that many may be under way. Sends the request;
 * waits for room until the deadline. envelope may be NULL; its type and priority
 * are passed on, its tag has to be 0, its sequence and sender are filled in.
 * *ret is yours to end or to cancel; cubby_close() cancels it.
 *
 * Errors: those of cubby_call() that are not about the reply.
 */
CUBBY_PUBLIC int
cubby_call_begin(cubby_mailbox *mailbox, const void *data, size_t size,
		 struct cubby_envelope *envelope, int64_t deadline,
		 cubby_request **ret);

/*
 * Waits for the reply until the deadline. The handle is gone after a reply, and
 * with -EPIPE and -EBADMSG; with all other errors the request is as it was.
 *
 * Errors: -EAGAIN (there is none yet) -EBADMSG -ECHILD -EINTR -EINVAL -EMSGSIZE
 * (ret_size tells) -EPIPE -ETIMEDOUT, and the kernel's.
 */
CUBBY_PUBLIC int
cubby_call_end(cubby_request *request, void *buffer, size_t size,
	       size_t *ret_size, int64_t deadline);

/* Gives a request up; NULL is allowed. Does not block. */
CUBBY_PUBLIC void
cubby_call_cancel(cubby_request *request);

/*
 * Replies to a request that this handle has received; a message is one if its
 * envelope says a call. request: that envelope, from cubby_receive_full() or
 * cubby_message_envelope(). Once for each request; does not wait. It can be
 * done while the message is held or afterwards. Who receives a request without an
 * envelope, or releases it unanswered, cannot reply any more: its caller is told
 * -EPIPE.
 *
 * Errors: -EBADF -ECHILD -EINVAL (not a request) -EMSGSIZE (more than
 * message_max) -ENOSPC (and the kernel's; it can be tried again) -EOPNOTSUPP
 * -EPIPE (nobody waits for it: its caller has given up or died, or it has been
 * answered or rejected).
 */
CUBBY_PUBLIC int
cubby_reply(cubby_mailbox *mailbox, const struct cubby_envelope *request,
	    const void *data, size_t size);

/* In an event loop ------------------------------------------------------- */

/*
 * A descriptor for poll(), epoll, io_uring and event loops: readable while the
 * mailbox may be ready for that role, CUBBY_RECEIVE (there is a message) or
 * CUBBY_SEND (there is room). The same one each time; the handle's own, and closed
 * with it. Watch it for reading, and do nothing else with it.
 *
 * When it is readable, receive (or send) with CUBBY_NOW until that finds nothing,
 * which is what makes it wait again. It may be readable for nothing, never the
 * other way round: while there is a message, it is readable, for everybody who
 * polls. Edge-triggered as well: the message after that is a new edge. Does not
 * block.
 *
 * While it waits, a timer makes it readable now and then, after 50 ms first, and up
 * to 1 s while nothing happens: for the same reasons for which a receive that
 * sleeps looks by itself. A mailbox costs a system call for a message only to one
 * who sends while the descriptor waits. It does not tell which message: a receive
 * with a filter may find nothing though it stays readable.
 *
 * In a child after fork() it is the parent's: do not poll it there.
 *
 * Returns the descriptor. Errors: -EACCES (its bell may not be made, or let others
 * ring it) -EBADF -EBADMSG -ECHILD -EINVAL -EMFILE -ENFILE
 * -ENOMEM -ENOSPC -EOPNOTSUPP (it needs access control lists, and the file system
 * has none), and the kernel's.
 */
CUBBY_PUBLIC int
cubby_fd(cubby_mailbox *mailbox, int role);

/* Shared memory ---------------------------------------------------------- */

/*
 * A region is memory that processes share: each sees at once what the others
 * write, and nothing of it is copied. Who uses it keeps them out of each
 * other's way (see cubby_sync.h). It has a name (the names of regions and of
 * mailboxes do not clash), lives until it is unlinked and nobody has it open
 * any more, and may grow; nothing that anybody has mapped is moved by that.
 */

/* What to make, and what to expect of what exists. Set struct_size; zero
   elsewhere means the default, or "whatever it is". */
struct cubby_region_options {
	size_t struct_size;
	uint64_t size;		/* bytes, to begin with; default 4096. One that
				   exists must be as large: else -EEXIST */
	uint64_t size_max;	/* bytes that it may grow to: address space, no
				   memory. Rounded up to 4096; default: size or
				   1 GiB, whichever is more (64 MiB in a 32-bit
				   process). One that exists must have the
				   same */
	mode_t mode;		/* r: may read, w: may write, and so read;
				   default 0600; the umask is not applied */
	const char *group;	/* name or number; default: the process's */
};
#define CUBBY_REGION_OPTIONS_INIT \
	{ sizeof(struct cubby_region_options), 0, 0, 0, NULL }

/*
 * Attaches the region called name. flags: CUBBY_WRITE (without it, it is mapped
 * for reading, and a store there is SIGSEGV), CUBBY_CREATE, CUBBY_EXCLUSIVE.
 * options may be NULL. Does not wait for other processes. *ret is yours to
 * cubby_region_close().
 *
 * name NULL, with CUBBY_CREATE: a region without a name, of this handle alone,
 * attached for writing; it ends with the handle, unless it has been sent by
 * cubby_send_region(). It has no mode and no group.
 *
 * Errors: -EACCES -EBADMSG -EEXIST -EFBIG -EINVAL -ENAMETOOLONG -ENOENT
 * -ENOMEM -ENOSPC -ENOTDIR -EOPNOTSUPP (the file system cannot make files
 * without a name) -EPERM -EPROTO -EUSERS (1024 have it attached for writing),
 * and the kernel's.
 */
CUBBY_PUBLIC int
cubby_region_open(const char *name, int flags,
		  const struct cubby_region_options *options,
		  cubby_region **ret);

/*
 * Where the region lies in this process, on a page boundary; all zeros at
 * first. Stays the same as long as the handle is open, however it grows. NULL
 * in a child after fork().
 */
CUBBY_PUBLIC void *
cubby_region_data(const cubby_region *region);

/*
 * How many bytes may be touched now: what others have added counts at once.
 * Never becomes less. What lies beyond reads as zeros or not at all, and to
 * touch it ends the handle's calls with -EBADMSG. 0 in a child after fork().
 */
CUBBY_PUBLIC uint64_t
cubby_region_size(const cubby_region *region);

/*
 * Makes it size bytes at least, for all who have it attached; a smaller size
 * than it has changes nothing. What is new is zeros. Does not block. On failure
 * it has the size that it had.
 *
 * Errors: -EACCES (attached for reading) -EBADMSG (the region's file makes no
 * sense) -ECHILD -EFBIG (beyond size_max, or RLIMIT_FSIZE) -ENOSPC, and the
 * kernel's.
 */
CUBBY_PUBLIC int
cubby_region_grow(cubby_region *region, uint64_t size);

/*
 * Detaches; NULL is allowed. A region with a name stays, one without a name
 * ends. No other thread may be using the handle. In a child after fork() it
 * only frees the handle.
 */
CUBBY_PUBLIC void
cubby_region_close(cubby_region *region);

/*
 * Takes the name away. Those who have it attached keep it until they close; the
 * name can be used for a new region at once.
 *
 * Errors: -EACCES -EINVAL -ENAMETOOLONG -ENOENT -ENOSPC -ENOTDIR -EPERM, and
 * the kernel's.
 */
CUBBY_PUBLIC int
cubby_region_unlink(const char *name);

enum cubby_region_rights {
	CUBBY_REGION_NONE = 0,
	CUBBY_REGION_READ = 1,
	CUBBY_REGION_WRITE = 3		/* and read */
};

/*
 * Gives one more user or group rights to a region, beside what its mode says.
 * who: "user:NAME" or "group:NAME", or their numbers. CUBBY_REGION_NONE takes
 * back what was granted to them, and leaves what the mode says. It counts when
 * somebody attaches: those who have it attached keep it. The kernel's rules for
 * access control lists hold: what is granted to a user comes before what is
 * granted to the user's groups. Only the owner (and root) may grant.
 *
 * Of the user's own region ("pixels", not "/pixels") nobody else gets anything:
 * its directory is closed to others.
 *
 * Errors: -EACCES -EBADMSG -EINVAL (no such user or group, or right)
 * -ENAMETOOLONG -ENOENT -ENOSPC -ENOTDIR -EOPNOTSUPP (the file system has no
 * access control lists) -EPERM -EUSERS (more than about a hundred grants), and
 * the kernel's.
 */
CUBBY_PUBLIC int
cubby_region_grant(const char *name, const char *who, int rights);

/* Calls visit as cubby_list() does, with the names of regions. Errors: those of
   cubby_list() and -EINVAL. */
CUBBY_PUBLIC int
cubby_region_list(int (*visit)(const char *name, void *context),
		  void *context);

/* What cubby_region_inspect() tells. Set struct_size. */
struct cubby_region_info {
	size_t struct_size;
	uint64_t size;
	uint64_t size_max;
	uint64_t memory;	/* bytes of memory in use */
	mode_t mode;		/* without what was granted besides */
	uid_t uid;		/* the owner */
	gid_t gid;
	uint64_t attached;	/* for writing, now; CUBBY_UNKNOWN to those who
				   may not write it */
};
#define CUBBY_REGION_INFO_INIT \
	{ sizeof(struct cubby_region_info), 0, 0, 0, 0, 0, 0, 0 }

/*
 * Looks at a region without attaching it; needs the right to read it.
 *
 * Errors: -EACCES -EBADMSG -EINVAL -ENAMETOOLONG -ENOENT -ENOTDIR -EPERM
 * -EPROTO, and the kernel's.
 */
CUBBY_PUBLIC int
cubby_region_inspect(const char *name, struct cubby_region_info *ret);

/*
 * Sends a region that has no name: it becomes the mailbox's, and then that of
 * whoever receives it. Nothing is copied. On success the handle is gone, and
 * with it the mapping; on failure all is as it was. The message takes a place
 * in the mailbox's capacity as any other, and 32 bytes. envelope may be NULL;
 * its sequence and sender are filled in. Blocks while the mailbox is full.
 *
 * A region with a name is shared by its name, and not sent: -EINVAL. One that
 * another user has made may be received, and not sent on: its file is that
 * user's, who alone can let others in.
 *
 * Errors: -EACCES (another user's) -EAGAIN -EBADF -EBADMSG -ECHILD -EINTR
 * -EINVAL (it has a name) -EMSGSIZE (the mailbox's messages are of another size
 * than 32 bytes, or may not be so large) -ENOMEM -ENOSPC -EOPNOTSUPP -EPIPE
 * -ETIMEDOUT -EXDEV (the mailbox lies in another file system), and the kernel's.
 */
CUBBY_PUBLIC int
cubby_send_region(cubby_mailbox *mailbox, cubby_region *region,
		  struct cubby_envelope *envelope, int64_t deadline);

/*
 * Receives a region, attached for writing. It is this process's until it closes
 * it, which is its end, or sends it on. If the process dies before, or closes
 * the mailbox (then the handle is gone), the mailbox owns it again: the next
 * one receives it, with deliveries one higher. filter and ret_envelope may be
 * NULL; an envelope's size is the region's. Blocks while there is nothing.
 *
 * If the next message is no region, it stays: -ENOMSG. Other ways of receiving
 * leave a message that carries a region: -EOPNOTSUPP. A region of another user
 * may be written by that user even now: copy what you check.
 *
 * A message whose region cannot be opened, and never will, is passed over and
 * gone; so is one of another user who lets it grow to more than this process
 * can map.
 *
 * Not from a mailbox that delivers to every receiver: -EOPNOTSUPP.
 *
 * Errors: those of cubby_hold(), -ENOMSG, and the kernel's (-EMFILE -ENFILE
 * -ENOLCK -ENOMEM -ENOSPC -EDQUOT for what has run out): then the message goes
 * back.
 */
CUBBY_PUBLIC int
cubby_receive_region(cubby_mailbox *mailbox, const struct cubby_filter *filter,
		     int64_t deadline, cubby_region **ret,
		     struct cubby_envelope *ret_envelope);

/* Looking ---------------------------------------------------------------- */

#define CUBBY_UNKNOWN UINT64_MAX	/* your rights do not let you see it */

/* What cubby_inspect() tells. Set struct_size. */
struct cubby_info {
	size_t struct_size;
	enum cubby_order order;
	enum cubby_buffering buffering;
	enum cubby_sizing sizing;
	enum cubby_lifetime lifetime;
	uint64_t capacity;	/* 0: UNLIMITED */
	uint64_t message_max;
	uint64_t memory_limit;
	uint32_t cell_size;
	mode_t mode;
	uid_t uid;		/* the owner */
	gid_t gid;
	uint64_t waiting;	/* messages sent and not handed out; delivered
				   to every receiver: of the slowest */
	uint64_t fullest;	/* the most that wait from one sender */
	uint64_t held;		/* messages held now */
	uint64_t returned;	/* messages given back, waiting for redelivery */
	uint64_t sent;		/* since the mailbox was made */
	uint64_t senders;	/* attached now */
	uint64_t receivers;	/* attached now */
	uint64_t lanes;		/* the most senders that there ever were at once */
	uint64_t sleeping;	/* receivers asleep now */
	uint64_t memory;	/* bytes of memory in use by the mailbox, and by
				   regions that lie in it */
	uint64_t broken;	/* lanes cut off */
	unsigned char uuid[16];	/* another one: another mailbox of that name */
	enum cubby_delivery delivery;
};
#define CUBBY_INFO_INIT { sizeof(struct cubby_info), \
	CUBBY_ORDER_SENDER, CUBBY_LIMITED, CUBBY_VARIABLE, CUBBY_PERSISTENT, \
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, { 0 }, \
	CUBBY_ONE }

/*
 * Looks at a mailbox without opening it: nothing is written, nobody notices.
 * Fields that the caller's rights do not let it see are CUBBY_UNKNOWN. Counts
 * of a mailbox in use are those of slightly different moments.
 *
 * What has run out, so that something could not be looked at, is an error: no
 * count is lower for it.
 *
 * Errors: -EACCES -EBADMSG -EINVAL -ENAMETOOLONG -ENOENT -ENOTDIR -EPERM
 * -EPROTO, and the kernel's (-EMFILE -ENFILE -ENOMEM -ENOLCK for what has run
 * out).
 */
CUBBY_PUBLIC int
cubby_inspect(const char *name, struct cubby_info *ret);

/* One sender of a mailbox, past or present. Set struct_size. */
struct cubby_sender_info {
	size_t struct_size;
	uint64_t sender;	/* as in an envelope */
	char name[64];		/* "" if unnamed */
	uid_t uid;
	pid_t pid;		/* as seen in the sender's own PID namespace;
				   0: nobody is attached. For people, not for
				   programs: pids are reused */
	int attached;		/* 1: alive; 0: has left or died */
	int broken;		/* 1: cut off */
	uint64_t waiting;	/* messages sent and not handed out */
	uint64_t sequence;	/* of the last message published */
	uint64_t memory;	/* bytes */
	uint64_t pid_namespace;	/* in which that is its pid: the inode of
				   /proc/PID/ns/pid; 0: not known */
	int sleeping;		/* it is asleep until there is room, or its
				   message is taken */
	int died;		/* the last one went without closing */
	uint64_t ticket;	/* another one: it has been woken since */
	uint64_t calling;	/* calls in which it is asleep until the reply
				   comes */
	uint64_t server;	/* the receiver that has the request; 0: nobody
				   has, or it is not one for all of them */
	int polling;		/* its descriptor, cubby_fd(), is to tell when
				   there is room */
};

/*
 * Calls visit once for each sender of the mailbox, until it returns other than
 * 0. Needs the right to receive.
 *
 * Returns what visit last returned. Errors: those of cubby_inspect(); some may
 * have been visited by then.
 */
CUBBY_PUBLIC int
cubby_inspect_senders(const char *name,
		      int (*visit)(const struct cubby_sender_info *sender,
				   void *context),
		      void *context);

/* One receiver of a mailbox. Set struct_size. */
struct cubby_receiver_info {
	size_t struct_size;
	uint64_t receiver;	/* its number; a later one may have it again */
	uint64_t generation;	/* another one: a later one */
	uid_t uid;		/* as it says of itself */
	pid_t pid;		/* as seen in its own PID namespace, as it says;
				   0: nobody is attached. For people */
	uint64_t pid_namespace;	/* the inode of /proc/PID/ns/pid; 0: not known */
	int attached;		/* 1: alive; 0: has died */
	int died;		/* it went without closing, and what it left has
				   not been put in order yet */
	int sleeping;		/* it is asleep until there is a message */
	uint64_t ticket;	/* another one: it has been woken since */
	uint64_t held;		/* messages that it holds */
	int polling;		/* its descriptor, cubby_fd(), is to tell when
				   there is a message */
};

/*
 * Calls visit once for each receiver that is attached, or has died and left
 * something to put in order, until it returns other than 0. As cubby_inspect():
 * nothing is written, and nobody notices. Needs the right to receive.
 *
 * Returns what visit last returned. Errors: those of cubby_inspect(); some may
 * have been visited by then.
 */
CUBBY_PUBLIC int
cubby_inspect_receivers(const char *name,
			int (*visit)(const struct cubby_receiver_info *receiver,
				     void *context),
			void *context);

/*
 * Calls visit with the name of each mailbox that the user can see (the user's
 * own, then machine-wide ones), sorted, until it returns other than 0.
 *
 * Returns what visit last returned. Errors: -ENOMEM -EPERM, and the kernel's.
 */
CUBBY_PUBLIC int
cubby_list(int (*visit)(const char *name, void *context), void *context);

/* What cubby_sweep() did. Set struct_size. */
struct cubby_swept {
	size_t struct_size;
	uint64_t mailboxes;	/* removed: unlinked or unfinished, unused */
	uint64_t lanes;		/* of dead senders, drained: memory given back */
	uint64_t messages;	/* of dead holders, put back */
	uint64_t bytes;		/* given back */
};
#define CUBBY_SWEPT_INIT { sizeof(struct cubby_swept), 0, 0, 0, 0 }

/*
 * Cleans up behind the dead, in one mailbox or (name NULL) in all that are the
 * user's: gives memory back, puts held messages back, removes what has been
 * unlinked and is unused. Never needed for correctness; never harms the living.
 * ret may be NULL.
 *
 * Errors: those of cubby_inspect() and -EINVAL.
 */
CUBBY_PUBLIC int
cubby_sweep(const char *name, struct cubby_swept *ret);

/* Words ------------------------------------------------------------------ */

/*
 * What an error (negative, as returned, or positive) means in cubby: a sentence
 * without its full stop, static, never NULL.
 */
CUBBY_PUBLIC const char *
cubby_strerror(int error);

/* The version of the library in use, such as "0.1.0". */
CUBBY_PUBLIC const char *
cubby_version(void);

#ifdef __cplusplus
}
#endif
#endif
