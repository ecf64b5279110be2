#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""count-tests.py REPORT STEP: a line "passed STEP: TEST" (or failed, skipped)
for each test in a JUnit report of ctest."""

import sys
import xml.etree.ElementTree


def outcome(case):
    if case.get("status") == "run":
        return "passed"
    skipped = case.find("skipped")
    # The test has said so itself: not the same as one that is not there.
    if skipped is not None and "SKIP_" in skipped.get("message", ""):
        return "skipped"
    return "failed"


def main():
    report, step = sys.argv[1:]
    for case in xml.etree.ElementTree.parse(report).iter("testcase"):
        print("%s %s: %s" % (outcome(case), step, case.get("name")))


if __name__ == "__main__":
    main()
