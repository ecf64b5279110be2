#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds that every ordered access to shared memory says what it is for.

labels.py DIRECTORY: in every *.c and *.h there but atomics.h, each use of a
function of atomics.h that carries a memory order has, on its own line or in the
comment directly above its statement,

    /* LANE-R1 release: why. Pairs with LANE-A1, LANE-A2. */

with the order of the function, or, if that is relaxed,

    /* relaxed: why */

which also serves the relaxed statements that follow without a gap. Several
labels may share a comment, each at the beginning of a line. Each label is
defined once; each partner exists; a release pairs with something that acquires,
and the other way round; labels in other comments exist. What is no function of
atomics.h (membarrier, a futex call, a lock) may bear a label with a word of its
own in the place of the order. Raw atomics are for atomics.h alone.
"""

import pathlib
import re
import sys

import c_source

ORDERS = ("acquire", "release", "acq_rel", "seq_cst", "compiler")
SUFFIX = re.compile(r"_(acquire|release|acq_rel|seq_cst|relaxed)$")
RAW = re.compile(
    r"\b(?:__atomic_\w+|__sync_\w+|atomic_\w+(?=\s*\()|memory_order_\w+)"
)
LABEL = r"[A-Z][A-Z_]*-[A-Z]+[0-9]+"
DEFINITION = re.compile(r"^(%s) ([a-z_]+(?: [a-z_]+)*): (.*)$" % LABEL)
PAIRS = re.compile(r"Pairs with ((?:%s|, | and |\s+)+)\." % LABEL)
RELAXED = re.compile(r"(?:^|[.] )relaxed: *(?=\S)")


class Label:
    def __init__(self, name, order, where):
        self.name = name
        self.order = order
        self.where = where
        self.text = ""
        self.used = False

    def partners(self):
        found = PAIRS.search(self.text)
        return re.findall(LABEL, found.group(1)) if found else []


def wrappers(text):
    """The functions (and macros) of atomics.h that carry an order, and it."""
    code = c_source.Source(text).code
    found = {}
    for name in re.findall(r"\b([a-z]\w*)\s*\(", code):
        suffix = SUFFIX.search(name)
        if suffix:
            found[name] = suffix.group(1)
        elif name == "order_compiler":
            found[name] = "compiler"
    return found


def labels_of(comment, where):
    """The labels that a comment defines, each with its text."""
    labels = []
    for line in comment.lines:
        match = DEFINITION.match(line.strip())
        if match:
            labels.append(Label(match.group(1), match.group(2), where))
            labels[-1].text = match.group(3)
        elif labels:
            labels[-1].text += " " + line.strip()
    return labels


class Checker:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.errors = []
        self.labels = {}
        self.mentions = []  # (where, label)

    def error(self, where, message):
        self.errors.append("%s: %s" % (where, message))

    def run(self):
        atomics = self.directory / "atomics.h"
        orders = wrappers(atomics.read_text()) if atomics.exists() else {}
        if not orders:
            self.error(atomics, "no ordered access is defined here")
            return self.errors
        # \b keeps word64_load_acquire from matching within another name.
        self.use = re.compile(r"\b(%s)\s*\(" % "|".join(map(re.escape, orders)))
        self.orders = orders
        for path in sorted(self.directory.glob("*.[ch]")):
            if path.name != "atomics.h":
                self.file(path)
        self.pairs()
        return self.errors

    def file(self, path):
        source = c_source.Source(path.read_text())
        by_comment = {}
        for comment in source.comments:
            where = "%s:%d" % (path, comment.first)
            by_comment[comment] = labels_of(comment, where)
            for label in by_comment[comment]:
                self.define(label)
            for name in re.findall(r"\b%s\b" % LABEL, comment.text()):
                self.mentions.append((where, name))
        covered_line = None  # the last line of a relaxed group so far
        for statement in source.statements:
            covered_line = self.statement(
                path, statement, by_comment, covered_line
            )

    def define(self, label):
        other = self.labels.setdefault(label.name, label)
        if other is not label:
            self.error(
                label.where,
                "%s is defined at %s already" % (label.name, other.where),
            )

    def statement(self, path, statement, by_comment, covered_line):
        labels = [l for c in statement.comments for l in by_comment[c]]
        relaxed = any(RELAXED.search(c.text()) for c in statement.comments)
        follows = covered_line is not None and statement.first <= covered_line + 1
        any_relaxed = False
        for number, line in sorted(statement.lines.items()):
            where = "%s:%d" % (path, number)
            for raw in RAW.findall(line):
                self.error(where, "%s: only atomics.h may use it" % raw)
            for name in self.use.findall(line):
                if self.orders[name] == "relaxed":
                    any_relaxed = True
                    if not relaxed and not follows:
                        self.error(
                            where, "%s without /* relaxed: why */" % name
                        )
                else:
                    self.ordered(where, name, labels)
        if any_relaxed and (relaxed or follows):
            return statement.last
        return None

    def ordered(self, where, name, labels):
        order = self.orders[name]
        for label in labels:
            if not label.used and label.order == order:
                label.used = True
                return
        wrong = [l for l in labels if not l.used]
        if wrong:
            self.error(
                where,
                "%s under %s %s: should be %s"
                % (name, wrong[0].name, wrong[0].order, order),
            )
            wrong[0].used = True
        else:
            self.error(where, "%s without a label" % name)

    def pairs(self):
        for label in self.labels.values():
            if label.order in ORDERS and not label.used:
                self.error(
                    label.where, "%s is on no ordered access" % label.name
                )
            partners = label.partners()
            if not partners:
                self.error(
                    label.where,
                    "%s names no partner (Pairs with X, Y.)" % label.name,
                )
            known = [self.labels[p] for p in partners if p in self.labels]
            one_way = {"release": "acquire", "acquire": "release"}
            if label.order in one_way and known:
                if all(p.order == label.order for p in known):
                    self.error(
                        label.where,
                        "%s pairs with no %s"
                        % (label.name, one_way[label.order]),
                    )
        prefixes = {name.split("-")[0] for name in self.labels}
        for where, name in self.mentions:
            if name not in self.labels and name.split("-")[0] in prefixes:
                self.error(where, "no label %s" % name)
        for label in self.labels.values():
            for partner in label.partners():
                if partner not in self.labels and (
                    partner.split("-")[0] not in prefixes
                ):
                    self.error(label.where, "no label %s" % partner)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    checker = Checker(sys.argv[1])
    for error in checker.run():
        print(error)
    print(
        "%d labels, %d violations" % (len(checker.labels), len(checker.errors))
    )
    return 1 if checker.errors else 0


if __name__ == "__main__":
    sys.exit(main())
