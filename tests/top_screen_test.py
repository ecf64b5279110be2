#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""top_screen_test.py COMMAND: cubby top at a terminal of its own, of which this
test reads the screen."""

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unicodedata
import unittest

COMMAND = os.path.realpath(sys.argv.pop(1) if len(sys.argv) > 1 else "cubby")
DEADLINE = 30  # seconds; only a failure reaches it
TOKEN = re.compile(
    rb"\x1b\[([?>]?)([0-9;]*)([@-~])"  # a control sequence
    rb"|\x1b[()][0-9A-B]"  # a set of characters
    rb"|\x1b([78=>DEMHc])"
    rb"|\x1b\][^\x07]*\x07"
    rb"|[\x00-\x1a\x7f]"
    rb"|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}"
    rb"|[\x20-\x7e]"
)


class Screen:
    """As much of a terminal as curses uses of one (TERM=linux)."""

    def __init__(self, width, height):
        self.unread = b""
        self.resize(width, height)

    def resize(self, width, height):
        self.width, self.height = width, height
        self.cells = [[" "] * width for _ in range(height)]
        self.row = self.column = self.top = 0
        self.bottom = height - 1

    def lines(self):
        return ["".join(row).rstrip() for row in self.cells]

    def feed(self, data):
        data = self.unread + data
        while data:
            token = TOKEN.match(data)
            if not token:
                # Cut off in the middle, unless it is longer than any.
                assert len(data) < 32, data
                break
            self.take(token)
            data = data[token.end() :]
        self.unread = data

    def take(self, token):
        text = token.group(0)
        if token.group(3):
            numbers = [int(n or 0) for n in token.group(2).split(b";")]
            if not token.group(1):
                self.control(token.group(3).decode(), numbers)
        elif token.group(4):
            if token.group(4) == b"M":
                self.index(-1)
        elif text == b"\r":
            self.column = 0
        elif text == b"\n":
            self.index(1)
        elif text == b"\b":
            self.column = max(self.column - 1, 0)
        elif text[0] >= 0x20 and text[0] != 0x7F:
            self.put(text.decode())

    def put(self, character):
        if self.column == self.width:
            self.column = 0
            self.index(1)
        self.cells[self.row][self.column] = character
        self.column += 1
        if unicodedata.east_asian_width(character) == "W":
            self.cells[self.row][self.column] = ""
            self.column += 1

    def index(self, by):
        """To the next line, or the one before; at the margin it scrolls."""
        if self.row == (self.bottom if by > 0 else self.top):
            self.delete_lines(self.top if by > 0 else self.bottom, 1)
            self.insert_lines(self.bottom if by > 0 else self.top, 1)
        else:
            self.row = min(max(self.row + by, 0), self.height - 1)

    def delete_lines(self, row, count):
        del self.cells[row : row + count]

    def insert_lines(self, row, count):
        self.cells[row:row] = [[" "] * self.width for _ in range(count)]

    def clear(self, row, begin, end):
        self.cells[row][begin:end] = " " * (min(end, self.width) - begin)

    def control(self, what, numbers):
        first = numbers[0]
        count = max(first, 1)
        row = self.cells[self.row]
        if what == "H":
            second = numbers[1] if len(numbers) > 1 else 1
            self.row = min(count, self.height) - 1
            self.column = min(max(second, 1), self.width) - 1
        elif what in "GdABCD":
            if what == "G":
                self.column = count - 1
            elif what == "d":
                self.row = count - 1
            elif what in "AB":
                self.row += count if what == "B" else -count
            else:
                self.column += count if what == "C" else -count
            self.row = min(max(self.row, 0), self.height - 1)
            self.column = min(max(self.column, 0), self.width - 1)
        elif what == "K":
            begin = 0 if first else self.column
            end = self.column + 1 if first == 1 else self.width
            self.clear(self.row, begin, end)
        elif what == "J":
            assert first in (0, 2), first
            if first == 0:
                self.clear(self.row, self.column, self.width)
            for number in range(0 if first else self.row + 1, self.height):
                self.clear(number, 0, self.width)
        elif what == "X":
            self.clear(self.row, self.column, self.column + count)
        elif what == "P":
            del row[self.column : self.column + count]
            row += " " * (self.width - len(row))
        elif what == "@":
            row[self.column : self.column] = " " * count
            del row[self.width :]
        elif what == "L":
            count = min(count, self.bottom + 1 - self.row)
            self.delete_lines(self.bottom + 1 - count, count)
            self.insert_lines(self.row, count)
        elif what == "M":
            count = min(count, self.bottom + 1 - self.row)
            self.delete_lines(self.row, count)
            self.insert_lines(self.bottom + 1 - count, count)
        elif what == "r":
            self.top = count - 1
            self.bottom = (numbers[1] if len(numbers) > 1 else self.height) - 1
            self.row = self.column = 0
        else:
            # Colours and modes leave the text as it is.
            assert what in "mhlc", what


class TopScreenTest(unittest.TestCase):
    def setUp(self):
        where = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.root = tempfile.mkdtemp(prefix="cubby-test-", dir=where)
        self.addCleanup(shutil.rmtree, self.root)
        self.environment = dict(
            os.environ, CUBBY_ROOT=self.root, TERM="linux", LC_ALL="C.UTF-8"
        )
        for name in ("NO_COLOR", "LINES", "COLUMNS"):
            self.environment.pop(name, None)

    def run_command(self, *words, **options):
        return subprocess.run(
            [COMMAND, *words],
            env=self.environment,
            check=True,
            stdout=subprocess.PIPE,
            timeout=DEADLINE,
            **options
        ).stdout.decode()

    def create(self, *names):
        for name in names:
            self.run_command("create", "--", name)

    def start(self, *words, width=100, height=24, **changes):
        self.screen = Screen(width, height)
        self.terminal, other = pty.openpty()
        self.addCleanup(os.close, self.terminal)
        self.set_size(width, height)
        self.before = termios.tcgetattr(self.terminal)
        self.top = subprocess.Popen(
            [COMMAND, "top", *words],
            env=dict(self.environment, **changes),
            stdin=other,
            stdout=other,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        os.close(other)
        self.addCleanup(self.top.stderr.close)
        self.addCleanup(self.top.wait)
        self.addCleanup(self.top.kill)

    def set_size(self, width, height):
        size = struct.pack("HHHH", height, width, 0, 0)
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, size)

    def resize(self, width, height):
        # What is on the way was drawn for the size before.
        self.screen.resize(
            max(width, self.screen.width), max(height, self.screen.height)
        )
        self.set_size(width, height)
        self.top.send_signal(signal.SIGWINCH)

    def read(self, seconds):
        if not select.select([self.terminal], [], [], seconds)[0]:
            return False
        try:
            self.screen.feed(os.read(self.terminal, 65536))
        except OSError:  # the other side is closed
            return False
        return True

    def type(self, keys):
        os.write(self.terminal, keys)

    def wait_for(self, condition):
        """Until the screen is so."""
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline:
            if condition(self.screen.lines()):
                return self.screen.lines()
            if not self.read(0.1) and self.top.poll() is not None:
                break
        self.fail("the screen is:\n%s" % "\n".join(self.screen.lines()))

    def wait_for_text(self, pattern):
        return self.wait_for(
            lambda lines: re.search(pattern, "\n".join(lines), re.M)
        )

    def wait_for_end(self):
        while self.read(DEADLINE):
            pass
        return self.top.wait(DEADLINE)

    def expect_terminal_as_before(self):
        self.assertEqual(termios.tcgetattr(self.terminal)[:4], self.before[:4])

    # -----------------------------------------------------------------

    def test_mailboxes_are_drawn(self):
        self.create("jobs", "results")
        self.run_command("send", "jobs", "hello")
        self.start("-d", "100ms")
        lines = self.wait_for_text(r"^jobs +1 +128 ")
        self.assertRegex(
            lines[0], r"^cubby top +\d\d:\d\d:\d\d  2 mailboxes, 0 sen"
        )
        self.assertRegex(
            lines[1], r"^MAILBOX +WAITING +CAPACITY +IN/S +OUT/S "
        )
        self.wait_for_text(r"^results +0 +128 +0 +0 +- +- +0 +0")
        lines = self.wait_for(lambda lines: lines[23])
        self.assertRegex(lines[23], "^q end  h help ")
        self.run_command("receive", "jobs")
        self.wait_for_text(r"^jobs +0 ")
        self.type(b"q")
        self.assertEqual(self.wait_for_end(), 0)
        self.expect_terminal_as_before()

    def test_who_is_attached_and_deadlocks_are_drawn(self):
        self.create("x", "y")
        peers = [
            subprocess.Popen(
                [COMMAND, "receive", "--follow", name],
                env=self.environment,
                stdout=subprocess.DEVNULL,
            )
            for name in ("x", "y")
        ]
        for peer in peers:
            self.addCleanup(peer.wait)
            self.addCleanup(peer.kill)
        self.start("-d", "100ms")
        for peer, name in zip(peers, "xy"):
            self.wait_for_text(
                r"^ *%d \S+ +%s +receives asleep +message +/\S+"
                % (peer.pid, name)
            )
        # One chosen: those of the other are not shown.
        self.wait_for_text(r"Enter one$")
        self.type(b"\r")
        self.wait_for_text(r"Enter all$")
        text = "\n".join(self.screen.lines())
        self.assertIn(" %d " % peers[0].pid, text)
        self.assertNotIn(" %d " % peers[1].pid, text)
        self.type(b"\x1b[B")  # down
        self.wait_for(lambda lines: " %d " % peers[1].pid in "\n".join(lines))
        self.type(b"\r")
        self.wait_for(lambda lines: " %d " % peers[0].pid in "\n".join(lines))

    def test_sorting_by_keys(self):
        self.create("a", "b", "c")
        for name, count in (("a", 1), ("b", 3), ("c", 2)):
            for _ in range(count):
                self.run_command("send", name, "x")

        def order(lines):
            return [line[0] for line in lines if re.match(r"[abc] ", line)]

        self.start("-d", "100ms", "--sort", "name")
        self.wait_for(lambda lines: order(lines) == ["a", "b", "c"])
        self.type(b">")
        self.wait_for_text("sort: waiting")
        self.wait_for(lambda lines: order(lines) == ["b", "c", "a"])
        self.type(b"r")
        self.wait_for(lambda lines: order(lines) == ["a", "c", "b"])
        self.type(b"r<")
        self.wait_for(lambda lines: order(lines) == ["a", "b", "c"])

    def test_help_pause_and_pace(self):
        self.create("jobs")
        self.start("-d", "200ms")
        self.wait_for_text(r"^jobs ")
        self.type(b"h")
        self.wait_for_text(r"^Space +stop, and go on$")
        self.type(b"h")
        self.wait_for_text(r"^jobs ")
        self.type(b"+")
        self.wait_for_text(r"every 0.4s")
        self.type(b"--")
        self.wait_for_text(r"every 0.1s")
        self.type(b" ")
        self.wait_for_text(r"\(stopped\)")
        self.type(b" ")
        self.wait_for(lambda lines: "(stopped)" not in lines[0])

    def test_small_and_smaller_windows(self):
        self.create("a-mailbox-with-a-long-name", "b")
        self.start("-d", "100ms")
        self.wait_for_text(r"^a-mailbox-with-a-long")
        for width, height in (
            (40, 10),
            (20, 5),
            (8, 3),
            (3, 2),
            (1, 1),
            (200, 2),
            (2, 100),
        ):
            self.resize(width, height)
            self.type(b"h")
            self.type(b"h")
            for _ in range(5):
                self.read(0.05)
            self.assertIsNone(self.top.poll())
        self.resize(60, 12)
        self.type(b"\x0c")
        self.wait_for_text(r"^a-mailbox-with-\S* +0 ")
        self.type(b"q")
        self.assertEqual(self.wait_for_end(), 0)

    def test_names_are_drawn_safely(self):
        self.create("größe", "日本語", "e\x1b[31mvil", "c\u009b2J")
        self.start("-d", "100ms")
        lines = self.wait_for_text(r"^größe +0 +128 ")
        text = "\n".join(lines)
        for name in (r"e\033[31mvil ", r"c\302\2332J"):
            self.assertIn(name, text)
        self.wait_for_text("日")

    def test_without_utf8_in_the_locale(self):
        self.create("größe")
        self.start("-d", "100ms", LC_ALL="C")
        self.wait_for_text(r"^gr\?\?\?\?e +0 +128 ")

    def test_colours_are_no_condition(self):
        self.create("jobs")
        self.start("-d", "100ms", NO_COLOR="1")
        self.wait_for_text(r"^jobs ")

    def test_mailboxes_come_and_go(self):
        self.create("stays")
        self.start("-d", "100ms")
        for _ in range(3):
            self.create("fleeting")
            self.wait_for_text(r"^fleeting ")
            self.run_command("rm", "fleeting")
            self.wait_for(
                lambda lines: not any(
                    line.startswith("fleeting") for line in lines
                )
            )
        self.run_command("rm", "stays")
        self.wait_for_text("0 mailboxes")
        self.type(b"\x1b[B\x1b[A\x1b[6~\r<>")
        self.wait_for_text(r"Enter all$")

    def test_more_mailboxes_than_lines(self):
        self.create(*["m%02d" % i for i in range(40)])
        self.start("-d", "100ms", "--sort", "name")
        self.wait_for_text("^m00 ")
        self.assertNotIn("m39", "\n".join(self.screen.lines()))
        self.type(b"\x1b[4~")  # End
        self.wait_for_text("^m39 ")
        self.type(b"\x1b[1~")  # Home
        self.wait_for_text("^m00 ")

    def test_signals_end_it_and_leave_the_terminal_in_order(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            self.create("jobs")
            self.start("-d", "100ms")
            self.wait_for_text(r"^jobs ")
            self.top.send_signal(number)
            self.assertEqual(self.wait_for_end(), -number)
            self.expect_terminal_as_before()

    def test_terminals_that_have_no_screen(self):
        for name in ("dumb", "no-such-terminal", ""):
            self.start(TERM=name)
            self.assertEqual(self.wait_for_end(), 1)
            self.assertIn(b"cubby top --batch", self.top.stderr.read())
            self.expect_terminal_as_before()


if __name__ == "__main__":
    # Built without ncurses?
    terminal, other = pty.openpty()
    done = subprocess.run(
        [COMMAND, "top"],
        env=dict(os.environ, TERM="dumb"),
        stdin=other,
        stdout=other,
        stderr=subprocess.PIPE,
    )
    if b"without ncurses" in done.stderr:
        print("skipped: %s" % done.stderr.decode())
        sys.exit(77)
    unittest.main()
