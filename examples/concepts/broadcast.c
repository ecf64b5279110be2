/* SPDX-License-Identifier: MIT */
/* Ann hears each price as it comes, Bob looks away, and Carl comes late. */
#include <cubby.h>
#include <err.h>
#include <stdio.h>

#define NAME "concept-broadcast"

static int last, heard, missed;

static void
check(int result)
{
	if (result < 0)
		errx(1, "%s", cubby_strerror(result));
}

static cubby_mailbox *
open_news(int flags, unsigned int history)
{
	struct cubby_options options = CUBBY_OPTIONS_INIT;
	cubby_mailbox *news;

	options.delivery = CUBBY_EVERY_OVERTAKE;
	options.history = history;
	check(cubby_open(NAME, flags, &options, &news));
	return news;
}

static void
hear(cubby_mailbox *news)
{
	struct cubby_envelope e = CUBBY_ENVELOPE_INIT;

	for (; cubby_receive_full(news, NULL, 0, CUBBY_NOW, &last,
				  sizeof(last), NULL, &e) == 0; heard++)
		missed += (int)e.missed;
}

int
main(void)
{
	cubby_mailbox *news = open_news(CUBBY_CREATE | CUBBY_SEND, 0);
	cubby_mailbox *ann = open_news(CUBBY_RECEIVE, 0);
	cubby_mailbox *bob = open_news(CUBBY_RECEIVE, 0), *carl;

	for (int price = 1; price <= 1000; price++, hear(ann))
		check(cubby_send(news, &price, sizeof(price)));
	printf("Ann has heard %d, missed %d\n", heard, missed);
	cubby_close(ann);
	heard = 0, hear(bob);
	printf("Bob has heard and missed %d, to %d\n", heard + missed, last);
	cubby_close(bob);
	carl = open_news(CUBBY_RECEIVE, 5);
	heard = 0, hear(carl);
	printf("Carl has heard the last %d, to %d\n", heard, last);
	cubby_close(carl);
	cubby_close(news);
	return cubby_unlink(NAME);
}
