#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""cubby work: a command for each message.

work_test.py COMMAND [TEST...], as command_test.py.
"""

import os
import random
import signal
import stat
import subprocess
import unittest

from command_test import (
    COMMAND,
    CommandTest,
    DEADLINE,
    DONE,
    ERROR,
    NO_MAILBOX,
    USAGE,
)

EVERY_BYTE = bytes(range(256))


class WorkTest(CommandTest):
    """With a mailbox and a folder for what commands leave behind."""

    def setUp(self):
        super().setUp()
        self.do("create", "jobs")
        self.folder = os.path.join(self.root, "folder")
        os.mkdir(self.folder)
        self.environment["HERE"] = self.folder
        self.environment["CUBBY"] = COMMAND

    def path(self, name):
        return os.path.join(self.folder, name)

    def there(self, *names):
        return all(os.path.exists(self.path(name)) for name in names)

    def touch(self, name):
        with open(self.path(name), "w"):
            pass

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def script(self, name, text):
        with open(self.path(name), "w") as file:
            file.write("#!/bin/sh\n" + text)
            os.fchmod(file.fileno(), stat.S_IRWXU)
        return self.path(name)

    def send(self, *messages, to="jobs", options=()):
        for message in messages:
            if isinstance(message, str):
                message = message.encode()
            self.do("send", "--whole", *options, to, given=message)

    def all_in(self, name):
        """The messages that wait there; they are received."""
        out = self.do("receive", "--all", "--null", name).out
        return out.split(b"\0")[:-1]

    def there_is(self, name):
        return self.cubby("info", name).code == DONE

    def start_shell(self, script, *options, **how):
        """Work with a line of shell, which knows the message as $1."""
        words = ["work", *options, "jobs", "--", "sh", "-c", script, "sh"]
        return self.start(*words, "{}", **how)

    def shell_for_all(self, script, *options):
        return self.finish(self.start_shell(script, "--all", *options))


class Message(WorkTest):
    """How a command gets its message."""

    def test_stands_in_an_argument_wherever_and_as_often_as_it_is_named(self):
        self.send("one", "two")
        result = self.do(
            "work", "--all", "jobs", "--", "printf", r"%s|", "{}", "a{}b{}c", "x"
        )
        self.assertEqual(result.out, b"one|aonebonec|x|two|atwobtwoc|x|")

    def test_is_one_argument_whatever_is_in_it(self):
        messages = [" a  b ", "$HOME `id` 'x' \"", "-n", "--", "", "*", "a\nb\n", "{}"]
        self.send(*messages)
        result = self.do("work", "--all", "jobs", "--", "printf", r"%s\0", "{}")
        self.assertEqual(result.out.decode().split("\0")[:-1], messages)

    def test_is_standard_input_where_no_argument_names_it(self):
        self.send(EVERY_BYTE, b"", b"-n\n")
        self.assertEqual(
            self.do("work", "--all", "jobs", "cat").out, EVERY_BYTE + b"-n\n"
        )

    def test_of_a_megabyte_may_be_read_or_not(self):
        large = EVERY_BYTE * 4096
        for command, out in [
            (["cat"], large),
            (["true"], b""),
            (["head", "-c", "3"], large[:3]),
            (["sh", "-c", "exec <&-; true"], b""),
            (["cat", "/dev/stdin"], large),
        ]:
            for places in "1", "2":
                with self.subTest(command=command, places=places):
                    self.send(large)
                    result = self.do(
                        *["work", "--all", "-j", places, "jobs"], *command
                    )
                    self.assertEqual(result.out, out)

    def test_named_has_nothing_on_standard_input(self):
        self.send("x")
        self.do("work", "--all", "jobs", "sh", "-c", "! read x", "{}")

    def test_is_named_otherwise_if_you_say_so(self):
        self.send("m")
        words = ["work", "--all", "-I", "%", "jobs", "echo", "{}", "%", "a%"]
        self.assertEqual(self.do(*words).out, b"{} m am\n")

    def test_may_be_the_command(self):
        self.send("true", "/no/such/command")
        result = self.cubby("work", "--all", "jobs", "{}")
        self.assertEqual(result.code, ERROR)
        self.assertIn("could not be started: No such file", result.err)
        self.assertEqual(self.all_in("jobs.dead"), [b"/no/such/command"])

    def test_that_cannot_be_an_argument_is_a_dead_letter_at_once(self):
        large = b"x" * (1 << 20)
        self.send(b"a\0b", large, b"good")
        result = self.cubby("work", "--all", "jobs", "--", "printf", "%s", "{}")
        self.assertEqual((result.code, result.out), (ERROR, b"good"))
        self.assertIn("no message with a NUL in it as an argument", result.err)
        self.assertIn("no argument of 1048576 bytes; let it read st", result.err)
        dead = self.do("receive", "--all", "--raw", "jobs.dead").out
        self.assertEqual(dead, b"a\0b" + large)

    def test_is_told_about_in_the_environment(self):
        self.do("create", "--order", "priority", "urgent")
        self.do(
            *"send --tag 7 --type 3 --priority 9 --as me urgent hello".split()
        )
        names = "MAILBOX TAG TYPE PRIORITY SENDER_NAME UID SEQUENCE SIZE"
        names += " DELIVERIES SLOT"
        format = " ".join("$CUBBY_" + name for name in names.split())
        words = ["work", "--all", "urgent", "sh", "-c", "echo " + format]
        self.assertEqual(
            self.do(*words).out.decode(),
            "urgent 7 3 9 me %d 1 5 1 1\n" % os.getuid(),
        )


class CommandLine(WorkTest):
    def test_options_end_where_the_command_begins(self):
        for words in [
            "work -a jobs printf %s- -j {}",
            "work jobs --all -- printf %s- -j {}",
            "work jobs -aj 2 printf %s- -j {}",
            "work -a -- jobs printf %s- -j {}",
            "work --jobs=2 jobs -a -- printf %s- -j {}",
        ]:
            with self.subTest(words=words):
                self.send("m")
                self.assertEqual(self.do(*words.split()).out, b"-j-m-")

    def test_a_command_may_begin_with_a_dash(self):
        self.script("-x", "echo done")
        self.environment["PATH"] += ":" + self.folder
        self.send("m")
        self.assertEqual(self.do(*"work -a jobs -- -x".split()).out, b"done\n")

    def test_mistakes_exit_2_and_say_what_to_do(self):
        for words, said in [
            (["work"], "NAME [--] COMMAND"),
            (["work", "jobs"], "NAME [--] COMMAND"),
            (["work", "jobs", "--"], "NAME [--] COMMAND"),
            (["work", "--frob", "jobs", "true"], "no option --frob"),
            (["work", "-j", "0", "jobs", "true"], "out of range"),
            (["work", "-j", "many", "jobs", "true"], "not a whole number"),
            (["work", "--timeout", "0", "jobs", "true"], "out of range"),
            (["work", "--replace", "", "jobs", "true"], "--replace"),
            (["work", "--dead-letter", "jobs", "jobs", "true"], "--attempts 0"),
            (["work", "--dead-letter", "a/b", "jobs", "true"], "not a name"),
            (["work", "x" * 198, "true"], "--dead-letter NAME"),
            (["work", "--type", "1", "--not-type", "2", "jobs", "x"], "exclude"),
        ]:
            with self.subTest(words=words):
                self.assertIn(said, self.refuse(USAGE, *words))

    def test_no_mailbox(self):
        err = self.refuse(NO_MAILBOX, "work", "nothing", "true")
        self.assertIn("cubby create nothing", err)
        self.do("work", "--all", "--create", "nothing", "true")
        self.assertTrue(self.there_is("nothing"))


class Unstartable(WorkTest):
    """A wrong command is no fault of the messages."""

    def refuse_command(self, *command):
        self.send("m")
        err = self.refuse(ERROR, "work", "jobs", "--", *command)
        self.assertEqual(self.info()["returned"], 0)  # it was never taken
        self.assertEqual(self.all_in("jobs"), [b"m"])
        self.assertFalse(self.there_is("jobs.dead"))
        return err

    def test_not_found(self):
        self.assertIn("no command nosuch in PATH", self.refuse_command("nosuch"))
        self.assertIn("no command ./no", self.refuse_command("./no/such"))
        self.assertIn("no command", self.refuse_command(""))

    def test_a_line_of_shell(self):
        err = self.refuse_command("ls | wc")
        self.assertIn("cubby work jobs -- sh -c 'ls | wc'", err)
        err = self.refuse_command("echo {} | wc")
        self.assertIn("cubby work jobs -- sh -c '...' sh {}", err)

    def test_not_executable(self):
        self.assertIn("may execute", self.refuse_command(self.folder))
        self.touch("text")
        if os.getuid():
            self.assertIn("may ex", self.refuse_command(self.path("text")))

    def test_gone_meanwhile(self):
        """The message that finds it gone goes back, and work stops."""
        command = self.script("once", 'rm "$0"')
        self.send("1", "2", "3")
        err = self.refuse(ERROR, "work", "jobs", command, "{}")
        self.assertIn("no command %s" % command, err)
        self.assertEqual(self.all_in("jobs"), [b"2", b"3"])
        self.assertFalse(self.there_is("jobs.dead"))

    def test_found_as_the_shell_would(self):
        os.mkdir(self.path("a"))
        os.mkdir(self.path("a/tool"))
        self.script("tool", "echo found")
        self.environment["PATH"] = "%s::%s:%s" % (
            self.path("a"), self.folder, os.environ["PATH"]
        )
        self.send("m")
        self.assertEqual(self.do("work", "-a", "jobs", "tool").out, b"found\n")


class Failure(WorkTest):
    def test_is_tried_again_then_moved_with_all_that_belongs_to_it(self):
        self.do("create", "--order", "priority", "--mode", "0660", "urgent")
        options = "--tag 18446744073709551615 --type 5 --priority 32767".split()
        self.send(EVERY_BYTE, to="urgent", options=options)
        self.send(b"", to="urgent")
        self.send("good", to="urgent")
        script = 'echo "$CUBBY_DELIVERIES" >>"$HERE/tries"; [ "$(cat)" = good ]'
        result = self.cubby("work", "--all", "urgent", "sh", "-c", script)
        self.assertEqual(result.code, ERROR)
        self.assertEqual(self.read("tries").split(), b"1 2 3 1 2 3 1".split())
        self.assertIn(
            "message 1 of sender 1: sh ended with 1 (attempt 3 of 3)", result.err
        )
        self.assertIn("message 1 of sender 1 is in urgent.dead now", result.err)
        dead = self.do("receive", "--all", "--raw", "urgent.dead").out
        self.assertEqual(dead, EVERY_BYTE)
        info = self.info("urgent.dead")
        self.assertEqual(
            (info["order"], info["buffering"], info["mode"], info["message_max"]),
            ("priority", "unlimited", "0660", 1 << 20),
        )

    def test_keeps_tag_type_and_priority(self):
        import json

        self.do("create", "--order", "priority", "urgent")
        self.do(*"send --tag 18446744073709551615 --type 5 urgent a".split())
        self.do(*"send --priority 32767 urgent b".split())
        self.cubby(*"work --all --attempts 1 urgent false".split())
        lines = self.do("receive", "--all", "--json", "urgent.dead").lines()
        self.assertEqual(
            [
                [m[key] for key in ("data", "tag", "type", "priority")]
                for m in map(json.loads, lines)
            ],
            [["b", 0, 0, 32767], ["a", 2**64 - 1, 5, 0]],
        )

    def test_of_a_fixed_size(self):
        self.do(*"create --fixed 8 eight".split())
        self.do("send", "eight", "12345678")
        self.cubby(*"work --all eight false".split())
        self.assertEqual(self.all_in("eight.dead"), [b"12345678"])
        self.assertEqual(self.info("eight.dead")["sizing"], "fixed")

    def test_keeps_its_place_before_the_rest_of_its_sender(self):
        self.send("1", "2", "3")
        result = self.shell_for_all(
            'echo "$1"; [ "$1$CUBBY_DELIVERIES" != 21 ]'
        )
        self.assertEqual(result.out.split(), b"1 2 2 3".split())
        self.assertEqual(result.code, DONE)

    def test_is_told_with_how_it_came_about(self):
        for script, said in [
            ("exit 99", "sh ended with 99 (attempt 1 of 1)"),
            ("kill -9 $$", "sh was killed by signal 9 (Killed)"),
            ("kill -11 $$", "sh was killed by signal 11"),
        ]:
            self.send("m")
            result = self.shell_for_all(script, "--attempts", "1")
            self.assertIn(said, result.err)
            self.assertEqual(self.all_in("jobs.dead"), [b"m"])

    def test_for_ever(self):
        self.send("m")
        result = self.shell_for_all(
            '[ "$CUBBY_DELIVERIES" -ge 10 ]', "--attempts", "0"
        )
        self.assertEqual(result.code, DONE)
        self.assertIn("(attempt 9)", result.err)
        self.assertFalse(self.there_is("jobs.dead"))

    def test_delayed_lets_the_others_go_first(self):
        self.send("bad", "good")
        process = self.start_shell(
            'echo "$1"; [ "$1" = good ]', "--retry-delay", "1h"
        )
        self.assertEqual(process.stdout.readline(), b"bad\n")
        self.assertEqual(process.stdout.readline(), b"good\n")
        self.wait_until(lambda: self.info()["held"] == 1)
        process.terminate()
        result = self.finish(process)
        self.assertEqual(result.code, -signal.SIGTERM)
        self.assertEqual(self.all_in("jobs"), [b"bad"])

    def test_delayed_comes_back_by_itself(self):
        self.send("m")
        result = self.shell_for_all(
            '[ "$CUBBY_DELIVERIES" = 3 ]', "--retry-delay", "1ms"
        )
        self.assertEqual(result.code, DONE)
        self.assertIn("attempt 2 of 3", result.err)

    def test_by_time(self):
        self.send("slow", "quick")
        result = self.shell_for_all(
            '[ "$1" = quick ] || sleep 1h',
            *"--timeout 0.2s --attempts 1".split(),
        )
        self.assertIn("sh took longer than 0.2s (attempt 1 of 1)", result.err)
        self.assertEqual(self.all_in("jobs.dead"), [b"slow"])

    def test_by_time_reaches_what_the_command_has_started(self):
        self.send("m")
        process = self.start_shell(
            'sleep 1h & echo $! >"$HERE/pid"; sleep 1h | sleep 1h',
            *"--all --timeout 0.2s --attempts 1".split(),
        )
        self.finish(process)
        pid = int(self.read("pid"))
        self.wait_until(lambda: not self.runs(pid))

    @staticmethod
    def runs(pid):
        try:
            with open("/proc/%d/stat" % pid) as file:
                return file.read().rpartition(")")[2].split()[0] not in "ZX"
        except FileNotFoundError:
            return False

    def test_by_time_of_one_that_does_not_listen(self):
        self.send("m")
        result = self.shell_for_all(
            "trap '' TERM; while :; do sleep 1; done",
            *"--timeout 10ms --attempts 1".split(),
        )
        self.assertIn("took longer", result.err)
        self.assertEqual(self.all_in("jobs.dead"), [b"m"])


class DeadLetters(WorkTest):
    def test_go_where_you_say(self):
        self.do(*"create --capacity 1 grave".split())
        self.send("1", "2")
        words = "work --all --attempts 1 --dead-letter grave jobs false"
        err = self.refuse(ERROR, *words.split())
        self.assertIn("grave is full", err)
        self.assertIn("cubby receive --all grave", err)
        self.assertEqual(self.all_in("grave"), [b"1"])
        self.assertEqual(self.all_in("jobs"), [b"2"])

    def test_that_do_not_fit_go_back(self):
        self.do(*"create --message-max 2 grave".split())
        self.send("abc")
        words = "work --all --attempts 1 --dead-letter grave jobs false"
        self.assertIn("of that size", self.refuse(ERROR, *words.split()))
        self.assertEqual(self.all_in("jobs"), [b"abc"])

    def test_lose_their_priorities_only_where_there_are_none(self):
        self.do("create", "grave")
        self.do(*"create --order priority urgent".split())
        self.do(*"send --priority 5 urgent m".split())
        words = "work --all --attempts 1 --dead-letter grave urgent false"
        err = self.refuse(ERROR, *words.split())
        self.assertIn("not made with --order priority", err)
        self.assertEqual(self.all_in("grave"), [b"m"])

    def test_of_an_inbox_are_in_a_mailbox(self):
        self.do("create", "@me")
        self.do("send", "@me", "m")
        self.cubby(*"work --all --attempts 1 @me false".split())
        self.assertEqual(self.all_in("me.dead"), [b"m"])

    def test_are_sent_anew_by_the_command_itself(self):
        self.send(EVERY_BYTE)
        self.cubby(*"work --all --attempts 1 jobs false".split())
        self.do(*"work --all jobs.dead --".split(), COMMAND,
                *"send --whole jobs".split())
        self.assertEqual(
            self.do("receive", "--raw", "jobs").out, EVERY_BYTE
        )

    def test_go_to_a_new_mailbox_after_theirs_was_removed(self):
        process = self.start(*"work --attempts 1 jobs false".split())
        for message in "one", "two", "three":
            self.send(message)
            while "is in jobs.dead now" not in (
                process.stderr.readline().decode()
            ):
                self.assertIsNone(process.poll())
            self.wait_until(lambda: self.info()["held"] == 0)
            self.assertEqual(self.all_in("jobs.dead"), [message.encode()])
            self.do("rm", "jobs.dead")
            if message == "two":
                self.do(*"create --capacity 1 jobs.dead".split())
        self.assertEqual(process.poll(), None)

    def test_find_room_in_another_mailbox_of_that_name(self):
        """One that is full is removed: those to come go to its successor."""
        self.do(*"create --capacity 1 jobs.dead".split())
        self.send("one", "two")
        process = self.start_shell(
            ': >"$HERE/$1"; until [ -e "$HERE/go-$1" ]; do sleep 0.01; done;'
            "false",
            *"--all --attempts 1".split(),
        )
        self.wait_until(lambda: self.there("one"))
        self.touch("go-one")
        self.wait_until(lambda: self.there("two"))
        self.do("rm", "jobs.dead")
        self.touch("go-two")
        result = self.finish(process)
        self.assertEqual(result.code, ERROR)
        self.assertNotIn("full", result.err)
        self.assertEqual(self.all_in("jobs.dead"), [b"two"])

    def test_take_a_message_that_ends_its_worker_each_time(self):
        self.send("poison", "good")
        for _ in range(3):
            process = self.start_shell('[ "$1" = good ] || kill -9 $PPID')
            self.finish(process)
            self.assertEqual(process.returncode, -signal.SIGKILL)
        result = self.shell_for_all('echo "$1"')
        self.assertEqual((result.code, result.out), (ERROR, b"good\n"))
        self.assertIn(
            "was handed out 3 times before, and never dealt with", result.err
        )
        self.assertEqual(self.all_in("jobs.dead"), [b"poison"])


class Parallel(WorkTest):
    def test_runs_so_many_at_a_time(self):
        """Each waits until three are there, and sees no fourth."""
        self.send(*"abcdef")
        script = (
            'mkdir "$HERE/$CUBBY_SLOT" || exit 1; : >"$HERE/was-$CUBBY_SLOT";'
            'until [ -e "$HERE/was-1" ] && [ -e "$HERE/was-2" ] &&'
            ' [ -e "$HERE/was-3" ]; do sleep 0.01; done;'
            'rmdir "$HERE/$CUBBY_SLOT"'
        )
        result = self.shell_for_all(script, "--jobs", "3")
        self.assertEqual((result.code, result.err), (DONE, ""))
        self.assertFalse(self.there("was-4"))

    def test_has_no_two_in_one_slot_whichever_ends_first(self):
        """When e comes, b has the second, c has left, and d has the first."""
        self.send(*"abcde")
        process = self.start_shell(
            'echo $CUBBY_SLOT >"$HERE/new-$1"; mv "$HERE/new-$1" "$HERE/$1";'
            'until [ -e "$HERE/end-$1" ]; do sleep 0.01; done',
            *"--all --jobs 3".split(),
        )
        self.wait_until(lambda: self.there(*"abc"))
        self.touch("end-a")
        self.wait_until(lambda: self.there("d"))
        self.touch("end-c")
        self.wait_until(lambda: self.there("e"))
        for name in "bde":
            self.touch("end-" + name)
        self.assertEqual(self.finish(process).code, DONE)
        slots = [int(self.read(name)) for name in "abcde"]
        self.assertEqual(slots, [1, 2, 3, 1, 3])

    def test_keeps_the_output_of_each_together(self):
        """One writes half a line, and the rest when the other has written."""
        self.send("1", "2")
        script = (
            'printf %s a; printf %s e >&2; : >"$HERE/$1";'
            'until [ -e "$HERE/1" ] && [ -e "$HERE/2" ]; do sleep 0.01; done;'
            "echo b; echo f >&2"
        )
        result = self.shell_for_all(script, "--jobs", "2")
        self.assertEqual((result.out, result.err), (b"ab\nab\n", "ef\nef\n"))

    def test_prints_at_once_if_told_so(self):
        self.send("1", "2")
        process = self.start_shell(
            'echo "$1"; until [ -e "$HERE/go" ]; do sleep 0.01; done',
            *"--all --ungroup --jobs 2".split(),
        )
        lines = {process.stdout.readline() for _ in range(2)}
        self.assertEqual(lines, {b"1\n", b"2\n"})
        self.touch("go")
        self.assertEqual(self.finish(process).code, DONE)

    def test_prints_much_more_than_it_keeps(self):
        self.send("1", "2", "3")
        script = 'yes "$1" | head -c 40000000; echo "end $1" >&2'
        result = self.shell_for_all(script, "--jobs", "3")
        runs = [line for line in [b"1\n", b"2\n", b"3\n"]]
        self.assertEqual(len(result.out), 120000000)
        parts = [result.out[i : i + 40000000] for i in (0, 40000000, 80000000)]
        self.assertEqual(
            sorted(parts), [line * 20000000 for line in runs]
        )
        self.assertEqual(sorted(result.err.split("\n")[:-1]),
                         ["end 1", "end 2", "end 3"])

    def test_does_not_wait_for_what_a_command_leaves_behind(self):
        self.send("m")
        script = "sleep 1h & echo $!"
        result = self.shell_for_all(script, "--jobs", "2")
        os.kill(int(result.out), signal.SIGKILL)
        self.assertEqual(result.code, DONE)

    def test_takes_only_as_many_as_it_runs(self):
        self.send(*"abcd")
        process = self.start_shell(
            'until [ -e "$HERE/go" ]; do sleep 0.01; done', "-aj", "2"
        )
        self.wait_until(lambda: self.info()["held"] == 2)
        self.assertEqual(self.info()["waiting"], 2)
        self.touch("go")
        self.assertEqual(self.finish(process).code, DONE)

    def test_of_more_than_the_process_has_descriptors_for(self):
        self.send_numbers(1, 60)
        process = self.shell_for_all(
            'echo "$1"', *"-j 60".split()
        )
        self.assertEqual(
            sorted(map(int, process.out.split())), list(range(1, 61))
        )
        self.send_numbers(1, 60)
        result = self.shell(
            "ulimit -n 40; exec $CUBBY work --all -j 60 jobs echo {}"
        )
        self.assertEqual((result.code, result.err), (DONE, ""))
        self.assertEqual(
            sorted(map(int, result.out.split())), list(range(1, 61))
        )


class Output(WorkTest):
    def test_whose_reader_leaves_spoils_no_messages(self):
        for options in "", "-j 3":
            with self.subTest(options=options):
                self.send_numbers(1, 20)
                result = self.shell(
                    "$CUBBY work %s jobs -- sh -c 'echo $1' sh {} | head -1"
                    % options
                )
                self.assertEqual(result.code, DONE)
                self.wait_until(lambda: self.info()["receivers"] == 0)
                self.assertFalse(self.there_is("jobs.dead"))
                rest = [int(m) for m in self.all_in("jobs")]
                self.assertIn(20, rest)

    def test_that_cannot_be_written_gives_the_message_back(self):
        self.send("m")
        with open("/dev/full", "w") as full:
            result = self.cubby(
                *"work -aj 2 jobs echo {}".split(), stdout=full
            )
        self.assertEqual(result.code, ERROR)
        self.assertIn("cannot write to standard output: No space", result.err)
        self.assertEqual(self.all_in("jobs"), [b"m"])

    def test_of_commands_that_write_nothing_may_lead_nowhere(self):
        self.send("m")
        result = self.cubby(*"work -a jobs true".split(),
                            stdout=subprocess.DEVNULL)
        self.assertEqual(result.code, DONE)


class Ending(WorkTest):
    WAITS = ': >"$HERE/$1"; until [ -e "$HERE/go" ]; do sleep 0.01; done'

    def test_finishes_what_runs_and_takes_no_more(self):
        for number in signal.SIGTERM, signal.SIGINT, signal.SIGHUP:
            for places in "1", "2":
                with self.subTest(number=number, places=places):
                    self.send("a", "b", "c")
                    process = self.start_shell(
                        self.WAITS + '; echo "$1"', "-j", places
                    )
                    started = "ab"[: int(places)]
                    self.wait_until(lambda: self.there(*started))
                    process.send_signal(number)
                    said = process.stderr.readline().decode()
                    self.assertIn(
                        "waits for %s command" % places, said
                    )
                    self.touch("go")
                    result = self.finish(process)
                    self.assertEqual(result.code, -number)
                    self.assertEqual(
                        sorted(result.out.split()),
                        [c.encode() for c in started],
                    )
                    rest = [c.encode() for c in "abc"[int(places) :]]
                    self.assertEqual(self.all_in("jobs"), rest)
                    for name in (*started, "go"):
                        os.unlink(self.path(name))

    def test_a_second_signal_ends_what_runs(self):
        self.send("a", "b")
        process = self.start_shell(self.WAITS, "-j", "2")
        self.wait_until(lambda: self.there("a", "b"))
        process.send_signal(signal.SIGINT)
        process.stderr.readline()
        process.send_signal(signal.SIGINT)
        self.assertEqual(self.finish(process).code, -signal.SIGINT)
        self.assertEqual(sorted(self.all_in("jobs")), [b"a", b"b"])

    def test_a_second_signal_leaves_alone_what_has_ended_just_before(self):
        self.send("m")
        process = self.start_shell(
            'echo $$ >"$HERE/new"; mv "$HERE/new" "$HERE/pid";'
            'until [ -e "$HERE/go" ]; do sleep 0.01; done; echo done'
        )
        self.wait_until(lambda: self.there("pid"))
        process.terminate()
        self.assertIn(b"takes no more", process.stderr.readline())
        process.send_signal(signal.SIGSTOP)
        self.wait_until(lambda: self.state(process.pid) == "T")
        self.touch("go")
        self.wait_until(lambda: self.state(int(self.read("pid"))) == "Z")
        process.terminate()
        process.send_signal(signal.SIGCONT)
        self.assertEqual(self.finish(process).out, b"done\n")
        self.assertEqual(self.all_in("jobs"), [])

    def test_a_third_kills_it(self):
        self.send("a")
        process = self.start_shell("trap '' TERM; " + self.WAITS)
        self.wait_until(lambda: self.there("a"))
        process.terminate()
        process.stderr.readline()
        process.terminate()
        self.wait_until(lambda: not self.is_pending(process))
        process.terminate()
        self.assertEqual(self.finish(process).code, -signal.SIGTERM)
        self.assertEqual(self.all_in("jobs"), [b"a"])

    @staticmethod
    def is_pending(process):
        with open("/proc/%d/status" % process.pid) as file:
            fields = dict(line.split(":\t", 1) for line in file)
        pending = int(fields["ShdPnd"], 16) | int(fields["SigPnd"], 16)
        return pending >> (signal.SIGTERM - 1) & 1

    def test_of_one_that_waits_for_messages(self):
        process = self.start("work", "jobs", "true")
        self.wait_for_receiver()
        process.terminate()
        result = self.finish(process)
        self.assertEqual((result.code, result.err), (-signal.SIGTERM, ""))

    def test_not_by_a_signal_that_is_ignored(self):
        self.send("m")
        result = self.shell(
            "trap '' INT; $CUBBY work --all jobs -- "
            "sh -c 'kill -INT $PPID; echo {}'"
        )
        self.assertEqual((result.code, result.out), (DONE, b"m\n"))

    def test_after_so_many(self):
        self.send(*"abcde")
        result = self.do(*"work --count 3 -j 2 jobs echo {}".split())
        self.assertEqual(sorted(result.out.split()), [b"a", b"b", b"c"])
        self.assertEqual(self.all_in("jobs"), [b"d", b"e"])

    def test_waits_for_more(self):
        process = self.start("work", "jobs", "echo", "{}")
        for message in "one", "two":
            self.send(message)
            self.assertEqual(
                process.stdout.readline(), message.encode() + b"\n"
            )

    def test_a_stop_stops_what_runs_and_it_goes_on_together(self):
        self.send("a")
        # The kernel does not let a process group stop whose members' parents
        # are all of other sessions, as this test's may be.
        process = self.start_shell(
            self.WAITS + "; echo done", preexec_fn=os.setpgrp
        )
        self.wait_until(lambda: self.there("a"))
        child = self.child_of(process.pid)
        process.send_signal(signal.SIGTSTP)
        self.wait_until(lambda: self.state(process.pid) == "T")
        self.wait_until(lambda: self.state(child) == "T")
        self.touch("go")
        process.send_signal(signal.SIGCONT)
        self.assertEqual(process.stdout.readline(), b"done\n")

    @staticmethod
    def state(pid):
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rpartition(")")[2].split()[0]

    @staticmethod
    def child_of(pid):
        with open("/proc/%d/task/%d/children" % (pid, pid)) as file:
            return int(file.read().split()[0])


class Killed(WorkTest):
    def test_gives_back_what_it_held_and_takes_its_commands_along(self):
        self.send("a", "b")
        process = self.start_shell(
            'echo $$ >"$HERE/pid.tmp"; mv "$HERE/pid.tmp" "$HERE/pid";'
            "exec sleep 1h"
        )
        self.wait_until(lambda: self.there("pid"))
        process.kill()
        process.wait()
        self.wait_until(lambda: not Failure.runs(int(self.read("pid"))))
        result = self.shell_for_all('echo "$1 $CUBBY_DELIVERIES"')
        self.assertEqual(result.out, b"a 2\nb 1\n")

    def test_another_one_that_waits_gets_it(self):
        self.send("a")
        first = self.start_shell(': >"$HERE/started"; sleep 1h')
        self.wait_until(lambda: self.there("started"))
        second = self.start("work", "jobs", "echo", "{}")
        self.wait_until(lambda: self.info()["receivers"] == 2)
        first.kill()
        self.assertEqual(second.stdout.readline(), b"a\n")

    def lose_none(self, *options):
        """Two share the work; one is killed again and again, whenever."""
        count = 200
        self.do("rm", "jobs")
        self.do("create", "--capacity", "1000", *options, "jobs")
        self.send_numbers(1, count)
        words = ["--attempts", "0", "jobs", "--", "sh", "-c"]
        words += ['echo "$1" >>"$HERE/done"', "sh", "{}"]
        self.touch("done")
        steady = self.start("work", "-j", "2", *words)
        dice = random.Random(1)
        while self.info()["waiting"]:
            victim = self.start("work", "-j", "2", *words)
            done = len(self.read("done"))
            until = done + dice.randrange(20)
            self.wait_until(
                lambda: len(self.read("done")) > until
                or not self.info()["waiting"]
            )
            victim.kill()
            victim.wait()
        self.wait_until(
            lambda: set(self.read("done").split())
            == {b"%d" % i for i in range(1, count + 1)}
        )
        self.wait_until(
            lambda: self.to_receive() + self.info()["held"] == 0
        )
        steady.terminate()
        self.assertEqual(self.finish(steady).code, -signal.SIGTERM)
        self.assertFalse(self.there_is("jobs.dead"))

    def test_at_random_nothing_is_lost(self):
        self.lose_none()

    def test_at_random_nothing_is_lost_by_arrival(self):
        self.lose_none("--order", "arrival")

    def test_at_random_nothing_is_lost_by_priority(self):
        self.lose_none("--order", "priority")


class Mailboxes(WorkTest):
    def test_the_most_urgent_first(self):
        self.do(*"create --order priority urgent".split())
        for priority in "1", "3", "2":
            self.do("send", "--priority", priority, "urgent", priority)
        out = self.do(*"work --all urgent echo {}".split()).out
        self.assertEqual(out, b"3\n2\n1\n")

    def test_in_the_order_of_arrival_and_by_type(self):
        self.do(*"create --order arrival both".split())
        for kind in "1", "2", "1":
            self.do("send", "--type", kind, "both", kind)
        words = "work --all --type 1 both".split()
        self.assertEqual(self.do(*words, "echo", "{}").out, b"1\n1\n")
        self.assertEqual(self.all_in("both"), [b"2"])

    def test_from_one_sender(self):
        self.do(*"send --as ann jobs a".split())
        self.do(*"send --as bob jobs b".split())
        words = "work --all --from bob jobs echo {}".split()
        self.assertEqual(self.do(*words).out, b"b\n")

    def test_without_a_buffer(self):
        self.do(*"create --capacity 0 --order arrival meet".split())
        worker = self.start("work", "meet", "echo", "{}")
        for i in range(3):
            self.do("send", "meet", str(i))
            self.assertEqual(worker.stdout.readline(), b"%d\n" % i)

    def test_within_one_another(self):
        self.do("create", "inner")
        self.send("a", "b")
        script = (
            'for i in 1 2; do $CUBBY send inner "$1$i"; done;'
            "$CUBBY work --all -I % inner -- sh -c 'echo $CUBBY_MAILBOX $1' sh %"
        )
        result = self.shell_for_all(script)
        self.assertEqual(
            result.out, b"inner a1\ninner a2\ninner b1\ninner b2\n"
        )

    def test_removed_while_a_command_runs(self):
        self.send("a", "b")
        process = self.start_shell(
            ': >"$HERE/$1"; until [ -e "$HERE/go" ]; do sleep 0.01; done;'
            'echo "$1"; [ $CUBBY_DELIVERIES = 2 ]',
            *"--all --attempts 2".split(),
        )
        self.wait_until(lambda: self.there("a"))
        self.do("rm", "jobs")
        self.touch("go")
        result = self.finish(process)
        self.assertEqual((result.code, result.out), (DONE, b"a\na\nb\nb\n"))

    def test_removed_while_it_waits(self):
        for again in False, True:
            self.send("first")
            process = self.start("work", "jobs", "echo", "{}")
            # It takes messages, so it has opened all that it opens.
            self.assertEqual(process.stdout.readline(), b"first\n")
            self.do("rm", "jobs")
            if again:
                self.do("create", "jobs")
            said = process.stderr.readline().decode()
            self.assertIn("jobs has been removed", said)
            process.terminate()
            self.finish(process)
            self.do("create", "jobs")

    def test_of_another_type_than_is_there_is_waited_for(self):
        self.do(*"create --order arrival both".split())
        self.do(*"send --type 1 both a".split())
        process = self.start(*"work --type 2 both echo {}".split())
        self.wait_until(lambda: self.info("both")["receivers"] == 1)
        self.do(*"send --type 2 both b".split())
        self.assertEqual(process.stdout.readline(), b"b\n")
        self.assertEqual(self.all_in("both"), [b"a"])

    def test_without_limit(self):
        self.do(*"create --unlimited many".split())
        self.do("send", "many", given=b"x\n" * 300)
        out = self.do(*"work --all -j 4 many echo {}".split()).out
        self.assertEqual(out, b"x\n" * 300)

    def test_that_gives_every_message_to_everybody_is_refused(self):
        self.do(*"create --broadcast news".split())
        err = self.refuse(ERROR, "work", "news", "true")
        self.assertIn("none goes back", err)

    def test_with_a_region_in_it(self):
        self.do("region", "send", "jobs", given=b"picture")
        err = self.refuse(ERROR, "work", "jobs", "cat")
        self.assertIn("cubby region receive jobs", err)
        out = self.do("region", "receive", "jobs").out
        self.assertTrue(out.startswith(b"picture"))


if __name__ == "__main__":
    unittest.main()
