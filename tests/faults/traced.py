#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""traced.py EVERYTHING_FAILS SCENARIO,...

What everything_fails reports of a call's system calls is all that there are:
strace(1), which has them from the kernel, sees the same ones, one by one, in the
thread that makes the call, and nothing besides.

The kernel hands a call over to everything_fails before a tracer sees it, and the
tracer sees it when the handler carries it out. So a call that is not handed over
(or is made twice) is in the tracer's list alone; one that is reported and never
made, in the other. Two differ by right: rt_sigreturn(2), by which the handler
returns; rt_sigprocmask(2), which is done to the mask that it returns to.
"""

import re
import shutil
import subprocess
import sys
import tempfile

ALLOCATION, SIGPROCMASK, SIGRETURN = -1, 14, 15
LINE = re.compile(r"^(\d+) +\[ *(\d+)\] (.*)")


def traced(path):
    """The numbers of the calls between each pair of marks, in order."""
    runs, within = [], {}
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            match = LINE.match(line)
            if not match:
                continue  # a signal, or an end
            pid, number, rest = match[1], int(match[2]), match[3]
            if rest.startswith('write(-1, "everything_fails begins"'):
                within[pid] = []
            elif rest.startswith('write(-1, "everything_fails ends"'):
                runs.append(within.pop(pid))
            elif (pid in within and number != SIGRETURN and
                  not rest.startswith(("<... ", "--- ", "+++ "))):
                within[pid].append(number)
    return runs


def reported(text):
    """[(scenario, numbers)]"""
    lists = []
    for line in text.splitlines():
        name, *numbers = line.split()
        lists.append((name, [int(n) for n in numbers if int(n) not in
                             (ALLOCATION, SIGPROCMASK)]))
    return lists


def main():
    program, scenarios = sys.argv[1:]
    if not shutil.which("strace"):
        print("skipped: no strace here")
        return 77
    with tempfile.NamedTemporaryFile(prefix="cubby-traced.") as file:
        command = ["strace", "-f", "-n", "-qq", "-s", "40", "-o", file.name]
        if subprocess.run(command + ["true"], stderr=subprocess.DEVNULL,
                          check=False).returncode:
            print("skipped: strace may not trace here")
            return 77
        done = subprocess.run(
            command + [program, "--calls", "--jobs", "1", "--scenario",
                       scenarios],
            stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            print("everything_fails ended with", done.returncode)
            return done.returncode
        seen, told = traced(file.name), reported(done.stdout)
    if not told or len(seen) != len(told):
        print("%d runs seen, %d told" % (len(seen), len(told)))
        return 1
    bad = 0
    for (name, calls), kernel in zip(told, seen):
        if calls != kernel:
            bad += 1
            print("%s:\n  told %s\n  seen %s" % (name, calls, kernel))
    print("%d runs, %d calls, %d runs differ"
          % (len(told), sum(len(calls) for _, calls in told), bad))
    return 1 if bad or not any(calls for _, calls in told) else 0


if __name__ == "__main__":
    sys.exit(main())
