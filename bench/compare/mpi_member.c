/* SPDX-License-Identifier: MIT */
/*
 * cubby-compare-mpi: the members of a team whose messages go by MPI over shared
 * memory, which is what mpich uses within a machine. cubby-compare starts it with
 * their number and the path of what they share; it has itself started that often
 * by mpiexec, and a rank is a member.
 *
 * MPI_Send(3) and MPI_Recv(3), the plain calls, with sizes that both sides know.
 * Messages are sent to somebody: several receivers are dealt to in turn, and each
 * is dismissed once, as one who has ended does not take part any more.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <mpi.h>

#include "control.h"

struct side {
	int tag;
	int first, count, turn; /* ranks that it sends to */
	uint64_t dismissing;
	int dismissed;
};

static int opened;

static int
open_end(const struct channel *channel, void *made, enum role role, int number,
	 void **ret)
{
	struct side *side = calloc(1, sizeof(*side));
	int rank;

	(void)made;
	(void)number;
	(void)role;
	if (!side)
		return -ENOMEM;
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	side->first = channel->alternating ? 1 - rank : 0;
	side->count = channel->receivers;
	opened++;
	*ret = side;
	return 0;
}

/* The last one ends MPI. */
static void
close_end(void *side)
{
	free(side);
	if (--opened == 0)
		MPI_Finalize();
}

/* Whether everybody has been dismissed by now. */
static bool
all_dismissed(struct side *side, uint64_t number)
{
	if (side->dismissing != number) {
		side->dismissing = number;
		side->dismissed = 0;
	}
	return side->dismissed++ >= side->count;
}

ALWAYS_INLINE int
send_message(struct side *side, const void *message, size_t size)
{
	uint64_t number = *(const uint64_t *)message;
	int to = side->first + side->turn;

	if (__builtin_expect(number & DISMISSAL, 0) &&
	    all_dismissed(side, number))
		return 0;
	if (++side->turn == side->count)
		side->turn = 0;
	return MPI_Send(message, (int)size, MPI_BYTE, to, 0, MPI_COMM_WORLD) ?
		       -EIO :
		       0;
}

ALWAYS_INLINE int
receive_message(struct side *side, void *buffer, size_t size)
{
	(void)side;
	return MPI_Recv(buffer, (int)size, MPI_BYTE, MPI_ANY_SOURCE, 0,
			MPI_COMM_WORLD, MPI_STATUS_IGNORE) ?
		       -EIO :
		       0;
}

PEER_COPYING(run, struct side, send_message, receive_message)

static const struct peer peer = {
	.name = "MPI (mpich)",
	.open = open_end,
	.run = run,
	.close = close_end,
};

int
main(int argc, char **argv)
{
	static void *const made[2] = { NULL, NULL };
	struct control *control;
	int rank;

	if (argc == 3) {
		execl(BENCH_MPIEXEC, BENCH_MPIEXEC, "-n", argv[1], argv[0],
		      argv[2], (char *)NULL);
		return 127;
	}
	if (argc != 2)
		return 2;
	control = control_map(argv[1]);
	if (!control)
		return 1;
	MPI_Init(NULL, NULL);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	member_serve(control, &peer, made, rank);
}
