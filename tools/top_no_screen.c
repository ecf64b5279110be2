/* SPDX-License-Identifier: MIT */
/* In place of top_screen.c, where there is no ncurses to build it with. */
#include "command.h"
#include "top.h"

int
top_screen(struct top *top)
{
	(void)top;
	complain("this cubby was built without ncurses, and has no screen; "
		 "see: cubby top --batch");
	return EXIT_ERROR;
}
