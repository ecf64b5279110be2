/* SPDX-License-Identifier: MIT */
/*
 * MPI's processes must be started by mpiexec: compare/mpi_member.c is what it
 * starts, and this tells cubby-compare of it.
 */
#include "peer.h"

#ifdef BENCH_MPI_MEMBER

#include <stdio.h>

static void
version(char *ret, size_t size)
{
	snprintf(ret, size, "mpich %s", BENCH_MPI_VERSION);
}

const struct peer mpi_peer = {
	.name = "MPI (mpich)",
	.manual = "MPI_Send(3), MPI_Recv(3)",
	.note = "who waits spins; several receivers are dealt to in turn",
	.kind = KIND_PEER,
	.offers = OFFERS_SPINNING | OFFERS_MANY_SENDERS | OFFERS_MANY_RECEIVERS,
	.program = BENCH_MPI_MEMBER,
	.version = version,
};
#else
const struct peer mpi_peer = PEER_ABSENT(
	"MPI (mpich)", KIND_PEER,
	OFFERS_SPINNING | OFFERS_MANY_SENDERS | OFFERS_MANY_RECEIVERS,
	"mpich was not found when this was configured");
#endif
