#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""cubby tradeoffs: what it tells has the shape that cubby(1) says, and makes
sense; and nothing is left behind.

tradeoffs_test.py COMMAND [TEST...]: short runs. No figure is compared with
another: how fast this machine is, and what else it does, is not what is tested.
"""

import fcntl
import glob
import json
import math
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

COMMAND = os.path.abspath(sys.argv.pop(1))
DEADLINE = 120  # seconds
SECONDS = "2"
SYSTEMS = (
    "shared shared_untouched pipe socket queue "
    "cubby cubby_in_place cubby_untouched"
).split()
PLAIN = "system_call wake mutex_free mutex_shared mutex_handover".split()
PROCESSORS = sorted(os.sched_getaffinity(0))


def temporary_root():
    where = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    return tempfile.mkdtemp(prefix="cubby-test-", dir=where)


class TradeoffsTest(unittest.TestCase):
    def setUp(self):
        self.root = temporary_root()
        self.addCleanup(shutil.rmtree, self.root)
        self.environment = dict(
            os.environ, CUBBY_ROOT=self.root, LC_ALL="C.UTF-8"
        )

    def start(self, *words, **how):
        process = subprocess.Popen(
            [COMMAND, "tradeoffs", *words],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **how,
        )
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.kill()
        process.communicate()

    def tell(self, *words, **how):
        process = self.start(*words, **how)
        out, err = process.communicate(timeout=DEADLINE)
        self.assertEqual((process.returncode, err), (0, b""))
        self.assert_nothing_left()
        return out.decode()

    def assert_nothing_left(self):
        self.assertEqual(os.listdir(self.root), [])

    def assert_figure(self, figure):
        self.assertEqual(set(figure), {"median", "low", "high", "rounds"})
        for value in figure.values():
            self.assertTrue(math.isfinite(value) and value > 0, figure)
        self.assertLessEqual(figure["low"], figure["median"])
        self.assertLessEqual(figure["median"], figure["high"])

    def assert_times(self, system):
        sizes = [row["size"] for row in system["times"]]
        self.assertEqual(sizes, sorted(set(sizes)))
        self.assertEqual(sizes[0], 8)
        for row in system["times"]:
            self.assertEqual(set(row), {"size", "handover_ns", "stream_ns"})
            self.assert_figure(row["handover_ns"])
            self.assert_figure(row["stream_ns"])

    def assert_calls(self, system):
        for row in system["calls"]:
            self.assertEqual(set(row), {"size", "calls", "counted"})
            self.assertTrue(math.isfinite(row["calls"]) and row["calls"] >= 0)

    def assert_whole(self, told):
        for name in ("seconds", "load"):
            self.assertTrue(math.isfinite(told[name]) and told[name] >= 0)
        for name in PLAIN:
            self.assert_figure(told[name + "_ns"])
        for line in told["lines"]:
            self.assertEqual(len(set(line["cpus"])), 2)
            self.assert_figure(line["round_trip_ns"])
        missing = " ".join(told["missing"])
        for system in told["systems"]:
            self.assertIn(system["copies"], (0, 2))
            if system["system"] == "queue" and "queue, setting" in missing:
                continue  # and it is named
            self.assert_figure(system["setup_ns"])
            self.assert_times(system)
            self.assert_calls(system)
        self.assertIn("a system call", told["reading"])

    def told(self, **how):
        told = json.loads(self.tell("--seconds", SECONDS, "--json", **how))
        self.assertEqual([s["system"] for s in told["systems"]], SYSTEMS)
        self.assert_whole(told)
        return told

    # The tests --------------------------------------------------------

    @unittest.skipUnless(len(PROCESSORS) > 1, "takes two processors")
    def test_tells_all_for_programs(self):
        told = self.told()
        self.assertEqual(told["processors"], len(PROCESSORS))
        self.assertEqual(len(set(told["pinned"])), 2)
        self.assertTrue(told["lines"])
        systems = {system["system"]: system for system in told["systems"]}
        for system in systems.values():
            for row in system["calls"]:
                if not row["counted"]:
                    self.skipTest("no ptrace: " + " ".join(told["missing"]))
        calls = {name: s["calls"] for name, s in systems.items()}
        self.assertLess(calls["cubby_in_place"][0]["calls"], 0.1)
        self.assertLess(calls["cubby"][0]["calls"], 0.1)
        # One in and one out; a large one does not fit a pipe at once.
        self.assertGreaterEqual(calls["pipe"][0]["calls"], 2)
        self.assertLess(calls["pipe"][0]["calls"], 3)
        self.assertGreater(calls["pipe"][1]["calls"], 2)

    def test_on_one_processor_says_what_cannot_be_measured(self):
        told = self.told(
            preexec_fn=lambda: os.sched_setaffinity(0, PROCESSORS[:1])
        )
        self.assertEqual((told["processors"], told["lines"]), (1, []))
        self.assertIn("one processor", " ".join(told["missing"]))

    def test_names_what_a_limit_forbids(self):
        told = self.told(
            preexec_fn=lambda: resource.setrlimit(
                resource.RLIMIT_MSGQUEUE, (0, 0)
            )
        )
        queue = told["systems"][SYSTEMS.index("queue")]
        self.assertEqual((queue["times"], queue["calls"]), ([], []))
        self.assertNotIn("setup_ns", queue)
        missing = " ".join(told["missing"])
        self.assertRegex(missing, "POSIX queue, setting it up: (no|this)")

    def test_names_the_sizes_there_was_no_time_for(self):
        told = json.loads(self.tell("--seconds", "1", "--json"))
        sizes = [row["size"] for row in told["systems"][0]["times"]]
        missing = " ".join(told["missing"])
        self.assertNotIn(64 << 20, sizes)
        self.assertIn("messages of 64M: the time", missing)

    def test_tables_plot_and_reading_in_80_columns(self):
        text = self.tell("--seconds", "1")
        self.assertLessEqual(max(map(len, text.splitlines())), 80)
        for part in ("copies", "INPLACE", "\u2502", "Not measured", "So: "):
            self.assertIn(part, text.replace("\n", " "))

    def test_without_utf8_all_of_it_is_ascii(self):
        self.environment["LC_ALL"] = "C"
        text = self.tell("--seconds", "1")
        self.assertTrue(text.isascii())
        self.assertIn("|", text)

    def test_interrupted_leaves_nothing(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            process = self.start()
            self.wait_for_root()
            process.send_signal(number)
            self.assertEqual(process.wait(DEADLINE), -number)
            self.assertEqual(process.stdout.read(), b"")
            self.assert_nothing_left()

    def test_clears_away_what_a_killed_one_left_and_nothing_else(self):
        with tempfile.TemporaryDirectory(dir=self.root, prefix="jobs") as own:
            killed = self.start()
            self.wait_for_root()
            killed.kill()
            killed.wait(DEADLINE)
            self.wait_until_unused(*self.roots())
            living = self.start()
            self.wait_until(lambda: len(self.roots()) == 1
                            and self.roots()[0].endswith(str(living.pid)))
            process = self.start("--seconds", "1")
            self.assertEqual(process.wait(DEADLINE), 0)
            self.assertEqual(len(self.roots()), 1)
            living.terminate()
            living.wait(DEADLINE)
            self.assertEqual(os.listdir(self.root), [os.path.basename(own)])

    def roots(self):
        return glob.glob(self.root + "/cubby-tradeoffs-*")

    def wait_for_root(self):
        self.wait_until(self.roots)

    @staticmethod
    def wait_until_unused(root):
        """Its processes die when the one that started them has."""
        fd = os.open(root, os.O_RDONLY)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
        finally:
            os.close(fd)

    def wait_until(self, condition):
        end = time.monotonic() + DEADLINE
        while not condition():
            self.assertLess(time.monotonic(), end, "it never came true")
            time.sleep(0.005)

    def test_refuses_what_makes_no_sense(self):
        for words in (["--seconds", "0"], ["--seconds", "x"], ["jobs"]):
            process = self.start(*words)
            self.assertEqual(process.wait(DEADLINE), 2)

    def test_a_root_that_does_not_exist(self):
        self.environment["CUBBY_ROOT"] = self.root + "/nowhere"
        process = self.start()
        _, err = process.communicate(timeout=DEADLINE)
        self.assertEqual(process.returncode, 1)
        self.assertTrue(err.startswith(b"cubby: cannot make a place"), err)


if __name__ == "__main__":
    unittest.main()
