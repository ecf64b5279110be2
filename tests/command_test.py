#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The command cubby: every verb, every exit code, and what it says.

command_test.py COMMAND [TEST...]: each test has a root of its own, a deadline
on everything that waits, and no state of another test.
"""

import base64
import contextlib
import fcntl
import json
import os
import pty
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest

COMMAND = os.path.abspath(sys.argv.pop(1))
HERE = os.path.dirname(os.path.abspath(__file__))
MANUAL = os.path.join(HERE, "..", "man", "cubby.1.scd")
DEADLINE = 120  # seconds: what hangs, fails; a busy machine does not

DONE, ERROR, USAGE, NOTHING, LATE, NO_MAILBOX = range(6)
NOT_UTF8 = b"\xff\xfe\x00\x80"


def temporary_root():
    """A directory that only this user can enter, in memory where there is."""
    where = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    return tempfile.mkdtemp(prefix="cubby-test-", dir=where)


def waiting_bytes(pipe):
    """How many bytes are in a pipe and have not been read."""
    size = fcntl.ioctl(pipe.fileno(), termios.FIONREAD, bytes(4))
    return struct.unpack("i", size)[0]


class Result:
    """How a command ended: its exit code and what it wrote."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err.decode()

    def lines(self):
        return self.out.decode().splitlines()


class CommandTest(unittest.TestCase):
    def setUp(self):
        self.root = temporary_root()
        self.addCleanup(shutil.rmtree, self.root)
        self.environment = dict(
            os.environ, CUBBY_ROOT=self.root, LC_ALL="C.UTF-8"
        )
        self.environment.pop("NO_COLOR", None)
        self.environment.pop("POSIXLY_CORRECT", None)

    # What the tests are written with ----------------------------------

    def start(self, *words, **how):
        how.setdefault("stdin", subprocess.DEVNULL)
        how.setdefault("stdout", subprocess.PIPE)
        how.setdefault("stderr", subprocess.PIPE)
        process = subprocess.Popen(
            [COMMAND, *words], env=self.environment, **how
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

    @staticmethod
    def finish(process, given=None):
        out, err = process.communicate(given, timeout=DEADLINE)
        return Result(process.returncode, out, err)

    def cubby(self, *words, given=None, **how):
        """Runs the command to its end."""
        if given is not None:
            how["stdin"] = subprocess.PIPE
        return self.finish(self.start(*words, **how), given)

    def do(self, *words, given=None):
        """Runs it, and it must succeed without a word of complaint."""
        result = self.cubby(*words, given=given)
        self.assertEqual((result.code, result.err), (DONE, ""))
        return result

    def refuse(self, code, *words, given=None):
        """Runs it, and it must fail with that code; returns what it said."""
        result = self.cubby(*words, given=given)
        self.assertEqual(result.code, code, result.err)
        self.assertTrue(result.err.startswith("cubby: "), result.err)
        return result.err

    def shell(self, script):
        result = subprocess.run(
            ["bash", "-c", script],
            env=dict(self.environment, CUBBY=COMMAND),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=DEADLINE,
        )
        return Result(result.returncode, result.stdout, result.stderr)

    def info(self, name="jobs"):
        return json.loads(self.do("info", "--json", name).out)

    def to_receive(self):
        """How many messages there are, those given back included."""
        info = self.info()
        return info["waiting"] + info["returned"]

    def wait_until(self, condition):
        """What another process brings about is looked at until it is so."""
        end = time.monotonic() + DEADLINE
        while not condition():
            self.assertLess(time.monotonic(), end, "it never came true")
            time.sleep(0.005)

    def wait_for_receiver(self):
        self.wait_until(lambda: self.info()["receivers"] == 1)

    def send_numbers(self, first, last):
        lines = "".join("%d\n" % i for i in range(first, last + 1))
        self.do("send", "jobs", given=lines.encode())

    def assert_numbers(self, first, last):
        """These wait in jobs, and nothing else."""
        expected = [str(i) for i in range(first, last + 1)]
        self.assertEqual(self.do("receive", "--all", "jobs").lines(), expected)

    @contextlib.contextmanager
    def terminal(self, columns=80):
        """A terminal for stdout, and a function that reads what it shows."""
        leader, follower = pty.openpty()
        fcntl.ioctl(
            follower,
            termios.TIOCSWINSZ,
            struct.pack("HHHH", 24, columns, 0, 0),
        )

        def shown():
            os.close(follower)
            text = b""
            with contextlib.suppress(OSError):  # EIO: the end
                while True:
                    text += os.read(leader, 65536)
            return text.decode().replace("\r\n", "\n")

        try:
            yield follower, shown
        finally:
            os.close(leader)

    def on_terminal(self, *words, columns=80):
        with self.terminal(columns) as (stdout, shown):
            process = self.start(*words, stdout=stdout)
            self.assertEqual(process.wait(DEADLINE), DONE)
            return shown()


class Help(CommandTest):
    VERBS = (
        "create send receive peek ls info rm sweep work call serve "
        "region tradeoffs help"
    ).split()

    def test_lists_every_verb(self):
        for words in (["help"], ["--help"], ["-h"]):
            out = self.do(*words).out.decode()
            for verb in self.VERBS:
                self.assertIn("\n  %s " % verb, out)

    def test_explains_each_verb_in_80_columns(self):
        for verb in self.VERBS:
            out = self.do("help", verb).out
            self.assertEqual(self.do(verb, "--help").out, out)
            self.assertTrue(out.startswith(b"Usage: cubby " + verb.encode()))
            self.assertIn(b"--help", out)
            self.assertLess(max(map(len, out.splitlines())), 80)

    def test_says_whose_capacity_it_is(self):
        for words in (["help"], ["help", "create"], ["help", "info"]):
            text = " ".join(self.do(*words).out.decode().split())
            self.assertIn("per sender", text)
            self.assertIn("as in the textbook, is", text)
            self.assertIn("--order arrival", text)

    def test_the_manual_has_the_same_options(self):
        with open(MANUAL) as file:
            sections = file.read().split("\n## ")
        manual = {text.split()[0]: text for text in sections}
        for verb in self.VERBS:
            text = self.do("help", verb).out.decode().split("Options:\n")[1]
            told = re.findall(r"^  (?:-\w,|   ) --([\w-]+)", text, re.M)
            listed = re.findall(
                r"^(?:\*-\w\*, )?\*--([\w-]+)\*", manual[verb], re.M
            )
            self.assertEqual(sorted(told), sorted(listed), verb)
            self.assertIn("help", told)

    def test_tells_the_version(self):
        self.assertRegex(
            self.do("--version").out.decode(), r"^cubby \d+\.\d+\.\d+\n$"
        )


class Usage(CommandTest):
    def test_mistakes_exit_2_and_say_what_to_do(self):
        self.do("create", "jobs")
        for words, said in [
            ([], "cubby help"),
            (["frob"], "no verb frob"),
            (["--frob"], "no option --frob"),
            (["help", "frob"], "no verb frob"),
            (["send"], "NAME [WORD...]"),
            (["create", "one", "two"], "two is too much"),
            (["receive", "--frob", "jobs"], "no option --frob"),
            (["receive", "-z", "jobs"], "no option -z"),
            (["receive", "--all=yes", "jobs"], "--all takes no value"),
            (["receive", "jobs", "--timeout"], "--timeout needs a value"),
            (["receive", "--timeout", "5x", "jobs"], "5x is not a time"),
            (["receive", "--timeout", "-1", "jobs"], "-1 is not a time"),
            (["receive", "--timeout", "", "jobs"], " is not a time"),
            (["receive", "--timeout", "9999999h", "jobs"], "is not a time"),
            (["receive", "--count", "0", "jobs"], "out of range"),
            (["receive", "--count", "x", "jobs"], "not a whole number"),
            (["receive", "--all", "--follow", "jobs"], "exclude"),
            (["receive", "--try", "--timeout", "1", "jobs"], "exclude"),
            (["receive", "--json", "--raw", "jobs"], "exclude"),
            (["send", "--whole", "jobs", "hi"], "standard input"),
            (["send", "--null", "--whole", "jobs"], "exclude"),
            (["send", "--try", "--timeout", "1", "jobs", "hi"], "exclude"),
            (["send", "--type", "0", "jobs", "hi"], "out of range"),
            (["send", "--priority", "32768", "jobs", "hi"], "out of range"),
            (["send", "--priority", "x", "jobs", "hi"], "not a whole number"),
            (["receive", "--type", "0", "jobs"], "out of range"),
            (["receive", "--type", "1", "--not-type", "2", "jobs"], "exclude"),
            (["peek", "--type", "1", "--type-up-to", "2", "jobs"], "exclude"),
            (["peek", "--not-type", "1", "--type-up-to", "2", "x"], "exclude"),
            (["create", "--unlimited", "--capacity", "5", "new"], "exclude"),
            (
                ["create", "--order", "arrival", "--mode", "0620", "new"],
                "use a mode such as 0660",
            ),
            (
                ["create", "--capacity", "0", "--mode", "0604", "new"],
                "use a mode such as 0660",
            ),
            (["send", "--tag", "-1", "jobs", "hi"], "not a whole number"),
            (["create", "--cell", "100", "new"], "power of 2"),
            (["create", "--cell", "8192", "new"], "out of range"),
            (["create", "--message-max", "0", "new"], "out of range"),
            (["create", "--message-max", "1T", "new"], "not a size"),
            (["create", "--fixed", "1", "--message-max", "2", "new"], "exc"),
            (["create", "--mode", "999", "new"], "not a mode"),
            (["create", "--mode", "0700", "new"], "made of read and write"),
            (["create", "--order", "random", "new"], "not an order"),
            (
                ["create", "--order", "sender", "--capacity", "0", "new"],
                "use --order arrival",
            ),
            (["create", "a/b"], "not a name"),
            (["create", ".hidden"], "not a name"),
            (["create", ""], "not a name"),
            (["create", "x" * 201], "not a name"),
        ]:
            with self.subTest(words=words):
                self.assertIn(said, self.refuse(USAGE, *words))
        self.assertEqual(self.do("ls").out.count(b"\n"), 1)


class Create(CommandTest):
    def test_temporary_goes_with_its_last_user(self):
        maker = self.start("create", "--temporary", "jobs")
        self.wait_until(lambda: self.cubby("info", "jobs").code == DONE)
        self.assertEqual(self.info()["lifetime"], "temporary")
        self.do("send", "jobs", "hi")
        receiver = self.start("receive", "--follow", "jobs")
        self.assertEqual(receiver.stdout.readline(), b"hi\n")
        maker.terminate()
        self.assertEqual(maker.wait(DEADLINE), -signal.SIGTERM)
        self.do("send", "jobs", "again")
        self.assertEqual(receiver.stdout.readline(), b"again\n")
        receiver.terminate()
        self.assertEqual(receiver.wait(DEADLINE), -signal.SIGTERM)
        self.refuse(NO_MAILBOX, "info", "jobs")

    def test_makes_what_the_options_say(self):
        self.do(
            *"create --capacity 7 --message-max 1.5K".split(),
            *"--memory-limit 1M --cell 256 --mode 0640 jobs".split(),
        )
        info = self.info()
        self.assertEqual(
            [
                info[field]
                for field in "capacity message_max memory_limit cell_size "
                "mode order sizing lifetime uid".split()
            ],
            [
                *[7, 1536, 1 << 20, 256, "0640"],
                *["sender", "variable", "persistent", os.getuid()],
            ],
        )

    def test_defaults(self):
        self.do("create", "jobs")
        info = self.info()
        self.assertEqual(
            (info["capacity"], info["message_max"], info["mode"]),
            (128, 1 << 20, "0600"),
        )

    def test_an_existing_one_is_fine_unless_it_differs(self):
        self.do("create", "--capacity", "7", "jobs")
        self.do("create", "jobs")
        self.do("create", "--capacity", "7", "jobs")
        err = self.refuse(ERROR, "create", "--capacity", "8", "jobs")
        self.assertIn("jobs exists, with other attributes", err)
        err = self.refuse(ERROR, "create", "--exclusive", "jobs")
        self.assertIn("jobs exists already", err)

    def test_fixed_size_refuses_every_other(self):
        self.do("create", "--fixed", "4", "jobs")
        self.do("send", "jobs", "four")
        err = self.refuse(ERROR, "send", "jobs", "five!")
        self.assertIn(
            "the message has 5 bytes, and jobs takes messages of exactly 4",
            err,
        )
        self.assertEqual(self.info()["sizing"], "fixed")
        self.assert_waiting("four")

    def assert_waiting(self, *messages):
        self.assertEqual(
            self.do("receive", "--all", "jobs").lines(), list(messages)
        )

    def test_fixed_size_may_be_zero(self):
        self.do("create", "--fixed", "0", "jobs")
        self.do("send", "jobs", "")
        self.refuse(ERROR, "send", "jobs", "x")
        self.assert_waiting("")

    def test_orders_and_bufferings(self):
        for options, order, buffering in (
            ("", "sender", "limited"),
            ("--order sender", "sender", "limited"),
            ("--order arrival", "arrival", "limited"),
            ("-o priority -c 5", "priority", "limited"),
            ("--unlimited", "sender", "unlimited"),
            ("-u -o arrival", "arrival", "unlimited"),
            ("-o priority --unlimited", "priority", "unlimited"),
            ("-o arrival --capacity 0", "arrival", "rendezvous"),
            ("-o priority --capacity 0", "priority", "rendezvous"),
        ):
            with self.subTest(options=options):
                self.do("create", *options.split(), "jobs")
                info = self.info()
                self.assertEqual(
                    (info["order"], info["buffering"]), (order, buffering)
                )
                row = self.do("ls", "jobs").lines()[0].split("\t")
                self.assertEqual(row[9], order)
                self.do("rm", "jobs")

    def test_capacity_zero_is_arrival_and_says_so(self):
        result = self.cubby("create", "--capacity", "0", "jobs")
        self.assertEqual(result.code, DONE)
        self.assertEqual(
            result.err,
            "cubby: --capacity 0 takes --order arrival, so that is the order\n",
        )
        info = self.info()
        self.assertEqual(
            (info["order"], info["buffering"], info["capacity"]),
            ("arrival", "rendezvous", 0),
        )

    def test_send_and_receive_make_one_only_if_told(self):
        self.do("send", "--create", "jobs", "hi")
        self.assertEqual(self.do("receive", "--create", "jobs").out, b"hi\n")
        self.refuse(NOTHING, "receive", "--create", "--try", "new")
        self.assertEqual(self.info("new")["waiting"], 0)


class NoMailbox(CommandTest):
    def test_exits_5_and_says_how_to_make_it(self):
        for words in (
            ["send", "jobs", "hi"],
            ["send", "jobs"],
            ["receive", "jobs"],
            ["peek", "jobs"],
            ["info", "jobs"],
            ["ls", "jobs"],
            ["sweep", "jobs"],
        ):
            with self.subTest(words=words):
                self.assertEqual(
                    self.refuse(NO_MAILBOX, *words),
                    "cubby: no mailbox jobs; "
                    "make it with: cubby create jobs\n",
                )
        self.assertEqual(
            self.refuse(NO_MAILBOX, "rm", "jobs"), "cubby: no mailbox jobs\n"
        )

    def test_a_root_that_does_not_exist(self):
        self.environment["CUBBY_ROOT"] = self.root + "/nowhere"
        self.assertIn("/nowhere", self.refuse(ERROR, "create", "jobs"))

    def test_a_root_that_others_may_write(self):
        os.chmod(self.root, 0o777)
        self.assertIn(self.root, self.refuse(ERROR, "create", "jobs"))

    def test_something_else_of_that_name(self):
        with open(self.root + "/jobs", "w"):
            pass
        with contextlib.suppress(FileNotFoundError):
            os.mkdir("%s/cubby-%d" % (self.root, os.getuid()), 0o700)
        with open("%s/cubby-%d/jobs" % (self.root, os.getuid()), "w"):
            pass
        self.refuse(ERROR, "send", "jobs", "hi")


class Send(CommandTest):
    def setUp(self):
        super().setUp()
        self.do("create", "jobs")

    def receive_all(self, *options):
        return self.do("receive", "--all", *options, "jobs").out

    def test_words_are_one_message(self):
        self.do("send", "jobs", "hello", "there  you", "")
        self.assertEqual(self.receive_all(), b"hello there  you \n")

    def test_words_after_two_dashes_are_never_options(self):
        self.do("send", "jobs", "--", "--try", "-x")
        self.assertEqual(self.receive_all(), b"--try -x\n")

    def test_an_empty_word_is_an_empty_message(self):
        self.do("send", "jobs", "")
        self.assertEqual(self.info()["waiting"], 1)
        self.assertEqual(self.receive_all(), b"\n")

    def test_each_line_is_a_message(self):
        self.do("send", "jobs", given=b"one\n\nthree\r\nno newline")
        self.assertEqual(self.info()["waiting"], 4)
        self.assertEqual(
            self.receive_all("-0"), b"one\0\0three\r\0no newline\0"
        )

    def test_no_input_is_no_message(self):
        self.do("send", "jobs", given=b"")
        self.assertEqual(self.info()["waiting"], 0)

    def test_null_ends_messages(self):
        self.do("send", "-0", "jobs", given=b"a\nb\0\0c")
        self.assertEqual(self.info()["waiting"], 3)
        self.assertEqual(self.receive_all("-0"), b"a\nb\0\0c\0")

    def test_whole_is_one_message(self):
        data = os.urandom(300000)
        self.do("send", "--whole", "jobs", given=data)
        self.assertEqual(self.info()["waiting"], 1)
        self.assertEqual(self.do("receive", "--raw", "jobs").out, data)

    def test_whole_of_nothing_is_an_empty_message(self):
        self.do("send", "--whole", "jobs", given=b"")
        self.assertEqual(self.receive_all(), b"\n")

    def test_lines_longer_than_any_buffer(self):
        lines = [b"a" * 200000, b"b" * 65536, b"c", b"d" * (1 << 20)]
        self.do("send", "jobs", given=b"\n".join(lines))
        self.assertEqual(self.receive_all(), b"\n".join(lines) + b"\n")

    def test_a_line_is_sent_as_soon_as_it_is_there(self):
        process = self.start("send", "jobs", stdin=subprocess.PIPE)
        for word in (b"one", b"two"):
            process.stdin.write(word + b"\n")
            process.stdin.flush()
            received = self.do("receive", "--timeout", "30s", "jobs")
            self.assertEqual(received.out, word + b"\n")
        process.stdin.close()
        self.assertEqual(process.wait(DEADLINE), DONE)

    def test_a_line_that_comes_in_pieces(self):
        process = self.start("send", "jobs", stdin=subprocess.PIPE)
        for piece in (b"o", b"ne", b"\n", b"two\nthr", b"ee", b"\n"):
            process.stdin.write(piece)
            process.stdin.flush()
            self.wait_until(lambda: waiting_bytes(process.stdin) == 0)
        process.stdin.close()
        self.assertEqual(process.wait(DEADLINE), DONE)
        self.assertEqual(self.receive_all(), b"one\ntwo\nthree\n")

    def test_a_line_too_long_is_told_by_its_number(self):
        self.do("create", "--message-max", "5", "small")
        err = self.refuse(ERROR, "send", "small", given=b"1\n2\nsixsix\n4\n")
        self.assertEqual(
            err,
            "cubby: line 3 has more than 5 bytes, and small takes messages of "
            "at most 5 bytes; 2 sent before\n",
        )
        received = self.do("receive", "--all", "small")
        self.assertEqual(received.lines(), ["1", "2"])

    def test_an_endless_line_ends_soon(self):
        self.do("create", "--message-max", "5", "small")
        with open("/dev/zero", "rb") as zeros:
            result = self.cubby("send", "small", stdin=zeros)
        self.assertEqual(result.code, ERROR)
        self.assertIn("line 1 has more than 5 bytes", result.err)

    def test_words_too_long(self):
        self.do("create", "--message-max", "5", "small")
        self.assertEqual(
            self.refuse(ERROR, "send", "small", "sixsix"),
            "cubby: the message has 6 bytes, and small takes messages of at "
            "most 5 bytes\n",
        )

    def test_whole_too_long_sends_nothing(self):
        self.do("create", "--message-max", "5", "small")
        self.refuse(ERROR, "send", "--whole", "small", given=b"1\n2\n3\n")
        self.do("send", "--whole", "small", given=b"1\n2\n3")
        self.assertEqual(self.info("small")["waiting"], 1)

    def test_standard_input_that_cannot_be_read(self):
        with open(os.devnull, "w") as unreadable:
            result = self.cubby("send", "jobs", stdin=unreadable)
        self.assertEqual(result.code, ERROR)
        self.assertIn("cannot read standard input", result.err)

    def test_tag_and_type_go_with_each_message(self):
        tag = (1 << 64) - 1
        self.do(
            *["send", "--tag", str(tag), "--type", "7", "jobs"],
            given=b"one\ntwo\n",
        )
        self.do("send", "--tag", "0x10", "jobs", "three")
        lines = self.do("receive", "--all", "--json", "jobs").lines()
        told = [(m["tag"], m["type"]) for m in map(json.loads, lines)]
        self.assertEqual(told, [(tag, 7), (tag, 7), (16, 0)])

    def test_what_the_order_sender_does_not_have(self):
        err = self.refuse(ERROR, "send", "--priority", "1", "jobs", "hi")
        self.assertIn("make it with --order priority", err)
        self.do("send", "--priority", "0", "--type", "3", "jobs", "hi")
        for option in ("--type", "--not-type", "--type-up-to"):
            for verb in ("receive", "peek"):
                err = self.refuse(ERROR, verb, option, "3", "jobs")
                self.assertIn("make it with --order arrival or", err)
        self.assertEqual(self.receive_all(), b"hi\n")

    def test_sync_ends_when_a_receiver_has_it(self):
        process = self.start("send", "--sync", "jobs", "hi")
        self.wait_until(lambda: self.info()["waiting"] == 1)
        self.assertIsNone(process.poll())
        self.assertEqual(self.do("receive", "jobs").out, b"hi\n")
        self.assertEqual(self.finish(process).code, DONE)

    def test_sync_that_nobody_receives_in_time_stays(self):
        err = self.refuse(LATE, "send", "--sync", "-t", "50ms", "jobs", "hi")
        self.assertIn("nobody has received the message in time", err)
        self.assertIn("will be delivered", err)
        self.assertEqual(self.receive_all(), b"hi\n")


class Full(CommandTest):
    def setUp(self):
        super().setUp()
        self.do("create", "jobs")
        self.send_numbers(1, 128)

    def test_try_exits_3_and_says_how_full_it_is(self):
        self.assertEqual(
            self.refuse(NOTHING, "send", "--try", "jobs", "129"),
            "cubby: jobs is full: 128 of 128 messages wait, nobody receives\n",
        )
        self.assert_numbers(1, 128)

    def test_try_says_who_receives(self):
        process = self.start("receive", "--from", "99", "jobs")
        self.wait_for_receiver()
        err = self.refuse(NOTHING, "send", "--try", "jobs", "129")
        self.assertIn("1 receiver is attached", err)
        process.terminate()

    def test_try_says_how_many_were_sent_before(self):
        self.do("receive", "--count", "2", "jobs")
        err = self.refuse(NOTHING, "send", "--try", "jobs", given=b"a\nb\nc\n")
        self.assertIn("; 2 sent before", err)

    def test_timeout_exits_4(self):
        for timeout in ("50ms", "50000us", "0.05", "0"):
            err = self.refuse(LATE, "send", "-t", timeout, "jobs", "129")
            self.assertEqual(
                err,
                "cubby: jobs is still full after %s: 128 of 128 messages "
                "wait, nobody receives\n" % timeout,
            )
        self.assert_numbers(1, 128)

    def test_the_129th_waits(self):
        process = self.start("send", "jobs", "129")
        with self.assertRaises(subprocess.TimeoutExpired):
            process.wait(0.3)
        self.assertEqual(self.do("receive", "jobs").out, b"1\n")
        self.assertEqual(process.wait(DEADLINE), DONE)
        self.assert_numbers(2, 129)

    def test_the_129th_that_is_killed_sends_nothing(self):
        process = self.start("send", "jobs", "129")
        with self.assertRaises(subprocess.TimeoutExpired):
            process.wait(0.3)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(DEADLINE), -signal.SIGINT)
        self.assert_numbers(1, 128)


class OneShot(CommandTest):
    def test_a_thousand_arrive_in_order_and_leave_one_lane(self):
        self.do("create", "--capacity", "1000", "jobs")
        result = self.shell(
            'for i in {1..1000}; do "$CUBBY" send jobs $i || exit; done'
        )
        self.assertEqual((result.code, result.err), (DONE, ""))
        info = self.info()
        self.assertEqual((info["lanes"], info["waiting"]), (1, 1000))
        self.assertEqual([s["waiting"] for s in info["sender_list"]], [1000])
        self.assert_numbers(1, 1000)

    def test_with_nobody_receiving_the_129th_finds_it_full(self):
        self.do("create", "jobs")
        result = self.shell(
            'for i in {1..200}; do "$CUBBY" send --try jobs $i || exit; done'
        )
        self.assertEqual(result.code, NOTHING)
        self.assertEqual(
            result.err,
            "cubby: jobs is full: 128 of 128 messages wait, nobody receives\n",
        )
        self.assertEqual(self.info()["lanes"], 1)
        self.assert_numbers(1, 128)


class Receive(CommandTest):
    def setUp(self):
        super().setUp()
        self.do("create", "jobs")

    def test_one_and_a_newline(self):
        self.send_numbers(1, 3)
        self.assertEqual(self.do("receive", "jobs").out, b"1\n")
        self.assert_numbers(2, 3)

    def test_waits_for_one(self):
        process = self.start("receive", "jobs")
        self.wait_for_receiver()
        self.assertIsNone(process.poll())
        self.do("send", "jobs", "hi")
        self.assertEqual(self.finish(process).out, b"hi\n")

    def test_bytes_as_they_are(self):
        self.do("send", "--whole", "jobs", given=NOT_UTF8)
        self.assertEqual(self.do("receive", "jobs").out, NOT_UTF8 + b"\n")

    def test_null_and_raw(self):
        for option, end in (("--null", b"\0"), ("-0", b"\0"), ("--raw", b"")):
            self.do("send", "jobs", "hi")
            out = self.do("receive", option, "jobs").out
            self.assertEqual(out, b"hi" + end)

    def test_try_exits_3(self):
        self.assertEqual(
            self.refuse(NOTHING, "receive", "--try", "jobs"),
            "cubby: jobs is empty\n",
        )
        self.refuse(NOTHING, "receive", "--try", "--all", "jobs")

    def test_timeout_exits_4(self):
        begin = time.monotonic()
        self.assertEqual(
            self.refuse(LATE, "receive", "--timeout", "200ms", "jobs"),
            "cubby: jobs: no message came within 200ms\n",
        )
        self.assertGreaterEqual(time.monotonic() - begin, 0.2)

    def test_all_of_none(self):
        self.assertEqual(self.do("receive", "--all", "jobs").out, b"")

    def test_all_waits_until_the_timeout(self):
        process = self.start("receive", "--all", "--timeout", "2s", "jobs")
        self.wait_for_receiver()
        self.do("send", "jobs", "hi")
        result = self.finish(process)
        self.assertEqual((result.code, result.out), (DONE, b"hi\n"))

    def test_count(self):
        self.send_numbers(1, 100)
        out = self.do("receive", "--count", "70", "jobs").lines()
        self.assertEqual(out, [str(i) for i in range(1, 71)])
        self.assert_numbers(71, 100)

    def test_count_with_try_prints_those_there_are(self):
        self.send_numbers(1, 2)
        result = self.cubby("receive", "--count", "3", "--try", "jobs")
        self.assertEqual((result.code, result.out), (NOTHING, b"1\n2\n"))
        self.assert_numbers(1, 0)

    def test_all_up_to_a_count(self):
        self.send_numbers(1, 5)
        out = self.do("receive", "--all", "--count", "3", "jobs").lines()
        self.assertEqual(out, ["1", "2", "3"])
        self.assert_numbers(4, 5)

    def test_all_into_a_file(self):
        self.send_numbers(1, 128)
        with tempfile.TemporaryFile() as file:
            result = self.cubby("receive", "--all", "jobs", stdout=file)
            self.assertEqual(result.code, DONE)
            file.seek(0)
            numbers = [int(line) for line in file]
        self.assertEqual(numbers, list(range(1, 129)))
        self.assert_numbers(1, 0)

    def test_batch_into_a_pipe(self):
        self.send_numbers(1, 128)
        out = self.do("receive", "--all", "--batch", "jobs").lines()
        self.assertEqual(out, [str(i) for i in range(1, 129)])

    def test_many_large_ones_at_once(self):
        data = [os.urandom(100000) for _ in range(20)]
        for message in data:
            self.do("send", "--whole", "jobs", given=message)
        out = self.do("receive", "--all", "--raw", "jobs").out
        self.assertEqual(out, b"".join(data))

    def test_one_ends_though_nobody_has_read_it_yet(self):
        self.do("send", "jobs", "hi")
        for options in ([], ["--all"]):
            process = self.start("receive", *options, "jobs")
            self.assertEqual(process.wait(DEADLINE), DONE)
        self.assert_numbers(1, 0)

    def test_from_one_sender_only(self):
        process = self.start("send", "jobs", stdin=subprocess.PIPE)
        process.stdin.write(b"first\n")
        process.stdin.flush()
        self.wait_until(lambda: self.info()["waiting"] == 1)
        self.do("send", "jobs", "second")
        senders = [s["sender"] for s in self.info()["sender_list"]]
        self.assertEqual(len(senders), 2)
        told = {}
        for sender in senders:
            words = ["receive", "--json", "--from", str(sender), "jobs"]
            message = json.loads(self.do(*words).out)
            self.assertEqual(message["sender"], sender)
            told[sender] = message["data"]
        self.assertEqual(sorted(told.values()), ["first", "second"])
        self.refuse(
            NOTHING, "receive", "--try", "--from", str(senders[0]), "jobs"
        )
        process.stdin.close()
        self.assertEqual(process.wait(DEADLINE), DONE)

    def test_from_a_named_sender(self):
        self.do("send", "jobs", "unnamed")
        self.do("send", "--as", "worker", "jobs", "named")
        names = [sender["name"] for sender in self.info()["sender_list"]]
        self.assertEqual(sorted(names), ["", "worker"])
        peeked = self.do("peek", "--from", "worker", "jobs").out
        self.assertEqual(peeked, b"named\n")
        words = ["receive", "--json", "--from", "worker", "jobs"]
        message = json.loads(self.do(*words).out)
        self.assertEqual(
            (message["data"], message["sender_name"]), ("named", "worker")
        )
        message = json.loads(self.do("receive", "--json", "jobs").out)
        self.assertNotIn("sender_name", message)

    def test_from_a_name_waits_until_one_bears_it(self):
        err = self.refuse(
            NOTHING, "receive", "--try", "--from", "worker", "jobs"
        )
        self.assertIn("jobs is empty of messages from worker", err)
        process = self.start("receive", "--from", "worker", "jobs")
        self.wait_for_receiver()
        self.do("send", "jobs", "of another")
        self.do("send", "--as", "worker", "jobs", "hi")
        self.assertEqual(self.finish(process).out, b"hi\n")

    def test_what_cannot_be_a_senders_name(self):
        for name in ("", "x" * 64):
            err = self.refuse(USAGE, "send", "--as", name, "jobs", "hi")
            self.assertIn("1 to 63 bytes", err)
            err = self.refuse(USAGE, "receive", "--from", name, "jobs")
            self.assertIn("1 to 63 bytes", err)

    def test_one_sender_of_a_name_at_a_time(self):
        process = self.start(
            "send", "--as", "worker", "jobs", stdin=subprocess.PIPE
        )
        self.wait_until(lambda: self.info()["senders"] == 1)
        err = self.refuse(ERROR, "send", "--as", "worker", "jobs", "hi")
        self.assertIn("a sender called worker has it open already", err)
        process.stdin.close()
        self.assertEqual(process.wait(DEADLINE), DONE)
        self.do("send", "--as", "worker", "jobs", "hi")


class Several(CommandTest):
    """Receiving from several mailboxes at once."""

    def setUp(self):
        super().setUp()
        self.do("create", "jobs")
        self.do("create", "--order", "priority", "orders")

    def test_takes_turns(self):
        self.send_numbers(1, 3)
        for word in ("a", "b", "c"):
            self.do("send", "orders", word)
        self.assertEqual(
            self.do("receive", "--all", "jobs", "orders").lines(),
            ["1", "a", "2", "b", "3", "c"],
        )

    def test_says_which(self):
        self.do("send", "orders", "tea")
        self.do("send", "jobs", "x")
        self.assertEqual(
            self.do("receive", "-a", "-H", "orders", "jobs").lines(),
            ["orders\ttea", "jobs\tx"],
        )
        self.do("send", "orders", "milk")
        message = json.loads(self.do("receive", "-j", "jobs", "orders").out)
        self.assertEqual((message["mailbox"], message["data"]),
                         ("orders", "milk"))
        self.do("send", "jobs", "y")
        message = json.loads(self.do("receive", "-j", "jobs").out)
        self.assertNotIn("mailbox", message)

    def test_waits_for_all_of_them(self):
        for name in ("orders", "jobs"):
            process = self.start("receive", "jobs", "orders")
            self.wait_until(lambda: self.info(name)["sleeping"] == 1)
            self.do("send", name, "for " + name)
            self.assertEqual(
                self.finish(process).out, b"for " + name.encode() + b"\n"
            )

    def test_tells_when_there_is_none(self):
        self.assertEqual(
            self.refuse(NOTHING, "receive", "--try", "jobs", "orders"),
            "cubby: none of the 2 mailboxes has a message\n",
        )
        self.assertEqual(
            self.refuse(LATE, "receive", "-t", "20ms", "jobs", "orders"),
            "cubby: no message came within 20ms in any of 2 mailboxes\n",
        )
        self.assertIn(
            "no mailbox lost",
            self.refuse(NO_MAILBOX, "receive", "jobs", "lost"),
        )

    def test_chooses_from_one_only(self):
        for option in (["--from", "1"], ["--type", "2"],
                       ["--not-type", "2"], ["--type-up-to", "2"]):
            self.assertIn(
                option[0] + " takes one mailbox",
                self.refuse(USAGE, "receive", *option, "jobs", "orders"),
            )

    def test_is_ended_by_a_signal_and_loses_nothing(self):
        process = self.start("receive", "--follow", "jobs", "orders")
        self.wait_until(lambda: self.info("orders")["sleeping"] == 1)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(DEADLINE), -signal.SIGINT)
        self.do("send", "orders", "x")
        self.assertEqual(self.do("receive", "orders").out, b"x\n")


class Inbox(CommandTest):
    """@NAME: one process receives, and senders learn that it has gone."""

    def setUp(self):
        super().setUp()
        self.do("create", "@worker")

    def test_keeps_what_was_sent_before_anybody_received(self):
        self.do("send", "@worker", "early")
        self.assertEqual(self.do("receive", "@worker").out, b"early\n")

    def test_is_one_process_s(self):
        process = self.start("receive", "--follow", "@worker")
        self.wait_until(lambda: self.info("@worker")["receivers"] == 1)
        for verb in ("receive", "peek"):
            err = self.refuse(ERROR, verb, "@worker")
            self.assertIn("an inbox (@NAME) is one process's at a time", err)
        self.do("send", "@worker", "hi")
        self.assertEqual(process.stdout.readline(), b"hi\n")

    def test_a_sender_learns_that_it_has_gone(self):
        self.do("send", "@worker", "hi")
        self.do("receive", "@worker")
        err = self.refuse(ERROR, "send", "@worker", "again")
        self.assertEqual(
            err,
            "cubby: the process that receives from @worker has gone; nothing "
            "was sent\n",
        )

    def test_so_does_one_in_the_middle_of_its_input(self):
        receiver = self.start("receive", "--follow", "@worker")
        self.wait_until(lambda: self.info("@worker")["receivers"] == 1)
        process = self.start("send", "@worker", stdin=subprocess.PIPE)
        process.stdin.write(b"one\n")
        process.stdin.flush()
        self.assertEqual(receiver.stdout.readline(), b"one\n")
        receiver.kill()
        receiver.wait(DEADLINE)
        self.wait_until(lambda: self.info("@worker")["receivers"] == 0)
        result = self.finish(process, b"two\n" * 1000)
        self.assertEqual(result.code, ERROR)
        self.assertRegex(result.err, r"has gone; nothing was sent; \d+ sent")

    def test_a_receiver_learns_that_its_partner_has_gone(self):
        self.do("send", "--as", "boss", "@worker", "hi")
        words = ["receive", "--from", "boss", "@worker"]
        self.assertEqual(self.do(*words).out, b"hi\n")
        err = self.refuse(ERROR, *words)
        self.assertIn("sender boss has gone, and nothing of its is left", err)


class Orders(CommandTest):
    def test_arrival_has_one_capacity_for_all(self):
        self.do(*"create --order arrival --capacity 3 jobs".split())
        process = self.start("send", "jobs", stdin=subprocess.PIPE)
        process.stdin.write(b"1\n2\n")
        process.stdin.flush()
        self.wait_until(lambda: self.info()["waiting"] == 2)
        self.do("send", "jobs", "3")
        self.assertEqual(
            self.refuse(NOTHING, "send", "--try", "jobs", "4"),
            "cubby: jobs is full: 3 of 3 messages wait, nobody receives\n",
        )
        err = self.refuse(LATE, "send", "-t", "10ms", "jobs", "4")
        self.assertIn("still full after 10ms: 3 of 3 messages wait", err)
        process.stdin.close()
        self.assertEqual(process.wait(DEADLINE), DONE)
        self.assert_numbers(1, 3)

    def test_arrival_is_one_order_of_all_senders(self):
        self.do("create", "--order", "arrival", "jobs")
        for i in range(1, 21):
            self.do("send", "--as", "sender%d" % (i % 3), "jobs", str(i))
        self.assert_numbers(1, 20)

    def test_the_highest_priority_first_then_the_oldest(self):
        self.do("create", "--order", "priority", "jobs")
        for priority in (0, 7, 32767, 7, 1):
            words = ["--priority", str(priority)] if priority else []
            self.do("send", *words, "jobs", "of %d" % priority)
        lines = self.do("receive", "--all", "--json", "jobs").lines()
        told = [json.loads(line) for line in lines]
        self.assertEqual(
            [(m["priority"], m["sequence"]) for m in told],
            [(32767, 3), (7, 2), (7, 4), (1, 5), (0, 1)],
        )

    def test_arrival_has_no_priorities(self):
        self.do("create", "--order", "arrival", "jobs")
        err = self.refuse(ERROR, "send", "-p", "1", "jobs", "hi")
        self.assertIn("jobs has no priorities; make it with --order", err)

    def test_by_type(self):
        for order in ("arrival", "priority"):
            self.do("create", "--order", order, "jobs")
            self.do("send", "jobs", "none")
            for number in (5, 3, 5, 2):
                self.do("send", "--type", str(number), "jobs", "%d" % number)
            for words, wanted in (
                ("peek --type 5", "5"),
                ("receive --type 5", "5"),
                ("receive --type-up-to 4", "2"),
                ("peek --not-type 5", "none"),
                ("receive --not-type 5", "none"),
                ("receive --type-up-to 4", "3"),
                ("receive --type 5", "5"),
            ):
                verb, *options = words.split()
                out = self.do(verb, *options, "jobs").lines()
                self.assertEqual(out, [wanted], words)
            self.do("rm", "jobs")

    def test_of_a_type_that_there_is_not(self):
        self.do("create", "--order", "arrival", "jobs")
        self.do("send", "--type", "4", "jobs", "four")
        for option, said in (
            ("--type=3", "jobs is empty of messages of type 3"),
            ("--type-up-to=3", "jobs is empty of messages of a type up to 3"),
            ("--not-type=4", "empty of messages of another type than 4"),
        ):
            for verb in ("receive", "peek"):
                err = self.refuse(NOTHING, verb, "--try", option, "jobs")
                self.assertIn(said, err)
        process = self.start("receive", "--type", "3", "jobs")
        self.wait_for_receiver()
        self.do("send", "--type", "3", "jobs", "three")
        self.assertEqual(self.finish(process).out, b"three\n")
        self.assertEqual(self.do("receive", "jobs").out, b"four\n")

    def test_from_a_named_sender(self):
        self.do("create", "--order", "arrival", "jobs")
        self.do("send", "jobs", "unnamed")
        self.do("send", "--as", "worker", "jobs", "named")
        words = ["receive", "--json", "--from", "worker", "jobs"]
        message = json.loads(self.do(*words).out)
        self.assertEqual(
            (message["data"], message["sender_name"]), ("named", "worker")
        )
        self.refuse(NOTHING, "receive", "--try", "--from", "worker", "jobs")
        self.assertEqual(self.do("receive", "jobs").out, b"unnamed\n")

    def test_by_type_and_by_sender(self):
        self.do("create", "--order", "arrival", "jobs")
        self.do("send", "--as", "other", "--type", "3", "jobs", "not this")
        self.do("send", "--as", "worker", "--type", "2", "jobs", "nor this")
        self.do("send", "--as", "worker", "--type", "3", "jobs", "hi")
        words = ["--type", "3", "--from", "worker", "jobs"]
        for verb in ("peek", "receive"):
            self.assertEqual(self.do(verb, *words).out, b"hi\n")
        self.refuse(NOTHING, "receive", "--try", *words)
        self.assertEqual(
            self.do("receive", "--all", "jobs").out, b"not this\nnor this\n"
        )

    def test_more_than_there_are_addresses_for(self):
        err = self.refuse(
            ERROR, "create", "--order", "arrival", "-c", "100000000", "jobs"
        )
        self.assertIn("more addresses than a process has", err)
        self.refuse(NO_MAILBOX, "info", "jobs")

    def test_sync_is_withdrawn(self):
        self.do("create", "--order", "priority", "jobs")
        err = self.refuse(LATE, "send", "--sync", "-t", "50ms", "jobs", "hi")
        self.assertEqual(
            err,
            "cubby: jobs: nobody has received the message within 50ms; it was "
            "withdrawn\n",
        )
        self.assertEqual(self.info()["waiting"], 0)
        process = self.start("send", "--sync", "jobs", "hi")
        self.wait_until(lambda: self.info()["waiting"] == 1)
        self.assertIsNone(process.poll())
        self.assertEqual(self.do("receive", "jobs").out, b"hi\n")
        self.assertEqual(self.finish(process).code, DONE)

    def test_follow_into_head_loses_nothing(self):
        self.do("create", "--order", "arrival", "jobs")
        self.send_numbers(1, 20)
        result = self.shell('"$CUBBY" receive --follow jobs | head -3')
        self.assertEqual(result.lines(), ["1", "2", "3"])
        self.assert_numbers(4, 20)

    def test_a_killed_one_gives_back_what_it_holds(self):
        self.do("create", "--order", "arrival", "jobs")
        self.send_numbers(1, 3)
        process = self.start("receive", "--follow", "jobs")
        self.wait_until(lambda: self.info()["held"] > 0)
        process.kill()
        process.wait(DEADLINE)
        lines = self.do("receive", "--all", "--json", "jobs").lines()
        told = [json.loads(line) for line in lines]
        self.assertEqual([m["data"] for m in told], list("123"))
        self.assertEqual(told[0]["deliveries"], 2)

    def test_info_for_people(self):
        self.do(*"create --order priority --capacity 5 jobs".split())
        self.do("send", "jobs", "hi")
        words = " ".join(self.on_terminal("info", "jobs").split())
        self.assertIn("order priority", words)
        self.assertIn("capacity 5 messages, of all senders together", words)
        self.assertIn("waiting 1 message held", words)


class Broadcast(CommandTest):
    @staticmethod
    def state_of(process):
        with open("/proc/%d/stat" % process.pid) as file:
            return file.read().rpartition(") ")[2][0]

    def test_every_receiver_gets_every_message(self):
        self.do("create", "--broadcast", "jobs")
        receivers = [self.start("receive", "-n2", "jobs") for _ in range(3)]
        self.wait_until(lambda: self.info()["receivers"] == 3)
        self.do("send", "jobs", given=b"a\nb\n")
        for receiver in receivers:
            self.assertEqual(self.finish(receiver).lines(), ["a", "b"])
        self.assertEqual(self.info()["waiting"], 0)

    def test_the_last_ones(self):
        self.do("create", "-b", "jobs")
        self.send_numbers(1, 9)
        self.refuse(NOTHING, "receive", "--try", "jobs")
        told = self.do("receive", "--all", "--last", "3", "jobs").lines()
        self.assertEqual(told, ["7", "8", "9"])
        self.assertEqual(self.do("peek", "-l1", "jobs").out, b"9\n")

    def test_a_slow_one_holds_back_or_is_overtaken(self):
        self.do("create", "--broadcast", "-c4", "jobs")
        self.do("create", "--broadcast=overtake", "-c4", "news")
        self.assertEqual(self.info()["delivery"], "every")
        for name in ("jobs", "news"):
            slow = self.start("receive", "--json", "-n4", name)
            self.wait_until(lambda: self.info(name)["sleeping"] == 1)
            slow.send_signal(signal.SIGSTOP)
            self.wait_until(lambda: self.state_of(slow) == "T")
            lines = "".join("%d\n" % n for n in range(1, 101))
            result = self.cubby("send", "--try", name, given=lines.encode())
            slow.send_signal(signal.SIGCONT)
            told = [json.loads(line) for line in self.finish(slow).lines()]
            missed = told[0].get("missed", 0)
            if name == "jobs":
                self.assertEqual(result.code, NOTHING)
                self.assertEqual(missed, 0)
            else:
                self.assertEqual(result.code, DONE)
                self.assertGreaterEqual(missed, 68)
            first = missed + 1
            self.assertEqual(
                [m["data"] for m in told],
                [str(first + i) for i in range(4)],
            )

    def test_what_does_not_go_together(self):
        for words in ("--order arrival", "--unlimited", "--capacity 0"):
            err = self.refuse(USAGE, "create", "-b", *words.split(), "jobs")
            self.assertIn("--broadcast takes --order sender", err)
        self.refuse(USAGE, "create", "--broadcast=some", "jobs")
        self.do("create", "jobs")
        err = self.refuse(ERROR, "receive", "--last", "1", "jobs")
        self.assertIn("delivers each message to one receiver", err)

    def test_info_for_people(self):
        self.do("create", "--broadcast=overtake", "jobs")
        words = " ".join(self.on_terminal("info", "jobs").split())
        self.assertIn("delivery every message to every receiver", words)


class Rendezvous(CommandTest):
    def setUp(self):
        super().setUp()
        self.do(*"create --order arrival --capacity 0 jobs".split())

    def test_sender_and_receiver_meet(self):
        process = self.start("send", "jobs", "hi")
        self.wait_until(lambda: self.info()["waiting"] == 1)
        self.assertIsNone(process.poll())
        self.assertEqual(self.do("receive", "jobs").out, b"hi\n")
        self.assertEqual(self.finish(process).code, DONE)

    def test_receiver_comes_first(self):
        process = self.start("receive", "jobs")
        self.wait_for_receiver()
        self.do("send", "jobs", "hi")
        self.assertEqual(self.finish(process).out, b"hi\n")

    def test_try_takes_a_partner_that_waits(self):
        err = self.refuse(NOTHING, "send", "--try", "jobs", "hi")
        self.assertEqual(err, "cubby: jobs: nobody waits for a message\n")
        self.assertEqual(
            self.refuse(NOTHING, "receive", "--try", "jobs"),
            "cubby: jobs is empty\n",
        )
        process = self.start("receive", "jobs")
        self.wait_until(
            lambda: self.cubby("send", "--try", "jobs", "hi").code == DONE
        )
        self.assertEqual(self.finish(process).out, b"hi\n")

    def test_timeout_withdraws_the_offer(self):
        for options in ([], ["--sync"]):
            err = self.refuse(
                LATE, "send", *options, "-t", "50ms", "jobs", "hi"
            )
            self.assertIn("within 50ms; it was withdrawn", err)
        self.refuse(NOTHING, "receive", "--try", "jobs")

    def test_a_killed_sender_takes_its_offer_with_it(self):
        process = self.start("send", "jobs", "hi")
        self.wait_until(lambda: self.info()["waiting"] == 1)
        process.kill()
        process.wait(DEADLINE)
        self.refuse(LATE, "receive", "--timeout", "50ms", "jobs")

    def test_peek_sees_an_offer_and_lets_it_stay(self):
        process = self.start("send", "jobs", "hi")
        self.assertEqual(self.do("peek", "jobs").out, b"hi\n")
        self.assertIsNone(process.poll())
        self.assertEqual(self.do("receive", "jobs").out, b"hi\n")
        self.assertEqual(self.finish(process).code, DONE)

    def test_lines_go_over_one_at_a_time(self):
        result = self.shell(
            'seq 100 | "$CUBBY" send jobs & '
            '"$CUBBY" receive --count 100 jobs | cat; wait $!'
        )
        self.assertEqual((result.code, result.err), (DONE, ""))
        self.assertEqual(result.lines(), [str(i) for i in range(1, 101)])

    def test_follow_into_head_loses_nothing(self):
        process = self.start("send", "jobs", stdin=subprocess.PIPE)
        process.stdin.write(b"1\n2\n3\n")
        process.stdin.close()
        result = self.shell('"$CUBBY" receive --follow jobs | head -1')
        self.assertEqual(result.lines(), ["1"])
        out = self.do("receive", "--count", "2", "jobs").lines()
        self.assertEqual(out, ["2", "3"])
        self.assertEqual(process.wait(DEADLINE), DONE)

    def test_info_for_people(self):
        words = " ".join(self.on_terminal("info", "jobs").split())
        self.assertIn("none: sender and receiver meet (rendezvous)", words)
        row = self.do("ls").lines()[0].split("\t")
        self.assertEqual((row[2], row[9]), ("0", "arrival"))


class Unlimited(CommandTest):
    def test_takes_what_memory_does(self):
        self.do("create", "--unlimited", "jobs")
        self.send_numbers(1, 5000)
        info = self.info()
        self.assertEqual(
            (info["buffering"], info["capacity"], info["waiting"]),
            ("unlimited", 0, 5000),
        )
        row = self.do("ls").lines()[0].split("\t")
        self.assertEqual(row[1:3], ["5000", "unlimited"])
        words = " ".join(self.on_terminal("info", "jobs").split())
        self.assertIn("unlimited: as many as memory holds", words)
        self.do("send", "--try", "jobs", "5001")
        with tempfile.TemporaryFile() as file:
            self.cubby("receive", "--all", "jobs", stdout=file)
            file.seek(0)
            numbers = [int(line) for line in file]
        self.assertEqual(numbers, list(range(1, 5002)))

    def test_says_that_memory_has_ended_and_loses_nothing(self):
        self.do("create", "--unlimited", "--memory-limit", "64K", "jobs")
        lines = b"".join(b"%d\n" % i for i in range(5000))
        err = self.refuse(ERROR, "send", "jobs", given=lines)
        self.assertIn("memory for messages is used up", err)
        sent = int(re.search(r"(\d+) sent before", err).group(1))
        self.assertGreater(sent, 100)
        self.assertEqual(self.info()["waiting"], sent)
        self.do("receive", "--count", "10", "jobs")
        self.assertEqual(self.info()["waiting"], sent - 10)


class Json(CommandTest):
    def setUp(self):
        super().setUp()
        self.do("create", "jobs")

    def receive(self):
        return json.loads(self.do("receive", "--json", "jobs").out)

    def test_all_there_is_to_tell(self):
        self.do("send", "--tag", "5", "--type", "6", "jobs", "hi")
        message = self.receive()
        self.assertEqual(
            {**message, "sender": 0, "sequence": 0},
            {
                **{"sequence": 0, "sender": 0, "uid": os.getuid(), "tag": 5},
                **{"type": 6, "priority": 0, "size": 2, "deliveries": 1},
                "data": "hi",
            },
        )
        self.assertGreater(message["sender"], 0)
        self.do("send", "jobs", "again")
        self.assertEqual(self.receive()["sequence"], message["sequence"] + 1)

    def test_one_line_each(self):
        self.do("send", "-0", "jobs", given=b"a\nb\0c\0")
        lines = self.do("receive", "--all", "--json", "jobs").lines()
        told = [json.loads(line)["data"] for line in lines]
        self.assertEqual(told, ["a\nb", "c"])

    def test_text_with_everything_that_must_be_escaped(self):
        text = "".join(map(chr, range(256))) + '"\\/ \u20ac \U0001f600\u2028'
        self.do("send", "--whole", "jobs", given=text.encode())
        message = self.receive()
        self.assertEqual(message["data"], text)
        self.assertEqual(message["size"], len(text.encode()))

    def test_bytes_that_are_not_utf8_as_base64(self):
        for data in (
            *[NOT_UTF8, b"\xff", b"a\xffb", b"ab\xff", b"abcdefgh\xff"],
            b"\xc0\x80",  # an overlong form
            b"\xe0\x9f\xbf",
            b"\xf0\x8f\xbf\xbf",
            b"\xed\xa0\x80",  # a surrogate
            b"\xf4\x90\x80\x80",  # beyond the last character
            b"\xe2\x82",  # cut off
            os.urandom(100000),
        ):
            self.do("send", "--whole", "jobs", given=data)
            message = self.receive()
            self.assertNotIn("data", message)
            self.assertEqual(base64.b64decode(message["base64"]), data)
            self.assertEqual(message["size"], len(data))

    def test_an_empty_message(self):
        self.do("send", "jobs", "")
        message = self.receive()
        self.assertEqual((message["size"], message["data"]), (0, ""))


class LosesNothing(CommandTest):
    """Hold, write, release: whatever happens to what is written."""

    def setUp(self):
        super().setUp()
        self.do("create", "jobs")

    def test_follow_into_head(self):
        for first in range(1, 101, 10):
            self.send_numbers(first, first + 9)
            result = self.shell('"$CUBBY" receive --follow jobs | head -1')
            self.assertEqual((result.out, result.err), (b"%d\n" % first, ""))
            self.assert_numbers(first + 1, first + 9)

    def test_all_and_count_into_head(self):
        for options in ("--all", "--count 10", "--all --json"):
            for last in (2, 10):
                self.send_numbers(1, last)
                result = self.shell(
                    '"$CUBBY" receive %s jobs | head -1' % options
                )
                self.assertEqual((result.code, result.err), (0, ""))
                self.assert_numbers(2, last)

    def test_a_reader_that_leaves_a_message_in_the_pipe(self):
        for options in (["--follow"], ["--all"], ["--count", "2"]):
            self.send_numbers(1, 2)
            process = self.start("receive", *options, "jobs")
            self.assertEqual(os.read(process.stdout.fileno(), 100), b"1\n")
            self.wait_until(lambda: waiting_bytes(process.stdout) == 2)
            self.assertIsNone(process.poll())
            process.stdout.close()
            self.assertEqual(process.wait(DEADLINE), ERROR)
            self.assertEqual(process.stderr.read(), b"")
            self.assert_numbers(2, 2)

    def test_one_reader_goes_on_where_another_ended(self):
        self.send_numbers(1, 20)
        result = self.shell(
            '"$CUBBY" receive --all jobs | { head -1 >&2; cat; }'
        )
        self.assertEqual(result.err, "1\n")
        self.assertEqual(result.lines(), [str(i) for i in range(2, 21)])

    def test_messages_larger_than_the_pipe(self):
        data = [bytes([65 + i]) * 150000 for i in range(4)]
        for message in data:
            self.do("send", "--whole", "jobs", given=message)
        result = self.shell('"$CUBBY" receive --follow jobs | head -1')
        self.assertEqual(result.out, data[0] + b"\n")
        result = self.shell('"$CUBBY" receive --follow jobs | head -c 1000')
        self.assertEqual(result.out, data[1][:1000])
        left = self.do("receive", "--all", "--json", "jobs").lines()
        told = [json.loads(line) for line in left]
        self.assertEqual([m["data"][0] for m in told], ["B", "C", "D"])
        self.assertGreaterEqual(told[0]["deliveries"], 2)

    def test_a_large_message_of_which_only_a_part_is_read(self):
        self.do("send", "--whole", "jobs", given=b"x" * 150000)
        for options in ("--raw", "", "--json", "--raw --count 2"):
            result = self.shell(
                '"$CUBBY" receive --all %s jobs | head -c 10' % options
            )
            self.assertEqual((len(result.out), result.err), (10, ""))
        self.assertEqual(self.to_receive(), 1)

    def test_a_large_message_of_which_only_a_part_is_written(self):
        self.do("rm", "jobs")
        self.do("create", "--message-max", "8M", "jobs")
        for given in (b"", b"x" * (5 << 20), b""):
            self.do("send", "--whole", "jobs", given=given)
        for left in (2, 2):
            self.receive_into_small_file("--raw")
            self.assertEqual(self.to_receive(), left)

    def test_a_reader_that_goes_ends_a_wait(self):
        begin = time.monotonic()
        result = self.shell(
            '"$CUBBY" receive --follow jobs | true; echo ${PIPESTATUS[0]}'
        )
        self.assertLess(time.monotonic() - begin, DEADLINE / 2)
        self.assertEqual((result.out, result.err), (b"1\n", ""))

    def test_a_full_disk(self):
        self.send_numbers(1, 5)
        for options in ([], ["--all"], ["--follow"], ["--json", "--all"]):
            with open("/dev/full", "wb") as full:
                result = self.cubby("receive", *options, "jobs", stdout=full)
            self.assertEqual(result.code, ERROR)
            self.assertEqual(
                result.err,
                "cubby: cannot write to standard output: "
                "No space left on device\n",
            )
            self.assertEqual(self.to_receive(), 5)
        self.assert_numbers(1, 5)

    def receive_into_small_file(self, options):
        """A file of at most 4 MiB; the mailbox's own files stay below."""
        with tempfile.NamedTemporaryFile() as file:
            result = self.shell(
                "trap '' XFSZ; ulimit -f 4096; exec "
                '"$CUBBY" receive --all %s jobs > %s' % (options, file.name)
            )
            self.assertEqual(os.path.getsize(file.name), 4 << 20)
        self.assertEqual(result.code, ERROR)
        self.assertIn("File too large", result.err)

    def test_a_disk_that_fills_up(self):
        for size, left in ((999999, "45678"), (64999, "4567890123")):
            self.do("receive", "--all", "jobs")
            for i in range(74 if size < 65536 else 9):
                self.do("send", "jobs", given=b"%d" % (i % 10) * size)
            self.receive_into_small_file("")
            lines = self.do("receive", "--all", "jobs").lines()
            self.assertEqual([line[0] for line in lines], list(left))

    def test_standard_output_that_is_closed(self):
        self.send_numbers(1, 2)
        result = self.shell('exec "$CUBBY" receive --all jobs >&-')
        self.assertEqual(result.code, ERROR)
        self.assertIn("cannot write to standard output", result.err)
        self.assert_numbers(1, 2)

    def test_output_of_the_other_verbs_is_checked_too(self):
        for words in (["ls"], ["info", "jobs"], ["help"], ["--version"]):
            with open("/dev/full", "wb") as full:
                result = self.cubby(*words, stdout=full)
            self.assertEqual(result.code, ERROR)
            self.assertIn("No space left on device", result.err)
            with self.subTest(words=words):
                read, write = os.pipe()
                os.close(read)
                with os.fdopen(write, "wb") as nobody:
                    result = self.cubby(*words, stdout=nobody)
                self.assertEqual((result.code, result.err), (ERROR, ""))

    def test_signals_give_back_what_is_not_read(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self.send_numbers(1, 5)
            process = self.start("receive", "--follow", "jobs")
            self.wait_until(lambda: self.info()["held"] > 0)
            process.send_signal(number)
            self.assertEqual(process.wait(DEADLINE), -number)
            self.assertEqual(self.info()["held"], 0)
            self.assert_numbers(1, 5)

    def test_signals_end_a_wait(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            process = self.start("receive", "jobs")
            self.wait_for_receiver()
            process.send_signal(number)
            result = self.finish(process)
            self.assertEqual((result.code, result.err), (-number, ""))
            self.assertEqual(self.info()["receivers"], 0)

    def test_a_signal_that_is_ignored_stays_so(self):
        result = self.shell(
            "trap '' INT; \"$CUBBY\" receive --timeout 500ms jobs & "
            'sleep 0.2; kill -INT $!; wait $!'
        )
        self.assertEqual(result.code, LATE, result.err)

    def test_a_killed_one_gives_back_what_it_holds(self):
        self.send_numbers(1, 5)
        process = self.start("receive", "--follow", "jobs")
        self.wait_until(lambda: self.info()["held"] > 0)
        process.kill()
        process.wait(DEADLINE)
        lines = self.do("receive", "--count", "5", "--json", "jobs").lines()
        told = [json.loads(line) for line in lines]
        self.assertEqual([m["data"] for m in told], list("12345"))
        self.assertEqual(told[0]["deliveries"], 2)

    def test_the_pipe_is_as_large_as_before(self):
        self.send_numbers(1, 5)
        result = self.shell(
            '{ "$CUBBY" receive --all jobs; python3 -c "import fcntl;'
            'print(fcntl.fcntl(1, 1032))"; } | cat'
        )
        self.assertEqual(result.lines(), [*"12345", "65536"])


class Damage(CommandTest):
    def test_of_one_sender_does_not_end_the_service_of_the_others(self):
        self.do("create", "jobs")
        process = self.start("send", "jobs", stdin=subprocess.PIPE)
        process.stdin.write(b"bad\n")
        process.stdin.flush()
        self.wait_until(lambda: self.info()["waiting"] == 1)
        self.do("send", "jobs", "good")
        for where, _, files in os.walk(self.root):
            for name in set(files) & {"lane.0"}:
                with open(os.path.join(where, name), "r+b") as lane:
                    size = lane.seek(0, os.SEEK_END)
                    lane.seek(512)
                    lane.write(b"\xff" * (size - 512))
        result = self.cubby("receive", "--all", "jobs")
        self.assertEqual((result.code, result.out), (ERROR, b"good\n"))
        self.assertIn("jobs: what a sender left there makes no", result.err)
        self.assertEqual(self.info()["broken"], 1)


class Follow(CommandTest):
    def setUp(self):
        super().setUp()
        self.do("create", "jobs")

    def test_each_message_is_there_at_once(self):
        process = self.start("receive", "--follow", "jobs")
        for i in range(50):
            self.do("send", "jobs", str(i))
            self.assertEqual(process.stdout.readline(), b"%d\n" % i)
        self.assertIsNone(process.poll())

    def test_into_a_file_too(self):
        with tempfile.TemporaryFile() as file:
            process = self.start("receive", "--follow", "jobs", stdout=file)
            for i in range(5):
                self.do("send", "jobs", str(i))
                self.wait_until(lambda: os.fstat(file.fileno()).st_size
                                == 2 * (i + 1))
            self.assertIsNone(process.poll())

    def test_ends_after_a_timeout_without_one(self):
        self.send_numbers(1, 2)
        result = self.cubby("receive", "-f", "--timeout", "100ms", "jobs")
        self.assertEqual((result.code, result.out), (LATE, b"1\n2\n"))

    def test_two_share_the_work(self):
        files = [tempfile.TemporaryFile() for _ in range(2)]
        processes = [
            self.start("receive", "--follow", "jobs", stdout=file)
            for file in files
        ]
        self.wait_until(lambda: self.info()["receivers"] == 2)
        self.send_numbers(1, 2000)
        self.wait_until(lambda: self.info()["waiting"] == 0)
        got = self.do("receive", "--all", "jobs").lines()
        for process, file in zip(processes, files):
            process.terminate()
            self.assertEqual(process.wait(DEADLINE), -signal.SIGTERM)
            with file:
                file.seek(0)
                got += file.read().decode().split()
        got += self.do("receive", "--all", "jobs").lines()
        self.assertEqual(sorted(map(int, got)), list(range(1, 2001)))


class Peek(CommandTest):
    def setUp(self):
        super().setUp()
        self.do("create", "jobs")

    def test_leaves_the_message(self):
        self.send_numbers(1, 3)
        for _ in range(2):
            self.assertEqual(self.do("peek", "jobs").out, b"1\n")
        message = json.loads(self.do("peek", "--json", "jobs").out)
        self.assertEqual((message["data"], message["deliveries"]), ("1", 1))
        self.assertEqual(self.do("peek", "-0", "jobs").out, b"1\0")
        self.assert_numbers(1, 3)

    def test_a_large_one(self):
        data = os.urandom(1 << 20)
        self.do("send", "--whole", "jobs", given=data)
        self.assertEqual(self.do("peek", "--raw", "jobs").out, data)
        self.assertEqual(self.do("receive", "--raw", "jobs").out, data)

    def test_none(self):
        self.refuse(NOTHING, "peek", "--try", "jobs")
        self.refuse(LATE, "peek", "--timeout", "10ms", "jobs")


class Listing(CommandTest):
    def test_plain_in_a_pipe(self):
        self.do("create", "--capacity", "7", "jobs")
        self.do("create", "--mode", "0640", "other")
        self.do("send", "jobs", "hi")
        rows = [line.split("\t") for line in self.do("ls").lines()]
        self.assertEqual([row[0] for row in rows], ["jobs", "other"])
        self.assertEqual(rows[0][1:6], ["1", "7", "0", "0", "0"])
        self.assertEqual(rows[1][7], "0640")
        self.assertEqual({len(row) for row in rows}, {10})
        self.assertEqual(rows[0][9], "sender")
        self.assertGreater(int(rows[0][6]), 0)

    def test_none(self):
        self.assertEqual(self.do("ls").out, b"")
        self.assertEqual(json.loads(self.do("ls", "--json").out), [])
        self.assertEqual(self.on_terminal("ls"), "")

    def test_those_named(self):
        for name in ("one", "two", "three"):
            self.do("create", name)
        lines = self.do("ls", "two", "one").lines()
        self.assertEqual([x.split("\t")[0] for x in lines], ["two", "one"])

    def test_json(self):
        self.do("create", "jobs")
        self.do("create", "@worker")
        told = json.loads(self.do("ls", "--json").out)
        self.assertEqual(
            sorted(m["name"] for m in told), ["@worker", "jobs"]
        )
        for field in "waiting capacity senders receivers held memory".split():
            self.assertIsInstance(told[0][field], int)

    def test_a_table_in_80_columns_on_a_terminal(self):
        self.do("create", "jobs")
        self.do("create", "a-name-that-is-longer-than-its-column" * 2)
        self.send_numbers(1, 100)
        self.environment["TERM"] = "xterm"
        text = self.on_terminal("ls")
        self.assertIn("\033[1m", text)
        plain = text.replace("\033[1m", "").replace("\033[0m", "")
        lines = plain.splitlines()
        self.assertLessEqual(max(map(len, lines)), 80)
        self.assertEqual(lines[0].split()[:3], ["NAME", "WAITING", "CAPACITY"])
        self.assertIn("a-name-that-is-longer-than-its-column" * 2, lines)
        row = [line.split() for line in lines if line.startswith("jobs ")]
        self.assertEqual(row[0][:3], ["jobs", "100", "128"])

    def test_colour_can_be_refused(self):
        self.do("create", "jobs")
        for variable, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
            self.environment.update(TERM="xterm")
            self.environment[variable] = value
            self.assertNotIn("\033", self.on_terminal("ls"))
            self.environment.pop("NO_COLOR", None)

    def test_a_name_of_another_kind_does_no_harm(self):
        name = "tab\there\n\033[31m\u20ac"
        self.do("create", name)
        shown = "tab\\011here\\012\\033[31m\u20ac"
        self.assertEqual(self.do("ls").lines()[0].split("\t")[0], shown)
        self.assertIn(shown, self.on_terminal("ls"))
        self.assertEqual(json.loads(self.do("ls", "--json").out)[0]["name"],
                         name)


class Info(CommandTest):
    def setUp(self):
        super().setUp()
        self.do("create", "jobs")
        self.send_numbers(1, 3)

    def test_json(self):
        info = self.info()
        self.assertEqual(
            {field: info[field] for field in "name waiting sent lanes".split()},
            {"name": "jobs", "waiting": 3, "sent": 3, "lanes": 1},
        )
        (sender,) = info["sender_list"]
        self.assertEqual(
            (sender["attached"], sender["waiting"], sender["uid"]),
            (False, 3, os.getuid()),
        )

    def test_plain_in_a_pipe(self):
        rows = [line.split("\t") for line in self.do("info", "jobs").lines()]
        fields = {row[0]: row[1] for row in rows if len(row) == 2}
        self.assertEqual(fields["waiting"], "3")
        self.assertEqual(fields["order"], "sender")
        self.assertEqual(set(fields), set(self.info()) - {"sender_list"})
        senders = [row for row in rows if row[0] == "sender"]
        self.assertEqual([len(row) for row in senders], [9])

    def test_for_people_on_a_terminal(self):
        text = self.on_terminal("info", "jobs")
        self.assertLessEqual(max(map(len, text.splitlines())), 80)
        words = " ".join(text.split())
        self.assertIn("128 messages of each sender", words)
        self.assertIn("as in the textbook, is --order arrival", words)
        self.assertIn("3 messages, at most 3 from one sender", words)

    def test_nobody_notices(self):
        process = self.start("receive", "--follow", "jobs")
        for i in (1, 2, 3):
            self.assertEqual(process.stdout.readline(), b"%d\n" % i)
        self.assertEqual(self.info()["receivers"], 1)
        self.assertEqual(self.info()["lanes"], 1)


class Remove(CommandTest):
    def test_removes_those_named(self):
        for name in ("one", "two", "three"):
            self.do("create", name)
        self.do("rm", "one", "two")
        lines = self.do("ls").lines()
        self.assertEqual([x.split("\t")[0] for x in lines], ["three"])

    def test_goes_on_after_one_that_is_not_there(self):
        self.do("create", "jobs")
        self.refuse(NO_MAILBOX, "rm", "missing", "jobs")
        self.refuse(NO_MAILBOX, "info", "jobs")

    def test_force(self):
        self.do("create", "jobs")
        self.do("rm", "--force", "missing", "jobs")
        self.refuse(NO_MAILBOX, "info", "jobs")

    def test_the_name_can_be_used_again(self):
        self.do("create", "jobs")
        self.send_numbers(1, 3)
        self.do("rm", "jobs")
        self.do("create", "--capacity", "7", "jobs")
        self.assertEqual(self.info()["waiting"], 0)

    def test_leaves_no_file(self):
        self.do("create", "jobs")
        self.send_numbers(1, 3)
        self.do("rm", "jobs")
        self.do("sweep")
        left = [
            name for _, _, files in os.walk(self.root) for name in files
        ]
        self.assertEqual(left, [])


class Region(CommandTest):
    def rows(self, *names):
        lines = self.do("region", "ls", *names).lines()
        return [line.split("\t") for line in lines]

    def dump(self, *words):
        return self.do("region", "dump", *words).out

    def test_is_made_as_the_options_say(self):
        self.do(*"region create --size 5K --max 1M -m 0640 pixels".split())
        (row,) = self.rows()
        self.assertEqual(row[:4], ["pixels", "5120", str(1 << 20), "0"])
        self.assertGreater(int(row[4]), 5120)
        self.assertEqual(row[5], "0640")
        self.assertEqual(self.dump("pixels"), bytes(5120))

    def test_an_existing_one_is_fine_unless_it_differs(self):
        for words in ([], ["--size", "4K"]):
            self.do("region", "create", *words, "pixels")
        for options, said in (
            (["--size", "8K"], "exists, with another size"),
            (["--exclusive"], "exists already"),
        ):
            err = self.refuse(ERROR, "region", "create", *options, "pixels")
            self.assertIn("the region pixels " + said, err)

    def test_is_loaded_and_dumped(self):
        data = os.urandom(300000)
        self.do("region", "create", "--size", "10", "pixels")
        self.do("region", "load", "pixels", given=data)
        self.assertEqual(self.rows()[0][1], "300000")
        self.assertEqual(self.dump("pixels"), data)
        self.do("region", "load", "pixels", given=b"short")
        self.assertEqual(self.dump("pixels"), b"short" + data[5:])
        self.do("region", "load", "pixels", given=b"")
        self.assertEqual(len(self.dump("pixels")), 300000)

    def test_is_loaded_as_far_as_it_may_grow(self):
        self.do(*"region create --size 10 --max 4K pixels".split())
        err = self.refuse(ERROR, "region", "load", "pixels", given=b"x" * 9999)
        self.assertIn("cannot grow beyond 4096 bytes", err)

    def test_hexadecimal(self):
        self.do("region", "create", "--size", "100", "pixels")
        self.do("region", "load", "pixels", given=b"hello, world\n\xff\0!")
        self.assertEqual(
            self.dump("--hex", "pixels").decode().splitlines(),
            [
                "00000000  68 65 6c 6c 6f 2c 20 77  6f 72 6c 64 0a ff 00 21"
                "  |hello, world...!|",
                "00000010  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00"
                "  |................|",
                "*",
                "00000060  00 00 00 00                                     "
                "  |....|",
                "00000064",
            ],
        )

    def test_dump_into_head_is_quiet(self):
        self.do("region", "create", "--size", "10M", "pixels")
        result = self.shell('"$CUBBY" region dump pixels | head -c 3')
        self.assertEqual((result.out, result.err), (b"\0\0\0", ""))

    def test_ls(self):
        self.assertEqual(self.rows(), [])
        for name in ("two", "one", "/three"):
            self.do("region", "create", name)
        self.do("create", "mailbox")
        names = [row[0] for row in self.rows()]
        self.assertEqual(names, ["one", "two", "/three"])
        self.assertEqual([r[0] for r in self.rows("two")], ["two"])
        self.assertEqual(self.do("ls").out.count(b"\n"), 1)
        told = json.loads(self.do("region", "ls", "--json").out)
        self.assertEqual([m["name"] for m in told], names)
        self.assertEqual(
            {**told[0], "memory": 0},
            {
                **{"name": "one", "mode": "0600", "size": 4096, "memory": 0},
                **{"size_max": 1 << 30, "uid": os.getuid()},
                **{"gid": os.getgid(), "writers": 0},
            },
        )
        table = self.on_terminal("region", "ls").splitlines()
        self.assertIn("NAME", table[0])
        self.assertLessEqual(max(map(len, table)), 90)

    def test_rm(self):
        for name in ("one", "two"):
            self.do("region", "create", name)
        err = self.refuse(NO_MAILBOX, "region", "rm", "one", "none", "two")
        self.assertEqual(err, "cubby: no region none\n")
        self.assertEqual(self.rows(), [])
        self.do("region", "rm", "--force", "one")

    def test_one_that_does_not_exist(self):
        for action in ("dump", "load", "ls"):
            err = self.refuse(NO_MAILBOX, "region", action, "pixels")
            self.assertEqual(
                err,
                "cubby: no region pixels; make it with: cubby region create "
                "pixels\n",
            )

    def test_mistakes_exit_2_and_say_what_to_do(self):
        self.do("region", "create", "/table")
        for words, said in [
            ([], "ACTION [NAME...]"),
            (["frob"], "region does not know frob"),
            (["create"], "cubby region create NAME"),
            (["dump", "one", "two"], "cubby region dump NAME"),
            (["rm"], "cubby region rm NAME..."),
            (["rm", "--hex", "pixels"], "region rm has no option --hex"),
            (["ls", "--size", "1"], "region ls has no option --size"),
            (["create", "--size", "0", "pixels"], "out of range"),
            (["create", "--size", "x", "pixels"], "not a size"),
            (["create", "--size=2K", "--max=1K", "p"], "is more than --max"),
            (["create", "a/b"], "not a name"),
            (["grant", "/table", "user:root"], "NAME WHO RIGHT"),
            (["grant", "/table", "user:root", "rw"], "none, read or write"),
            (["grant", "/table", "root", "read"], "user:NAME or group:NAME"),
        ]:
            with self.subTest(words=words):
                self.assertIn(said, self.refuse(USAGE, "region", *words))

    def test_a_group_that_there_is_not(self):
        err = self.refuse(USAGE, *"create -g no-such-group jobs".split())
        self.assertIn("there is no group no-such-group", err)
        err = self.refuse(USAGE, *"region create -g no-such-group t".split())
        self.assertIn("there is no group no-such-group", err)
        self.do("create", "-g", str(os.getgid()), "jobs")

    def test_a_name_does_not_steer_the_terminal(self):
        """Neither colours nor turned-round text: all that could pass for
        another name is told in octal."""
        err = self.refuse(NO_MAILBOX, "info", "a\u202eb\u2066\x1b[31mc")
        self.assertIn("no mailbox a\\342\\200\\256b\\342\\201\\246\\033[31mc",
                      err)

    def test_grant_to_nobody_there_is(self):
        self.do("region", "create", "/table")
        err = self.refuse(
            ERROR, *"region grant /table user:no-such-user read".split()
        )
        self.assertIn("there is no user:no-such-user", err)


class RegionInMessage(CommandTest):
    def setUp(self):
        super().setUp()
        self.do("create", "--capacity", "2", "jobs")

    def send(self, data, *options):
        self.do("region", "send", *options, "jobs", given=data)

    def test_changes_hands(self):
        data = os.urandom(3000000)  # more than a message may have
        self.send(data)
        self.assertEqual(self.do("region", "receive", "jobs").out, data)
        self.assertEqual(self.do("region", "ls").out, b"")
        self.assertEqual(self.info()["waiting"], 0)

    def test_is_waited_for(self):
        process = self.start("region", "receive", "--hex", "jobs")
        self.wait_for_receiver()
        self.send(b"hi")
        out = self.finish(process).out.decode()
        self.assertTrue(out.startswith("00000000  68 69  "), out)

    def test_goes_back_if_it_cannot_be_written(self):
        self.send(b"hi")
        with open("/dev/full", "wb") as full:
            result = self.cubby("region", "receive", "jobs", stdout=full)
        self.assertEqual(result.code, ERROR)
        self.assertEqual(self.do("region", "receive", "jobs").out, b"hi")

    def test_is_not_received_as_a_message_nor_the_other_way_round(self):
        self.send(b"region")
        self.do("send", "jobs", "message")
        for verb in ("receive", "peek"):
            err = self.refuse(ERROR, verb, "--try", "jobs")
            self.assertIn("take it with: cubby region receive jobs", err)
        self.assertEqual(self.do("region", "receive", "jobs").out, b"region")
        err = self.refuse(ERROR, "region", "receive", "--try", "jobs")
        self.assertIn("take it with: cubby receive jobs", err)
        self.assertEqual(self.do("receive", "jobs").out, b"message\n")

    def test_full_and_empty(self):
        receive = ["region", "receive"]
        self.assertEqual(
            self.refuse(NOTHING, *receive, "--try", "jobs"),
            "cubby: jobs is empty\n",
        )
        self.refuse(LATE, *receive, "-t", "10ms", "jobs")
        self.send(b"1")
        self.send(b"2", "--timeout", "1s")
        send = ["region", "send"]
        err = self.refuse(NOTHING, *send, "--try", "jobs", given=b"3")
        self.assertEqual(err, "cubby: jobs has no room now\n")
        err = self.refuse(LATE, *send, "-t", "10ms", "jobs", given=b"3")
        self.assertEqual(err, "cubby: jobs had no room within 10ms\n")

    def test_of_nothing(self):
        err = self.refuse(ERROR, "region", "send", "jobs", given=b"")
        self.assertIn("a region has a byte at least", err)

    def test_where_it_does_not_fit(self):
        self.do("create", "--fixed", "4", "small")
        err = self.refuse(ERROR, "region", "send", "small", given=b"hi")
        self.assertIn("small takes no regions", err)
        self.refuse(NO_MAILBOX, "region", "send", "none", given=b"hi")
        self.refuse(NO_MAILBOX, "region", "receive", "none")


@unittest.skipUnless(os.getuid() == 0, "takes root, to be somebody else")
class Rights(CommandTest):
    SOMEBODY = 65534

    def setUp(self):
        super().setUp()
        os.chmod(self.root, 0o1777)
        self.command = shutil.copy(COMMAND, self.root)

    def start(self, *words, **how):
        return super().start(*words, executable=self.command, **how)

    def somebody(self, *words):
        def become():
            os.setgroups([])
            os.setgid(self.SOMEBODY)
            os.setuid(self.SOMEBODY)

        return self.cubby(*words, preexec_fn=become)

    def assert_refused(self, deed, *words):
        result = self.somebody(*words)
        self.assertEqual(result.code, ERROR)
        self.assertTrue(
            result.err.startswith("cubby: you may not %s /jobs" % deed),
            result.err,
        )

    def test_who_may_only_send(self):
        self.do("create", "--capacity", "1", "--mode", "0602", "/jobs")
        self.assertEqual(self.somebody("send", "/jobs", "hi").code, DONE)
        full = self.somebody("send", "--try", "/jobs", "again")
        self.assertEqual(full.code, NOTHING)
        self.assertTrue(full.err.startswith("cubby: /jobs is full"), full.err)
        self.assert_refused("receive from", "receive", "/jobs")
        self.assert_refused("receive from", "peek", "/jobs")
        self.assert_refused("remove", "rm", "/jobs")
        message = json.loads(self.do("receive", "--json", "/jobs").out)
        self.assertEqual(
            (message["uid"], message["data"]), (self.SOMEBODY, "hi")
        )

    def test_who_may_only_receive(self):
        self.do("create", "--mode", "0604", "/jobs")
        self.do("send", "/jobs", "hi")
        self.assert_refused("send to", "send", "/jobs", "hi")
        self.assertEqual(self.somebody("receive", "/jobs").out, b"hi\n")

    def test_who_may_nothing(self):
        self.do("create", "/jobs")
        self.assert_refused("send to", "send", "/jobs", "hi")
        self.assert_refused("receive from", "receive", "/jobs")

    def test_whom_a_mailbox_belongs_to(self):
        self.do("create", "jobs")
        self.assertEqual(
            self.somebody("send", "jobs", "hi").code, NO_MAILBOX
        )
        self.assertEqual(self.somebody("create", "jobs").code, DONE)
        self.assertEqual(self.info()["uid"], 0)

    def test_whom_a_region_is_granted_to(self):
        self.do("region", "create", "--size", "3", "/table")
        result = self.somebody("region", "dump", "/table")
        self.assertEqual(result.code, ERROR)
        self.assertIn("you may not read the region /table", result.err)
        self.assertEqual(self.somebody("region", "ls").out, b"")
        result = self.somebody("region", "ls", "/table")
        self.assertIn("you may not look at the region /table", result.err)
        who = "user:%d" % self.SOMEBODY
        self.do("region", "grant", "/table", who, "read")
        self.assertEqual(
            self.somebody("region", "dump", "/table").out, b"\0\0\0"
        )
        (row,) = self.somebody("region", "ls").lines()
        self.assertEqual(row.split("\t")[:4], ["/table", "3", "1073741824", "?"])
        result = self.somebody("region", "load", "/table")
        self.assertEqual(result.code, ERROR)
        self.assertIn("you may not write to the region /table", result.err)
        self.do("region", "grant", "/table", who, "write")
        self.assertEqual(self.somebody("region", "load", "/table").code, DONE)
        self.do("region", "grant", "/table", who, "none")
        result = self.somebody("region", "dump", "/table")
        self.assertEqual(result.code, ERROR)
        result = self.somebody("region", "grant", "/table", who, "read")
        self.assertIn("you may not grant the region /table", result.err)

    def test_what_may_not_be_seen(self):
        self.do("create", "--mode", "0602", "/jobs")
        told = json.loads(self.somebody("info", "--json", "/jobs").out)
        self.assertIsNone(told["receivers"])
        self.assertEqual(told["mode"], "0602")
        row = self.somebody("ls", "/jobs").out.decode().split("\t")
        self.assertEqual(row[4], "?")


class Sweep(CommandTest):
    def test_puts_back_what_the_dead_held(self):
        self.do("create", "jobs")
        self.send_numbers(1, 3)
        process = self.start("receive", "--follow", "jobs")
        self.wait_until(lambda: self.info()["held"] > 0)
        process.kill()
        process.wait(DEADLINE)
        out = self.do("sweep", "jobs").out.decode()
        self.assertRegex(out, r"^jobs: [12] messages? put back, ")
        self.assertEqual(self.info()["held"], 0)
        self.assert_numbers(1, 3)

    def test_all_there_are(self):
        self.do("create", "jobs")
        self.assertTrue(self.do("sweep").out.startswith(b"all: "))


if __name__ == "__main__":
    unittest.main()
