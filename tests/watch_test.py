#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""watch_test.py COMMAND: cubby watch, which tells what happens to mailboxes, and
cubby hz, which tells how often."""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

COMMAND = os.path.realpath(sys.argv.pop(1) if len(sys.argv) > 1 else "cubby")
DEADLINE = 30  # seconds; only a failure reaches it


class WatchTest(unittest.TestCase):
    def setUp(self):
        where = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.root = tempfile.mkdtemp(prefix="cubby-test-", dir=where)
        self.addCleanup(shutil.rmtree, self.root)
        self.environment = dict(os.environ, CUBBY_ROOT=self.root, NO_COLOR="1")

    def cubby(self, *words, expect=0, **options):
        done = subprocess.run(
            [COMMAND, *words],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=DEADLINE,
            **options
        )
        self.assertEqual(done.returncode, expect, done.stderr)
        return done.stdout

    def start(self, *words):
        process = subprocess.Popen(
            [COMMAND, *words],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,  # select() knows of no buffer
        )
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stdin.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def next_line(self, process):
        self.assertTrue(select.select([process.stdout], [], [], DEADLINE)[0])
        return process.stdout.readline()

    def watch(self, *words):
        return self.start("watch", "--json", "--delay", "20ms", *words)

    def wait_for(self, watch, *events, **members):
        """The next event of that kind; the others up to it are passed over."""
        deadline = time.monotonic() + DEADLINE
        passed = []
        while time.monotonic() < deadline:
            event = json.loads(self.next_line(watch))
            if event["event"] in events and all(
                event[name] == value for name, value in members.items()
            ):
                return event
            passed.append(event)
        self.fail("none of %s: %s" % (events, passed))

    # watch -------------------------------------------------------------

    def test_a_mailbox_is_made_and_removed(self):
        self.cubby("create", "before")
        watch = self.watch()
        self.wait_for(watch, "is there", mailbox="before")
        self.cubby("create", "jobs")
        self.wait_for(watch, "made", mailbox="jobs")
        self.cubby("rm", "jobs")
        self.wait_for(watch, "removed", mailbox="jobs")
        self.cubby("create", "jobs")
        self.wait_for(watch, "made", mailbox="jobs")

    def test_messages_are_counted(self):
        self.cubby("create", "--capacity", "3", "jobs")
        watch = self.watch("jobs")
        self.wait_for(watch, "is there", mailbox="jobs")
        self.cubby("send", "jobs", input=b"1\n2\n3\n")
        sent = 0
        while sent < 3:
            text = self.wait_for(watch, "messages")["text"]
            sent += int(text.split(" sent")[0])
        self.assertEqual(sent, 3)
        self.assertTrue(text.endswith(", 3 waiting"))
        self.assertEqual(
            self.wait_for(watch, "full")["text"], "full, for a sender"
        )
        self.cubby("receive", "--all", "jobs")
        self.wait_for(watch, "empty")

    def test_who_comes_waits_and_goes(self):
        self.cubby("create", "jobs")
        watch = self.watch()
        self.wait_for(watch, "is there")
        receiver = self.start("receive", "jobs")
        event = self.wait_for(watch, "attached", role="receive")
        self.assertEqual(event["pid"], receiver.pid)
        self.assertIn(" receive jobs attached", event["text"])
        self.wait_for(watch, "waits", pid=receiver.pid)
        self.cubby("send", "jobs", "hello")
        self.wait_for(watch, "left", pid=receiver.pid)

    def test_a_sender_waits_for_room(self):
        self.cubby("create", "--capacity", "1", "jobs")
        self.cubby("send", "jobs", "x")
        self.cubby("receive", "jobs")
        sender = self.start("send", "jobs")
        sender.stdin.write(b"1\n2\n")
        sender.stdin.flush()
        watch = self.watch()
        event = self.wait_for(watch, "waits", pid=sender.pid)
        self.assertIn("waits for room", event["text"])
        self.cubby("receive", "jobs")
        self.wait_for(watch, "goes on", pid=sender.pid)

    def test_one_that_was_stopped_is_not_dead(self):
        self.cubby("create", "jobs")
        watch = self.watch()
        one = self.start("receive", "jobs")
        self.wait_for(watch, "waits", pid=one.pid)
        one.send_signal(signal.SIGSTOP)
        other = self.start("receive", "jobs")
        # Nothing was told of the first, up to all of the second.
        seen = []
        while not seen or seen[-1]["event"] != "waits":
            seen.append(json.loads(self.next_line(watch)))
        self.assertEqual({event["pid"] for event in seen}, {other.pid})
        # The other one may put in order what it left, before it is looked at.
        one.kill()
        self.wait_for(watch, "died", "left", pid=one.pid)

    def test_one_that_was_killed_has_died(self):
        self.cubby("create", "jobs")
        watch = self.watch()
        one = self.start("receive", "jobs")
        self.wait_for(watch, "waits", pid=one.pid)
        one.kill()
        self.assertIn(
            " died", self.wait_for(watch, "died", pid=one.pid)["text"]
        )

    def test_one_whom_nobody_serves_is_in_no_deadlock(self):
        self.cubby("create", "--order", "arrival", "--capacity", "1", "x")
        watch = self.watch()
        sender = self.start("send", "x")
        sender.stdin.write(b"1\n2\n")
        self.wait_for(watch, "waits", pid=sender.pid)
        self.cubby("receive", "x")
        event = {"event": ""}
        while event["event"] != "goes on":
            event = json.loads(self.next_line(watch))
            self.assertNotEqual(event["event"], "deadlock")

    def test_text_is_safe_and_ends_when_told(self):
        name = "a\x1b[2Jb"
        self.cubby("create", "--", name)
        text = self.cubby("watch", "--count", "1")
        self.assertRegex(
            text,
            rb"^\d\d:\d\d:\d\d\.\d{3}  a\\033\[2Jb  is there, 0 messages\n$",
        )

    def test_it_ends_when_nobody_reads(self):
        self.cubby("create", "jobs")
        watch = self.watch()
        self.wait_for(watch, "is there")
        watch.stdout.close()
        self.assertEqual(watch.wait(DEADLINE), 0)

    # hz ------------------------------------------------------------------

    def hz(self, *words):
        text = self.cubby("hz", "--json", *words)
        return [json.loads(line) for line in text.splitlines()]

    def test_an_idle_mailbox(self):
        self.cubby("create", "jobs")
        reports = self.hz("-n", "2", "-d", "50ms", "jobs")
        self.assertEqual(len(reports), 2)
        nothing = {"mean": 0, "least": 0, "most": 0, "deviation": 0}
        for report in reports:
            self.assertEqual(report["sent"], nothing)
            self.assertEqual(report["received"], nothing)
            self.assertGreaterEqual(report["looks"], 1)
            self.assertGreater(report["seconds"], 0)

    def test_what_is_counted_is_what_was_sent(self):
        self.cubby("create", "--unlimited", "jobs")
        hz = self.start("hz", "--json", "-d", "100ms", "-w", "100000", "jobs")
        json.loads(self.next_line(hz))
        self.cubby("send", "jobs", input=b"x\n" * 5000)
        self.cubby("receive", "--all", "jobs")
        deadline = time.monotonic() + DEADLINE
        counts = ()
        while counts != (5000, 5000) and time.monotonic() < deadline:
            after = json.loads(self.next_line(hz))
            # Six digits are told of each.
            counts = tuple(
                round(after[side]["mean"] * after["seconds"])
                for side in ("sent", "received")
            )
        self.assertEqual(counts, (5000, 5000))
        for side in ("sent", "received"):
            self.assertLessEqual(after[side]["least"], after[side]["mean"])
            self.assertGreater(after[side]["most"], after[side]["mean"])
            self.assertGreater(after[side]["deviation"], 0)

    def test_as_text(self):
        self.cubby("create", "jobs")
        self.assertRegex(
            self.cubby("hz", "-n", "1", "-d", "40ms", "jobs"),
            rb"^sent +0\.0/s  least 0\.0  most 0\.0  deviation 0\.0\n"
            rb"received +0\.0/s .*\n +of \d+ looks in 0\.\ds\n$",
        )

    def test_what_is_not_there(self):
        self.cubby("hz", "none", expect=5)
        self.cubby("create", "jobs")
        hz = self.start("hz", "-d", "20ms", "jobs")
        self.next_line(hz)
        self.cubby("rm", "jobs")
        hz.stdout.read()
        self.assertEqual(hz.wait(DEADLINE), 5)


if __name__ == "__main__":
    unittest.main()
