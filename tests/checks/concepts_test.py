#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""concepts_test.py ROOT COMMAND: concepts.py, which the document passes as it is,
notices each of these lies."""

import os
import shutil
import sys
import tempfile
import unittest

import concepts

ARGUMENTS = []


class Lies(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = temporary.name
        for path in (os.path.dirname(concepts.DOCUMENT), concepts.FOLDER):
            shutil.copytree(os.path.join(ARGUMENTS[0], path),
                            os.path.join(self.root, path))

    def path(self, name):
        return os.path.join(self.root, name)

    def change(self, path, old, new):
        text = concepts.read(self.root, path)
        self.assertIn(old, text)
        with open(self.path(path), "w", encoding="utf-8") as file:
            file.write(text.replace(old, new, 1))

    def source(self, name):
        return "%s/%s.c" % (concepts.FOLDER, name)

    def told(self, problems, part):
        problems = list(problems)
        self.assertTrue(any(part in p for p in problems), problems)

    def test_program_that_differs(self):
        self.change(self.source("limited"), "capacity = 3", "capacity = 4")
        self.told(concepts.check_text(self.root), "limited.c is another")

    def test_write_repairs_that(self):
        before = concepts.read(self.root, concepts.DOCUMENT)
        self.change(concepts.DOCUMENT, "capacity = 3", "capacity = 4")
        concepts.write(self.root)
        self.assertEqual(before, concepts.read(self.root, concepts.DOCUMENT))

    def test_program_not_shown(self):
        shutil.copy(self.path(self.source("limited")),
                    self.path(self.source("unseen")))
        self.told(concepts.check_text(self.root), "does not show unseen.c")

    def test_program_missing(self):
        os.remove(self.path(self.source("limited")))
        self.told(concepts.check_text(self.root), "no examples/concepts/lim")

    def test_program_too_long(self):
        self.change(self.source("limited"), "int\nmain",
                    "\n" * concepts.LINES + "int\nmain")
        concepts.write(self.root)
        self.told(concepts.check_text(self.root), "limited.c has more than")

    def test_print_unsaid(self):
        self.change(concepts.DOCUMENT, "```text\n3 items", "```\n3 items")
        self.told(concepts.check_text(self.root), "what limited.c prints")

    def test_notion_without_shell(self):
        self.change(concepts.DOCUMENT, "## Which to choose",
                    "## Nothing\n\n## Which to choose")
        self.told(concepts.check_text(self.root), "'Nothing' has no lines")

    def test_notion_without_program(self):
        self.change(concepts.DOCUMENT, "## Which to choose",
                    "## Nothing\n\n## Which to choose")
        self.told(concepts.check_text(self.root), "'Nothing' has no program")

    def program(self, script):
        path = self.path("program")
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n" + script)
        os.chmod(path, 0o755)
        return concepts.check_program(self.root, "owner_system", path)

    def test_program_as_told(self):
        self.assertEqual([], list(self.program("echo my last words\n")))

    def test_program_that_prints_something_else(self):
        self.told(self.program("echo hello\n"), "prints 'hello")

    def test_program_that_leaves_something(self):
        self.told(
            self.program("echo my last words; mkdir -p $CUBBY_ROOT/a/b\n"),
            "behind",
        )

    def shell(self, block):
        with open(self.path(concepts.DOCUMENT), "w", encoding="utf-8") as file:
            file.write("```console\n%s```\n" % block)
        return concepts.check_shell(self.root, ARGUMENTS[1])

    def test_lines_as_told(self):
        block = "$ echo a\na\n$ (exit 3)\n$ echo $?\n3\n$ echo b \\\n> c\nb c\n"
        self.assertEqual([], list(self.shell(block)))

    def test_line_that_prints_something_else(self):
        self.told(self.shell("$ echo a\nb\n"), "'echo a' prints 'a")

    def test_line_that_prints_more(self):
        self.told(self.shell("$ echo a\n"), "'echo a' prints 'a")

    def test_line_that_prints_late(self):
        self.told(self.shell("$ echo a &\n$ wait\n"), "prints 'a")

    def test_line_that_leaves_a_mailbox(self):
        self.told(self.shell("$ cubby create jobs\n"), "leaves behind")

    def test_line_that_leaves_a_region(self):
        self.told(self.shell("$ cubby region create r\n"), "leaves behind")

    def test_line_that_ends_the_block(self):
        self.told(self.shell("$ exit 1\n$ echo a\na\n"), "not all of it")


if __name__ == "__main__":
    ARGUMENTS = [sys.argv[1], os.path.abspath(sys.argv[2])]
    unittest.main(argv=sys.argv[:1])
