#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""cubby record and cubby replay: what was sent is in the file, and comes out of
it again, whatever is cut off, damaged, killed or full.

record_test.py COMMAND [TEST...]
"""

import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

COMMAND = os.path.abspath(sys.argv.pop(1))
DEADLINE = 120  # seconds: what hangs, fails
DONE, ERROR, USAGE, NOTHING, LATE, NO_MAILBOX = range(6)
HEAD, ENTRY = struct.Struct("<8sIIQQIII20x"), struct.Struct("<4sIQQQQqIII4xQQ")
MAGIC = b"\x89CUBBY\r\n"


def entries(data):
    """The head's fields, and of each entry the kind, the fields and the data, as
    cubby_record(5) says; nothing behind them."""
    head = HEAD.unpack_from(data)
    at, found = head[2], []
    while at < len(data):
        fields = ENTRY.unpack_from(data, at)
        size = fields[-1]
        body = data[at + 80 : at + 80 + size]
        padding = data[at + 80 + size : at + fields[1]]
        assert len(body) == size and padding.strip(b"\0") == b""
        found.append((fields[0].decode(), fields, body))
        at += fields[1]
    return head, found


class RecordTest(unittest.TestCase):
    def setUp(self):
        where = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.root = tempfile.mkdtemp(prefix="cubby-test-", dir=where)
        self.addCleanup(shutil.rmtree, self.root)
        self.file = os.path.join(self.root, "recording")
        self.environment = dict(
            os.environ, CUBBY_ROOT=self.root, LC_ALL="C.UTF-8"
        )

    def start(self, *words, **how):
        how.setdefault("stdin", subprocess.DEVNULL)
        how.setdefault("stdout", subprocess.PIPE)
        process = subprocess.Popen(
            [COMMAND, *words],
            env=self.environment,
            stderr=subprocess.PIPE,
            **how
        )
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()

    def finish(self, process, code=DONE, said="", given=None):
        out, err = process.communicate(given, timeout=DEADLINE)
        self.assertEqual(process.returncode, code, err)
        if said:
            self.assertIn(said, err.decode())
        else:
            self.assertEqual(err, b"")
        return out

    def do(self, *words, code=DONE, said="", given=None):
        how = {"stdin": subprocess.PIPE} if given is not None else {}
        return self.finish(self.start(*words, **how), code, said, given)

    def wait_until(self, condition):
        until = time.monotonic() + DEADLINE
        while not condition():
            self.assertLess(time.monotonic(), until)
            time.sleep(0.005)

    def info(self, name):
        return json.loads(self.do("info", "--json", name))

    def recording(self):
        with open(self.file, "rb") as file:
            return file.read()

    def write(self, data):
        with open(self.file, "wb") as file:
            file.write(data)

    def replayed(self, *words, **how):
        out = self.do("replay", "--json", *words, self.file, **how)
        return [json.loads(line) for line in out.splitlines()]

    def record_waiting(self, *words):
        """A recorder of jobs that waits already."""
        process = self.start("record", "-o", self.file, *words, "jobs")
        self.wait_until(lambda: self.info("jobs")["sleeping"] == 1)
        return process

    def interrupt(self, process, said=""):
        process.send_signal(signal.SIGINT)
        self.finish(process, -signal.SIGINT, said)

    # What is recorded ----------------------------------------------------

    def test_broadcast_loses_nothing_by_it(self):
        self.do("create", "--broadcast", "jobs")
        other = self.start("receive", "--count", "3", "jobs")
        self.wait_until(lambda: self.info("jobs")["sleeping"] == 1)
        recorder = self.start("record", "-o", self.file, "jobs")
        self.wait_until(lambda: self.info("jobs")["sleeping"] == 2)
        self.do("send", "jobs", given=b"one\ntwo\nthree\n")
        self.assertEqual(self.finish(other), b"one\ntwo\nthree\n")
        self.wait_until(lambda: self.recording().count(b"mesg") == 3)
        self.interrupt(recorder)
        head, found = entries(self.recording())
        self.assertEqual(head[:2] + head[5:7], (MAGIC, 1, 0, 2))
        self.assertEqual([kind for kind, _, _ in found], ["mesg"] * 3 + ["done"])
        self.assertEqual(
            [body for _, _, body in found], [b"one", b"two", b"three", b""]
        )
        self.assertEqual(found[-1][1][4], 3)
        times = [fields[2] for _, fields, _ in found]
        self.assertEqual(times, sorted(times))

    def test_with_the_last_messages(self):
        self.do("create", "--broadcast", "jobs")
        self.do("send", "jobs", given=b"one\ntwo\nthree\n")
        self.do("record", "-o", self.file, "--last", "2", "--all", "jobs")
        self.assertEqual([m["data"] for m in self.replayed()], ["two", "three"])

    def test_what_was_overtaken_is_told(self):
        self.do("create", "--broadcast=overtake", "--capacity", "4", "jobs")
        recorder = self.record_waiting()
        recorder.send_signal(signal.SIGSTOP)
        self.do("send", "jobs", given=b"x\n" * 1000)
        recorder.send_signal(signal.SIGCONT)
        self.wait_until(lambda: b"mesg" in self.recording())
        self.do("send", "jobs", "last")
        self.wait_until(lambda: b"last" in self.recording())
        self.interrupt(recorder, "messages were overtaken")
        head, found = entries(self.recording())
        self.assertEqual(head[6], 2 | 4)
        missed = sum(f[-2] for kind, f, _ in found if kind == "mesg")
        self.assertGreater(missed, 0)
        self.assertEqual(found[-1][1][-2], missed)
        self.assertEqual(found[-1][1][4] + missed, 1001)
        self.assertEqual(sum(m.get("missed", 0) for m in self.replayed()), missed)

    def test_others_are_not_robbed_unasked(self):
        self.do("create", "jobs")
        self.do("send", "jobs", "hello")
        self.do("record", "-o", self.file, "jobs", code=ERROR, said="--take")
        self.assertFalse(os.path.exists(self.file))
        self.assertEqual(self.do("receive", "--try", "jobs"), b"hello\n")

    def test_taking(self):
        self.do("create", "--order", "priority", "jobs")
        self.do("send", "--as", "bob", "--tag", "7", "--type", "3", "jobs", "a")
        self.do("send", "--priority", "9", "jobs", given=b"b\n\n")
        self.do("record", "-o", self.file, "--take", "--all", "jobs")
        self.assertEqual(self.info("jobs")["waiting"], 0)
        head, found = entries(self.recording())
        self.assertEqual(head[5:7], (2, 8))
        self.assertEqual(
            self.recording()[64:72], b"jobs\0\0\0\0", "the name, padded"
        )
        self.assertEqual(
            [kind for kind, _, _ in found],
            ["mesg", "mesg", "name", "mesg", "done"],
        )
        self.assertEqual(found[2][2], b"bob")
        told = self.replayed()
        self.assertEqual([m["data"] for m in told], ["b", "", "a"])
        self.assertEqual([m["priority"] for m in told], [9, 9, 0])
        self.assertEqual(told[2]["sender_name"], "bob")
        self.assertEqual((told[2]["tag"], told[2]["type"]), (7, 3))
        self.assertEqual(told[2]["uid"], os.geteuid())

    def test_taking_and_passing_on(self):
        self.do("create", "jobs.in")
        self.do("create", "jobs")
        recorder = self.start(
            "record", "-o", self.file, "--take", "--to", "jobs", "jobs.in"
        )
        self.do("send", "--tag", "5", "--type", "2", "jobs.in", "hello")
        told = json.loads(self.do("receive", "--json", "jobs"))
        self.assertEqual(
            (told["data"], told["tag"], told["type"]), ("hello", 5, 2)
        )
        self.interrupt(recorder)
        self.assertEqual([m["data"] for m in self.replayed()], ["hello"])

    def test_passing_on_to_one_that_is_removed(self):
        """It goes to its successor; or, where there is none, it stays."""
        self.do("create", "jobs.in")
        self.do("create", "jobs")
        recorder = self.start(
            "record", "-o", self.file, "--take", "--to", "jobs", "jobs.in"
        )
        for message in "one", "two":
            self.do("send", "jobs.in", message)
            self.assertEqual(
                self.do("receive", "jobs").decode(), message + "\n"
            )
            self.wait_until(lambda: self.info("jobs.in")["held"] == 0)
            self.do("rm", "jobs")
            if message == "one":
                self.do("create", "jobs")
        self.do("send", "jobs.in", "three")
        self.finish(recorder, ERROR, "no mailbox jobs")
        self.assertEqual(self.do("receive", "--all", "jobs.in"), b"three\n")

    def test_a_killed_one_loses_nothing(self):
        self.do("create", "jobs.in")
        self.do("create", "--capacity", "1", "jobs")
        self.do("send", "jobs.in", given=b"1\n2\n3\n4\n5\n")
        recorder = self.start(
            "record", "-o", self.file, "--take", "--to", "jobs", "jobs.in"
        )
        self.wait_until(lambda: self.info("jobs")["waiting"] == 1)
        self.wait_until(lambda: b"mesg" in self.recording())
        recorder.kill()
        self.finish(recorder, -signal.SIGKILL)
        self.replayed(said="was cut off")
        rest = self.do("receive", "--all", "--json", "jobs.in").splitlines()
        got = self.do("receive", "--all", "jobs").split()
        rest = [json.loads(line) for line in rest]
        both = got + [m["data"].encode() for m in rest]
        self.assertEqual(sorted(set(both)), [b"1", b"2", b"3", b"4", b"5"])
        self.assertTrue(all(m["deliveries"] >= 1 for m in rest))

    def test_a_full_disk_loses_nothing(self):
        self.do("create", "jobs")
        self.do("send", "jobs", "x" * 100000)

        if not os.path.exists("/dev/full"):
            self.skipTest("no /dev/full here")
        self.do(
            "record", "-o", "/dev/full", "--take", "jobs", code=ERROR,
            said="No space left",
        )
        self.assertEqual(len(self.do("receive", "--try", "jobs")), 100001)

    def test_how_it_ends(self):
        self.do("create", "--broadcast", "jobs")
        recorder = self.record_waiting("--count", "2")
        self.do("send", "jobs", given=b"1\n2\n3\n")
        self.finish(recorder)
        self.assertEqual([m["data"] for m in self.replayed()], ["1", "2"])
        self.do(
            "record", "-o", self.file, "-t", "10ms", "jobs", code=LATE,
            said="no message came within 10ms",
        )
        self.assertEqual(entries(self.recording())[1][-1][0], "done")

    def test_into_a_pipe(self):
        self.do("create", "jobs")
        self.do("send", "jobs", "hello")
        data = self.do("record", "--take", "--all", "jobs")
        self.assertEqual(entries(data)[1][0][2], b"hello")
        out = self.do("replay", "--json", "-", given=data)
        self.assertEqual(json.loads(out)["data"], "hello")

    def test_a_large_message(self):
        self.do("create", "jobs")
        large = os.urandom(900001).replace(b"\n", b"x")
        self.do("send", "--whole", "jobs", given=large)
        self.do("record", "-o", self.file, "--take", "--all", "jobs")
        self.assertEqual(entries(self.recording())[1][0][2], large)
        self.do("replay", self.file)
        self.assertEqual(self.do("receive", "--raw", "jobs"), large)

    def test_mistakes(self):
        self.do("create", "jobs")
        self.do("create", "--broadcast", "all")
        for words, code, said in (
            (["record", "-o", "x", "nothing"], NO_MAILBOX, "no mailbox nothing"),
            (["record", "-o", "x", "--to", "a", "all"], USAGE, "takes --take"),
            (["record", "-o", "x", "--take", "all"], USAGE, "nothing has to be"),
            (["record", "--take", "--to", "jobs", "jobs"], USAGE, "in a circle"),
            (["record", "--take", "--to", "x", "jobs"], NO_MAILBOX, "mailbox x"),
            (["record", "--take", "-o", "/no/x", "jobs"], ERROR, "write /no/x"),
            (["replay", "/nothing"], ERROR, "cannot read /nothing"),
            (["replay", "--speed", "0", "x"], USAGE, "--speed 0 is not"),
            (["replay", "--speed", "-1", "x"], USAGE, "--speed -1 is not"),
        ):
            self.do(*words, code=code, said=said)

    # What is replayed -------------------------------------------------------

    def record_some(self, text=b"1\n2\n3\n", *options):
        self.do("create", *options, "jobs")
        self.do("send", "--type", "4", "jobs", given=text)
        self.do("record", "-o", self.file, "--take", "--all", "jobs")

    def put_times(self, *seconds):
        """Other times into the entries of a recording."""
        data = bytearray(self.recording())
        at = HEAD.unpack_from(data)[2]
        for value in seconds:
            struct.pack_into("<Q", data, at + 8, int(value * 1e9))
            at += struct.unpack_from("<I", data, at + 4)[0]
        self.write(bytes(data))

    def test_replay_sends_again(self):
        self.record_some()
        self.do("replay", self.file)
        lines = self.do("receive", "--all", "--json", "jobs").splitlines()
        told = [json.loads(line) for line in lines]
        self.assertEqual([m["data"] for m in told], ["1", "2", "3"])
        self.assertEqual([m["type"] for m in told], [4] * 3)

    def test_times_are_kept_or_scaled(self):
        self.record_some()
        self.put_times(0, 0.3, 0.6)
        for words, least in (([], 0.6), (["--speed", "2"], 0.3)):
            begin = time.monotonic()
            self.do("replay", *words, self.file)
            self.assertGreaterEqual(time.monotonic() - begin, least)
        self.put_times(0, 1e6, 2e6)
        self.do("replay", "--speed", "max", self.file)
        self.do("replay", "--speed", "1000000000x", self.file)
        self.assertEqual(self.info("jobs")["waiting"], 12)

    def test_a_part_of_it(self):
        self.record_some()
        self.put_times(100, 200, 300, 400)
        words = ["--from", "150s", "--until", "250s"]
        self.assertEqual([m["data"] for m in self.replayed(*words)], ["2"])
        # From there on, not from the beginning.
        begin = time.monotonic()
        self.do("replay", "--from", "200s", "--until", "210s", self.file)
        self.assertLess(time.monotonic() - begin, DEADLINE)
        self.assertEqual(self.do("receive", "--try", "jobs"), b"2\n")

    def test_into_another_mailbox(self):
        self.record_some(b"1\n", "--order", "arrival", "--message-max", "100")
        self.do("replay", "--to", "x", self.file, code=NO_MAILBOX, said="x")
        self.do("replay", "--to", "x", "--create", "--as", "bob", self.file)
        info = self.info("x")
        self.assertEqual((info["order"], info["message_max"]), ("arrival", 100))
        told = json.loads(self.do("receive", "--json", "x"))
        self.assertEqual((told["data"], told["sender_name"]), ("1", "bob"))
        self.do("create", "--message-max", "2", "small")
        self.do("send", "jobs", "too large")
        self.do("record", "-o", self.file, "--take", "--all", "jobs")
        self.do(
            "replay", "--to", "small", self.file, code=ERROR,
            said="takes messages of at most 2; 0 sent before",
        )

    def test_it_waits_while_the_mailbox_is_full(self):
        self.record_some(b"1\n2\n3\n")
        self.do("create", "--capacity", "1", "small")
        replay = self.start("replay", "--to", "small", self.file)
        self.wait_until(lambda: self.info("small")["waiting"] == 1)
        got = self.do("receive", "--count", "3", "small")
        self.assertEqual(got, b"1\n2\n3\n")
        self.finish(replay)

    def test_an_interrupted_one_ends(self):
        self.record_some()
        self.put_times(0, 1000)
        replay = self.start("replay", self.file)
        self.wait_until(lambda: self.info("jobs")["waiting"] == 1)
        replay.send_signal(signal.SIGTERM)
        self.finish(replay, -signal.SIGTERM)

    # Files that are not as they should be -------------------------------------

    def test_a_file_cut_anywhere(self):
        self.record_some(b"one\ntwo\n")
        whole = self.recording()
        head, found = entries(whole)
        ends = [head[2]]
        for _, fields, _ in found:
            ends.append(ends[-1] + fields[1])
        for cut in range(len(whole)):
            self.write(whole[:cut])
            if cut < ends[0]:
                continue  # see test_a_head_that_is_none
            there = sum(end <= cut for end in ends[1:3])
            told = self.replayed(said="%d whole message" % there)
            self.assertEqual(len(told), there)

    def test_a_head_that_is_none(self):
        self.record_some()
        whole = self.recording()
        for data in (
            b"",
            whole[:30],
            b"x" * 200,
            whole[:8] + whole[8:].replace(b"\0\0", b"\xff\xff", 4),
        ):
            self.write(data)
            process = self.start("replay", "--json", self.file)
            _, err = process.communicate(timeout=DEADLINE)
            self.assertEqual(process.returncode, ERROR, err)
        self.write(whole[:8] + b"\2" + whole[9:])
        self.do(
            "replay", "--json", self.file, code=ERROR, said="later version"
        )

    def test_a_name_that_would_steer_the_terminal(self):
        self.record_some()
        whole = self.recording()
        name = b"\x1b[2J\xc2\x9bx"
        head = bytearray(whole[:64])
        head[12:16] = struct.pack("<I", 72)
        head[40:44] = struct.pack("<I", len(name))
        rest = whole[HEAD.unpack_from(whole)[2] :]
        self.write(bytes(head) + name.ljust(8, b"\0") + rest)
        process = self.start("replay", self.file)
        _, err = process.communicate(timeout=DEADLINE)
        self.assertEqual(process.returncode, NO_MAILBOX, err)
        self.assertIn(b"\\033[2J\\302\\233x", err)
        self.assertNotIn(b"\x1b", err)

    def test_a_region_stays(self):
        self.do("create", "jobs")
        self.do("region", "send", "jobs", given=b"picture")
        self.do(
            *"record --take --all jobs".split(),
            code=ERROR,
            said="cubby region receive jobs"
        )
        out = self.do("region", "receive", "jobs")
        self.assertTrue(out.startswith(b"picture"))

    def test_an_entry_that_makes_no_sense(self):
        self.record_some()
        whole = self.recording()
        at = HEAD.unpack_from(whole)[2]
        second = at + 88
        for offset, value in (
            (0, b"MESG"),
            (4, b"\0\0\0\0"),
            (4, b"\xff\xff\xff\xff"),
            (72, b"\xff" * 8),
            (72, b"\0" * 8),
        ):
            data = bytearray(whole)
            data[second + offset : second + offset + len(value)] = value
            self.write(bytes(data))
            told = self.replayed(
                code=ERROR, said="makes no sense at byte %d" % second
            )
            self.assertEqual(len(told), 1)

    def test_a_kind_of_a_later_version_is_passed_over(self):
        self.record_some()
        self.write(self.recording().replace(b"mesg", b"newk", 1))
        self.assertEqual([m["data"] for m in self.replayed()], ["2", "3"])

    def test_noise_is_survived(self):
        self.record_some(b"one\ntwo\nthree\n")
        whole = self.recording()
        at = HEAD.unpack_from(whole)[2]
        seed = 12345
        for _ in range(200):
            data = bytearray(whole)
            for _ in range(4):
                seed = (seed * 6364136223846793005 + 1442695040888963407) % 2**64
                data[at + (seed >> 33) % (len(data) - at)] = (seed >> 20) & 255
            self.write(bytes(data))
            process = self.start("replay", "--json", self.file)
            process.communicate(timeout=DEADLINE)
            self.assertIn(process.returncode, (DONE, ERROR))


if __name__ == "__main__":
    unittest.main()
