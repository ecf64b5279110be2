#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""probes.py ROOT COMPILER LIBCUBBY_SO COMMAND: the static probes are those that
cubby_probes(7) tells, with as many arguments; a debugger stops at them and reads
the arguments; and on the plain path of cubby_send() and cubby_receive() a probe is
one nop, and no other instruction.

Status 77 if there is no sys/sdt.h, and so no probe.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

ROOT, COMPILER, LIBRARY, COMMAND = sys.argv[1:]
NOPS = re.compile(r"nop|xchg +%ax,%ax|data16|cs nop")
ENDS = re.compile(r"(ret|jmp)\b")


def run(words, **how):
    how.setdefault("stderr", subprocess.STDOUT)
    return subprocess.run(
        words, check=True, stdout=subprocess.PIPE, timeout=100, **how
    ).stdout.decode()


def fail(message):
    sys.exit("probes.py: " + message)


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def compile_unit(directory, *options):
    """An object of the plain path, as Release builds it."""
    path = os.path.join(directory, "message%s.o" % "".join(options))
    run(
        [*shlex.split(COMPILER), "-std=gnu11", "-O2", "-fPIC",
         "-fvisibility=hidden", "-I" + os.path.join(ROOT, "include"),
         "-I" + os.path.join(ROOT, "src"), *options, "-c",
         os.path.join(ROOT, "src", "message.c"), "-o", path]
    )
    return path


def notes(path):
    """Name and number of arguments of each probe in a file."""
    text = run(["readelf", "-n", path])
    return {
        (name, len(arguments.split()))
        for provider, name, arguments in re.findall(
            r"Provider: (\S+)\s+Name: (\S+)\s.*?Arguments: ([^\n]*)", text, re.S
        )
        if provider == "cubby"
    }


def check_documented():
    page = read("man/cubby_probes.7.scd")
    told = {
        (name, len(re.findall(r"_\w+?_(?!\w)", arguments)))
        for name, arguments in re.findall(
            r"^\|\[ \*(\w+)\*(.*)$", page, re.M
        )
    }
    there = notes(LIBRARY)
    if not told or told != there:
        fail("told %s, there %s" % (sorted(told - there), sorted(there - told)))
    if not notes(COMMAND):
        fail("the command has none")


def instructions(path, function):
    """Of a function: how many do something, and how many are a nop of one
    byte, which no compiler puts between others by itself. (Behind a jump or the
    end one may fill up a line; nothing comes by there.)"""
    text = run(["objdump", "-d", path])
    body = re.search(
        r"^[0-9a-f]+ <%s>:\n(.*?)(?:\n\n|\Z)" % function, text, re.M | re.S
    ).group(1)
    code = [line.split("\t") for line in body.split("\n")]
    code = [fields for fields in code if len(fields) == 3]
    nops = [f for f in code if NOPS.match(f[2])]
    single = sum(f[1].split() == ["90"] and not ENDS.match(before[2])
                 for before, f in zip(code, code[1:]))
    return len(code) - len(nops), single


def check_cost(directory):
    """x86 only: elsewhere the nop has no length that tells it."""
    if os.uname().machine != "x86_64":
        return
    if "Free Software Foundation" not in run([*shlex.split(COMPILER), "--version"]):
        return
    with_probes = compile_unit(directory)
    without = compile_unit(directory, "-DCUBBY_NO_PROBES")
    if notes(without) or not notes(with_probes):
        fail("CUBBY_NO_PROBES does not decide")
    for function in ("cubby_send", "cubby_receive"):
        more, probes = instructions(with_probes, function)
        less, none = instructions(without, function)
        print("%s: %d instructions, %d without probes, and %d nop"
              % (function, more, less, probes - none))
        if more > less or probes - none != 1:
            fail("%s costs more than a nop" % function)


def check_debugger(directory):
    """gdb finds them by name, in a process that was built like any other."""
    if not shutil.which("gdb"):
        print("no gdb here")
        return
    environment = dict(os.environ, CUBBY_ROOT=directory, LC_ALL="C")
    environment.pop("DEBUGINFOD_URLS", None)
    run([COMMAND, "create", "jobs"], env=environment)
    words = ["gdb", "-nx", "-batch"]
    for command in (
        "set breakpoint pending off",
        "break -probe-stap cubby:open",
        "break -probe-stap cubby:send",
        "run",
        'printf "<%s>\\n", (char *)$_probe_arg1',
        "continue",
        'printf "<%d>\\n", (int)$_probe_arg1',
        "continue",
    ):
        words += ["-ex", command]
    text = run(
        [*words, "--args", COMMAND, "send", "jobs", "hello"], env=environment
    )
    if "ptrace" in text and "not permitted" in text:
        print("nobody may be traced here")
    elif "<jobs>" not in text or "<5>" not in text:
        fail("gdb says:\n" + text)
    run([COMMAND, "receive", "--try", "jobs"], env=environment)


def main():
    probe = subprocess.run(
        [*shlex.split(COMPILER), "-E", "-x", "c", "-"],
        input=b"#include <sys/sdt.h>\n",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    if probe.returncode:
        print("no sys/sdt.h here, so no probes")
        sys.exit(77)
    check_documented()
    where = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=where) as directory:
        check_cost(directory)
        check_debugger(directory)


if __name__ == "__main__":
    main()
