#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""cubby doctor: each finding, in a place made for it.

doctor_test.py COMMAND [TEST...]: what takes root (other users, small file
systems, namespaces) is skipped without it.
"""

import ctypes
import json
import os
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import unittest

COMMAND = os.path.abspath(sys.argv.pop(1))
DEADLINE = 120  # seconds
DONE, ERROR, USAGE = 0, 1, 2

WORSE = {"ok": 0, "warn": 1, "bad": 2}

# membarrier, futex_waitv, and what seccomp calls the architecture
SYSCALLS = {"x86_64": (324, 449, 0xC000003E), "aarch64": (283, 449, 0xC00000B7)}


def refuse_syscalls(numbers, architecture):
    """In a child: these system calls end with EPERM, as in a container."""
    code = [(0x20, 0, 0, 4), (0x15, 0, 1 + len(numbers), architecture),
            (0x20, 0, 0, 0)]
    for i, number in enumerate(numbers):
        code.append((0x15, len(numbers) - i, 0, number))
    code.append((0x06, 0, 0, 0x7FFF0000))  # allow
    code.append((0x06, 0, 0, 0x00050000 | 1))  # EPERM
    filters = b"".join(struct.pack("HBBI", *line) for line in code)
    buffer = ctypes.create_string_buffer(filters)
    program = struct.pack("HxxxxxxP", len(code), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, program, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


class DoctorTest(unittest.TestCase):
    def setUp(self):
        where = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.root = tempfile.mkdtemp(prefix="cubby-test-", dir=where)
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        self.environment = dict(
            os.environ, CUBBY_ROOT=self.root, LC_ALL="C.UTF-8"
        )

    def run_words(self, words, **how):
        return subprocess.run(
            words,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=DEADLINE,
            check=False,
            **how
        )

    def do(self, *words):
        done = self.run_words([COMMAND, *words])
        self.assertEqual((done.returncode, done.stderr), (DONE, b""), words)
        return done.stdout.decode()

    def examine(self, words=(), code=DONE, **how):
        """The findings, by check; of several the worst."""
        done = self.run_words([*words, COMMAND, "doctor", "--json"], **how)
        self.assertEqual((done.returncode, done.stderr), (code, b""))
        found = {}
        for one in json.loads(done.stdout):
            self.assertLessEqual(
                set(one), {"check", "verdict", "finding", "cure"}
            )
            if one["verdict"] == "ok":
                self.assertNotIn("cure", one)
            else:
                self.assertTrue(one["cure"])
            before = found.get(one["check"])
            if not before or WORSE[before["verdict"]] < WORSE[one["verdict"]]:
                found[one["check"]] = one
        bad = any(one["verdict"] == "bad" for one in found.values())
        self.assertEqual(bad, code == ERROR)
        return found

    def expect(self, found, check, verdict, said):
        self.assertIn(check, found)
        self.assertEqual(found[check]["verdict"], verdict, found[check])
        self.assertIn(said, found[check]["finding"])

    def need_root(self):
        if os.geteuid() != 0:
            self.skipTest("takes root")
        done = subprocess.run(["unshare", "-m", "true"], check=False)
        if done.returncode:
            self.skipTest("no mount namespaces here")

    def in_mounts(self, script, **how):
        """As root, in a mount namespace of its own, after that script."""
        self.need_root()
        return self.examine(
            ["unshare", "-m", "sh", "-ec", script + '\nexec "$@"', "sh"], **how
        )

    # Where mailboxes lie -------------------------------------------------

    def test_all_is_well(self):
        found = self.examine()
        for check in ("root", "own", "files", "leftovers", "version"):
            self.expect(found, check, "ok", "")
        self.do("create", "jobs")
        found = self.examine()
        self.expect(found, "own", "ok", "closed to others")
        self.assertEqual(os.listdir(self.root), ["cubby-%d" % os.geteuid()])

    def test_text_has_a_line_for_each_finding(self):
        os.chmod(self.root, 0o777)
        done = self.run_words([COMMAND, "doctor"])
        self.assertEqual(done.returncode, ERROR)
        text = done.stdout.decode()
        self.assertRegex(text, r"(?m)^bad   root        \S")
        self.assertRegex(text, r"(?m)^      to cure:    chmod \+t")
        self.assertRegex(text, r"(?m)^ok    version     cubby \d")
        self.assertTrue(all(len(line) < 80 for line in text.splitlines()))

    def test_there_is_no_root(self):
        self.environment["CUBBY_ROOT"] = self.root + "/nothing"
        found = self.examine(code=ERROR)
        self.expect(found, "root", "bad", "is no directory")
        self.assertNotIn("leftovers", found)

    def test_others_may_write_in_the_root(self):
        os.chmod(self.root, 0o777)
        found = self.examine(code=ERROR)
        self.expect(found, "root", "bad", "is not sticky")

    def test_the_root_is_somebody_elses(self):
        self.need_root()
        os.chown(self.root, 12345, -1)
        found = self.examine(code=ERROR)
        self.expect(found, "root", "bad", "belongs to user 12345")

    def test_the_own_directory_is_open(self):
        self.do("create", "jobs")
        os.chmod(self.root + "/cubby-%d" % os.geteuid(), 0o755)
        found = self.examine(code=ERROR)
        self.expect(found, "own", "bad", "mode 0755")

    def test_the_own_directory_is_somebody_elses(self):
        self.need_root()
        os.mkdir(self.root + "/cubby-0")
        os.chown(self.root + "/cubby-0", 12345, -1)
        found = self.examine(code=ERROR)
        self.expect(found, "own", "bad", "somebody else's (user 12345)")

    def test_nothing_can_be_made_in_the_root(self):
        self.need_root()
        os.chmod(self.root, 0o755)
        if not os.access(COMMAND, os.X_OK):
            self.skipTest("others cannot run the command")
        words = ["setpriv", "--reuid", "12345", "--clear-groups"]
        found = self.examine(words)
        self.expect(found, "root", "warn", "may not make anything")

    # Room ---------------------------------------------------------------------

    def test_a_small_file_system(self):
        found = self.in_mounts('mount -t tmpfs -o size=16m t "$CUBBY_ROOT"')
        self.expect(found, "room", "warn", "16M in all")

    def test_little_room_and_none(self):
        script = """mount -t tmpfs -o size=100m t "$CUBBY_ROOT"
            fallocate -l %s "$CUBBY_ROOT/full" """
        found = self.in_mounts(script % "95m")
        self.expect(found, "room", "warn", "5M of 100M free")
        found = self.in_mounts(script % "100m", code=ERROR)
        self.expect(found, "room", "bad", "0 of 100M free")
        self.expect(found, "files", "bad", "cannot be reserved")

    def test_no_more_files(self):
        found = self.in_mounts(
            'mount -t tmpfs -o size=100m,nr_inodes=2 t "$CUBBY_ROOT"\n'
            'touch "$CUBBY_ROOT/one"',
            code=ERROR,
        )
        self.expect(found, "room", "bad", "no more files")

    def test_read_only(self):
        found = self.in_mounts(
            'mount -t tmpfs -o ro t "$CUBBY_ROOT"', code=ERROR
        )
        self.expect(found, "room", "bad", "read-only")

    def test_another_file_system(self):
        found = self.in_mounts('mount -t ramfs t "$CUBBY_ROOT"', code=ERROR)
        self.expect(found, "kind", "warn", "no tmpfs")
        self.expect(found, "files", "bad", "cannot be reserved")

    # Leftovers -------------------------------------------------------------------

    def test_unfinished_mailboxes(self):
        self.do("create", "jobs")
        own = self.root + "/cubby-%d" % os.geteuid()
        os.mkdir(own + "/.cubby.new.0123456789abcdef")
        found = self.examine()
        self.expect(found, "leftovers", "warn", "1 mailbox without a name")
        self.do("sweep")
        self.expect(self.examine(), "leftovers", "ok", "")

    def test_memory_of_a_dead_sender(self):
        self.do("create", "jobs")
        sender = subprocess.Popen(
            [COMMAND, "send", "jobs"],
            stdin=subprocess.PIPE,
            env=self.environment,
        )
        sender.stdin.write((b"x" * 500000 + b"\n") * 8)
        sender.stdin.flush()
        self.do("receive", "--count", "8", "jobs")
        sender.kill()
        sender.wait()
        sender.stdin.close()
        found = self.examine()
        self.expect(found, "leftovers", "warn", "1 lane of senders")
        self.do("sweep")
        self.expect(self.examine(), "leftovers", "ok", "")

    def test_messages_that_a_dead_receiver_held(self):
        self.do("create", "jobs")
        self.do("send", "jobs", "x" * 100000)
        reader, writer = os.pipe()
        receiver = subprocess.Popen(
            [COMMAND, "receive", "jobs"], stdout=writer, env=self.environment
        )
        os.close(writer)
        os.read(reader, 1)  # it holds what does not fit into the pipe
        receiver.send_signal(signal.SIGKILL)
        receiver.wait()
        os.close(reader)
        found = self.examine()
        self.expect(found, "leftovers", "warn", "1 message held by receivers")
        self.do("sweep")
        self.expect(self.examine(), "leftovers", "ok", "")

    def test_a_mailbox_that_makes_no_sense(self):
        self.do("create", "jobs")
        own = self.root + "/cubby-%d" % os.geteuid()
        with open(own + "/jobs/receivers", "r+b") as file:
            file.write(b"\xff" * 64)
        found = self.examine()
        self.expect(found, "mailbox", "warn", "jobs: ")

    def test_a_lane_that_makes_no_sense(self):
        self.do("create", "jobs")
        self.do("send", "jobs", "hello")
        own = self.root + "/cubby-%d" % os.geteuid()
        with open(own + "/jobs/lanes/lane.0", "r+b") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(4096)
            file.write(b"\xff" * (size - 4096))
        self.run_words([COMMAND, "receive", "--try", "jobs"])
        self.expect(self.examine(), "broken", "warn", "the lane of sender 1")

    # The system ---------------------------------------------------------------------

    def test_limits(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

        found = self.examine(preexec_fn=limit)
        self.expect(found, "limits", "warn", "RLIMIT_NOFILE is 64")

        def limit_size():
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

        found = self.examine(preexec_fn=limit_size)
        self.expect(found, "limits", "warn", "RLIMIT_FSIZE is 1M")

    def test_calls_that_are_not_allowed(self):
        numbers = SYSCALLS.get(os.uname().machine)
        if not numbers:
            self.skipTest("numbers of system calls are not known here")
        membarrier, waitv, architecture = numbers

        def refuse():
            refuse_syscalls((membarrier, waitv), architecture)

        found = self.examine(preexec_fn=refuse)
        self.expect(found, "membarrier", "warn", "not there")
        self.expect(found, "waitv", "warn", "not permitted")

    def logout(self, settings, files=""):
        os.chown(self.root, 12345, -1)
        return self.in_mounts(
            "mount -t tmpfs t /etc/systemd; mount -t tmpfs t /run/systemd\n"
            "mkdir /run/systemd/seats /etc/systemd/logind.conf.d\n"
            "printf '%s' >/etc/systemd/logind.conf\n%s\n"
            "set -- setpriv --reuid 12345 --clear-groups \"$@\""
            % (settings, files)
        )["logout"]

    def test_logging_out_removes_mailboxes(self):
        self.need_root()
        if not self.root.startswith("/dev/shm/"):
            self.skipTest("no /dev/shm here")
        if not os.path.isdir("/run/systemd") or not os.path.isdir(
            "/etc/systemd"
        ):
            self.skipTest("no systemd here")
        told = self.logout("[Login]\\n#RemoveIPC=no\\n")
        self.assertEqual(told["verdict"], "warn")
        self.assertIn("enable-linger", told["cure"])
        told = self.logout("[Login]\\nRemoveIPC=no\\n")
        self.assertEqual(told["verdict"], "ok")
        told = self.logout(
            "[Login]\\nRemoveIPC=no\\n",
            "echo RemoveIPC = on >/etc/systemd/logind.conf.d/a.conf",
        )
        self.assertEqual(told["verdict"], "warn")

    def test_a_mistake_on_the_command_line(self):
        done = self.run_words([COMMAND, "doctor", "jobs"])
        self.assertEqual(done.returncode, USAGE)


if __name__ == "__main__":
    unittest.main()
