/* SPDX-License-Identifier: MIT */
/*
 * iceoryx: a publisher's chunks lie in memory that its daemon, RouDi, manages, and
 * subscribers read them there. Its C binding, as in the examples iceperf_c: loan,
 * fill, publish; take, read, release. Nothing is lost ("Overview", "blocking
 * publisher"): a publisher waits for a subscriber whose queue is full. Who is to
 * sleep waits by a WaitSet when there is nothing to take. Every subscriber gets
 * every message, so there is one receiver.
 *
 * RouDi is started here, with memory for the sizes of the tests, and ended.
 */
#ifdef BENCH_HAVE_ICEORYX

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <iceoryx_binding_c/log.h>
#include <iceoryx_binding_c/publisher.h>
#include <iceoryx_binding_c/runtime.h>
#include <iceoryx_binding_c/subscriber.h>
#include <iceoryx_binding_c/wait_set.h>

#include "peer_loops.h"

/* Milliseconds: until RouDi is there, and until it has brought two together. */
#define PATIENCE 20000

struct side {
	bool sends, spinning;
	iox_pub_storage_t publisher_storage;
	iox_sub_storage_t subscriber_storage;
	iox_ws_storage_t set_storage;
	iox_pub_t publisher;
	iox_sub_t subscriber;
	iox_ws_t set;
};

static pid_t roudi;
static int roudi_output = -1;

static void
version(char *ret, size_t size)
{
	snprintf(ret, size, "%s", BENCH_HAVE_ICEORYX);
}

/* RouDi --------------------------------------------------------------------- */

/* Chunks a little larger than the messages: each has a header. */
static int
write_configuration(char *path)
{
	static const unsigned pools[][2] = {
		{ 256, 4096 }, { 2048, 4096 }, { 66560, 256 }, { 1050624, 64 }
	};
	int fd = mkstemp(path);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

	if (!file)
		return -errno;
	fputs("[general]\nversion = 1\n\n[[segment]]\n", file);
	for (int i = 0; i < 4; i++)
		fprintf(file, "\n[[segment.mempool]]\nsize = %u\ncount = %u\n",
			pools[i][0], pools[i][1]);
	return fclose(file) ? -errno : 0;
}

static _Noreturn void
become_roudi(const char *configuration, int output)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	/* Who leaves says so; a loaded machine makes no one dead. */
	execlp("iox-roudi", "iox-roudi", "-c", configuration, "-m", "off", "-l",
	       "warning", (char *)NULL);
	_exit(127);
}

/* Reads what RouDi says until it is ready. */
static bool
await_roudi(void)
{
	char said[16384] = "";
	size_t length = 0;

	for (;;) {
		struct pollfd output = { roudi_output, POLLIN, 0 };
		ssize_t got;

		if (poll(&output, 1, PATIENCE) != 1)
			return false;
		got = read(roudi_output, said + length,
			   sizeof(said) - 1 - length);
		if (got <= 0)
			return false;
		length += (size_t)got;
		said[length] = '\0';
		if (strstr(said, "RouDi is ready for clients"))
			return true;
	}
}

static void
end(void)
{
	if (roudi > 0) {
		kill(roudi, SIGTERM);
		waitpid(roudi, NULL, 0);
	}
	if (roudi_output >= 0)
		close(roudi_output);
	roudi = 0;
	roudi_output = -1;
}

static int
begin(char *ret, size_t size)
{
	char configuration[] = "/tmp/cubby-compare-roudi-XXXXXX";
	int output[2], error = write_configuration(configuration);

	if (error || pipe2(output, O_CLOEXEC)) {
		snprintf(ret, size, "RouDi's configuration: %s",
			 strerror(error ? -error : errno));
		return -EIO;
	}
	roudi = fork();
	if (roudi == 0)
		become_roudi(configuration, output[1]);
	close(output[1]);
	roudi_output = output[0];
	error = roudi > 0 && await_roudi() ? 0 : -EIO;
	unlink(configuration);
	if (error) {
		end();
		snprintf(ret, size,
			 "iox-roudi could not be started; does one run?");
	}
	return error;
}

/* Ends ---------------------------------------------------------------------- */

static const char *
refuses(const struct channel *channel)
{
	return channel->receivers > 1 ? "every subscriber gets every message" :
					NULL;
}

static void
enter(void)
{
	static bool entered;
	char name[64];

	if (entered)
		return;
	entered = true;
	snprintf(name, sizeof(name), "cubby-compare-%ld", (long)getpid());
	iox_set_loglevel(Iceoryx_LogLevel_Warn);
	iox_runtime_init(name);
}

static void
open_publisher(const struct channel *channel, struct side *side)
{
	iox_pub_options_t options;

	iox_pub_options_init(&options);
	options.historyCapacity = 0;
	options.subscriberTooSlowPolicy =
		ConsumerTooSlowPolicy_WAIT_FOR_CONSUMER;
	side->publisher = iox_pub_init(&side->publisher_storage, "cubby",
				       channel->name, "bytes", &options);
}

static void
open_subscriber(const struct channel *channel, struct side *side)
{
	iox_sub_options_t options;

	iox_sub_options_init(&options);
	options.queueCapacity = channel->depth;
	options.historyRequest = 0;
	options.queueFullPolicy = QueueFullPolicy_BLOCK_PRODUCER;
	side->subscriber = iox_sub_init(&side->subscriber_storage, "cubby",
					channel->name, "bytes", &options);
	side->set = iox_ws_init(&side->set_storage);
	iox_ws_attach_subscriber_state(side->set, side->subscriber,
				       SubscriberState_HAS_DATA, 0, NULL);
}

static int
open_end(const struct channel *channel, void *made, enum role role, int number,
	 void **ret)
{
	struct side *side = calloc(1, sizeof(*side));

	(void)made;
	(void)number;
	if (!side)
		return -ENOMEM;
	enter();
	side->sends = role == ROLE_SENDER;
	side->spinning = channel->spinning;
	if (side->sends)
		open_publisher(channel, side);
	else
		open_subscriber(channel, side);
	*ret = side;
	return 0;
}

/* RouDi brings publishers and subscribers together now and then. */
static int
ready(void *pointer)
{
	const struct timespec step = { 0, 1000000 };
	struct side *side = pointer;

	for (int i = 0; i < PATIENCE; i++) {
		if (side->sends ?
			    iox_pub_has_subscribers(side->publisher) :
			    iox_sub_get_subscription_state(side->subscriber) ==
				    SubscribeState_SUBSCRIBED)
			return 0;
		nanosleep(&step, NULL);
	}
	return -ETIMEDOUT;
}

static void
close_end(void *pointer)
{
	struct side *side = pointer;

	if (side->sends) {
		iox_pub_deinit(side->publisher);
	} else {
		iox_ws_detach_subscriber_state(side->set, side->subscriber,
					       SubscriberState_HAS_DATA);
		iox_sub_deinit(side->subscriber);
		iox_ws_deinit(side->set);
	}
	free(side);
}

/* Messages ------------------------------------------------------------------ */

/* There are more chunks than can be on their way, but for a moment. */
ALWAYS_INLINE int
loan(struct side *side, size_t size, void **ret)
{
	while (iox_pub_loan_aligned_chunk(side->publisher, ret, (uint32_t)size,
					  64) != AllocationResult_SUCCESS)
		spin_pause();
	return 0;
}

ALWAYS_INLINE int
publish(struct side *side, void *message, size_t size)
{
	(void)size;
	iox_pub_publish_chunk(side->publisher, message);
	return 0;
}

ALWAYS_INLINE int
take(struct side *side, size_t size, const void **ret)
{
	iox_notification_info_t news;
	uint64_t missed;

	(void)size;
	while (iox_sub_take_chunk(side->subscriber, ret) !=
	       ChunkReceiveResult_SUCCESS) {
		if (side->spinning)
			spin_pause();
		else
			iox_ws_wait(side->set, &news, 1, &missed);
	}
	return 0;
}

ALWAYS_INLINE int
give_back(struct side *side, const void *message)
{
	iox_sub_release_chunk(side->subscriber, message);
	return 0;
}

PEER_IN_PLACE(run, struct side, loan, publish, take, give_back)

const struct peer iceoryx_peer = {
	.name = "iceoryx",
	.manual = "iceoryx 2.0, examples iceperf and waitset",
	.note = "its daemon's processor time is not counted",
	.kind = KIND_PEER,
	.offers = OFFERS_BLOCKING | OFFERS_SPINNING | OFFERS_NAMES |
		  OFFERS_MANY_SENDERS | OFFERS_IN_PLACE,
	.helpers = true,
	.exits = true,
	.version = version,
	.begin = begin,
	.end = end,
	.refuses = refuses,
	.open = open_end,
	.ready = ready,
	.run = run,
	.close = close_end,
};
#else
#include "peer.h"

const struct peer iceoryx_peer =
	PEER_ABSENT("iceoryx", KIND_PEER,
		    OFFERS_BLOCKING | OFFERS_SPINNING | OFFERS_NAMES |
			    OFFERS_MANY_SENDERS | OFFERS_IN_PLACE,
		    "iceoryx (its C binding, and iox-roudi) was not found when "
		    "this was configured");
#endif
