#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The command keeps to --timeout while the wall clock steps by hours (libfaketime,
Debian: faketime), and in time namespaces whose clocks are hours apart.

clock_steps_test.py COMMAND [TEST...], as command_test.py.
"""

import glob
import os
import subprocess
import threading
import time
import unittest

from command_test import COMMAND, CommandTest, DEADLINE, DONE, LATE

SPAN = 0.4  # seconds
TIMEOUT = ("--timeout", "400ms")
# Nobody is as late as this on the busiest machine, and a step is of hours.
TOO_LATE = 60
STEPS = ("+0", "+5h", "-7h", "+11h", "-1h")
# Each ends by its timeout; on mailboxes that all environments share.
COMMANDS = (
    ("receive", *TIMEOUT, "empty"),
    ("receive", *TIMEOUT, "empty", "queue"),
    ("receive", *TIMEOUT, "meeting"),
    ("peek", *TIMEOUT, "queue"),
    ("send", *TIMEOUT, "full", "x"),
    ("send", *TIMEOUT, "meeting", "x"),
    ("send", "--sync", *TIMEOUT, "queue", "x"),
    ("call", *TIMEOUT, "unserved", "x"),
    ("region", "receive", *TIMEOUT, "empty"),
)


class ClockStepsTest(CommandTest):
    def setUp(self):
        super().setUp()
        self.do("create", "empty")
        self.do("create", "unserved")
        self.do("create", "--order", "arrival", "queue")
        self.do("create", "--order", "arrival", "--capacity", "1", "full")
        self.do("create", "--order", "arrival", "--capacity", "0", "meeting")
        self.do("send", "full", "x")

    def expect_in_time(self, what, prefix, environment):
        """All at the same time; the worst overshoot is told."""
        begun = []
        for words in COMMANDS:
            # Those that would meet each other go one after the other.
            begin = time.monotonic()
            process = subprocess.Popen(
                [*prefix, COMMAND, *words],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            self.addCleanup(self.end, process)
            begun.append((words, begin, process))
            if "meeting" in words or "queue" in words:
                self.expect_late(what, *begun.pop())
        worst = 0
        for words, begin, process in begun:
            worst = max(worst, self.expect_late(what, words, begin, process))
        print(f"{what}: the latest {worst * 1000:.0f} ms late, with its start")

    def expect_late(self, what, words, begin, process):
        result = self.finish(process)
        late = time.monotonic() - begin - SPAN
        self.assertEqual(result.code, LATE, (what, words, result.err))
        self.assertGreaterEqual(late, 0, (what, words))
        self.assertLess(late, TOO_LATE, (what, words))
        return late

    def test_as_it_is(self):
        self.expect_in_time("plain", [], self.environment)

    # A wall clock that steps -------------------------------------------

    def stepping(self):
        """The environment of one who sees it."""
        found = glob.glob("/usr/lib/*/faketime/libfaketime.so.1") + glob.glob(
            "/usr/lib*/faketime/libfaketime.so.1"
        )
        if not found:
            self.skipTest("there is no libfaketime (Debian: faketime)")
        self.clock = os.path.join(self.root, "clock")
        self.set_clock(STEPS[0])
        return dict(
            self.environment,
            LD_PRELOAD=found[0],
            FAKETIME_TIMESTAMP_FILE=self.clock,
            FAKETIME_NO_CACHE="1",
            FAKETIME_DONT_FAKE_MONOTONIC="1",
            DONT_FAKE_MONOTONIC="1",
        )

    def set_clock(self, offset):
        with open(self.clock + ".next", "w") as file:
            file.write(offset + "\n")
        os.rename(self.clock + ".next", self.clock)

    def test_while_the_wall_clock_steps(self):
        environment = self.stepping()
        done = threading.Event()

        def step():
            n = 0
            while not done.wait(0.02):
                n += 1
                self.set_clock(STEPS[n % len(STEPS)])

        stepper = threading.Thread(target=step)
        stepper.start()
        try:
            self.expect_in_time("stepping", [], environment)
            # A command that work has started, too.
            self.do("create", "jobs")
            self.do("send", "jobs", "x")
            begin = time.monotonic()
            subprocess.run(
                [COMMAND, "work", "--all", "--attempts", "1", *TIMEOUT,
                 "jobs", "sleep", "1000"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=DEADLINE,
            )
            late = time.monotonic() - begin - SPAN
            self.assertGreaterEqual(late, 0)
            self.assertLess(late, TOO_LATE)
        finally:
            done.set()
            stepper.join()

    def test_the_steps_are_seen(self):
        environment = self.stepping()
        self.set_clock("+11h")
        seen = subprocess.run(["date", "+%s"], env=environment, check=True,
                              stdout=subprocess.PIPE).stdout
        self.assertGreater(int(seen), time.time() + 10 * 3600)

    # Other clocks ------------------------------------------------------

    def in_namespace(self, seconds):
        prefix = ["unshare", "-T", "--monotonic", str(seconds), "--boottime",
                  str(seconds)]
        script = "import time; print(int(time.monotonic()))"
        seen = subprocess.run([*prefix, "python3", "-c", script],
                              stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL)
        if seen.returncode != DONE:
            self.skipTest("cannot make a time namespace")
        ahead = int(seen.stdout) - time.monotonic()
        self.assertLess(abs(ahead - seconds), 60)
        return prefix

    def test_ahead(self):
        self.expect_in_time("ahead", self.in_namespace(10 * 3600),
                            self.environment)

    def test_behind(self):
        seconds = int(min(10 * 3600, time.monotonic() / 2))
        self.expect_in_time("behind", self.in_namespace(-seconds),
                            self.environment)


if __name__ == "__main__":
    unittest.main()
