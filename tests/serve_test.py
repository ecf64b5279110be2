#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""cubby call and cubby serve: a command for each request.

serve_test.py COMMAND [TEST...], as command_test.py.
"""

import signal
import unittest

from command_test import CommandTest, DONE, ERROR, LATE, NO_MAILBOX, USAGE

EVERY_BYTE = bytes(range(256))


class ServeTest(CommandTest):
    def setUp(self):
        super().setUp()
        self.do("create", "jobs")

    def serve(self, *words):
        """A server that is there."""
        before = self.info()["receivers"]
        process = self.start("serve", *words)
        self.wait_until(lambda: self.info()["receivers"] > before)
        return process

    def there_is(self, name):
        return self.cubby("info", name).code == DONE


class Reply(ServeTest):
    def test_is_what_the_command_prints_and_nothing_more(self):
        self.serve("jobs", "cat")
        for request in b"hello", b"", b"a\n", EVERY_BYTE, EVERY_BYTE * 4096:
            self.assertEqual(
                self.do("call", "jobs", given=request).out, request
            )

    def test_to_words(self):
        self.serve("jobs", "--", "printf", "%s|", "{}", "-x", "<{}>")
        out = self.do("call", "jobs", "two", " words").out
        self.assertEqual(out, b"two  words|-x|<two  words>|")

    def test_goes_to_its_caller_alone(self):
        for _ in range(2):
            self.serve("-j", "3", "jobs", "cat")
        callers = [
            (b"%d" % i, self.start("call", "jobs", str(i)))
            for i in range(40)
        ]
        for request, caller in callers:
            self.assertEqual(self.finish(caller).out, request)

    def test_of_several_at_a_time(self):
        """The first waits for what the second makes."""
        flag = self.root + "/flag"
        self.serve(
            *"-j 2 jobs -- sh -c".split(),
            'if [ "$1" = first ]; then until [ -e "%s" ]; do sleep 0.01; '
            'done; else : >"%s"; fi; echo "$1"' % (flag, flag),
            *"sh {}".split(),
        )
        first = self.start("call", "jobs", "first")
        self.wait_until(lambda: self.info()["held"] == 1)
        self.assertEqual(self.do("call", "jobs", "second").out, b"second\n")
        self.assertEqual(self.finish(first).out, b"first\n")

    def test_in_every_order(self):
        for order in "arrival", "priority":
            self.do("rm", "jobs")
            self.do("create", "--order", order, "jobs")
            self.serve("--type", "2", "jobs", "cat")
            out = self.do("call", "--type", "2", "jobs", "hi").out
            self.assertEqual(out, b"hi")

    def test_by_priority(self):
        self.do("rm", "jobs")
        self.do(*"create --order priority jobs".split())
        self.serve("jobs", "sh", "-c", "echo $CUBBY_PRIORITY $CUBBY_TYPE")
        words = "call --priority 9 --type 4 jobs x".split()
        self.assertEqual(self.do(*words).out, b"9 4\n")


class NoReply(ServeTest):
    def call_in_vain(self, said):
        err = self.refuse(ERROR, "call", "jobs", "hi")
        self.assertIn(said, err)

    def test_if_the_command_fails(self):
        server = self.serve("jobs", "sh", "-c", "echo half; exit 3")
        self.call_in_vain("does not reply")
        self.assertIn("sh ended with 3", server.stderr.readline().decode())

    def test_if_it_takes_too_long(self):
        server = self.serve(*"--timeout 50ms jobs sleep 1h".split())
        self.call_in_vain("does not reply")
        self.assertIn("took longer", server.stderr.readline().decode())

    def test_if_it_is_too_large(self):
        self.do("rm", "jobs")
        self.do(*"create --message-max 1000 jobs".split())
        server = self.serve("jobs", "sh", "-c", "head -c 1001 /dev/zero")
        self.call_in_vain("does not reply")
        self.assertRegex(
            server.stderr.readline().decode(),
            "too large|printed more than 1000 bytes",
        )

    def test_if_it_never_ends(self):
        server = self.serve("jobs", "yes")
        self.call_in_vain("does not reply")
        self.assertIn("printed more than", server.stderr.readline().decode())

    def test_if_the_server_is_killed(self):
        server = self.serve("jobs", "sleep", "1h")
        caller = self.start("call", "jobs", "hi")
        self.wait_until(lambda: self.info()["held"] == 1)
        server.kill()
        result = self.finish(caller)
        self.assertEqual(result.code, ERROR)
        self.assertIn("does not reply", result.err)

    def test_until_another_attempt(self):
        self.serve(
            *"--attempts 3 jobs -- sh -c".split(),
            "echo $CUBBY_DELIVERIES; [ $CUBBY_DELIVERIES = 3 ]",
        )
        self.assertEqual(self.do("call", "jobs", "hi").out, b"3\n")

    def test_in_time(self):
        err = self.refuse(LATE, *"call --timeout 50ms jobs hi".split())
        self.assertIn("no reply came within 50ms", err)
        self.serve("jobs", "cat")
        self.assertEqual(self.do("call", "jobs", "next").out, b"next")

    def test_from_an_unstartable_command_whose_request_goes_back(self):
        caller = self.start("call", "jobs", "hi")
        self.wait_until(lambda: self.info()["waiting"] == 1)
        err = self.refuse(ERROR, "serve", "jobs", "nosuch")
        self.assertIn("no command nosuch in PATH", err)
        self.serve("jobs", "cat")
        self.assertEqual(self.finish(caller).out, b"hi")


class Server(ServeTest):
    def test_puts_aside_what_is_no_request(self):
        server = self.serve("jobs", "cat")
        self.do("send", "jobs", "no request")
        self.assertIn("no request", server.stderr.readline().decode())
        self.assertEqual(self.do("call", "jobs", "hi").out, b"hi")
        self.assertEqual(self.do("receive", "jobs.dead").out, b"no request\n")

    def test_puts_it_aside_though_that_mailbox_was_removed_meanwhile(self):
        server = self.serve("jobs", "cat")
        for message in "one", "two":
            self.do("send", "jobs", message)
            self.assertIn("no request", server.stderr.readline().decode())
            self.assertEqual(self.do("call", "jobs", "hi").out, b"hi")
            out = self.do("receive", "--all", "jobs.dead").out
            self.assertEqual(out.decode(), message + "\n")
            self.do("rm", "jobs.dead")

    def test_ends_after_its_last_reply(self):
        server = self.serve("--count", "2", "jobs", "cat")
        for _ in range(2):
            self.assertEqual(self.do("call", "jobs", "hi").out, b"hi")
        self.assertEqual(self.finish(server).code, DONE)

    def test_replies_to_what_runs_when_it_is_to_end(self):
        flag = self.root + "/flag"
        server = self.serve(
            "jobs", "sh", "-c",
            'until [ -e "%s" ]; do sleep 0.01; done; cat' % flag,
        )
        caller = self.start("call", "jobs", "hi")
        self.wait_until(lambda: self.info()["held"] == 1)
        server.terminate()
        server.stderr.readline()
        with open(flag, "w"):
            pass
        self.assertEqual(self.finish(caller).out, b"hi")
        self.assertEqual(self.finish(server).code, -signal.SIGTERM)

    def test_needs_nobody_to_read_its_output(self):
        result = self.shell(
            "$CUBBY serve --count 1 jobs cat | : & $CUBBY call jobs hi; wait"
        )
        self.assertEqual(result.out, b"hi")

    def test_mistakes(self):
        for words, code, said in [
            (["call"], USAGE, "NAME"),
            (["call", "nothing", "x"], NO_MAILBOX, "cubby create nothing"),
            (["serve", "jobs"], USAGE, "COMMAND"),
            (["serve", "--all", "jobs", "cat"], USAGE, "no option --all"),
            (["call", "--timeout", "x", "jobs", "x"], USAGE, "not a time"),
        ]:
            with self.subTest(words=words):
                self.assertIn(said, self.refuse(code, *words))
        large = b"x" * ((1 << 20) + 1)
        self.assertIn(
            "at most 1048576 bytes",
            self.refuse(ERROR, "call", "jobs", given=large),
        )


if __name__ == "__main__":
    unittest.main()
