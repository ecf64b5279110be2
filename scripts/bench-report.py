#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench-report.py [DIRECTORY [REPORT]]: makes one page, DIRECTORY/report.html, of
what the benchmarks have written there: peers.json, results.json, scale.json. Each
may be missing, and the page says so. Default: build/bench.

The page is one file, and loads nothing. Its parts are in bench/report/."""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "bench", "report"))

import bounds  # noqa: E402
import data  # noqa: E402
import goals  # noqa: E402
import peers  # noqa: E402
import scale  # noqa: E402
from page import (cell, document, element, missing, paragraph,  # noqa: E402
                  section, table)

FILES = {
    "peers.json": (data.read_peers, "cubby-compare",
                   "cubby beside what people use"),
    "results.json": (data.read_results, "cubby-bench",
                     "cubby beside what bounds it"),
    "scale.json": (data.read_scale, "cubby-scale",
                   "what growth costs"),
}


def machines(found):
    """For each file the machine, when and how: rows of (what, value)."""
    if found["peers.json"]:
        yield "peers.json", described(found["peers.json"])
    if found["results.json"]:
        row = bounds.machine(found["results.json"])
        yield "results.json", (
            ("When", row["when"]), ("Processor", row["system"]),
            ("Kernel", row["kernel"]), ("Processors used", row["cpus"]),
            ("Rounds", rounds(row)),
            ("Near and far", near_far(row)))
    if found["scale.json"]:
        yield "scale.json", described(found["scale.json"])


def described(file):
    machine, settings = file["machine"], file["settings"]
    memory = machine.get("memory_bytes")
    return (("When", file["when"]), ("Processor", machine["processor"]),
            ("Kernel", machine["kernel"]),
            ("Processors used", ",".join(str(c) for c in machine["cpus"])),
            ("Rounds", rounds(settings)),
            ("Near and far", near_far(settings)),
            ("Architecture", machine["architecture"]),
            ("System", machine["system"]),
            ("Memory", "%.1f GiB" % (memory / (1 << 30)) if memory else "-"),
            ("Clock", str(settings.get("clock") or "-")),
            ("Limits of queues raised",
             {True: "yes", False: "no"}.get(settings.get("limits_raised"),
                                            "-")),
            ("System calls counted by",
             str(settings.get("calls_counted_by") or "not counted: %s" %
                 (settings.get("calls_not_counted") or "-"))))


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def rounds(settings):
    count, length = settings.get("rounds"), settings.get("round_ms")
    if not is_number(count) or not is_number(length):
        return "-"
    return "%g of each class at least, of %g ms" % (count, length)


def near_far(settings):
    near, far = settings.get("near_from_ns"), settings.get("far_from_ns")
    if not is_number(near) or not is_number(far):
        return "-"
    return ("near: a cache line goes there and back in %g to %g ns; far: in "
            "more" % (near, far))


def machine_section(described):
    columns = list(described)
    if not columns:
        return ""
    titles = []
    for _, rows in columns:
        titles += [title for title, _ in rows if title not in titles]
    lines = [[cell(title, scope="row")] +
             [cell(dict(rows).get(title, "-")) for _, rows in columns]
             for title in titles]
    kernels = {(dict(rows)["Processor"], dict(rows)["Kernel"])
               for _, rows in columns}
    warning = missing("These files are of different machines: what stands in "
                      "one must not be compared with what stands in "
                      "another.") if len(kernels) > 1 else ""
    return section("machine", "The machine", warning,
                   table([""] + [name for name, _ in columns], lines,
                         numbers=False))


def how():
    texts = (
        "All that is compared was measured in one run: each in processes of "
        "its own, on the same processors, in turns, in rounds of "
        "milliseconds. The first fifth of a round is warm-up and does not "
        "count.",
        "Messages are filled by who sends, read in full by who receives and "
        "compared, unless told otherwise.",
        "Two processors are near each other if they share a cache. A bare "
        "exchange of a cache line right before and after each round tells; "
        "if the two disagree, the round is dropped, as is one in which the "
        "kernel took a processor away. Near and far are kept apart.",
        "Figures are medians over rounds. Latencies are of single trips. A "
        "ratio is taken lap by lap, one round of each side, and its median "
        "counts.",
        "Nothing here is to be compared with figures of another machine or "
        "another run.")
    return section("how", "How it was measured", element("ul", *[
        element("li", text) for text in texts], class_="about"),
        paragraph("More stands in bench/README.md and docs/performance.md of "
                  "the source."))


def absent(name, title, directory):
    file = {"peers": "peers.json", "bounds": "results.json",
            "scale": "scale.json"}[name]
    return section(name, title, missing(
        "Not measured: there is no %s in %s. It is written by %s." % (
            file, directory, FILES[file][1])))


def page(found, directory):
    described_ = list(machines(found))
    when = max(dict(rows)["When"] for _, rows in described_)
    machine = dict(described_[0][1])
    parts = [
        element("h1", "cubby: what it costs, beside what people use"),
        paragraph("%s, Linux %s, %s" % (machine["Processor"],
                                        machine["Kernel"], when), "soft")]
    links = [("goals", "Goals"), ("round-trips", "There and back"),
             ("rates", "One way"), ("costs", "Processor time and calls"),
             ("scale", "Growth"), ("bounds", "Bounds"), ("machine", "Machine"),
             ("how", "How")]
    if not found["peers.json"]:
        links = [("peers", "Peers") if link[0] == "rates" else link
                 for link in links if link[0] not in ("round-trips", "costs")]
    parts.append(element("nav", *[element("a", text, href="#" + name)
                                  for name, text in links],
                         aria_label="Sections"))
    parts += goals.sections(found["results.json"], found["peers.json"],
                            found["scale.json"])
    parts += (peers.sections(found["peers.json"]) if found["peers.json"]
              else [absent("peers", "Cubby beside what people use",
                           directory)])
    parts += (scale.sections(found["scale.json"]) if found["scale.json"]
              else [absent("scale", "What growth costs", directory)])
    parts += (bounds.sections(found["results.json"])
              if found["results.json"]
              else [absent("bounds", "Cubby beside what bounds it",
                           directory)])
    parts += [machine_section(described_), how()]
    return document("cubby: benchmarks, %s" % when, parts)


def main():
    if len(sys.argv) > 3 or any(word.startswith("-") for word in
                                sys.argv[1:]):
        sys.exit(__doc__)
    directory = (sys.argv[1] if len(sys.argv) > 1 else
                 os.path.join(ROOT, "build", "bench"))
    report = (sys.argv[2] if len(sys.argv) > 2 else
              os.path.join(directory, "report.html"))
    try:
        found = {name: read(os.path.join(directory, name))
                 for name, (read, _, _) in FILES.items()}
    except data.Malformed as error:
        sys.exit("bench-report: %s" % error)
    if not any(found.values()):
        sys.exit("bench-report: %s: none of %s is there; run make bench" % (
            directory, ", ".join(FILES)))
    try:
        with open(report, "w", encoding="utf-8") as file:
            file.write(page(found, os.path.basename(
                os.path.abspath(directory))))
    except OSError as error:
        sys.exit("bench-report: %s: %s" % (report, error.strerror))
    print("report: %s" % os.path.abspath(report))


if __name__ == "__main__":
    main()
