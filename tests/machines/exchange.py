#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Processes of different machines and compilers exchange messages.

exchange.py NAME=COMMAND...: each COMMAND is a partner (partner.c) as a compiler
has built it, with what runs it before it, if need be (i686=build/i686/tests/partner
"armhf=qemu-arm build/armhf/tests/partner"). The first one meets each other, as
first and as second, in every kind of exchange. Status 1: they did not agree.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time

KINDS = (
    "lanes", "blocks", "unlimited", "arrival", "priority", "queue-unlimited",
    "rendezvous", "broadcast", "calls", "regions", "region-sent",
)
SECONDS = 70


def start(command, arguments, root):
    return subprocess.Popen(
        command.split() + arguments,
        env=dict(os.environ, CUBBY_ROOT=root),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process):
    """What it complained of; "" if it did not."""
    try:
        _, text = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return "not done after %d s" % SECONDS
    if process.returncode == 0:
        return ""
    return "status %d: %s" % (process.returncode, text.strip())


def meet(first, second, kind, root):
    halves = [
        (first, start(first[1], [kind, "first"], root)),
        (second, start(second[1], [kind, "second"], root)),
    ]
    wrong = [(name, end(process)) for (name, _), process in halves]
    return ["%s, %s with %s: %s: %s" % (kind, first[0], second[0], name, what)
            for name, what in wrong if what]


def with_root(call):
    root = tempfile.mkdtemp(prefix="cubby-machines.", dir="/dev/shm")
    try:
        return call(root)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def too_large(one, other, root):
    """The first makes what the second may be too small for."""
    return ["too-large: %s: %s" % (name, what) for name, what in
            [(p[0], end(start(p[1], ["too-large"], root)))
             for p in (one, other)] if what]


def main(arguments):
    partners = [tuple(argument.split("=", 1)) for argument in arguments]
    wrong = []
    native = partners[0]
    for other in partners[1:]:
        began = time.monotonic()
        found = with_root(lambda root: too_large(native, other, root))
        for first, second in ((native, other), (other, native)):
            for kind in KINDS:
                found += with_root(
                    lambda root: meet(first, second, kind, root))
        print("%s with %s: %d exchanges, %d wrong, %.1f s" % (
            native[0], other[0], 2 * len(KINDS), len(found),
            time.monotonic() - began), flush=True)
        wrong += found
    print("\n".join(wrong))
    return 1 if wrong or len(partners) < 2 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
