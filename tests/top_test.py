#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""top_test.py COMMAND: cubby top, as text and as JSON: what it tells of mailboxes
and of who waits for whom, that it finds the deadlocks there are and no others,
and that those it looks at do not notice."""

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
LIBRARY = os.path.join(os.path.dirname(COMMAND), "..", "libcubby.so")
DEADLINE = 60  # seconds; only a failure reaches it

# A process of one thread that does what its words say, one after the other, and
# says when it has done all but the last.
AGENT = r"""
import ctypes, os, select, sys, threading, time

cubby = ctypes.CDLL(sys.argv[1])
pointer, size = ctypes.c_void_p, ctypes.c_size_t
cubby.cubby_open.argtypes = [ctypes.c_char_p, ctypes.c_int, pointer, pointer]
cubby.cubby_receive.argtypes = [pointer, ctypes.c_char_p, size, pointer]
cubby.cubby_send.argtypes = [pointer, ctypes.c_char_p, size]
cubby.cubby_send_full.argtypes = [pointer, ctypes.c_char_p, size, pointer,
                                  ctypes.c_int, ctypes.c_int64]
cubby.cubby_receive_full.argtypes = [pointer, pointer, ctypes.c_int,
                                     ctypes.c_int64, ctypes.c_char_p, size,
                                     pointer, pointer]
cubby.cubby_reply.argtypes = [pointer, pointer, ctypes.c_char_p, size]
cubby.cubby_fd.argtypes = [pointer, ctypes.c_int]
cubby.cubby_close.argtypes = [pointer]
cubby.cubby_close.restype = None
cubby.cubby_call.argtypes = [pointer, ctypes.c_char_p, size, ctypes.c_char_p,
                             size, pointer, ctypes.c_int64]
cubby.cubby_wait.argtypes = [pointer, size, ctypes.c_int64]
SEND, RECEIVE = 1, 2
FOREVER = 2**63 - 1
mailboxes = {}
buffer = ctypes.create_string_buffer(100)


def open_mailbox(name, roles):
    handle = pointer()
    result = cubby.cubby_open(os.fsencode(name), roles, None,
                              ctypes.byref(handle))
    assert result == 0, (name, result)
    mailboxes[name, roles] = handle


def send(name):
    return cubby.cubby_send(mailboxes[name, SEND], b"x", 1)


def fill(name):
    while cubby.cubby_send_full(mailboxes[name, SEND], b"x", 1, None, 0,
                                0) == 0:
        pass


def receive(name):
    return cubby.cubby_receive(mailboxes[name, RECEIVE], buffer, 100, None)


def call(name):
    return cubby.cubby_call(mailboxes[name, SEND], b"x", 1, buffer, 100, None,
                            FOREVER)


class Entry(ctypes.Structure):
    _fields_ = [("mailbox", pointer), ("events", ctypes.c_int),
                ("ready", ctypes.c_int)]


def wait_on(names):
    names = names.split(",")
    entries = (Entry * len(names))(
        *[(mailboxes[name, RECEIVE], RECEIVE, 0) for name in names])
    return cubby.cubby_wait(entries, len(names), FOREVER)


def take(name):
    # With an envelope, so that it may be replied to.
    envelope = ctypes.create_string_buffer((256).to_bytes(8, sys.byteorder),
                                           256)
    return cubby.cubby_receive_full(mailboxes[name, RECEIVE], None, 0, FOREVER,
                                    buffer, 100, None, envelope)


def poll(name):
    handle, role = ((mailboxes[name, RECEIVE], RECEIVE)
                    if (name, RECEIVE) in mailboxes
                    else (mailboxes[name, SEND], SEND))
    poller = select.poll()
    poller.register(cubby.cubby_fd(handle, role))
    while True:
        if role == RECEIVE:
            cubby.cubby_receive_full(handle, None, 0, 0, buffer, 100, None,
                                     None)
        else:
            cubby.cubby_send_full(handle, b"x", 1, None, 0, 0)
        poller.poll()


def answer(name):
    envelope = ctypes.create_string_buffer(256)
    while True:
        envelope[:8] = (256).to_bytes(8, sys.byteorder)
        cubby.cubby_receive_full(mailboxes[name, RECEIVE], None, 0, FOREVER,
                                 buffer, 100, None, envelope)
        cubby.cubby_reply(mailboxes[name, RECEIVE], envelope, b"y", 1)


def ask(name):
    while call(name) == 0:
        pass


def both(name):
    open_mailbox(name, SEND | RECEIVE)
    mailboxes[name, SEND] = mailboxes[name, RECEIVE] = mailboxes[name, 3]


def serve(names):
    one, other = names.split(",")
    while True:
        receive(one)
        send(other)


def spin(name):
    while True:
        pass


deeds = {
    "sends": lambda name: open_mailbox(name, SEND),
    "receives": lambda name: open_mailbox(name, RECEIVE),
    "both": both,
    "send": send,
    "fill": fill,
    "receive": receive,
    "serve": serve,
    "call": call,
    "any": wait_on,
    "answer": answer,
    "ask": ask,
    "poll": poll,
    "take": take,
    "spin": spin,
    "sleep": lambda name: time.sleep(1000),
    "close": lambda name: [cubby.cubby_close(mailboxes.pop(key))
                           for key in list(mailboxes) if key[0] == name],
    "thread": lambda name: threading.Thread(target=time.sleep, args=(1000,),
                                            daemon=True).start(),
    "wait": lambda name: sys.stdin.readline(),
    "say": lambda name: print(name, flush=True),
}
words = sys.argv[2:]
for word in words[:-1]:
    deed, _, name = word.partition(":")
    deeds[deed](name)
print("ready", flush=True)
deed, _, name = words[-1].partition(":")
deeds[deed](name)
"""


class TopTest(unittest.TestCase):
    def setUp(self):
        where = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.root = tempfile.mkdtemp(prefix="cubby-test-", dir=where)
        self.addCleanup(shutil.rmtree, self.root)
        self.environment = dict(os.environ, CUBBY_ROOT=self.root, NO_COLOR="1")
        self.agents = []
        self.addCleanup(self.end_agents)

    def end_agents(self):
        for agent in self.agents:
            agent.kill()
            agent.wait()
            agent.stdin.close()
            agent.stdout.close()

    def start(self, *words, before=()):
        """An agent, without waiting for it."""
        agent = subprocess.Popen(
            [*before, sys.executable, "-c", AGENT, LIBRARY, *words],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.agents.append(agent)
        return agent

    def await_ready(self, *agents):
        for agent in agents:
            self.assertEqual(agent.stdout.readline(), b"ready\n")

    def agent(self, *words, before=()):
        agent = self.start(*words, before=before)
        self.await_ready(agent)
        return agent

    def tell(self, agent):
        agent.stdin.write(b"\n")
        agent.stdin.flush()

    def cubby(self, *words, expect=0, prefix=()):
        done = subprocess.run(
            [*prefix, COMMAND, *words],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=DEADLINE,
        )
        self.assertEqual(
            done.returncode, expect, done.stderr.decode(errors="replace")
        )
        return done.stdout.decode()

    def create(self, *names, options=()):
        for name in names:
            self.cubby("create", *options, "--", name)

    def frames(self, count=1, delay="50ms", names=(), prefix=()):
        """Of cubby top --json."""
        text = self.cubby(
            "top",
            "--json",
            "-n",
            str(count),
            "-d",
            delay,
            "--",
            *names,
            prefix=prefix
        )
        lines = text.splitlines()
        self.assertEqual(len(lines), count)
        return [json.loads(line) for line in lines]

    def await_frame(self, condition, **options):
        """The first frame of which that is so."""
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline:
            for frame in self.frames(**options):
                if condition(frame):
                    return frame
        self.fail("no such frame: %s" % json.dumps(frame, indent=1))

    @staticmethod
    def mailbox(frame, name):
        return next(m for m in frame["mailboxes"] if m["name"] == name)

    def watch(self, *words):
        """A cubby top that goes on; returns what gives its next frame."""
        top = subprocess.Popen(
            [COMMAND, "top", "--json", *words],
            env=self.environment,
            stdout=subprocess.PIPE,
            bufsize=0,  # select() knows of no buffer
        )
        self.addCleanup(top.stdout.close)
        self.addCleanup(top.wait)
        self.addCleanup(top.kill)

        def next_frame():
            self.assertTrue(select.select([top.stdout], [], [], DEADLINE)[0])
            return json.loads(top.stdout.readline())

        return next_frame

    def watch_until(self, next_frame, condition):
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline:
            frame = next_frame()
            if condition(frame):
                return frame
        self.fail("no such frame: %s" % json.dumps(frame, indent=1))

    def expect_deadlock(self, agents, certain=True):
        frame = self.await_frame(lambda frame: frame["deadlocks"])
        self.assertEqual(len(frame["deadlocks"]), 1)
        found = frame["deadlocks"][0]
        pids = sorted(agent.pid for agent in agents)
        self.assertEqual(sorted(found["processes"]), pids)
        self.assertEqual(found["certain"], certain)
        return found["text"]

    def expect_none(self, waits):
        """No deadlock, though that many are asleep."""
        self.await_frame(
            lambda frame: len(frame["waits"]) >= waits, delay="20ms"
        )
        for frame in self.frames(count=10, delay="20ms"):
            self.assertEqual(frame["deadlocks"], [])

    # Deadlocks ---------------------------------------------------------

    def test_two_that_wait_for_each_other(self):
        self.create("x", "y")
        one = self.start("receives:x", "sends:y", "receive:x")
        other = self.start("receives:y", "sends:x", "receive:y")
        self.await_ready(one, other)
        text = self.expect_deadlock([one, other])
        for words in (
            "%d (python" % one.pid,
            "waits for a message in x, which only %d could" % other.pid,
            "waits for a message in y, which only %d could" % one.pid,
        ):
            self.assertIn(words, text)
        self.assertIn("\ndeadlock: ", self.cubby("top", "-bn1", "-d", "50ms"))
        told = self.cubby("watch", "--json", "-d", "20ms", "-n", "9")
        events = [json.loads(line) for line in told.splitlines()]
        told = [e["text"] for e in events if e["event"] == "deadlock"]
        self.assertEqual(told, [text])
        other.kill()
        other.wait()
        self.await_frame(lambda frame: not frame["deadlocks"])

    def test_three_that_wait_in_a_ring(self):
        self.create("x", "y", "z")
        three = [
            self.start("receives:" + a, "sends:" + b, "receive:" + a)
            for a, b in (("x", "y"), ("y", "z"), ("z", "x"))
        ]
        self.await_ready(*three)
        self.expect_deadlock(three)
        # Another one who could send ends it, though it does something else.
        self.agent("sends:y", "sleep")
        self.await_frame(lambda frame: not frame["deadlocks"])

    def test_orders_and_room(self):
        for order in ("sender", "arrival", "priority"):
            with self.subTest(order):
                options = ["--order", order, "--capacity", "2"]
                names = order + "-x", order + "-y"
                self.create(*names, options=options)
                pair = []
                for own, its in (names, names[::-1]):
                    # Of a lane, it is told to wait once its receiver met it.
                    pair.append(
                        self.start(
                            "receives:" + own,
                            "sends:" + its,
                            "send:" + its,
                            "say:sent",
                            "wait",
                            "receive:" + own,
                            "say:met",
                            "wait",
                            "fill:" + its,
                            "send:" + its,
                        )
                    )
                for said in (b"sent\n", b"met\n"):
                    for agent in pair:
                        self.assertEqual(agent.stdout.readline(), said)
                    for agent in pair:
                        self.tell(agent)
                self.await_ready(*pair)
                text = self.expect_deadlock(pair)
                self.assertIn("waits for room in " + names[0], text)
                for agent in pair:
                    agent.kill()
                    agent.wait()

    def test_two_that_call_each_other(self):
        for order in ("sender", "arrival"):
            with self.subTest(order):
                x, y = order + "-x", order + "-y"
                self.create(x, y, options=["--order", order])
                pair = [
                    self.start(
                        "receives:" + own, "sends:" + its, "call:" + its
                    )
                    for own, its in ((x, y), (y, x))
                ]
                self.await_ready(*pair)
                text = self.expect_deadlock(pair)
                self.assertIn(
                    "waits for a reply in %s, which only %d could send"
                    % (y, pair[1].pid),
                    text,
                )
                for agent in pair:
                    agent.kill()
                    agent.wait()

    def test_a_request_that_was_taken_is_its_servers(self):
        self.create("x", "y")
        caller = self.start("sends:x", "receives:y", "call:x")
        # The one that has taken it waits for the caller; another one serves.
        server = self.start("receives:x", "sends:y", "take:x", "call:y")
        self.await_ready(server, caller)
        idle = self.agent("receives:x", "sleep")
        self.assertIn(
            "a reply in x, which only %d could" % server.pid,
            self.expect_deadlock([caller, server]),
        )
        self.assertIsNone(idle.poll())

    def test_one_that_waits_for_any_of_several(self):
        self.create("x", "y", "z")
        one = self.start("receives:x", "receives:y", "sends:z", "any:x,y")
        others = [
            self.start("sends:" + own, "receives:z", "receive:z")
            for own in ("x", "y")
        ]
        self.await_ready(one, *others)
        # All that it waits for are stuck.
        self.expect_deadlock([one, *others])
        others[1].kill()
        others[1].wait()
        # Nobody sends to y: whoever comes may.
        self.await_frame(lambda frame: not frame["deadlocks"])
        self.agent("sends:y", "sleep")
        self.expect_none(2)

    def test_one_that_waits_for_room_it_alone_could_make(self):
        self.create("x", options=["--order", "arrival", "--capacity", "1"])
        one = self.agent("both:x", "fill:x", "send:x")
        text = self.expect_deadlock([one])
        self.assertIn("only itself could make", text)

    def test_one_behind_a_deadlock_is_no_part_of_it(self):
        self.create("x", "y", "z")
        pair = [
            self.start("receives:x", "sends:y", "sends:z", "receive:x"),
            self.start("receives:y", "sends:x", "receive:y"),
        ]
        self.await_ready(*pair)
        self.agent("receives:z", "receive:z")
        self.expect_deadlock(pair)

    def test_with_other_threads_it_is_a_maybe(self):
        self.create("x", "y")
        pair = [
            self.start("thread", "receives:x", "sends:y", "receive:x"),
            self.start("receives:y", "sends:x", "receive:y"),
        ]
        self.await_ready(*pair)
        text = self.expect_deadlock(pair, certain=False)
        self.assertTrue(text.startswith("perhaps a deadlock: "))

    # No false alarms ---------------------------------------------------

    def test_one_that_waits_for_one_that_runs(self):
        self.create("x", "y")
        self.agent("receives:x", "sends:y", "receive:x")
        self.agent("receives:y", "sends:x", "spin")
        self.expect_none(1)

    def test_one_that_waits_for_one_that_does_something_else(self):
        self.create("x", "y")
        self.agent("receives:x", "sends:y", "receive:x")
        self.agent("receives:y", "sends:x", "sleep")
        self.expect_none(1)

    def test_one_that_waits_for_one_that_is_stopped(self):
        self.create("x", "y")
        one = self.start("receives:x", "sends:y", "receive:x")
        other = self.start("receives:y", "sends:x", "spin")
        self.await_ready(one, other)
        other.send_signal(signal.SIGSTOP)
        self.expect_none(1)
        frame = self.frames()[0]
        states = [p["died"] for m in frame["mailboxes"] for p in m["parties"]]
        self.assertEqual(states, [False] * 4)

    def test_a_busy_pair(self):
        for order in ("sender", "arrival"):
            with self.subTest(order):
                x, y = order + "-x", order + "-y"
                self.create(x, y, options=["--order", order])
                pair = [
                    self.start(
                        "receives:" + x, "sends:" + y, "serve:%s,%s" % (x, y)
                    ),
                    self.start(
                        "receives:" + y,
                        "sends:" + x,
                        "send:" + x,
                        "serve:%s,%s" % (y, x),
                    ),
                ]
                self.await_ready(*pair)
                for frame in self.frames(count=40, delay="10ms"):
                    self.assertEqual(frame["deadlocks"], [])
                sent = self.mailbox(frame, x)["sent"]
                self.await_frame(
                    lambda frame: self.mailbox(frame, x)["sent"] > sent
                )
                for agent in pair:
                    agent.kill()
                    agent.wait()

    def test_a_busy_caller_and_its_server(self):
        for order in ("sender", "arrival"):
            with self.subTest(order):
                self.create(order, options=["--order", order])
                server = self.agent("receives:" + order, "answer:" + order)
                caller = self.agent("sends:" + order, "ask:" + order)
                for frame in self.frames(count=40, delay="10ms"):
                    self.assertEqual(frame["deadlocks"], [])
                sent = self.mailbox(frame, order)["sent"]
                self.await_frame(
                    lambda frame: self.mailbox(frame, order)["sent"] > sent
                )
                for agent in (server, caller):
                    self.assertIsNone(agent.poll())
                    agent.kill()
                    agent.wait()

    def test_one_that_polls_may_wait_for_other_things(self):
        for order in ("sender", "arrival"):
            with self.subTest(order):
                x, y = order + "-x", order + "-y"
                self.create(x, y, options=["--order", order])
                one = self.start("receives:" + x, "sends:" + y, "receive:" + x)
                other = self.start("receives:" + y, "sends:" + x, "poll:" + y)
                self.await_ready(one, other)
                self.expect_none(1)
                frame = self.await_frame(
                    lambda f: any(
                        p["polling"] for p in self.mailbox(f, y)["parties"]
                    )
                )
                polling = [
                    p["pid"]
                    for m in frame["mailboxes"]
                    for p in m["parties"]
                    if p["polling"]
                ]
                self.assertEqual(polling, [other.pid])
                self.assertRegex(
                    self.cubby("top", "-bn1", "-d20ms"),
                    r"(?m)^%d .* receives  polls " % other.pid,
                )
                for agent in (one, other):
                    agent.kill()
                    agent.wait()

    def test_idle_workers_that_share_a_mailbox(self):
        self.create("jobs")
        workers = [self.start("both:jobs", "receive:jobs") for _ in range(3)]
        self.await_ready(*workers)
        self.expect_none(3)

    def test_idle_servers_with_nobody_attached(self):
        self.create("x")
        self.agent("receives:x", "receive:x")
        self.expect_none(1)

    # What is told --------------------------------------------------------

    def test_who_is_attached_and_how_they_wait(self):
        self.create("jobs")
        self.cubby("send", "jobs", "hello")
        receiver = self.agent("receives:jobs", "receive:jobs", "receive:jobs")
        sender = self.agent("sends:jobs", "sleep")
        frame = self.await_frame(lambda frame: frame["waits"])
        jobs = self.mailbox(frame, "jobs")
        self.assertEqual((jobs["senders"], jobs["receivers"]), (1, 1))
        self.assertEqual((jobs["sent"], jobs["waiting"]), (1, 0))
        parties = {p["role"]: p for p in jobs["parties"]}
        self.assertEqual(parties["send"]["pid"], sender.pid)
        self.assertFalse(parties["send"]["sleeping"])
        self.assertEqual(parties["receive"]["pid"], receiver.pid)
        self.assertTrue(parties["receive"]["sleeping"])
        self.assertEqual(parties["receive"]["uid"], os.geteuid())
        self.assertIn("import ctypes", parties["receive"]["command"])
        self.assertEqual(
            frame["waits"],
            [
                {
                    "pid": receiver.pid,
                    "mailbox": "jobs",
                    "for": "message",
                    "open": False,
                    "helpers": [sender.pid],
                }
            ],
        )
        text = self.cubby("top", "-bn1", "-d", "50ms", "jobs")
        self.assertRegex(text, r"(?m)^MAILBOX +WAITING +CAPACITY +IN/S")
        self.assertRegex(text, r"(?m)^jobs +0 +128 ")
        self.assertRegex(
            text,
            r"(?m)^%d +\S+ +jobs +receives +asleep +message: %d +\S"
            % (receiver.pid, sender.pid),
        )

    def test_the_dead_are_told_and_the_stopped_are_not_dead(self):
        self.create("jobs")
        one = self.agent("receives:jobs", "sends:jobs", "sleep")
        one.send_signal(signal.SIGSTOP)
        for party in self.frames()[0]["mailboxes"][0]["parties"]:
            self.assertTrue(party["attached"])
            self.assertFalse(party["died"])
        one.kill()
        one.wait()
        parties = self.frames()[0]["mailboxes"][0]["parties"]
        self.assertEqual(len(parties), 2)
        for party in parties:
            self.assertFalse(party["attached"])
            self.assertTrue(party["died"])
        self.assertIn(" died ", self.cubby("top", "-bn1", "-d", "50ms"))

    def test_rates_are_those_of_the_counts(self):
        self.create("x", "y", "still")
        self.await_ready(
            self.start("receives:x", "sends:y", "serve:x,y"),
            self.start("receives:y", "sends:x", "send:x", "serve:y,x"),
        )
        next_frame = self.watch("-d", "50ms")
        before = after = self.mailbox(next_frame(), "x")
        # A frame has a rate if the count has risen since the one before.
        while after["sent"] == before["sent"]:
            before, frame = after, next_frame()
            after = self.mailbox(frame, "x")
        self.assertGreater(after["in_rate"], 0)
        frame = self.watch_until(
            next_frame, lambda f: self.mailbox(f, "x")["out_rate"]
        )
        still = self.mailbox(frame, "still")
        self.assertEqual((still["in_rate"], still["out_rate"]), (0, 0))

    def test_a_latency_lies_between_its_bounds(self):
        for order in ("sender", "arrival"):
            with self.subTest(order):
                self.create(order, options=["--order", order])
                # They stay, so that nothing but one message moves.
                sender = self.start(
                    "sends:" + order,
                    "say:open",
                    "wait",
                    "send:" + order,
                    "say:sent",
                    "sleep",
                )
                receiver = self.start(
                    "receives:" + order,
                    "say:open",
                    "wait",
                    "receive:" + order,
                    "say:got",
                    "sleep",
                )
                for agent in (sender, receiver):
                    self.assertEqual(agent.stdout.readline(), b"open\n")
                next_frame = self.watch("-d", "100ms", order)
                next_frame()
                begun = time.monotonic()
                self.tell(sender)
                self.assertEqual(sender.stdout.readline(), b"sent\n")
                sent = time.monotonic()
                self.watch_until(
                    next_frame, lambda f: f["mailboxes"][0]["waiting"]
                )
                for _ in range(3):
                    next_frame()
                taken = time.monotonic()
                self.tell(receiver)
                self.assertEqual(receiver.stdout.readline(), b"got\n")
                got = time.monotonic()
                frame = self.watch_until(
                    next_frame, lambda f: f["mailboxes"][0]["latency_most"]
                )["mailboxes"][0]
                self.assertLessEqual(frame["latency_least"], got - begun)
                self.assertGreaterEqual(frame["latency_most"], taken - sent)
                self.assertGreater(frame["latency_least"], 0)

    def test_the_oldest_ages(self):
        self.create("x")
        self.cubby("send", "x", "hello")
        first, last = self.frames(count=4, delay="50ms")[::3]
        one, other = self.mailbox(first, "x"), self.mailbox(last, "x")
        self.assertTrue(one["oldest_at_least"])
        self.assertGreaterEqual(other["oldest"], one["oldest"] + 0.1)
        self.cubby("receive", "x")
        self.assertIsNone(self.mailbox(self.frames()[0], "x")["oldest"])

    def test_a_mailbox_comes_and_goes(self):
        self.create("stays")
        next_frame = self.watch("-d", "10ms")

        def names_are(*names):
            self.watch_until(
                next_frame,
                lambda f: [m["name"] for m in f["mailboxes"]] == list(names),
            )

        for _ in range(10):
            self.create("fleeting")
            self.cubby("send", "fleeting", "x")
            names_are("fleeting", "stays")
            self.cubby("rm", "fleeting")
            names_are("stays")

    def test_hundreds_of_mailboxes(self):
        names = ["m%03d" % i for i in range(300)]
        processes = [
            subprocess.Popen([COMMAND, "create", name], env=self.environment)
            for name in names
        ]
        for process in processes:
            self.assertEqual(process.wait(), 0)
        frame = self.frames(count=2, delay="20ms")[1]
        self.assertEqual([m["name"] for m in frame["mailboxes"]], names)

    def test_names_are_printed_safely(self):
        names = [
            "a\x1b[2Jb",
            "two\nlines",
            "c\u009bx",
            b"\xff\xfe".decode("utf-8", "surrogateescape"),
        ]
        self.create(*names)
        self.agent("sends:" + names[0], "sleep:\x1b[31m")
        text = subprocess.run(
            [COMMAND, "top", "-bn1", "-d", "20ms"],
            env=self.environment,
            stdout=subprocess.PIPE,
            timeout=DEADLINE,
            check=True,
        ).stdout
        for byte in (b"\x1b", b"\x07", b"\xc2\x9b", b"\xff"):
            self.assertNotIn(byte, text)
        for safe in (b"a\\033[2Jb", b"two\\012lines", b"\\377\\376"):
            self.assertIn(safe, text)

    def test_json_of_any_name(self):
        name = b"\xff\xfe".decode("utf-8", "surrogateescape")
        self.create(name)
        self.assertEqual(
            self.frames()[0]["mailboxes"][0]["name_base64"], "//4="
        )

    def test_sorting(self):
        self.create("a", "b", "c")
        for name, count in (("a", 1), ("b", 3), ("c", 2)):
            for _ in range(count):
                self.cubby("send", name, "x")

        def order(*words):
            text = self.cubby("top", "--json", "-n1", "-d20ms", *words)
            return [m["name"] for m in json.loads(text)["mailboxes"]]

        self.assertEqual(order("--sort", "waiting"), ["b", "c", "a"])
        self.assertEqual(order("--sort", "name"), ["a", "b", "c"])
        self.assertEqual(order("--sort", "in"), ["a", "b", "c"])

    def test_mistakes_are_told(self):
        self.cubby("top", "-b", "none", expect=5)
        self.cubby("top", expect=2)
        self.cubby("top", "-b", "--sort", "colour", expect=2)
        self.cubby("top", "-b", "--delay", "1us", expect=2)

    # Those who are looked at do not notice --------------------------------

    def test_it_opens_and_maps_for_reading_alone(self):
        if not shutil.which("strace"):
            self.skipTest("needs strace")
        self.create("lanes")
        self.create("queue", options=["--order", "arrival"])
        self.await_ready(
            *[
                self.start("both:" + n, "send:" + n, "sleep")
                for n in ("lanes", "queue")
            ]
        )
        trace = os.path.join(self.root, ".trace")
        self.frames(
            count=2,
            prefix=(
                "strace",
                "-f",
                "-y",
                "-qq",
                "-o",
                trace,
                "-e",
                "trace=openat,open,mmap,fcntl,ftruncate,fallocate,unlink,"
                "unlinkat,rename,renameat,renameat2,write,pwrite64,futex",
            ),
        )
        with open(trace) as file:
            lines = [line for line in file if self.root in line]
        self.assertTrue(any("openat(" in line for line in lines))
        self.assertTrue(any("mmap(" in line for line in lines))
        for line in lines:
            if "openat(" in line:
                self.assertNotRegex(line, "O_RDWR|O_WRONLY|O_CREAT")
            elif "mmap(" in line:
                self.assertNotIn("PROT_WRITE", line)
            elif "fcntl(" in line:
                self.assertNotIn("SETLK", line)
            else:
                self.fail(line)

    def test_what_it_may_not_see_is_unknown(self):
        if os.geteuid() != 0 or not shutil.which("setpriv"):
            self.skipTest("needs root, to be another user")
        os.chmod(self.root, 0o1777)
        self.create("/shared", options=["--mode", "0622"])
        self.cubby("send", "/shared", "x")
        self.agent("receives:/shared", "sleep")
        stranger = (
            "setpriv",
            "--reuid",
            "61004",
            "--regid",
            "61004",
            "--clear-groups",
        )
        frame = self.frames(names=["/shared"], prefix=stranger)[0]
        shared = self.mailbox(frame, "/shared")
        self.assertIsNone(shared["receivers"])
        self.assertIsNone(shared["in_rate"])
        self.assertEqual(shared["parties"], [])
        text = self.cubby("top", "-bn1", "-d20ms", "/shared", prefix=stranger)
        self.assertRegex(text, r"(?m)^/shared +\? +128 +\? +\? +\? +\? ")

    def test_other_pid_namespaces(self):
        alone = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
        if (
            os.geteuid() != 0
            or subprocess.run(
                [*alone, "true"], stderr=subprocess.DEVNULL
            ).returncode
        ):
            self.skipTest("needs root and PID namespaces")
        self.create("x", "y")
        one = self.start("receives:x", "sends:y", "receive:x", before=alone)
        other = self.start("receives:y", "sends:x", "receive:y", before=alone)
        self.await_ready(one, other)
        frame = self.await_frame(lambda frame: frame["deadlocks"])
        self.assertTrue(frame["deadlocks"][0]["certain"])
        # Each is process 1 of its own; they are told apart.
        self.assertEqual(frame["deadlocks"][0]["processes"], [1, 1])
        parties = [p for m in frame["mailboxes"] for p in m["parties"]]
        self.assertEqual(len({p["pid_namespace"] for p in parties}), 2)
        for party in parties:
            with open("/proc/%d/cmdline" % party["pid_here"]) as file:
                self.assertIn("receive:", file.read())
        self.assertIn(
            "1 of %d" % parties[0]["pid_namespace"],
            frame["deadlocks"][0]["text"],
        )


if __name__ == "__main__":
    unittest.main()
