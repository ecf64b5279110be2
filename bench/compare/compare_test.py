#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""compare_test.py CUBBY_COMPARE RESULTS: runs it with the shortest of rounds,
writes RESULTS, and checks that they are what bench/README.md says, whole, and that
nothing failed. No figure is judged."""
import json
import os
import subprocess
import sys

TESTS = {"round_trip", "rate", "even_load"}
COUNTED = {"calls_rate", "calls_round_trip", "calls_even_load"}
CLASSES = {"near", "far", "mixed", "sibling", "oversubscribed"}
OFFERS = {"blocking", "spinning", "many senders", "many receivers", "names",
          "in place", "batches"}
ROW = {"test", "mode", "size", "senders", "receivers", "touched", "peer",
       "unit", "value"}
MEASURED = {"class", "low", "high", "rounds", "spins", "processor_ns", "calls",
            "sleeps", "latency"}


def check(condition, what):
    if not condition:
        sys.exit("compare_test: " + what)


def check_latency(row):
    latency = row["latency"]
    check((latency is not None) == row["test"].endswith("round_trip"),
          f"latency or not in {row}")
    if latency:
        check(sum(count for _, count in latency["buckets"]) == latency["count"],
              f"buckets do not add up in {row}")
        check(latency["buckets"][0][0] <= latency["p50"] <= latency["max"],
              f"no median of what there is in {row}")


def check_row(row, peers):
    if row["test"] == "shares":
        check(CLASSES <= row.keys(), f"no shares in {row}")
        return
    check(ROW <= row.keys(), f"no {ROW - row.keys()} in {row}")
    check(row["peer"] in peers, f"a stranger in {row}")
    if row["value"] is None:
        check(row["reason"] and not row["failed"], f"failed: {row}")
        check(peers[row["peer"]]["present"] or "absent" in row["reason"],
              f"absence is not told in {row}")
        return
    check(MEASURED <= row.keys(), f"no {MEASURED - row.keys()} in {row}")
    check(row["class"] in CLASSES and row["rounds"] > 0, f"no class in {row}")
    check(0 < row["low"] <= row["value"] <= row["high"], f"values in {row}")
    check_latency(row)


def check_goal(goal):
    for class_ in ("near", "far"):
        check((goal[class_] is None) == bool(goal[class_ + "_reason"]) or
              goal["ours"] is None, f"no reason, or one too many, in {goal}")
    check((goal["held"] is None) == bool(goal["reason"]), f"held in {goal}")


def check_costs(rows):
    """What the kernel carries takes two system calls a message, and shared memory
    less: whoever counts wrongly is found out."""
    for row in rows:
        if row["test"] == "calls_rate" and row["value"]:
            calls = row["calls"]
            if row["peer"] == "Unix socket, seqpacket":
                check(abs(calls - 2) < 0.1, f"{calls} calls in {row}")
            elif row["peer"].startswith("DPDK"):
                check(calls < 0.1, f"{calls} calls in {row}")


def main():
    program, results = sys.argv[1:]
    os.makedirs(os.path.dirname(results), exist_ok=True)
    run = subprocess.run(
        [program, "--rounds", "2", "--round-ms", "2", "--hunt", "0",
         "--size", "64", "--json", results],
        stdout=subprocess.PIPE, text=True)
    print(run.stdout)
    check(run.returncode == 0, f"cubby-compare ended with {run.returncode}")
    with open(results, encoding="utf-8") as file:
        found = json.load(file)
    check(found["schema"] == 1, "another schema")
    check({"processor", "kernel", "system", "cpus"} <= found["machine"].keys(),
          "no machine")
    peers = {peer["name"]: peer for peer in found["peers"]}
    for peer in peers.values():
        check(peer["version"] if peer["present"] else peer["absent"],
              f"neither there nor absent: {peer}")
        check(set(peer["offers"]) <= OFFERS, f"offers of {peer}")
    for row in found["rows"]:
        check_row(row, peers)
    counted = found["settings"]["calls_counted_by"]
    check(counted or found["settings"]["calls_not_counted"], "no word of calls")
    wanted = {(test, name) for name in peers
              for test in TESTS | (COUNTED if counted else set())}
    missing = wanted - {(row["test"], row.get("peer"))
                        for row in found["rows"]}
    check(not missing, f"no rows of {missing}")
    check_costs(found["rows"])
    for goal in found["goals"]:
        check_goal(goal)
    check(any(goal["name"] == "rate_mailboxes" for goal in found["goals"]),
          "no goals")


main()
