/* SPDX-License-Identifier: MIT */
/*
 * Boost.Interprocess message_queue: "Interprocess mechanisms", "Message Queue". It
 * copies in and out; who waits sleeps. Nobody sleeps with try_send and
 * try_receive.
 */
#include <cerrno>
#include <exception>
#include <new>

#include <boost/interprocess/ipc/message_queue.hpp>
#include <boost/version.hpp>

#include "peer_loops.h"

namespace
{
namespace ipc = boost::interprocess;

struct made_queue {
	char name[48];
	ipc::message_queue queue;

	explicit made_queue(const struct channel *channel)
		: queue(ipc::create_only, channel->name, channel->depth,
			channel->size)
	{
		snprintf(name, sizeof(name), "%s", channel->name);
	}
};

struct side {
	ipc::message_queue queue;
	bool spinning;

	explicit side(const struct channel *channel)
		: queue(ipc::open_only, channel->name)
		, spinning(channel->spinning)
	{
	}
};

void
version(char *ret, size_t size)
{
	snprintf(ret, size, "%d.%d.%d", BOOST_VERSION / 100000,
		 BOOST_VERSION / 100 % 1000, BOOST_VERSION % 100);
}

int
make(const struct channel *channel, void **ret)
{
	try {
		*ret = new made_queue(channel);
		return 0;
	} catch (const ipc::interprocess_exception &reason) {
		return -(reason.get_native_error() ?
				 (int)reason.get_native_error() :
				 EIO);
	} catch (const std::exception &) {
		return -ENOMEM;
	}
}

void
unmake(void *pointer)
{
	made_queue *made = static_cast<made_queue *>(pointer);

	ipc::message_queue::remove(made->name);
	delete made;
}

int
open_end(const struct channel *channel, void *, enum role, int, void **ret)
{
	try {
		*ret = new side(channel);
		return 0;
	} catch (const std::exception &) {
		return -EIO;
	}
}

void
close_end(void *pointer)
{
	delete static_cast<side *>(pointer);
}

ALWAYS_INLINE int
send_message(side *its, const void *message, size_t size)
{
	if (its->spinning) {
		while (!its->queue.try_send(message, size, 0))
			spin_pause();
	} else {
		its->queue.send(message, size, 0);
	}
	return 0;
}

ALWAYS_INLINE int
receive_message(side *its, void *buffer, size_t size)
{
	ipc::message_queue::size_type got;
	unsigned priority;

	if (its->spinning) {
		while (!its->queue.try_receive(buffer, size, got, priority))
			spin_pause();
	} else {
		its->queue.receive(buffer, size, got, priority);
	}
	return got == size ? 0 : -EBADMSG;
}

PEER_COPYING(run, side, send_message, receive_message)

struct peer
describe()
{
	struct peer peer = {};

	peer.name = "Boost message_queue";
	peer.manual = "Boost.Interprocess, Message Queue";
	peer.kind = KIND_PEER;
	peer.offers = OFFERS_BLOCKING | OFFERS_SPINNING | OFFERS_NAMES |
		      OFFERS_MANY_SENDERS | OFFERS_MANY_RECEIVERS;
	peer.version = version;
	peer.make = make;
	peer.unmake = unmake;
	peer.open = open_end;
	peer.run = run;
	peer.close = close_end;
	return peer;
}
} // namespace

extern const struct peer boost_queue_peer;
const struct peer boost_queue_peer = describe();
