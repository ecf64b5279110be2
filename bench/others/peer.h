/* SPDX-License-Identifier: MIT */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H
/*
 * What cubby is compared with: one file for each peer, all behind this, so that
 * every workload is one loop for all of them (peer_loops.h). C and C++.
 *
 * A peer makes *channels*, each of which goes one way, from its senders to its
 * receivers: every message reaches one of the receivers, whole. There and back
 * is two channels. The processes at the ends are the *members* of a *team*, which
 * the coordinator forks, or has a program of the peer start.
 *
 * Each file names the page of its peer's manual that says how it is meant to be
 * used for speed, and does so. One that was not found when this was configured
 * is here all the same, and says that it is absent.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PEER_MEMBERS_MAX 8

/* One direction, as it is to be made. */
struct channel {
	int senders, receivers;
	size_t size;	/* bytes of each message; a multiple of 8 */
	unsigned depth; /* messages that it shall hold before a sender waits */
	bool spinning;	/* nobody ever sleeps: calls that do not wait */
	bool alternating; /* there is never more than one message in it */
	char name[48];	  /* no other channel's */
};

enum peer_kind {
	KIND_OURS,
	KIND_PEER,
	KIND_FLOOR /* less than a mailbox: the bound of being woken */
};

enum {
	OFFERS_BLOCKING = 1,	   /* who waits may sleep */
	OFFERS_SPINNING = 2,	   /* or look again and again */
	OFFERS_MANY_SENDERS = 4,   /* to one receiver */
	OFFERS_MANY_RECEIVERS = 8, /* each message to one of them */
	OFFERS_NAMES = 16,	   /* strangers can meet at a name */
	OFFERS_IN_PLACE = 32,	   /* a message need not be copied */
	OFFERS_BATCHES = 64	   /* this row sends many with one call */
};

enum role { ROLE_SENDER, ROLE_RECEIVER };

struct seat;

/* A peer. Where a function returns int: 0 or -errno. Null where told: nothing
   is to be done. */
struct peer {
	const char *name;
	const char *absent; /* why it is not built in; NULL: it is */
	const char *manual; /* where its use here is recommended */
	const char *note;   /* what has to be known of its figures, or NULL */
	enum peer_kind kind;
	unsigned offers;
	bool helpers;	     /* has threads of its own beside the caller's */
	bool exits;	     /* its processes have to end by exit(3) */
	const char *program; /* starts the members; NULL: they are forked */

	void (*version)(char *ret, size_t size);
	/* In the coordinator, around everything (a daemon); may be NULL. begin
	   tells in ret why it cannot, where it fails. */
	int (*begin)(char *ret, size_t size);
	void (*end)(void);
	/* Why there can be no such channel; NULL: there can. May be NULL. */
	const char *(*refuses)(const struct channel *channel);
	/* In the coordinator, before there are members; may be NULL. */
	int (*make)(const struct channel *channel, void **ret);
	void (*unmake)(void *made);
	/* In a member: its end, number counts those of its role. Receivers open
	   before senders. */
	int (*open)(const struct channel *channel, void *made, enum role role,
		    int number, void **ret);
	/* When all have opened: waits until this end can be used; may be NULL. */
	int (*ready)(void *side);
	/* One round: the loops of peer_loops.h around its own calls. */
	void (*run)(struct seat *seat);
	void (*close)(void *side);
};

/* All that there are, absent ones included, to a NULL. */
extern const struct peer *const peers[];

/* For those that cannot be built in. */
#define PEER_ABSENT(its_name, its_kind, its_offers, why) \
	{ \
		.name = its_name, .absent = why, .kind = its_kind, \
		.offers = its_offers \
	}

#ifdef __cplusplus
}
#endif
#endif
