#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench-table.py [RESULTS [README [PERFORMANCE]]]: rewrites what README.md says of
speed, and docs/performance.md of what growth costs, between their marks, from what
`make bench` has written: RESULTS, results.json, and peers.json and scale.json beside
it, if they are there."""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, "bench", "report"))

import bounds  # noqa: E402
import data  # noqa: E402
import scale  # noqa: E402
from peers import Peers  # noqa: E402
from words import figure, parties, short, size, tick  # noqa: E402

MARK = "<!-- %s:%s -->"
CLASSES = ("near", "far")

# Systems that show something about the measuring: only in results.json.
ASIDE = ("polling", "pausing", "rte_ring")

# Of peers.json: the columns of the table, and what each is.
BESIDE = (
    ("There and back, 64 B", ("round_trip", "spinning", 64, 1, 1)),
    ("The same, asleep", ("round_trip", "asleep", 64, 1, 1)),
    ("One way, 64 B", ("rate", "shipped", 64, 1, 1)),
    ("One way, 1 MiB", ("rate", "shipped", 1 << 20, 1, 1)),
)


def size_of(row):
    return size(row["size"]) if row.get("size") else ""


def table(titles, rows):
    lines = ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) +
              " |" for row in rows]
    return "\n".join(lines)


def figures(rows):
    """Near and far of one thing in one line, in the order of the file."""
    found = {}
    for row in rows:
        if row.get("class") not in CLASSES or row["test"].startswith("ratio:"):
            continue
        if any(word in row.get("system", "") for word in ASIDE):
            continue
        key = (row["test"], row.get("system", ""), size_of(row),
               parties(row), row.get("unit", ""))
        found.setdefault(key, {})[row["class"]] = row.get("value")
    lines = []
    for (test, system, its_size, its_parties, unit), values in found.items():
        lines.append([bounds.title(test), system, its_size, its_parties] +
                     [figure(values.get(c), unit) for c in CLASSES])
    return table(["Test", "System", "Size", "Senders to receivers", "Near",
                  "Far"], lines)


def waiting(rows):
    """The tests waiting_..., a column for each number of messages waiting."""
    found = {(row["test"], row["system"]): row.get("value")
             for row in rows if row["test"].startswith("waiting_")}
    lines = []
    for what, title in bounds.WAITING.items():
        values = [found.get(("waiting_" + what, "cubby, %s waiting" % count))
                  for count in bounds.COUNTS]
        lines.append([title] + [figure(value, "ns") for value in values])
    return table(["Receive"] + [count + " waiting" for count in bounds.COUNTS], lines)


def verdict(row):
    held = row.get("held")
    if held is None:
        return "not known"
    return "held" if held else "**missed**"


def goals(rows):
    lines = []
    for row in rows:
        if not row["test"].startswith("ratio:"):
            continue
        what = "`%s`: %s" % (row["test"][len("ratio:"):],
                             row.get("system", ""))
        if row.get("beside"):
            what += ", beside " + row["beside"]
        bound = "%s %s" % (row.get("sense", ""), short(row["goal"]))
        values = [row.get(c) for c in CLASSES]
        if what.startswith("`waiting_"):
            values[0] = row.get("value")    # one process alone
        lines.append([what, size_of(row), bound] +
                     ["-" if v is None else "%.2f" % v for v in values] +
                     [verdict(row)])
    return table(["Ratio", "Size", "Goal", "Near", "Far", "Verdict"], lines)


def ratio_there(goal, class_):
    """Of a goal of the peers, on processors that are near, or far."""
    if goal.get(class_) is not None:
        return "%.2f" % goal[class_]
    return "not judged" if goal.get(class_ + "_reason") else "-"


def beside(peers_data):
    """A line for each peer, on processors that are near, or else as they were."""
    peers = Peers(peers_data)
    keys = [key for _, key in BESIDE]
    classes = peers.shown_classes(keys)
    if not classes:
        return ""
    lines = []
    for peer in peers.present():
        rows = [peers.of(key, peer).get(classes[0]) for key in keys]
        if peer["kind"] == "floor" or "batches" in peer["offers"]:
            continue
        lines.append([peer["name"]] +
                     [figure(row["value"], row["unit"]) if row else "-"
                      for row in rows])
    absent = [peer["name"] for peer in peers.peers if not peer["present"]]
    machine = peers_data["machine"]
    judged = [[goal["text"], goal.get("ours") or "-", goal.get("beside") or "-",
               "%s %s" % (goal["sense"], short(goal["goal"]))] +
              [ratio_there(goal, c) for c in CLASSES] + [verdict(goal)]
              for goal in peers_data["goals"]]
    return "\n".join([
        "Beside what people use today: measured on %s, on %s, Linux %s, on"
        % (peers_data["when"].split("T")[0], machine["processor"],
           machine["kernel"]),
        "processors that are %s; one sender, one receiver, messages written "
        "and read in full," % classes[0],
        "medians over rounds; - where there is nothing to measure, or no round "
        "counted.",
        "[bench/README.md](bench/README.md) says how.",
        "", table(["System"] + [title for title, _ in BESIDE], lines), ""] +
        (["Absent there: %s." % "; ".join(absent), ""] if absent else []) +
        ["Their goals, each a ratio of two of these; not judged where the one "
         "that is meant, or",
         "the best beside it, has no round that counted:", "",
         table(["Ratio", "Ours", "Beside", "Goal", "Near", "Far", "Verdict"],
               judged), ""])


def block(rows, peers_data):
    machine = bounds.machine(rows)
    return "\n".join([
        "Measured on %s, on %s, Linux %s." % (
            machine["when"].split("T")[0], machine["system"],
            machine["kernel"]),
        "Medians over rounds, on processors that are near each other (a bare "
        "cache line goes",
        "there and back in less than %d ns) and far (in more);"
        % machine.get("far_from_ns", 250),
        "[docs/performance.md](docs/performance.md) says how.",
        "", figures(rows), ""] +
        ([beside(peers_data)] if peers_data else []) + [
        "One process alone that receives a message of 64 bytes and sends one "
        "in its place,",
        "in order of arrival (or by priority), while so many wait:",
        "", waiting(rows), "",
        "The goals, each a ratio of two of these in one run; not known means "
        "that too few",
        "rounds counted:",
        "", goals(rows), "",
        "To repeat it: `make bench && python3 scripts/bench-table.py`.",
        ""])


def with_unit(value, unit):
    return "-" if value is None else figure(value, "" if unit == "ratio" else
                                            unit)


def growth(scale_data):
    """The targets, and each curve as one line for each of its series."""
    machine = scale_data["machine"]
    targets = [[target["text"],
                "%s %s" % (target["sense"],
                           with_unit(target["goal"], target["unit"])),
                with_unit(target.get("value"), target["unit"]),
                verdict(target)] for target in scale_data["targets"]]
    lines = []
    for curve in scale_data["curves"]:
        found, _ = scale.series(scale_data, curve)
        for name, rows in found.items():
            its = [row for row in rows if row["x"] is not None]
            lines.append([curve["title"], name, curve["x"], "; ".join(
                "%s: %s" % (tick(row["x"], curve.get("x_unit") or ""),
                            figure(row["value"], curve["unit"]))
                for row in its) or figure(rows[0]["value"], curve["unit"])])
    return "\n".join([
        "Measured on %s, on %s, Linux %s, %d processors; medians." % (
            scale_data["when"].split("T")[0], machine["processor"],
            machine["kernel"], len(machine["cpus"])),
        "", table(["Target", "Bound", "Measured", "Verdict"], targets),
        "", table(["What", "Of it", "By", "Each: median"], lines), ""])


def rewritten(path, mark, new):
    begin, end = (MARK % (mark, word) for word in ("begin", "end"))
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        sys.exit("bench-table: %s: %s" % (path, error))
    if text.count(begin + "\n") != 1 or text.count(end) != 1:
        sys.exit("bench-table: %s: the lines %s and %s are not there, once each"
                 % (path, begin, end))
    before, rest = text.split(begin + "\n")
    return before + begin + "\n" + new + end + rest.split(end)[1]


def refuse_part(rows, scale_data):
    """Tables that are published are of a whole run."""
    # Of one that was run every round may have been dropped.
    run = {row["system"] if row["test"] == "dropped" else row["test"]
           for row in rows}
    lacking = [test for test in bounds.TESTS if test not in run]
    if lacking:
        sys.exit("bench-table: the results are of a part: there is no %s; run "
                 "make bench" % ", ".join(lacking))
    if scale_data and scale_data["settings"].get("quick"):
        sys.exit("bench-table: scale.json is of a quick run, which measures "
                 "nothing of any size; run make bench")


def main():
    if "--help" in sys.argv[1:]:
        print(__doc__)
        return
    paths = sys.argv[1:] + [
        os.path.join(ROOT, *parts) for parts in (
            ("build", "bench", "results.json"), ("README.md",),
            ("docs", "performance.md"))][len(sys.argv) - 1:]
    if len(paths) > 3:
        sys.exit("bench-table: three arguments at most: RESULTS, README, "
                 "PERFORMANCE")
    results, readme, performance = paths
    beside_it = os.path.dirname(results)
    try:
        rows = data.read_results(results)
        peers_data = data.read_peers(os.path.join(beside_it, "peers.json"))
        scale_data = data.read_scale(os.path.join(beside_it, "scale.json"))
    except data.Malformed as error:
        sys.exit("bench-table: %s" % error)
    if rows is None:
        sys.exit("bench-table: no %s; run make bench" % results)
    refuse_part(rows, scale_data)
    texts = {readme: rewritten(readme, "bench", block(rows, peers_data))}
    if scale_data:
        texts[performance] = rewritten(performance, "growth",
                                       growth(scale_data))
    for path, text in texts.items():
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        print("written: %s" % path)


if __name__ == "__main__":
    main()
