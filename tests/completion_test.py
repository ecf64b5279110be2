#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Completion of the command's lines: what cubby --complete offers, and what a
bash and a zsh at a terminal make of it when the user presses Tab.

completion_test.py COMMAND [TEST...]
"""

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

COMMAND = os.path.abspath(sys.argv.pop(1))
HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPTS = os.path.join(HERE, "..", "tools", "completion")
DEADLINE = 60  # seconds: what hangs, fails

# Keys, besides what they are in both shells.
TAB, SHOW, CLEAR = "\t", "\x0f", "\x15"


class Shell:
    """At a terminal of its own. SHOW prints the line that is being edited."""

    def __init__(self, words, setup, environment):
        self.read = b""
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(environment["HOME"])
            os.execvpe(words[0], words, environment)
        self.type(" ".join(setup.split("\n")) + "; echo set''up\r")
        self.wait_for(rb"setup\r?\n")

    def end(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.terminal)

    def type(self, keys):
        os.write(self.terminal, keys.encode())

    def wait_for(self, pattern):
        """What the pattern's group matched; all up to there is read."""
        until = time.monotonic() + DEADLINE
        while True:
            found = re.search(pattern, self.read, re.S)
            if found:
                self.read = self.read[found.end() :]
                return found
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.terminal], [], [], left)[0]:
                raise AssertionError(
                    "no %r in %r" % (pattern, self.read)
                )
            self.read += os.read(self.terminal, 65536)

    def line_after(self, keys):
        """The line as it stands after these keys; then it is cleared."""
        self.type(keys + SHOW)
        line = self.wait_for(rb"<<<(.*?)>>>").group(1)
        self.type(CLEAR)
        return line.decode()

    def list_after(self, keys):
        """What was written between these keys and the line they leave."""
        self.type(keys + SHOW)
        text = self.wait_for(rb"(.*?)<<<.*?>>>").group(1)
        self.type(CLEAR)
        return text.decode()


BASH = r"""PS1='$ '; HISTFILE=; bind 'set bell-style none';
bind 'set completion-query-items 0'; bind 'set page-completions off';
show() { printf '<<<%s>>>\n' "$READLINE_LINE"; };
bind -x '"\C-o": show'; . SCRIPTS/cubby.bash"""

ZSH = r"""PS1='$ '; unsetopt beep; fpath=(SCRIPTS $fpath);
autoload -Uz compinit; compinit -u -D; LISTMAX=1000;
show() { print -r -- "<<<$BUFFER>>>" }; zle -N show; bindkey '^O' show;
bindkey '^U' kill-whole-line"""


class CompletionTest(unittest.TestCase):
    def setUp(self):
        where = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.root = tempfile.mkdtemp(prefix="cubby-test-", dir=where)
        self.addCleanup(shutil.rmtree, self.root)
        self.home = tempfile.mkdtemp(prefix="cubby-test-")
        self.addCleanup(shutil.rmtree, self.home)
        self.environment = dict(
            os.environ,
            CUBBY_ROOT=self.root,
            HOME=self.home,
            ZDOTDIR=self.home,
            LC_ALL="C.UTF-8",
            TERM="dumb",
            COLUMNS="200",
            PATH=os.path.dirname(COMMAND) + ":" + os.environ["PATH"],
        )
        for name in ("ENV", "BASH_ENV", "INPUTRC", "POSIXLY_CORRECT"):
            self.environment.pop(name, None)
        self.environment["INPUTRC"] = "/dev/null"

    def run_command(self, *words):
        return subprocess.run(
            [COMMAND, *words],
            env=self.environment,
            check=True,
            stdout=subprocess.PIPE,
            timeout=DEADLINE,
        ).stdout.decode()

    def make(self, *names):
        for name in names:
            self.run_command("create", "--", name)

    def shell(self, program):
        if not shutil.which(program):
            self.skipTest("no %s here" % program)
        words = {
            "bash": ["bash", "--norc", "--noprofile", "-i"],
            "zsh": ["zsh", "-f", "-i"],
        }[program]
        setup = {"bash": BASH, "zsh": ZSH}[program]
        shell = Shell(
            words,
            setup.replace("SCRIPTS", os.path.realpath(SCRIPTS)),
            self.environment,
        )
        self.addCleanup(shell.end)
        return shell

    def offered(self, *words):
        """The words that are offered, without what is said of them."""
        lines = self.run_command("--complete", *words).splitlines()
        return [line.split("\t")[0] or line for line in lines]

    # What is offered ---------------------------------------------------

    def test_verbs_are_those_of_the_help(self):
        verbs = re.findall(
            r"^  ([a-z]+) ",
            self.run_command("help").split("\n\n")[2],
            re.M,
        )
        self.assertIn("send", verbs)
        self.assertEqual(self.offered(""), verbs)
        self.assertEqual(self.offered("help", "sen"), ["send"])
        self.assertEqual(self.offered("--v"), ["--version"])

    def test_options_are_those_of_each_verb(self):
        for verb in self.offered(""):
            told = self.run_command("help", verb)
            options = re.findall(r"^  (?:-.,|   ) (--[a-z-]+)", told, re.M)
            self.assertIn("--help", options)
            self.assertEqual(self.offered(verb, "--"), options)

    def test_values_are_offered(self):
        orders = ["sender", "arrival", "priority"]
        self.assertEqual(self.offered("create", "--order", ""), orders)
        self.assertEqual(self.offered("create", "-o", "a"), ["arrival"])
        self.assertEqual(
            self.offered("create", "--order=p"), ["--order=priority"]
        )
        self.assertEqual(self.offered("create", "--group", ""), ["\tgroups"])
        self.assertEqual(self.offered("create", "--capacity", ""), [])

    def test_mailboxes_are_offered_where_one_is_meant(self):
        self.make("jobs", "@worker", "/shared")
        self.assertEqual(
            self.offered("receive", ""), ["@worker", "jobs", "/shared"]
        )
        self.assertEqual(self.offered("send", "jobs", ""), [])
        self.assertEqual(self.offered("receive", "--all", "j"), ["jobs"])
        self.assertEqual(self.offered("receive", "--from", ""), [])
        self.assertEqual(self.offered("rm", "jobs", "@"), ["@worker"])
        self.assertEqual(self.offered("rm", "--", "j"), ["jobs"])

    def test_regions_are_offered_where_one_is_meant(self):
        self.make("jobs")
        self.run_command("region", "create", "pixels")
        self.assertEqual(self.offered("region", "dump", ""), ["pixels"])
        self.assertEqual(self.offered("region", "send", ""), ["jobs"])
        self.assertEqual(
            self.offered("region", "grant", "pixels", "user:x", "r"), ["read"]
        )
        self.assertEqual(
            self.offered("region", "ls", "--"), ["--json", "--help"]
        )

    def test_files_are_the_shells(self):
        self.assertEqual(self.offered("replay", ""), ["\tfiles"])
        self.assertEqual(self.offered("record", "--output", ""), ["\tfiles"])
        self.make("jobs")
        self.assertEqual(self.offered("record", "--to", ""), ["jobs"])
        self.assertEqual(self.offered("replay", "--speed=m"), ["--speed=max"])

    def test_a_name_of_two_lines_is_not_offered(self):
        self.make("two\nlines", "tidy")
        self.assertEqual(self.offered("rm", "t"), ["tidy"])

    def test_what_makes_no_sense_offers_nothing(self):
        for words in ([], ["nothing", ""], ["send", "--nothing="], ["-"]):
            offered = self.offered(*words)
            self.assertTrue(all(w.startswith("--") for w in offered), offered)

    # In a shell --------------------------------------------------------

    def completes(self, program):
        self.make("jobs", "@worker", "/shared", "with space", "odd:name")
        self.run_command("region", "create", "pixels")
        shell = self.shell(program)
        for typed, line in (
            ("cubby rece", "cubby receive "),
            ("cubby create --mem", "cubby create --memory-limit "),
            ("cubby create --order pr", "cubby create --order priority "),
            ("cubby create --order=pr", "cubby create --order=priority "),
            ("cubby create -o s", "cubby create -o sender "),
            ("cubby send jo", "cubby send jobs "),
            ("cubby send /sh", "cubby send /shared "),
            ("cubby send @wo", "cubby send @worker "),
            ("cubby send od", ("cubby send odd:name ", "cubby send odd\\:name ")),
            ("cubby send wi", "cubby send with\\ space "),
            ("cubby send with\\ s", "cubby send with\\ space "),
            ("cubby region dump p", "cubby region dump pixels "),
            ("cubby help sen", "cubby help send "),
        ):
            got = shell.line_after(typed + TAB)
            self.assertIn(got, (line,) if isinstance(line, str) else line)
        with open(os.path.join(self.home, "some file"), "wb"):
            pass
        for typed in ("cubby replay so", "cubby record --output so"):
            got = shell.line_after(typed + TAB)
            self.assertEqual(got, typed[:-2] + "some\\ file ")
        listed = shell.list_after("cubby receive " + TAB + TAB)
        for name in ("jobs", "@worker", "/shared"):
            self.assertIn(name, listed)
        return shell

    def test_bash(self):
        shell = self.completes("bash")
        self.assertEqual(
            shell.line_after("cubby send 'with s" + TAB),
            "cubby send 'with space' ",
        )
        self.assertEqual(
            shell.line_after("cubby send odd:n" + TAB), "cubby send odd:name "
        )

    def test_zsh(self):
        shell = self.completes("zsh")
        # With what each is for.
        listed = shell.list_after("cubby create --" + TAB + TAB)
        self.assertRegex(listed, r"--exclusive +-- fail if it exists")


if __name__ == "__main__":
    unittest.main()
