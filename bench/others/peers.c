/* SPDX-License-Identifier: MIT */
#include "peer.h"

extern const struct peer cubby_peer, cubby_in_place_peer, cubby_batches_peer;
extern const struct peer pipe_peer, unix_stream_peer, unix_seqpacket_peer;
extern const struct peer posix_mq_peer, system_v_peer, boost_queue_peer;
extern const struct peer zeromq_peer, nng_peer, mpi_peer;
extern const struct peer iceoryx_peer, iceoryx2_peer;
extern const struct peer dpdk_spsc_peer, dpdk_mpmc_peer, dpdk_bulk_peer;
extern const struct peer futex_peer, eventfd_peer;

const struct peer *const peers[] = {
	&cubby_peer,	     &cubby_in_place_peer,
	&cubby_batches_peer, &pipe_peer,
	&unix_stream_peer,   &unix_seqpacket_peer,
	&posix_mq_peer,	     &system_v_peer,
	&boost_queue_peer,   &zeromq_peer,
	&nng_peer,	     &iceoryx_peer,
	&iceoryx2_peer,	     &mpi_peer,
	&dpdk_spsc_peer,     &dpdk_mpmc_peer,
	&dpdk_bulk_peer,     &futex_peer,
	&eventfd_peer,	     NULL,
};
