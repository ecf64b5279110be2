#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""starved.py EVERY_INSTRUCTION: a worker that hardly ever runs is no hang.

While the points of an operation are listed, the other side sleeps. Here the worker
gets a few milliseconds of each half second, as on a machine with much else to do,
so that it is asleep for longer than what would be a hang. Nothing may be told.
"""
import os
import signal
import subprocess
import sys
import time

SCENARIO = "arrival-open-receiver/asleep"
LONG = 14  # seconds; a hang is 10


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(child) for child in file.read().split()]
    except OSError:
        return []


def send(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def list_slowly(program, runs):
    """Lets the workers run that long in each half second, for LONG seconds."""
    begin = time.monotonic()
    with subprocess.Popen([program, "--scenario", SCENARIO, "--list", "--jobs",
                           "1"], stdout=subprocess.PIPE, text=True) as harness:
        while harness.poll() is None and time.monotonic() < begin + LONG:
            workers = children(harness.pid)
            send(workers, signal.SIGSTOP)
            time.sleep(0.5)
            send(workers, signal.SIGCONT)
            time.sleep(runs)
        told = harness.stdout.read()
        harness.wait()
    return harness.returncode, told, time.monotonic() - begin


def main():
    for runs in (0.05, 0.02, 0.01, 0.005):
        status, told, lasted = list_slowly(sys.argv[1], runs)
        if status != 0 or "FAILED" in told:
            print(told)
            return 1
        if lasted > LONG:
            print(f"listed in {lasted:.1f} s")
            return 0
    print("skipped: the points are listed too quickly here")
    return 77


if __name__ == "__main__":
    sys.exit(main())
