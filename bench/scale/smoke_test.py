#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""smoke_test.py CUBBY_SCALE RESULTS: runs every test of it quickly, writes
RESULTS, and checks that each curve is drawn, and that nothing is left behind, also
by one that is interrupted. No figure is judged: a loaded machine would fail it."""
import json
import os
import re
import signal
import subprocess
import sys

TARGETS = {"idle_senders", "oversubscribed", "idle_mailbox_memory",
           "idle_sender_memory", "open_to_first", "backlog_back"}


def check(condition, what):
    if not condition:
        sys.exit("smoke_test: " + what)


def check_row(row, curves):
    check(row["curve"] in curves, f"no such curve: {row}")
    check(row["x"] >= 0, f"no x in {row}")
    check(row["unit"] == curves[row["curve"]]["unit"], f"unit of {row}")
    if row["value"] is None:
        check(row["reason"], f"neither value nor reason in {row}")
    else:
        check(row["low"] <= row["value"] <= row["high"], f"spread of {row}")


def check_results(results, tests):
    curves = {curve["name"]: curve for curve in results["curves"]}
    check(len(curves) == len(results["curves"]), "two curves of one name")
    for row in results["rows"]:
        check_row(row, curves)
    bare = curves.keys() - {row["curve"] for row in results["rows"]}
    # On a busy machine every round of the two that are pinned may be dropped.
    check(bare <= {"idle_senders", "idle_senders_ratio"}, f"no rows of {bare}")
    check({curve["test"] for curve in curves.values()} == tests,
          "a test without a curve")
    targets = {target["name"]: target for target in results["targets"]}
    check(targets.keys() == TARGETS, f"targets: {targets.keys()}")
    for target in targets.values():
        check((target["held"] is None) == (target["value"] is None) and
              (target["held"] is None) == (target["reason"] is not None),
              f"held, value and reason disagree: {target}")


def roots_of(output):
    return re.findall(r"^mailboxes: (\S+)$", output, re.M)


def interrupt(program):
    """As soon as it is at work."""
    run = subprocess.Popen([program, "--test", "busy_senders", "--json",
                            os.devnull], stdout=subprocess.PIPE, text=True)
    line = run.stdout.readline()
    roots = roots_of(line)
    check(roots and os.path.isdir(roots[0]), f"no root: {line}")
    run.send_signal(signal.SIGINT)
    run.communicate()
    check(run.returncode == 130, f"interrupted, it ended with {run.returncode}")
    check(not os.path.exists(roots[0]), f"{roots[0]} is left")


def main():
    program, results = sys.argv[1:]
    os.makedirs(os.path.dirname(results), exist_ok=True)
    tests = {line.split()[0] for line in subprocess.check_output(
        [program, "--list"], text=True).splitlines()}
    run = subprocess.run([program, "--quick", "--json", results],
                         stdout=subprocess.PIPE, text=True)
    print(run.stdout)
    check(run.returncode == 0, f"cubby-scale ended with {run.returncode}")
    with open(results, encoding="utf-8") as file:
        check_results(json.load(file), tests)
    roots = roots_of(run.stdout)
    check(roots and not os.path.exists(roots[0]), f"{roots} is left")
    interrupt(program)


main()
