#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check.py BRANCHES UNCOVERED REPORT [--write]: lists what no unit test has taken.

BRANCHES is a directory of what gcov --json-format has written: unit.json, and what
runs of other kinds have taken: kernel.json, damage.json, race.json, as far as they
are there. UNCOVERED is the committed list of branches that no unit test takes, with
the reason of each; REPORT is written: each such branch, where it is and why. A branch
is named by file, function and the text of its line, so that the list survives edits.

	<TAB>how many class: the line		a class and a reason found by looking at it
	<TAB><TAB>why				lines that say more; "untested" needs them
	<TAB>how many class+: the line		the run of that class takes it: measured

Told, with status 1: an uncovered branch that has no reason, and a reason of what is
covered (but for the class "race": there the moment decides, and runs differ). With
--write, UNCOVERED is made anew: reasons are kept, but where a run of another kind
takes the branch; and what has none gets the class "?", which is no reason."""

import collections
import json
import os
import re
import sys

# The classes that UNCOVERED uses are explained in it, by lines "#: class  why".
CLASS = re.compile(r"#: (\w+)\s+(.*)")
PLACE = re.compile(r"(src/\S+) (\S+)$")
ENTRY = re.compile(r"\t(\d+) ([\w?]+\+?): (.*)$")
WHY = re.compile(r"\t\t(\S.*)$")
MEASURED = ("kernel", "damage", "race")


class Reasons:
    """UNCOVERED, read."""

    def __init__(self, path):
        self.classes = {}
        self.head = []
        self.entries = {}  # (file, function, text): [[count, class, why], ...]
        place = last = None
        for number, line in enumerate(open(path), 1):
            line = line.rstrip("\n")
            if line.startswith("#"):
                self.head.append(line)
                match = CLASS.match(line)
                if match:
                    self.classes[match[1]] = match[2]
                continue
            match = ENTRY.match(line)
            if match and place:
                last = self.add(number, place, match)
            elif last and WHY.match(line):
                last[2].append(WHY.match(line)[1])
            elif PLACE.match(line):
                place = tuple(line.split(" "))
            elif line:
                sys.exit("%s:%d: not understood" % (path, number))

    def add(self, number, place, match):
        entry = [int(match[1]), match[2], []]
        if entry[1].rstrip("+") not in self.classes and entry[1] != "?":
            sys.exit("line %d: no class %s" % (number, entry[1]))
        self.entries.setdefault(place + (match[3],), []).append(entry)
        return entry

    def of(self, key):
        return [entry for entry in self.entries.get(key, ()) if entry[1] != "?"]

    def without_why(self):
        for key, entries in self.entries.items():
            for count, reason, why in entries:
                if reason == "untested" and not why:
                    yield "%s: %s: untested, and no word why: %s" % key

    def known(self, key):
        return sum(entry[0] for entry in self.of(key))

    def anew(self, key, branches):
        """The entries of a line, from what was there and what is measured."""
        counts = collections.Counter(b.seen + "+" for b in branches if b.seen)
        left = len(branches) - sum(counts.values())
        others = []
        # What another run has taken once counts, even if this time it did not.
        for count, reason, why in sorted(self.of(key), key=lambda entry:
                                         not entry[1].endswith("+")):
            if reason.endswith("+"):
                count = max(0, count - counts[reason])
            count = min(count, left)
            left -= count
            if reason.endswith("+"):
                counts[reason] += count
            elif count:
                others.append([count, reason, why])
        entries = [[n, reason, []] for reason, n in sorted(counts.items()) if n]
        return entries + others + ([[left, "?", []]] if left else [])

    def write(self, path, found):
        place = None
        with open(path, "w") as out:
            out.write("\n".join(self.head) + "\n")
            for key, branches in found.items():
                if key[:2] != place:
                    place = key[:2]
                    out.write("\n%s %s\n" % place)
                for count, reason, why in self.anew(key, branches):
                    out.write("\t%d %s: %s\n" % (count, reason, key[2]))
                    out.writelines("\t\t%s\n" % line for line in why)


def function_above(source, number):
    for line in reversed(source[:number]):
        match = re.match(r"(\w+)\(", line)
        if match:
            return match[1]
    return "-"


def read_counts(path):
    """What gcov has found: {(file, line): [function, count, {branch: count}]}. Of a
    header, each object that includes it has counted a part."""
    counts = {}
    for document in open(path):
        for file in json.loads(document)["files"]:
            name = os.path.relpath(file["file"])
            if not name.startswith("src/"):
                continue
            for line in file["lines"]:
                known = counts.setdefault(
                    (name, line["line_number"]),
                    [line.get("function_name", "-"), 0, {}])
                known[1] += line["count"]
                for index, branch in enumerate(line["branches"]):
                    if not branch["throw"]:
                        known[2][index] = (known[2].get(index, 0) +
                                           branch["count"])
    return counts


Uncovered = collections.namedtuple("Uncovered", "line seen")  # by which other run


class Branches:
    def __init__(self, directory):
        unit = read_counts(os.path.join(directory, "unit.json"))
        self.others = {}
        for reason in MEASURED:
            path = os.path.join(directory, reason + ".json")
            if os.path.exists(path):
                self.others[reason] = read_counts(path)
        self.found = collections.OrderedDict()  # key: [Uncovered, ...]
        self.branches = self.taken = self.run = 0
        self.lines = len(unit)
        sources = {}
        for (name, number), line in sorted(unit.items()):
            if name not in sources:
                sources[name] = open(name).read().split("\n")
            if line[0] == "-":  # gcov does not say it of what is inline
                line[0] = function_above(sources[name], number)
            self.look(name, number, sources[name][number - 1].strip(), *line)

    def look(self, name, number, text, function, count, branches):
        self.run += count > 0
        for index, taken in branches.items():
            self.branches += 1
            if taken > 0:
                self.taken += 1
            else:
                self.found.setdefault((name, function, text), []).append(
                    Uncovered(number, self.seen(name, number, index)))

    def seen(self, name, number, index):
        for reason, counts in self.others.items():
            line = counts.get((name, number))
            if line and line[2].get(index, 0) > 0:
                return reason
        return None


def compare(branches, reasons):
    """What is not as the list says."""
    for key, found in branches.found.items():
        known = reasons.known(key)
        if len(found) > known:
            yield "%s:%d: %s: %d uncovered, %d with a reason: %s" % (
                key[0], found[0].line, key[1], len(found), known, key[2])
    for key in reasons.entries:
        known = reasons.known(key)
        found = len(branches.found.get(key, ()))
        if found < known and not any(entry[1].startswith("race")
                                     for entry in reasons.of(key)):
            yield "%s: %s: %d uncovered, a reason for %d: %s" % (
                key[0], key[1], found, known, key[2])


def percent(part, whole):
    return "%d of %d (%.1f %%)" % (part, whole, 100.0 * part / max(whole, 1))


def summary(branches, reasons):
    numbers = collections.Counter()
    for key, found in branches.found.items():
        for count, reason, _ in reasons.anew(key, found):
            numbers[reason] += count
    measured = sum(numbers[reason + "+"] for reason in MEASURED)
    yield "lines: " + percent(branches.run, branches.lines)
    yield "branches: " + percent(branches.taken, branches.branches)
    yield "with those that other runs take: " + percent(
        branches.taken + measured, branches.branches)
    for reason, number in numbers.most_common():
        why = reasons.classes.get(reason.rstrip("+"), "no reason yet")
        yield "%6d %s: %s%s" % (number, reason, why,
                                " (measured)" if reason.endswith("+") else "")


def write_report(path, branches, reasons):
    with open(path, "w") as out:
        for line in summary(branches, reasons):
            out.write(line + "\n")
        out.write("\n")
        for key, found in branches.found.items():
            lines = ",".join(str(n) for n in sorted({b.line for b in found}))
            for count, reason, why in reasons.anew(key, found):
                out.write("%s:%s:%s: %d %s: %s%s\n" % (
                    key[0], lines, key[1], count, reason, key[2],
                    " -- " + " ".join(why) if why else ""))


def main():
    directory, list_path, report = sys.argv[1:4]
    reasons = Reasons(list_path)
    branches = Branches(directory)
    if sys.argv[4:] == ["--write"]:
        reasons.write(list_path, branches.found)
        reasons = Reasons(list_path)
    write_report(report, branches, reasons)
    wrong = list(compare(branches, reasons)) + list(reasons.without_why())
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
