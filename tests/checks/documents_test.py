#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""documents_test.py ROOT COMPILER LIBCUBBY_SO COMMAND: documents.py, which the
documents pass as they are, notices each of these lies in them."""

import os
import re
import shutil
import sys
import tempfile
import unittest

import documents

ARGUMENTS = []
COPIED = ("README.md", "CHANGES.md", "docs", "man")


class Lies(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = temporary.name
        real = os.path.abspath(ARGUMENTS[0])
        for name in os.listdir(real):
            source = os.path.join(real, name)
            target = os.path.join(self.root, name)
            if name not in COPIED:
                os.symlink(source, target)
            elif os.path.isdir(source):
                shutil.copytree(source, target)
            else:
                shutil.copy(source, target)
        self.context = documents.Context(self.root, *ARGUMENTS[1:])

    def lie(self, path, pattern, instead):
        path = os.path.join(self.root, path)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        changed, count = re.subn(pattern, instead, text, count=1, flags=re.M)
        self.assertEqual(count, 1, "%s has no %s" % (path, pattern))
        with open(path, "w", encoding="utf-8") as file:
            file.write(changed)

    def told(self, check, part):
        problems = list(check(self.context))
        self.assertTrue(any(part in p for p in problems), problems)

    def test_function_without_page(self):
        self.lie("man/cubby_hold.3.scd", r"^cubby_hold, (.*), cubby_reject",
                 r"cubby_hold, \1")
        self.told(documents.check_functions, "cubby_reject has 0 pages")

    def test_function_without_synopsis(self):
        self.lie("man/cubby_hold.3.scd", r"^int cubby_reject\(", "int reject(")
        self.told(documents.check_functions, "the synopsis lacks cubby_reject")

    def test_function_that_is_none(self):
        self.lie("man/cubby_hold.3.scd", r"^cubby_hold,",
                 "cubby_hold, cubby_seize,")
        self.told(documents.check_functions, "cubby_seize")

    def test_error_untold(self):
        self.lie("man/cubby_send.3.scd", r"^\*-EINPROGRESS\*", "*-EWHAT*")
        self.told(documents.check_functions, "-EINPROGRESS of cubby_send_full")

    def test_error_of_another_untold(self):
        self.lie("man/cubby_reserve.3.scd", r"^\*-EBADF\*", "*-EWHAT*")
        self.told(documents.check_functions, "-EBADF of cubby_reserve")

    def test_error_that_the_overview_lacks(self):
        self.lie("man/cubby.7.scd", r"^\*-EINPROGRESS\*", "*-EWHAT*")
        self.told(documents.check_functions, "lacks -EINPROGRESS of cubby_send")

    def test_reference_to_nothing(self):
        self.lie("man/cubby.7.scd", r"\*cubby_format\*\(5\)",
                 "*cubby_form*(5)")
        self.told(documents.check_references, "cubby_form(5)")

    def test_example_that_does_not_compile(self):
        self.lie("man/cubby_strerror.3.scd", r"^\treturn 0;", "\treturn x;")
        self.told(documents.check_examples, "cubby_strerror.3: its example")

    def test_example_that_fails(self):
        self.lie("man/cubby_strerror.3.scd", r"^\treturn 0;", "\treturn 1;")
        self.told(documents.check_examples, "ends with 1")

    def test_option_untold(self):
        self.lie("man/cubby.1.scd", r"^\*--batch\*$", "*batch*")
        self.told(documents.check_command, "receive --batch is only in the help")

    def test_option_that_is_none(self):
        self.lie("man/cubby.1.scd", r"^\*--batch\*$", "*--bulk*")
        self.told(documents.check_command, "receive --bulk is only in the page")

    def test_verb_untold(self):
        self.lie("man/cubby.1.scd", r"^## sweep ", "## clean ")
        self.told(documents.check_command, "the verb sweep")

    def test_field_elsewhere(self):
        self.lie("man/cubby_format.5.scd", r"^\|\[ 260$", "|[ 264")
        self.told(documents.check_format, "receivers_file.claims_committed")

    def test_field_untold(self):
        self.lie("man/cubby_format.5.scd", r"^:\[ wanted$", ":[ wish")
        self.told(documents.check_format, "lane_file.wanted")

    def test_other_limit(self):
        self.lie("man/cubby.7.scd", r"^:\[ 256 handles", ":[ 255 handles")
        self.told(documents.check_limits, "RECEIVERS_MAX")

    def test_unit_on_another_layer(self):
        self.lie("docs/design.md", r"^\| 7 \| bias broadcast", "| 7 | bias")
        self.told(documents.check_layers, "layer 7 has bias broadcast")

    def test_program_that_prints_another_thing(self):
        self.lie("README.md", r"\"hello\", 5", '"hullo", 5')
        self.told(documents.check_program, "hullo")

    def test_program_lost(self):
        self.lie("README.md", r"compiled by tests", "compiled by nobody")
        self.told(documents.check_program, "no block")

    def test_exchange_of_another_thing(self):
        self.lie("README.md", r"cubby send jobs hello", "cubby send jobs bye")
        self.told(documents.check_exchange, "terminal 1")

    def test_block_that_prints_another_thing(self):
        self.lie("README.md", r"^\$ seq 3 ", "$ seq 4 ")
        self.told(documents.check_exchange, "third block")

    def test_link_to_nothing(self):
        self.lie("README.md", r"\]\(LICENSE\)", "](COPYING)")
        self.told(documents.check_links, "COPYING")

    def test_link_to_no_heading(self):
        self.lie("docs/design.md", r"\]\(#promises\)", "](#promised)")
        self.told(documents.check_links, "#promised")

    def test_path_of_nothing(self):
        self.lie("docs/safety.md", r"`tests/order_test.c`",
                 "`tests/disorder_test.c`")
        self.told(documents.check_paths, "tests/disorder_test.c")


if __name__ == "__main__":
    ARGUMENTS, sys.argv = sys.argv[1:], sys.argv[:1]
    unittest.main()
