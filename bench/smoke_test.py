#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""smoke_test.py CUBBY_BENCH RESULTS: runs every test of cubby-bench with the
shortest of rounds, writes RESULTS, and checks that each is measured, or says why
not. No figure is judged: a loaded machine would fail it, and a goal that is missed
is for the results to tell."""
import json
import os
import subprocess
import sys

GOALS = {"round_trip", "round_trip_polling", "round_trip_pausing", "rate", "reference_64",
         "reference_40", "fan_in", "idle_rate", "idle_round_trip", "in_place",
         "in_full", "asleep", "asleep_polling", "call", "queue", "queue_default", "queue_10"}
TESTS = {"round_trip", "rate", "fan_in", "idle_rate", "idle_round_trip",
         "in_place", "in_full", "asleep", "call", "wait", "wait_ready", "queue"}
WAITING = {"first", "type", "not_type", "lowest", "priority", "withdrawal"}
TESTS |= {"waiting_" + what for what in WAITING}
GOALS |= {f"waiting_{what}_{count}" for what in WAITING
          for count in (1000, 100000)}


def check(condition, what):
    if not condition:
        sys.exit("smoke_test: " + what)


def check_row(row):
    missing = {"test", "system"} - row.keys()
    check(not missing, f"no {missing} in {row}")
    if row["test"] in ("machine", "dropped"):
        return
    missing = {"size", "senders", "receivers", "value", "unit"} - row.keys()
    check(not missing, f"no {missing} in {row}")
    if row["value"] is None:
        check(row.get("reason"), f"neither value nor reason in {row}")
    else:
        check(row["value"] > 0, f"no value in {row}")
    if row["test"].startswith("ratio:"):
        missing = {"goal", "held"} - row.keys()
        check(not missing, f"no {missing} in {row}")
        check((row["held"] is None) == (row["value"] is None),
              f"held and value disagree in {row}")


def main():
    bench, results = sys.argv[1:]
    os.makedirs(os.path.dirname(results), exist_ok=True)
    run = subprocess.run(
        [bench, "--rounds", "1", "--round-ms", "1", "--hunt", "0",
         "--json", results], stdout=subprocess.PIPE, text=True)
    print(run.stdout)
    check(run.returncode == 0, f"cubby-bench ended with {run.returncode}")
    with open(results, encoding="utf-8") as file:
        rows = json.load(file)
    for row in rows:
        check_row(row)
    names = {row["test"] for row in rows}
    # On a busy machine all rounds of a test may have been disturbed: its goal
    # says so.
    names |= {row["test"].removeprefix("ratio:") for row in rows
              if row["test"].startswith("ratio:") and row["value"] is None}
    missing = (TESTS | {"ratio:" + goal for goal in GOALS}) - names
    check(not missing, f"no rows of {missing}")


main()
