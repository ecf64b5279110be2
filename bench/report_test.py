#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""report_test.py ROOT RESULTS [--browser]: the page that scripts/bench-report.py
makes of what the shortest of runs has left in the directory RESULTS, and the
README's table. With --browser, the page as a browser shows it; skipped (77) where
there is none."""

import copy
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

ROOT, RESULTS = (os.path.abspath(path) for path in sys.argv[1:3])
REPORT = os.path.join(ROOT, "scripts", "bench-report.py")
TABLE = os.path.join(ROOT, "scripts", "bench-table.py")
FILES = ("peers.json", "results.json", "scale.json")
PATIENCE = 100
SKIPPED = 77

sys.path.insert(0, os.path.join(ROOT, "bench", "report"))
import words  # noqa: E402
from scale import EXPECTED  # noqa: E402


def read(name):
    with open(os.path.join(RESULTS, name), encoding="utf-8") as file:
        return json.load(file)


def text_of(node):
    return "".join(node.itertext())


class Case(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory)
        self.files = copy.deepcopy(MEASURED)

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self):
        for name in FILES:
            if os.path.exists(self.path(name)):
                os.remove(self.path(name))
        for name, content in self.files.items():
            with open(self.path(name), "w", encoding="utf-8") as file:
                json.dump(content, file)

    def run_report(self):
        return subprocess.run([sys.executable, REPORT, self.directory],
                              capture_output=True, text=True,
                              timeout=PATIENCE, check=False)

    def page(self):
        """The root of the page, which is XML too."""
        self.write()
        run = self.run_report()
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn(self.path("report.html"), run.stdout)
        with open(self.path("report.html"), encoding="utf-8") as file:
            return ElementTree.fromstring(file.read())

    def refused(self, *parts):
        """No page; one line that says what is wrong, and where."""
        run = self.run_report()
        self.assertEqual(run.returncode, 1, run.stdout)
        self.assertEqual(len(run.stderr.splitlines()), 1, run.stderr)
        self.assertTrue(run.stderr.startswith("bench-report: "), run.stderr)
        for part in parts:
            self.assertIn(part, run.stderr)
        self.assertFalse(os.path.exists(self.path("report.html")))


def goal_rows(page):
    table = next(table for table in page.iter("table")
                 if table.get("class") == "goals")
    return [row for row in table.iter("tr")
            if row.find("td[@class='what']") is not None]


class Page(Case):
    def test_it_loads_nothing(self):
        page = self.page()
        for node in page.iter():
            self.assertNotIn(node.tag, {
                "script", "link", "img", "image", "iframe", "object", "embed",
                "video", "audio", "base", "use", "form", "source"})
            for name, value in node.attrib.items():
                self.assertFalse(name.startswith("on"), name)
                self.assertNotIn(name, ("src", "srcset", "action"))
                if name.endswith("href"):
                    self.assertTrue(value.startswith("#"), value)
            for style in [node.get("style") or ""] + (
                    [node.text] if node.tag == "style" else []):
                self.assertNotIn("url(", style)
                self.assertNotIn("@import", style)

    def test_links_and_names_lead_somewhere(self):
        page = self.page()
        names = [node.get("id") for node in page.iter() if node.get("id")]
        self.assertEqual(len(names), len(set(names)))
        links = [node.get("href")[1:] for node in page.iter("a")]
        self.assertTrue(links)
        self.assertLessEqual(set(links), set(names))

    def test_each_plot_is_described(self):
        plots = list(self.page().iter("svg"))
        self.assertTrue(plots)
        for plot in plots:
            self.assertEqual(plot.get("role"), "img")
            title, description = plot.find("title"), plot.find("desc")
            self.assertTrue(text_of(title) and text_of(description))
            self.assertEqual(plot.get("aria-labelledby"), "%s %s" % (
                title.get("id"), description.get("id")))

    def test_each_goal_has_a_row_with_its_verdict(self):
        goals = [(goal["name"], goal["held"]) for goal in
                 self.files["peers.json"]["goals"] +
                 self.files["scale.json"]["targets"]]
        goals += [(row["test"][len("ratio:"):], row["held"])
                  for row in self.files["results.json"]
                  if row["test"].startswith("ratio:")]
        shown = []
        for row in goal_rows(self.page()):
            name = text_of(row.find("td")).split(":")[0]
            shown.append((name, text_of(row.find("th"))[2:]))
        self.assertEqual(sorted(shown), sorted(
            (name, words.verdict(held)) for name, held in goals))

    def test_a_class_that_is_not_judged_is_said_to_be_so(self):
        goal = self.files["peers.json"]["goals"][0]
        goal.update(near=0.5, value=0.5, held=True, reason=None, far=None,
                    near_reason=None, far_reason="eaten by a grue")
        row = next(row for row in goal_rows(self.page())
                   if text_of(row.find("td")).startswith(goal["name"] + ":"))
        cells = {cell.get("data-label"): text_of(cell)
                 for cell in row.iter("td")}
        self.assertEqual((cells["near"], cells["far"]), ("0.50", "not judged"))
        self.assertIn("not judged far: eaten by a grue",
                      text_of(row.find("td[@class='what']")))

    def test_the_verdicts_are_counted(self):
        for held in (True, False, None):
            for goal in self.files["peers.json"]["goals"]:
                goal["held"] = held
            page = self.page()
            rows = [text_of(row.find("th")) for row in goal_rows(page)]
            tiles = next(node for node in page.iter("ul")
                         if node.get("class") == "tiles")
            for tile in tiles:
                count, mark = (text_of(node) for node in tile)
                self.assertEqual(int(count), rows.count(mark))

    def test_each_peer_is_named(self):
        section = self.page().find(".//section[@id='peers']")
        names = [text_of(node) for node in section.iter("th")
                 if node.get("scope") == "row"]
        self.assertEqual(names, [peer["name"] for peer in
                                 self.files["peers.json"]["peers"]])

    def test_an_absent_peer_is_named_with_its_reason(self):
        file = self.files["peers.json"]
        peer = next(p for p in file["peers"] if p["kind"] == "peer")
        peer.update(present=False, absent="eaten by a grue", version=None)
        for row in file["rows"]:
            if row.get("peer") == peer["name"]:
                row.update(value=None, latency=None, reason="eaten by a grue")
        page = self.page()
        for name in ("rates", "round-trips", "costs", "peers"):
            text = text_of(page.find(".//section[@id='%s']" % name))
            self.assertIn(peer["name"], text)
            self.assertIn("eaten by a grue", text)
        for plot in page.iter("svg"):
            if plot.find("title").text.startswith(("Near", "Far")):
                self.assertNotIn(peer["name"], text_of(plot))

    def test_each_figure_of_the_peers_is_shown(self):
        page = self.page()
        cells = {}
        for row in page.iter("tr"):
            head = row.find("th[@scope='row']")
            if head is not None:
                cells.setdefault(text_of(head), set()).update(
                    cell.text for cell in row.iter("td"))
        for row in page.iter("g"):
            name, figures = (row.find("text[@class='%s']" % class_)
                             for class_ in ("name", "figures"))
            cells.setdefault(name.text, set()).update(
                "%s" % part.split(" ", 1)[-1]
                for part in figures.text.split(" · "))
        rows = [row for row in self.files["peers.json"]["rows"]
                if row["test"] in ("rate", "round_trip", "even_load") and
                row.get("class")]
        self.assertTrue(rows)
        for row in rows:
            self.assertIn(words.figure(row["value"], row["unit"]),
                          cells[row["peer"]])

    def test_the_rounds_of_each_row_are_shown(self):
        """Below its figure."""
        rows = [row for row in self.files["peers.json"]["rows"]
                if row["test"] in ("rate", "round_trip", "even_load") and
                row.get("class")]
        results = [row for row in self.files["results.json"]
                   if row.get("class") in ("near", "far", "alone") and
                   not row["test"].startswith("waiting_")]
        self.assertTrue(rows and results)
        for i, row in enumerate(rows + results):
            row["rounds"] = 1000 + i
        shown = {(cell.text, text_of(cell.find("span")))
                 for cell in self.page().iter("td")
                 if cell.find("span") is not None}
        for row in rows + results:
            self.assertIn((words.figure(row["value"], row["unit"]),
                           "{:,} rounds".format(row["rounds"])), shown)

    def test_each_distribution_is_drawn(self):
        rows = [row for row in self.files["peers.json"]["rows"]
                if row["test"] == "round_trip" and row.get("latency")]
        usual = {(row["mode"], row["size"]) for row in rows
                 if row["class"] in ("near", "far")}
        rows = [row for row in rows if row["class"] in ("near", "far") or
                (row["mode"], row["size"]) not in usual]
        drawn = self.page().findall(".//path[@class='hill']/title")
        self.assertEqual(sorted(text_of(node).split(": ")[0]
                                for node in drawn),
                         sorted(row["peer"] for row in rows))

    def test_strings_are_shown_and_not_obeyed(self):
        evil = "</style><script>alert('1')</script>&amp;\"<!--]]>"
        file = self.files["peers.json"]
        peer = next(p for p in file["peers"] if p["kind"] == "peer")
        for row in file["rows"]:
            if row.get("peer") == peer["name"]:
                row["peer"] = evil
                row["reason"] = evil
        peer.update(name=evil, version=evil, note=evil, manual=evil,
                    offers=[evil])
        file["machine"]["processor"] = file["when"] = evil
        file["settings"]["clock"] = evil
        for goal in file["goals"]:
            goal.update(text=evil, ours=evil, beside=evil, sense=evil)
        for row in self.files["results.json"]:
            if row["test"] != "machine":
                row["system"] = evil
        scale = self.files["scale.json"]
        scale["curves"][0].update(title=evil, x=evil, note=evil)
        scale["rows"][0]["series"] = evil
        page = self.page()
        self.assertEqual(list(page.iter("script")), [])
        self.assertEqual(len(list(page.iter("style"))), 1)
        for name in ("goals", "peers", "machine", "scale", "bounds"):
            self.assertIn(evil, text_of(
                page.find(".//section[@id='%s']" % name)), name)

    def test_what_was_not_measured_of_growth_is_said(self):
        file = self.files["scale.json"]
        file["rows"] = [row for row in file["rows"] if row["curve"] not in
                        ("sizes", "backlog")]
        text = text_of(self.page().find(".//section[@id='scale']"))
        there = {row["curve"] for row in file["rows"]}
        for name, what in EXPECTED.items():
            self.assertEqual(what not in text, name in there, name)

    def test_each_curve_is_shown_with_its_figures(self):
        file = self.files["scale.json"]
        section = self.page().find(".//section[@id='scale']")
        text = text_of(section)
        figures = {text_of(cell) for cell in section.iter("td")}
        for curve in file["curves"]:
            self.assertIn(curve["title"], text)
            for row in file["rows"]:
                if row["curve"] == curve["name"] and row["value"] is not None:
                    self.assertIn(words.figure(row["value"], curve["unit"]),
                                  figures)

    def test_a_missing_file_is_said_and_the_others_shown(self):
        for name in FILES:
            self.files = {other: content for other, content in
                          copy.deepcopy(MEASURED).items() if other != name}
            page = self.page()
            self.assertIn("no " + name, text_of(page))
            self.assertTrue(list(page.iter("svg")))
            self.assertTrue(goal_rows(page))

    def test_one_file_alone_is_shown(self):
        for name in FILES:
            self.files = {name: copy.deepcopy(MEASURED[name])}
            page = self.page()
            self.assertTrue(goal_rows(page), name)
            for other in set(FILES) - {name}:
                self.assertIn("no " + other, text_of(page))

    def test_no_row_is_no_error(self):
        for name in ("peers.json", "scale.json"):
            for list_ in ("rows", "goals", "targets"):
                if list_ in self.files[name]:
                    self.files[name][list_] = []
        self.files["results.json"] = [
            row for row in self.files["results.json"]
            if row["test"] == "machine"]
        page = self.page()
        self.assertIn("No goal was measured", text_of(page))
        self.assertIn("not part of this run", text_of(page))

    def test_other_machines_are_told_apart(self):
        text = "of different machines"
        self.assertNotIn(text, text_of(self.page()))
        self.files["results.json"][0]["kernel"] += "-other"
        self.assertIn(text, text_of(self.page()))


class Malformed(Case):
    def test_no_file_at_all(self):
        self.refused(self.directory, "run make bench")

    def test_half_a_file(self):
        for name in FILES:
            self.write()
            whole = json.dumps(self.files[name])
            for part in (0, 1, len(whole) // 2, len(whole) - 1):
                with open(self.path(name), "w", encoding="utf-8") as file:
                    file.write(whole[:part])
                self.refused(self.path(name), "not JSON", "line 1")

    def test_what_is_not_json(self):
        for content, what in ((b"\xff\xfe", "not UTF-8"),
                              (b"[" * 100000, "nested too deep"),
                              (b"[NaN]", "NaN"), (b"[-Infinity]", "Infinity"),
                              (b"7", ""), (b"null", ""), (b"[]", ""),
                              (b"[" + b"9" * 5000 + b"]", "")):
            for name in FILES:
                self.write()
                with open(self.path(name), "wb") as file:
                    file.write(content)
                self.refused(self.path(name), what)

    def test_a_file_that_cannot_be_read(self):
        self.write()
        os.remove(self.path("peers.json"))
        os.mkdir(self.path("peers.json"))
        self.refused(self.path("peers.json"), "Is a directory")

    def test_another_schema(self):
        self.files["peers.json"]["schema"] = 2
        self.write()
        self.refused(self.path("peers.json"), "schema", "2")

    def test_a_size_below_nothing(self):
        for name, row in (("peers.json", self.files["peers.json"]["rows"][0]),
                          ("results.json", self.files["results.json"][1])):
            for wrong in (-1, -64, -1e9):
                size, row["size"] = row["size"], wrong
                self.write()
                self.refused(self.path(name), "size", "0 or more")
                row["size"] = size

    def test_a_row_of_nobody(self):
        row = next(row for row in self.files["peers.json"]["rows"]
                   if row["test"] != "shares")
        row["peer"] = "nobody"
        self.write()
        self.refused(self.path("peers.json"), "rows[", "nobody")

    def test_a_field_that_is_missing_or_wrong(self):
        """Each that has to be there, of one object of each kind."""
        cases = (("peers.json", ["when"]), ("peers.json", ["machine"]),
                 ("peers.json", ["settings"]), ("peers.json", ["rows"]),
                 ("peers.json", ["machine", "processor"]),
                 ("peers.json", ["peers", 0, "name"]),
                 ("peers.json", ["peers", 0, "present"]),
                 ("peers.json", ["peers", 0, "offers"]),
                 ("peers.json", ["rows", 0, "size"]),
                 ("peers.json", ["rows", 0, "mode"]),
                 ("peers.json", ["goals", 0, "goal"]),
                 ("peers.json", ["goals", 0, "text"]),
                 ("scale.json", ["curves", 0, "unit"]),
                 ("scale.json", ["rows", 0, "series"]),
                 ("scale.json", ["targets", 0, "sense"]),
                 ("results.json", [1, "system"]),
                 ("results.json", [0, "kernel"]))
        for name, path in cases:
            for wrong in (None, {}, [], -1e300):
                self.files = copy.deepcopy(MEASURED)
                node = self.files[name]
                for step in path[:-1]:
                    node = node[step]
                if isinstance(wrong, type(node[path[-1]])) and wrong != -1e300:
                    continue
                node[path[-1]] = wrong
                self.write()
                self.refused(self.path(name), path[-1])

    def test_a_value_that_is_none(self):
        for wrong in ("12", True, [1], 1e300):
            self.files = copy.deepcopy(MEASURED)
            row = next(row for row in self.files["peers.json"]["rows"]
                       if row["test"] != "shares")
            row["value"] = wrong
            self.write()
            self.refused(self.path("peers.json"), "rows[")


class Readme(Case):
    def readme(self):
        if not any(row["size"] == 64 and row.get("class") and
                   row["test"] in ("rate", "round_trip")
                   for row in MEASURED["peers.json"]["rows"]):
            self.skipTest("not one round counted")
        run = self.run_table()
        self.assertEqual(run.returncode, 0, run.stderr)
        with open(self.path("README.md"), encoding="utf-8") as file:
            return file.read()

    def run_table(self, **changed):
        """changed: of the files, in the place of what they hold."""
        # What is tested here was measured in no time.
        if "scale.json" in self.files and "quick" not in changed:
            self.files["scale.json"]["settings"]["quick"] = False
        self.write()
        for name, path in (("README.md", ("README.md",)),
                           ("performance.md", ("docs", "performance.md"))):
            shutil.copy(os.path.join(ROOT, *path), self.path(name))
        if "performance" in changed:
            with open(self.path("performance.md"), "w",
                      encoding="utf-8") as file:
                file.write(changed["performance"])
        return subprocess.run([sys.executable, TABLE,
                               self.path("results.json"),
                               self.path("README.md"),
                               self.path("performance.md")],
                              capture_output=True, text=True,
                              timeout=PATIENCE, check=False)

    def assert_refused(self, run, what):
        self.assertEqual(run.returncode, 1)
        self.assertIn(what, run.stderr)
        self.assertNotIn("Traceback", run.stderr)
        with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as old, \
                open(self.path("README.md"), encoding="utf-8") as new:
            self.assertEqual(old.read(), new.read())

    def test_a_part_of_the_results_is_refused(self):
        self.files["results.json"] = [
            row for row in self.files["results.json"]
            if row["test"] != "fan_in" and row["system"] != "fan_in"]
        self.assert_refused(self.run_table(), "fan_in")

    def test_a_test_without_a_round_that_counted_is_no_part(self):
        self.files["results.json"] = [
            row for row in self.files["results.json"]
            if row["test"] != "fan_in" and row["system"] != "fan_in"] + [
                {"test": "dropped", "system": "fan_in", "kept": 0,
                 "changed": 1, "preempted": 0}]
        self.assertEqual(self.run_table().returncode, 0)

    def test_a_quick_run_is_refused(self):
        self.files["scale.json"]["settings"]["quick"] = True
        self.assert_refused(self.run_table(quick=True), "quick")

    def test_without_marks_nothing_is_written(self):
        self.assert_refused(self.run_table(performance="no marks\n"),
                            "growth:begin")

    def test_it_has_a_line_for_each_peer_with_machine_and_date(self):
        text = self.readme()
        file = self.files["peers.json"]
        part = text.split("Beside what people use today: ")[1].split("\n\n")
        self.assertIn(file["when"].split("T")[0], part[0])
        self.assertIn(file["machine"]["processor"], part[0])
        self.assertIn(file["machine"]["kernel"], part[0])
        lines = [line.split("|")[1].strip() for line in part[1].split("\n")]
        self.assertEqual(lines[2:], [
            peer["name"] for peer in file["peers"] if peer["present"] and
            peer["kind"] != "floor" and "batches" not in peer["offers"]])

    def test_it_has_a_line_for_each_goal_of_the_peers(self):
        self.files["peers.json"]["goals"][0]["held"] = False
        part = self.readme().split("Their goals, each")[1].split("\n\n")[1]
        lines = [line.split(" | ") for line in part.split("\n")[2:]]
        self.assertEqual([line[0].strip("| ") for line in lines],
                         [goal["text"]
                          for goal in self.files["peers.json"]["goals"]])
        self.assertEqual(lines[0][-1].strip("| "), "**missed**")

    def test_a_class_that_is_not_judged_is_said_to_be_so(self):
        self.files["peers.json"]["goals"][0].update(
            near=0.5, far=None, near_reason=None, far_reason="eaten by a grue")
        part = self.readme().split("Their goals, each")[1].split("\n\n")[1]
        self.assertIn("| 0.50 | not judged |", part.split("\n")[2])

    def test_growth_has_a_line_for_each_target_and_series(self):
        file = self.files["scale.json"]
        self.readme()
        with open(self.path("performance.md"), encoding="utf-8") as its:
            text = its.read()
        part = text.split("<!-- growth:begin -->")[1].split(
            "<!-- growth:end -->")[0]
        for target in file["targets"]:
            self.assertIn("| %s |" % target["text"], part)
        for row in file["rows"]:
            if row["value"] is not None:
                title = [curve["title"] for curve in file["curves"]
                         if curve["name"] == row["curve"]][0]
                self.assertIn("| %s | %s" % (title, row["series"]), part)
        with open(os.path.join(ROOT, "docs", "performance.md"),
                  encoding="utf-8") as its:
            old = its.read()
        for mark, side in (("<!-- growth:begin -->", 0),
                           ("<!-- growth:end -->", 1)):
            self.assertEqual(old.split(mark)[side], text.split(mark)[side])

    def test_without_growth_that_part_stays(self):
        del self.files["scale.json"]
        self.readme()
        with open(os.path.join(ROOT, "docs", "performance.md"),
                  encoding="utf-8") as old, \
                open(self.path("performance.md"), encoding="utf-8") as new:
            self.assertEqual(old.read(), new.read())

    def test_who_is_absent_is_named(self):
        peer = self.files["peers.json"]["peers"][3]
        peer.update(present=False, absent="eaten by a grue")
        self.assertIn("Absent there: %s" % peer["name"], self.readme())

    def test_only_what_is_between_the_marks_changes(self):
        with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
            old = file.read()
        new = self.readme()
        for mark, side in (("<!-- bench:begin -->", 0),
                           ("<!-- bench:end -->", 1)):
            self.assertEqual(old.split(mark)[side], new.split(mark)[side])

    def test_without_peers_there_is_no_such_table(self):
        del self.files["peers.json"]
        self.assertNotIn("Beside what people use today", self.readme())


class Run(Case):
    """bench/run.sh, with programs that take no time."""

    def program(self, name, file, status):
        path = self.path(name)
        with open(path, "w", encoding="utf-8") as script:
            script.write('#!/bin/sh\ncp "%s" "$2"\nexit %d\n' % (
                os.path.join(RESULTS, file), status))
        os.chmod(path, 0o755)
        return path

    def run_bench(self, bench_status, compare_status):
        out = self.path("out")
        return subprocess.run(
            ["sh", os.path.join(ROOT, "bench", "run.sh"), out, sys.executable,
             self.program("bench", "results.json", bench_status),
             "results.json",
             self.program("compare", "peers.json", compare_status),
             "peers.json"],
            capture_output=True, text=True, timeout=PATIENCE, check=False)

    def test_it_ends_with_the_page(self):
        run = self.run_bench(0, 0)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertTrue(run.stdout.rstrip().endswith(
            self.path("out/report.html")))

    def test_what_fails_keeps_nothing_else_from_being_shown(self):
        for statuses in ((1, 0), (0, 1)):
            run = self.run_bench(*statuses)
            self.assertEqual(run.returncode, 1)
            self.assertIn("ended with status 1", run.stderr)
            self.assertTrue(os.path.exists(self.path("out/report.html")))

    def test_nothing_of_an_older_run_is_shown(self):
        os.mkdir(self.path("out"))
        with open(self.path("out/scale.json"), "w", encoding="utf-8") as file:
            json.dump(MEASURED["scale.json"], file)
        self.assertEqual(self.run_bench(0, 0).returncode, 0)
        with open(self.path("out/report.html"), encoding="utf-8") as file:
            self.assertIn("no scale.json", file.read())


# In a browser ---------------------------------------------------------------

# Put into a copy of the page: what the browser has made of it.
PROBE = """
<script>
document.querySelectorAll("details").forEach(d => d.open = true);
const out = [], root = document.documentElement;
if (root.scrollWidth > root.clientWidth)
  out.push("wider than the screen: " + root.scrollWidth);
for (const plot of document.querySelectorAll("svg")) {
  const name = plot.querySelector("title").textContent;
  const box = plot.getBoundingClientRect();
  if (box.width < 250) out.push(name + ": narrow: " + box.width);
  let before = null;
  for (const text of plot.querySelectorAll("text")) {
    const its = text.getBoundingClientRect();
    if (its.left < box.left - 1 || its.right > box.right + 1 ||
        its.bottom > box.bottom + 1)
      out.push(name + ": beyond its edge: " + text.textContent);
    if (before && Math.abs(before.y - its.y) < 6 &&
        its.left < before.right && before.left < its.right)
      out.push(name + ": over another: " + text.textContent);
    before = its;
  }
}
const seen = name => document.querySelectorAll(name).length;
root.dataset.seen = JSON.stringify({ svg: seen("svg"),
  goals: seen(".goals td.what"), sections: seen("section"),
  ground: getComputedStyle(document.body).backgroundColor,
  width: innerWidth, wrong: out });
</script>
"""


def browser():
    for name in ("chromium", "chromium-browser", "google-chrome",
                 "google-chrome-stable"):
        if shutil.which(name):
            return shutil.which(name)
    return None


def dump(program, directory, path, width, dark):
    return subprocess.run(
        [program, "--headless", "--no-sandbox", "--disable-gpu",
         "--disable-dev-shm-usage", "--disable-background-networking",
         "--hide-scrollbars", "--user-data-dir=" + directory,
         "--blink-settings=preferredColorScheme=%d" % (0 if dark else 1),
         "--window-size=%d,900" % width, "--dump-dom", "file://" + path],
        capture_output=True, text=True, timeout=PATIENCE, check=False).stdout


class Browser(Case):
    def seen(self, width, dark=False):
        page = self.page()
        with open(self.path("report.html"), encoding="utf-8") as file:
            text = file.read()
        with open(self.path("probe.html"), "w", encoding="utf-8") as file:
            file.write(text.replace("</body>", PROBE + "</body>"))
        dom = dump(browser(), self.path("browser"), self.path("probe.html"),
                   width, dark)
        self.assertIn('data-seen="', dom)
        seen = dom.split('data-seen="')[1].split('"')[0]
        seen = json.loads(seen.replace("&quot;", '"').replace("&amp;", "&"))
        self.assertEqual(seen["svg"], len(list(page.iter("svg"))))
        self.assertEqual(seen["goals"], len(goal_rows(page)))
        self.assertEqual(seen["sections"], len(list(page.iter("section"))))
        return seen

    def test_nothing_overlaps_or_is_cut_off_on_a_wide_screen(self):
        self.assertEqual(self.seen(1280)["wrong"], [])

    def test_nothing_overlaps_or_is_cut_off_on_a_telephone(self):
        seen = self.seen(390)
        self.assertLess(seen["width"], 600)
        self.assertEqual(seen["wrong"], [])

    def test_it_is_light_or_dark_as_is_preferred(self):
        light, dark = self.seen(1280)["ground"], self.seen(1280, True)["ground"]
        self.assertNotEqual(light, dark)


def browser_works():
    """Says why not."""
    if not browser():
        return "skipped: no chromium here"
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "empty.html")
        with open(path, "w", encoding="utf-8") as file:
            file.write("<p>here</p>")
        if "here" not in dump(browser(), directory, path, 800, False):
            return "skipped: %s does not show a page here" % browser()
    return None


def main():
    in_browser = "--browser" in sys.argv
    if in_browser and browser_works():
        print(browser_works())
        sys.exit(SKIPPED)
    cases = [Browser] if in_browser else [Page, Malformed, Readme, Run]
    suite = unittest.TestSuite(
        unittest.defaultTestLoader.loadTestsFromTestCase(case)
        for case in cases)
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    sys.exit(not result.wasSuccessful())


MEASURED = {name: read(name) for name in FILES}
main()
