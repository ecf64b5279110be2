#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Breaks cubby on purpose, and expects the tests to notice.

Each file *.mutant beside this script is one change of the source that breaks
one promise:

    title: the sequence word is stored before the payload
    promise: 1
    test: harness send-inline
    --- src/lane_writer.c
    the old text, which the file must hold exactly once
    +++
    the new text

`test:` names what has to notice: `harness NAME` (the every-instruction harness
on the scenarios of that name; more of its options may follow), `harness-sync
NAME` (that of cubby_sync.h), `harness-broadcast NAME` (that of broadcast), `unit
NAME` (tests/NAME_test.c), `fails NAME` (tests/faults on that scenario; options may
follow), `fuzz NAME` (the inputs of fuzz/corpus/NAME), `access PLAY` (every_access) or `soak OPTION...` (tests/soak).
`pages NAME`: a unit test on pages of 64 KiB. `soak-32`, `unit-32`, `soak-64`,
`unit-64`: where all counters are about to wrap round.
Of several, one is enough. More than one change: more sections. A change that nothing
can notice, because the code means the same without it, has `equivalent:` with the
proof in place of `test:`; it is listed,
and applied to see that it still fits.

The tree is copied, built and tested as it is (a test that fails then catches
nothing), and then once with each mutant. The tree itself is not touched.
"""

import argparse
import concurrent.futures
import glob
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(os.path.dirname(HERE))
PATIENCE = 600  # seconds, for one test
# What the harness says when it has found nothing, but has tried less than it
# was asked to: of a few scenarios alone more runs stray than of all together.
# That is no catch.
ASTRAY = "too many runs went astray"


HARNESSES = {"harness": "every_instruction",
             "harness-sync": "every_instruction_sync",
             "harness-broadcast": "every_instruction_broadcast",
             "harness-call": "every_instruction_call",
             "harness-hostile": "every_instruction_hostile"}

# Where their counters start.
SOAKS = {"soak": "0", "soak-32": "32", "soak-64": "64"}
UNITS = {"unit": "0", "unit-32": "32", "unit-64": "64"}


def counters_of(test):
    return {**SOAKS, **UNITS}.get(test[0], "0")


def target_of(test):
    kind, *rest = test
    if kind in SOAKS:
        return "soak"
    if kind == "fails":
        return "everything_fails"
    if kind == "access":
        return "every_access"
    return HARNESSES.get(kind) or ("fuzz_" + rest[0] if kind == "fuzz"
                                   else rest[0] + "_test")


class Mutant:
    def __init__(self, path):
        self.name = os.path.splitext(os.path.basename(path))[0]
        self.fields = {}
        self.tests = []
        self.changes = []  # (file, old, new)
        with open(path, encoding="utf-8") as file:
            self.read(file.read().splitlines(keepends=True))
        for field in ("title", "promise"):
            if field not in self.fields:
                raise ValueError("%s: no %s" % (path, field))
        if bool(self.tests) == ("equivalent" in self.fields):
            raise ValueError("%s: either test or equivalent" % path)
        if not self.changes:
            raise ValueError("%s: changes nothing" % path)

    def read(self, lines):
        target = None
        for line in lines:
            if line.startswith("--- "):
                self.changes.append([line[4:].strip(), "", ""])
                target = 1
            elif target and line.rstrip() == "+++":
                target = 2
            elif target:
                self.changes[-1][target] += line
            elif line.startswith("test: "):
                self.tests.append(line[6:].split())
            elif ":" in line:
                field, value = line.split(":", 1)
                self.fields[field.strip()] = value.strip()
            elif line.strip():
                raise ValueError("%s: what is %r?" % (self.name, line))

    def apply(self, tree):
        """Returns what to write back, by file; raises if it does not fit."""
        before = {}
        for name, old, new in self.changes:
            path = os.path.join(tree, name)
            with open(path, encoding="utf-8") as file:
                text = file.read()
            if text.count(old) != 1:
                raise ValueError("%s: the old text is %d times in %s"
                                 % (self.name, text.count(old), name))
            before.setdefault(path, text)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text.replace(old, new))
        return before


def copy_tree(destination):
    names = subprocess.run(
        ["git", "-C", TREE, "ls-files", "-z", "--cached", "--others",
         "--exclude-standard"], check=True, capture_output=True).stdout
    for name in names.decode().split("\0"):
        source = os.path.join(TREE, name)
        if name and os.path.isfile(source):
            target = os.path.join(destination, name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy2(source, target)


class Workshop:
    """A copy of the tree, and its build directory."""

    def __init__(self, directory, tests):
        self.tree = os.path.join(directory, "tree")
        self.build_directory = os.path.join(directory, "build")
        self.targets = {}  # by where all counters start
        for test in tests:
            self.targets.setdefault(counters_of(test),
                                    set()).add(target_of(test))
        copy_tree(self.tree)
        for counters in self.targets:
            subprocess.run(
                ["cmake", "-S", self.tree, "-B", self.build_of(counters),
                 "-DCMAKE_BUILD_TYPE=Release", "-DCUBBY_TESTS=ON",
                 "-DCUBBY_START_COUNTERS=" + counters],
                check=True, stdout=subprocess.DEVNULL)

    def build_of(self, counters):
        return self.build_directory + ("" if counters == "0" else counters)

    def build(self):
        """Returns None, or what the compiler said."""
        for counters, targets in self.targets.items():
            done = subprocess.run(
                ["cmake", "--build", self.build_of(counters), "--target",
                 *sorted(targets)], capture_output=True, text=True)
            if done.returncode != 0:
                return done.stdout + done.stderr
        return None

    def command(self, test, jobs):
        kind, *rest = test
        if kind in HARNESSES:
            options = rest[1:]
            if not {"--all", "--spread"} & set(options):
                options = ["--spread", "1500"] + options
            return [os.path.join(self.build_directory, "tests", "harness",
                                 HARNESSES[kind]),
                    "--once", "--jobs", str(jobs), "--scenario",
                    rest[0]] + options
        if kind in UNITS:
            return [os.path.join(self.build_of(UNITS[kind]), "tests",
                                 rest[0] + "_test")]
        if kind == "pages":
            tests = os.path.join(self.build_directory, "tests")
            return ["env", "CUBBY_TEST_PAGE=65536", "LD_PRELOAD="
                    + os.path.join(tests, "liblarger_pages.so"),
                    os.path.join(tests, rest[0] + "_test")]
        if kind == "fails":
            return [os.path.join(self.build_directory, "tests", "faults",
                                 "everything_fails"), "--jobs", str(jobs),
                    "--scenario", rest[0]] + (
                        rest[1:] or ["--mode", "0", "--spread", "400"])
        if kind == "fuzz":
            return [os.path.join(self.build_directory, "fuzz",
                                 "fuzz_" + rest[0]),
                    os.path.join(self.tree, "fuzz", "corpus", rest[0])]
        if kind == "access":
            return [os.path.join(self.build_directory, "fuzz",
                                 "every_access"),
                    "--jobs", str(jobs), "--play", *rest]
        if kind in SOAKS:
            return [os.path.join(self.build_of(SOAKS[kind]), "tests", "soak",
                                 "soak")] + (rest or ["--seconds", "8"])
        raise ValueError("what is test %r?" % kind)

    def run(self, test, jobs):
        """Returns None if it passes, else the first words about why not."""
        try:
            done = subprocess.run(self.command(test, jobs), text=True,
                                  errors="replace", capture_output=True,
                                  timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            return "did not end"
        if done.returncode in (0, 77):
            return None
        output = done.stdout + done.stderr
        if ASTRAY in output and "FAILED" not in output:
            return None
        return complaint(output) or "status %d" % done.returncode


def complaint(output):
    """The two most telling lines of a failed test's output."""
    lines = [line.strip() for line in output.splitlines()]
    for index, line in enumerate(lines):
        if line.startswith(("FAILED", "[  FAILED  ]", "finding")) or "error:" in line:
            return " | ".join(lines[index:index + 2])
    return ""


def try_mutant(workshop, mutant, jobs):
    """Returns (caught, why)."""
    before = mutant.apply(workshop.tree)
    try:
        broken = workshop.build()
        if broken:
            return False, "does not build: " + complaint(broken)
        if not mutant.tests:
            return True, "equivalent: " + mutant.fields["equivalent"]
        for test in mutant.tests:
            why = workshop.run(test, jobs)
            if why:
                return True, " ".join(test) + ": " + why
        return False, "NOT CAUGHT"
    finally:
        for path, text in before.items():
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)


def check_unbroken(workshop, tests, jobs):
    """Every test has to pass before it can catch anything."""
    broken = workshop.build()
    if broken:
        sys.exit("the tree does not build:\n" + broken)
    for test in sorted(tests):
        why = workshop.run(test, jobs)
        if why:
            sys.exit("without any mutant, %s fails: %s" % (" ".join(test),
                                                           why))


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mutants", nargs="*",
                        help="names or files (default: all)")
    parser.add_argument("-j", "--jobs", type=int, default=2,
                        help="mutants at a time, each with its own copy of "
                        "the tree")
    parser.add_argument("--unchecked", action="store_true",
                        help="do not run the tests without a mutant first")
    parser.add_argument("--fit", action="store_true",
                        help="only look whether each still fits its source")
    return parser.parse_args()


def choose(names):
    every = sorted(glob.glob(os.path.join(HERE, "*.mutant")))
    if names:
        wanted = {os.path.splitext(os.path.basename(name))[0]
                  for name in names}
        every = [path for path in every
                 if os.path.splitext(os.path.basename(path))[0] in wanted]
        if len(every) != len(wanted):
            sys.exit("no such mutant among: " + " ".join(sorted(wanted)))
    return [Mutant(path) for path in every]


def fit(mutants):
    """Does each still fit? Returns the exit code."""
    misfits = 0
    for mutant in mutants:
        with tempfile.TemporaryDirectory(prefix="cubby-mutants.") as directory:
            for name, _, _ in mutant.changes:
                target = os.path.join(directory, name)
                os.makedirs(os.path.dirname(target), exist_ok=True)
                if os.path.isfile(os.path.join(TREE, name)):
                    shutil.copyfile(os.path.join(TREE, name), target)
            try:
                mutant.apply(directory)
            except (OSError, ValueError) as error:
                print(error)
                misfits += 1
    print("%d mutants, of which %d do not fit" % (len(mutants), misfits))
    return 1 if misfits else 0


def main():
    arguments = read_arguments()
    mutants = choose(arguments.mutants)
    if arguments.fit:
        return fit(mutants)
    tests = {tuple(test) for mutant in mutants for test in mutant.tests}
    jobs = max(1, min(arguments.jobs, len(mutants)))
    threads = max(1, len(os.sched_getaffinity(0)) // jobs)
    results = {}
    shops = queue.Queue()

    with tempfile.TemporaryDirectory(prefix="cubby-mutants.") as directory:
        first = Workshop(os.path.join(directory, "0"), tests)
        if not arguments.unchecked:
            check_unbroken(first, tests, len(os.sched_getaffinity(0)))
        shops.put(first)
        for i in range(1, jobs):
            shops.put(Workshop(os.path.join(directory, str(i)), tests))

        def one(mutant):
            shop = shops.get()
            start = time.monotonic()
            try:
                caught, why = try_mutant(shop, mutant, threads)
            except (OSError, ValueError) as error:
                caught, why = False, str(error)
            shops.put(shop)
            results[mutant.name] = caught
            print("%-11s %s (promise %s): %s\n\t%s [%.0f s]"
                  % ("caught" if caught and mutant.tests else
                     "equivalent" if caught else "NOT CAUGHT",
                     mutant.name, mutant.fields["promise"],
                     mutant.fields["title"], why, time.monotonic() - start),
                  flush=True)

        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            list(pool.map(one, mutants))

    missed = [name for name, caught in sorted(results.items()) if not caught]
    equivalent = [m for m in mutants if not m.tests and results[m.name]]
    print("%d mutants: %d caught, %d equivalent, %d not caught%s"
          % (len(mutants), len(mutants) - len(missed) - len(equivalent),
             len(equivalent), len(missed), ": " * bool(missed) +
             " ".join(missed)))
    return 1 if missed or not mutants else 0


if __name__ == "__main__":
    sys.exit(main())
