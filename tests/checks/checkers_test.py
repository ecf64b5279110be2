#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests of layers.py and labels.py: what is right passes, each thing that is
wrong is told with its file and line."""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import labels
import layers
import symbols

ATOMICS = """\
static inline int word_load_acquire(int *w) { return __atomic_load_n(w, 2); }
static inline int word_load_relaxed(int *w) { return __atomic_load_n(w, 0); }
static inline void word_store_release(int *w) { __atomic_store_n(w, 1, 3); }
static inline void word_store_relaxed(int *w) { __atomic_store_n(w, 1, 0); }
static inline int word_cas_acq_rel(int *w) { return *w; }
static inline void atomics_fence_seq_cst(void) { }
static inline void order_compiler(void) { }
"""


class Tree(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.root = pathlib.Path(temporary.name)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


class Labels(Tree):
    def check(self, text, *expected):
        """The errors, as (line, part of the message) in order."""
        self.write("atomics.h", ATOMICS)
        self.write("lane.c", text)
        errors = labels.Checker(self.root).run()
        self.assertEqual(len(errors), len(expected), errors)
        for error, (line, part) in zip(errors, expected):
            self.assertIn("lane.c:%d: " % line, error)
            self.assertIn(part, error)

    def test_pair_passes(self):
        self.check(
            "/* LANE-R1 release: why. Pairs with LANE-A1. */\n"
            "word_store_release(w);\n"
            "x = word_load_acquire(w); "
            "/* LANE-A1 acquire: why. Pairs with LANE-R1. */\n"
        )

    def test_long_comment_above_long_statement_passes(self):
        self.check(
            "\t/*\n"
            "\t * LANE-A1 acquire: a reason that\n"
            "\t * goes on. Pairs with LANE-R1,\n"
            "\t * LANE-C1.\n"
            "\t */\n"
            "\tif (a == b &&\n"
            "\t    word_load_acquire(w)) {\n"
            "\t\tword_store_release(w);"
            " /* LANE-R1 release: why. Pairs with LANE-A1. */\n"
            "\t} else if (x) {\n"
            "\t\t/* LANE-C1 acq_rel: why. Pairs with LANE-A1 and LANE-C1. */\n"
            "\t\tword_cas_acq_rel(w);\n"
            "\t}\n"
        )

    def test_two_labels_in_one_comment_pass(self):
        self.check(
            "/*\n"
            " * LANE-R1 release: why. Pairs with LANE-A1.\n"
            " * LANE-A1 acquire: why. Pairs with LANE-R1.\n"
            " */\n"
            "f(word_store_release(w), word_load_acquire(w));\n"
        )

    def test_ordered_without_label(self):
        self.check("f();\nword_store_release(w);\n", (2, "without a label"))

    def test_compiler_fence_without_label(self):
        self.check("order_compiler();\n", (1, "without a label"))

    def test_fence_without_label(self):
        self.check("atomics_fence_seq_cst();\n", (1, "without a label"))

    def test_label_is_not_above_after_a_gap(self):
        self.check(
            "/* LANE-C1 acq_rel: why. Pairs with LANE-C1. */\n"
            "\n"
            "word_cas_acq_rel(w);\n",
            (3, "without a label"),
            (1, "LANE-C1 is on no ordered access"),
        )

    def test_label_serves_one_access(self):
        self.check(
            "/* LANE-C1 acq_rel: why. Pairs with LANE-C1. */\n"
            "word_cas_acq_rel(w);\n"
            "word_cas_acq_rel(w);\n",
            (3, "without a label"),
        )

    def test_wrong_order(self):
        self.check(
            "/* LANE-R1 release: why. Pairs with LANE-C1. */\n"
            "x = word_load_acquire(w);\n"
            "/* LANE-C1 acq_rel: why. Pairs with LANE-R1. */\n"
            "word_cas_acq_rel(w);\n",
            (2, "under LANE-R1 release: should be acquire"),
        )

    def test_label_defined_twice(self):
        self.check(
            "/* LANE-C1 acq_rel: why. Pairs with LANE-C1. */\n"
            "word_cas_acq_rel(w);\n"
            "/* LANE-C1 acq_rel: why. Pairs with LANE-C1. */\n"
            "word_cas_acq_rel(w);\n",
            (3, "defined at"),
        )

    def test_missing_partner(self):
        self.check(
            "/* LANE-C1 acq_rel: why. Pairs with WAIT-C9. */\n"
            "word_cas_acq_rel(w);\n",
            (1, "no label WAIT-C9"),
        )

    def test_no_partner_named(self):
        self.check(
            "/* LANE-C1 acq_rel: why. */\nword_cas_acq_rel(w);\n",
            (1, "LANE-C1 names no partner"),
        )

    def test_release_must_pair_with_an_acquire(self):
        self.check(
            "/* LANE-R1 release: why. Pairs with LANE-R1. */\n"
            "word_store_release(w);\n",
            (1, "LANE-R1 pairs with no acquire"),
        )

    def test_stale_mention(self):
        self.check(
            "/* LANE-C1 acq_rel: why. Pairs with LANE-C1. */\n"
            "word_cas_acq_rel(w);\n"
            "/* As LANE-C2 shows, this is safe. */\n",
            (3, "no label LANE-C2"),
        )

    def test_membarrier_may_bear_a_label(self):
        self.check(
            "/* WAIT-M1 membarrier: why. Pairs with WAIT-F1. */\n"
            "barrier();\n"
            "/* WAIT-F1 compiler: why. Pairs with WAIT-M1. */\n"
            "order_compiler();\n"
        )

    def test_relaxed_group_passes(self):
        self.check(
            "/* relaxed: ours alone */\n"
            "word_store_relaxed(a);\n"
            "word_store_relaxed(b);\n"
            "x = word_load_relaxed(c) +\n"
            "    word_load_relaxed(d);\n"
        )

    def test_relaxed_without_reason(self):
        self.check("word_store_relaxed(a);\n", (1, "without /* relaxed: why"))
        self.check(
            "/* relaxed: */\nword_store_relaxed(a);\n",
            (2, "without /* relaxed: why"),
        )

    def test_relaxed_group_ends_at_a_gap(self):
        self.check(
            "word_store_relaxed(a); /* relaxed: ours alone */\n"
            "f();\n"
            "word_store_relaxed(b);\n",
            (3, "without /* relaxed: why"),
        )

    def test_raw_atomics(self):
        self.check("x = __atomic_load_n(w, 0);\n", (1, "only atomics.h"))
        self.check("x = atomic_load(w);\n", (1, "only atomics.h"))

    def test_words_in_strings_and_comments_are_no_uses(self):
        self.check('/* word_store_release(w) */ f("word_store_release(w)");\n')

    def test_names_that_end_alike_are_no_uses(self):
        self.check("cubby_release(message);\n")

    def test_a_tree_without_atomics_fails(self):
        self.assertTrue(labels.Checker(self.root).run())


class Layers(Tree):
    def unit(self, name, layer, may, *includes):
        lines = ["/* Layer %d. May include: %s. */" % (layer, may)]
        lines += ['#include "%s"' % include for include in includes]
        self.write("src/" + name, "\n".join(lines) + "\n")

    def check(self, *expected):
        errors = layers.Checker(self.root).run()
        self.assertEqual(len(errors), len(expected), errors)
        for error, part in zip(errors, expected):
            self.assertIn(part, error)

    def setUp(self):
        super().setUp()
        self.unit("base.h", 0, "nothing")
        self.unit("lane.h", 5, "base", "base.h")
        self.unit("lane.c", 5, "base", "lane.h", "base.h", "cubby.h")

    def test_right_tree_passes(self):
        self.check()

    def test_list_may_go_on_on_the_next_line(self):
        self.write(
            "src/wait.c",
            "/* SPDX-License-Identifier: MIT */\n"
            "/* Layer 7. May include: base\n * lane. */\n"
            '#include "lane.h"\n',
        )
        self.check()

    def test_no_line(self):
        self.write("src/wait.c", "/* Waiting. */\n")
        self.check("wait.c:1: no line")

    def test_not_listed(self):
        self.unit("wait.c", 7, "base", "lane.h")
        self.check("wait.c:2: includes lane.h, which it does not list")

    def test_higher_layer(self):
        self.unit("shm.c", 1, "base lane", "lane.h")
        self.check("shm.c:1: layer 1 lists lane of layer 5")

    def test_same_layer_in_a_circle(self):
        self.unit("queue.h", 5, "lane", "lane.h")
        self.unit("lane.c", 5, "base queue", "lane.h", "queue.h")
        self.check("in a circle: lane includes queue includes lane")

    def test_source_and_header_apart(self):
        self.unit("lane.c", 6, "base", "lane.h")
        self.check("lane.c:1: layer 6, but its header is on layer 5")

    def test_unknown_header(self):
        self.unit("lane.c", 5, "base bass", "lane.h")
        self.check("lane.c:1: lists bass, and there is no such header")
        self.unit("lane.c", 5, "base", "lane.h", "../lane.h")
        self.check("lane.c:3: ../lane.h is not a header of src/")

    def test_user_of_an_internal_header(self):
        self.write("tools/main.c", '#include "../src/lane.h"\n')
        self.check("main.c:1: includes lane.h of src/")
        self.write("tools/main.c", '#include "cubby.h"\n#include "base.h"\n')
        self.check("main.c:2: includes base.h of src/")

    def test_user_with_a_header_of_its_own(self):
        self.write("tools/main.c", '#include "lane.h"\n')
        self.write("tools/lane.h", "\n")
        self.check()

    def test_empty_tree_fails(self):
        with tempfile.TemporaryDirectory() as empty:
            self.assertTrue(layers.Checker(empty).run())


class Symbols(unittest.TestCase):
    HEADER = (
        "#define CUBBY_PUBLIC x\n"
        "/* CUBBY_PUBLIC void cubby_dreamt(void); */\n"
        "CUBBY_PUBLIC int\ncubby_open(const char *name);\n"
        "CUBBY_PUBLIC const void *\ncubby_data(int (*f)(int));\n"
    )

    def test_declared(self):
        self.assertEqual(
            symbols.declared(self.HEADER), {"cubby_open", "cubby_data"}
        )

    def test_differences(self):
        self.assertEqual(
            symbols.compare({"cubby_a", "cubby_b"}, {"cubby_b", "leak"}),
            [
                "cubby_a is declared and not exported",
                "leak is exported and not declared",
            ],
        )
        self.assertEqual(symbols.compare({"cubby_a"}, {"cubby_a"}), [])

    def test_needed(self):
        needed = (
            " 0x01 (NEEDED)   Shared library: [libc.so.6]\n"
            " 0x01 (NEEDED)   Shared library: [ld-linux-x86-64.so.2]\n"
            " 0x01 (NEEDED)   Shared library: [libm.so.6]\n"
        )
        self.assertEqual(symbols.strangers(needed), ["libm.so.6"])


if __name__ == "__main__":
    unittest.main()
