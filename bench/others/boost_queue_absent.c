/* SPDX-License-Identifier: MIT */
#include "peer.h"

const struct peer boost_queue_peer =
	PEER_ABSENT("Boost message_queue", KIND_PEER,
		    OFFERS_BLOCKING | OFFERS_SPINNING | OFFERS_NAMES |
			    OFFERS_MANY_SENDERS | OFFERS_MANY_RECEIVERS,
		    "Boost.Interprocess, or a C++ compiler, was not found when "
		    "this was configured");
