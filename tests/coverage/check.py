#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check.py BRANCHES UNCOVERED REPORT [--write]: lists what no test has taken.

BRANCHES is what gcov --json-format has written, UNCOVERED the committed list of branches
that stay uncovered, with the reason of each, REPORT is written: each uncovered
branch, where it is and why. A branch is named by file, function and the text of its
line, so that the list survives edits. Told, with status 1: an uncovered branch
that has no reason, and a reason of what is covered (but for the class "race": there
the moment decides, and runs differ). Lines below an entry, two tabs in, say what its
class alone does not; "untested" needs them. With --write, UNCOVERED is made anew:
reasons are kept, and what has none gets the class "?", which is no reason."""

import collections
import json
import os
import re
import sys

# The classes that UNCOVERED uses are explained in it, by lines "#: class  why".
CLASS = re.compile(r"#: (\w+)\s+(.*)")
PLACE = re.compile(r"(src/\S+) (\S+)$")
ENTRY = re.compile(r"\t(\d+) ([\w?]+): (.*)$")
WHY = re.compile(r"\t\t(\S.*)$")


class Reasons:
    """UNCOVERED, read."""

    def __init__(self, path):
        self.classes = {}
        self.head = []
        self.entries = {}  # (file, function, text): (count, class)
        self.why = {}  # the same: lines
        place = key = None
        for number, line in enumerate(open(path), 1):
            line = line.rstrip("\n")
            if line.startswith("#"):
                self.head.append(line)
                match = CLASS.match(line)
                if match:
                    self.classes[match[1]] = match[2]
                continue
            match = WHY.match(line)
            if match and key:
                self.why.setdefault(key, []).append(match[1])
                continue
            match = ENTRY.match(line)
            if match and place:
                key = self.add(number, place, match)
            elif PLACE.match(line):
                place = tuple(line.split(" "))
            elif line:
                sys.exit("%s:%d: not understood" % (path, number))

    def add(self, number, place, match):
        count, reason, text = int(match[1]), match[2], match[3]
        if reason not in self.classes and reason != "?":
            sys.exit("line %d: no class %s" % (number, reason))
        key = place + (text,)
        if key in self.entries:
            sys.exit("line %d: twice" % number)
        self.entries[key] = (count, reason)
        return key

    def write(self, path, found):
        place = None
        with open(path, "w") as out:
            out.write("\n".join(self.head) + "\n")
            for key, lines in found.items():
                if key[:2] != place:
                    place = key[:2]
                    out.write("\n%s %s\n" % place)
                reason = self.entries.get(key, (0, "?"))[1]
                out.write("\t%d %s: %s\n" % (len(lines), reason, key[2]))
                for why in self.why.get(key, ()):
                    out.write("\t\t%s\n" % why)


def function_above(source, number):
    for line in reversed(source[:number]):
        match = re.match(r"(\w+)\(", line)
        if match:
            return match[1]
    return "-"


class Branches:
    """What gcov has found: a document for each object."""

    def __init__(self, path):
        self.counts = {}  # (file, line): [function, count, {branch: count}]
        for document in open(path):
            for file in json.loads(document)["files"]:
                name = os.path.relpath(file["file"])
                if name.startswith("src/"):
                    for line in file["lines"]:
                        self.add_line(name, line)
        self.found = collections.OrderedDict()  # key: [line number, ...]
        self.branches = self.taken = self.run = 0
        self.lines = len(self.counts)
        sources = {}
        for (name, number), line in sorted(self.counts.items()):
            if name not in sources:
                sources[name] = open(name).read().split("\n")
            if line[0] == "-":  # gcov does not say it of what is always inline
                line[0] = function_above(sources[name], number)
            self.look(name, number, sources[name][number - 1].strip(), *line)

    def add_line(self, name, line):
        """Of a header, each object that includes it has counted a part."""
        known = self.counts.setdefault(
            (name, line["line_number"]), [line.get("function_name", "-"), 0, {}])
        known[1] += line["count"]
        for index, branch in enumerate(line["branches"]):
            if not branch["throw"]:
                known[2][index] = known[2].get(index, 0) + branch["count"]

    def look(self, name, number, text, function, count, branches):
        self.run += count > 0
        for branch in branches.values():
            self.branches += 1
            if branch > 0:
                self.taken += 1
            else:
                self.found.setdefault((name, function, text), []).append(number)


def compare(branches, reasons):
    """What is not as the list says."""
    for key, lines in branches.found.items():
        known, reason = reasons.entries.get(key, (0, "?"))
        if reason == "?" or len(lines) > known:
            yield "%s:%d: %s: %d uncovered, %d with a reason: %s" % (
                key[0], lines[0], key[1], len(lines),
                0 if reason == "?" else known, key[2])
    for key, (known, reason) in reasons.entries.items():
        found = len(branches.found.get(key, ()))
        if reason != "race" and found < known:
            yield "%s: %s: %d uncovered, a reason for %d: %s" % (
                key[0], key[1], found, known, key[2])


def percent(part, whole):
    return "%d of %d (%.1f %%)" % (part, whole, 100.0 * part / max(whole, 1))


def summary(branches, reasons):
    numbers = collections.Counter()
    for key, lines in branches.found.items():
        numbers[reasons.entries.get(key, (0, "?"))[1]] += len(lines)
    yield "lines: " + percent(branches.run, branches.lines)
    yield "branches: " + percent(branches.taken, branches.branches)
    for reason, number in numbers.most_common():
        yield "%6d %s: %s" % (number, reason,
                              reasons.classes.get(reason, "no reason yet"))


def write_report(path, branches, reasons):
    with open(path, "w") as out:
        for line in summary(branches, reasons):
            out.write(line + "\n")
        out.write("\n")
        for (file, function, text), lines in branches.found.items():
            reason = reasons.entries.get((file, function, text), (0, "?"))[1]
            for line in lines:
                out.write("%s:%d:%s: %s: %s\n"
                          % (file, line, function, reason, text))


def main():
    path, list_path, report = sys.argv[1:4]
    reasons = Reasons(list_path)
    branches = Branches(path)
    if sys.argv[4:] == ["--write"]:
        reasons.write(list_path, branches.found)
        reasons = Reasons(list_path)
    write_report(report, branches, reasons)
    wrong = list(compare(branches, reasons))
    for line in wrong:
        print(line)
    for line in summary(branches, reasons):
        print(line)
    print("each of them: %s" % os.path.relpath(report))
    if wrong:
        print("%d not as %s says" % (len(wrong), list_path))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
