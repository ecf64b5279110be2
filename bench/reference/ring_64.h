/* SPDX-License-Identifier: MIT */
#ifndef BENCH_REFERENCE_RING_64_H
#define BENCH_REFERENCE_RING_64_H
/*
 * The reference ring with messages of 64 bytes: the same source, under other
 * names. A message takes two lines, as it does in a lane, where with its 64 bytes
 * go what a message of 40 bytes leaves room for in one.
 */
#define RING_PAYLOAD ((size_t)64)

#define ring_make ring_64_make
#define ring_unmake ring_64_unmake
#define ring_attach_sender ring_64_attach_sender
#define ring_attach_receiver ring_64_attach_receiver
#define ring_detach ring_64_detach
#define ring_send ring_64_send
#define ring_try_receive ring_64_try_receive
#define ring_receive ring_64_receive

#define ring_stream ring_64_stream
#define ring_stream_from_three ring_64_stream_from_three
#define ring_round_trip ring_64_round_trip

#endif
