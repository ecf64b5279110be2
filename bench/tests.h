/* SPDX-License-Identifier: MIT */
#ifndef BENCH_TESTS_H
#define BENCH_TESTS_H

#include "bench.h"

extern const struct test round_trip_test;
extern const struct test rate_test;
extern const struct test fan_in_test;
extern const struct test idle_rate_test;
extern const struct test idle_round_trip_test;
extern const struct test in_place_test;
extern const struct test in_full_test;
extern const struct test asleep_test;
extern const struct test batch_test;
extern const struct test broadcast_test;
extern const struct test call_test;
extern const struct test wait_test;
extern const struct test wait_ready_test;
extern const struct test queue_test;
extern const struct test waiting_first_test;
extern const struct test waiting_type_test;
extern const struct test waiting_not_type_test;
extern const struct test waiting_lowest_test;
extern const struct test waiting_priority_test;
extern const struct test waiting_withdrawal_test;

#endif
