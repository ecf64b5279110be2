/* SPDX-License-Identifier: MIT */
/* What is told about one mailbox. */
#ifndef CUBBY_TOOLS_INFO_H
#define CUBBY_TOOLS_INFO_H

#include <cubby.h>

/* Prints an object of all that cubby_inspect() tells. */
void
info_json(const char *name, const struct cubby_info *info);

/* What an order is called. */
const char *
info_order(enum cubby_order order);

#endif
