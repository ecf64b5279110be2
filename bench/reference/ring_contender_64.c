/* SPDX-License-Identifier: MIT */
#include "ring_64.h"

#include "ring_contender.c"
