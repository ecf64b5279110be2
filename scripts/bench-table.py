#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench-table.py [RESULTS [README]]: rewrites what README.md says of speed,
between its marks, from the rows that `make bench` has written."""

import json
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
CLASSES = ("near", "far")

# In words; another test is told by its name.
TESTS = {
    "round_trip": "There and back",
    "rate": "One way",
    "fan_in": "One way, up to three senders",
    "idle_rate": "One way, idle senders beside",
    "idle_round_trip": "There and back, idle senders beside",
    "in_place": "There and back, in place, untouched",
    "in_full": "One way, in place, written and read in full",
    "asleep": "There and back, one side asleep",
    "queue": "One way, in order of arrival",
}

# Messages waiting, and what is done to one of them.
WAITING = {
    "first": "The first, and send one",
    "type": "The first of a type, and send one",
    "not_type": "The first of any type but one, and send one",
    "lowest": "The first of the lowest type, and send one",
    "priority": "The first of the highest priority, and send one",
    "withdrawal": "Send synchronously, and withdraw",
}
COUNTS = ("10", "1,000", "100,000")

# Systems that show something about the measuring: only in results.json.
ASIDE = ("polling", "pausing", "rte_ring")


def words(name):
    return TESTS.get(name, name.replace("_", " ").capitalize())


def size_of(row):
    size = row.get("size")
    if not size:
        return ""
    for unit, bytes_ in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size % bytes_ == 0:
            return "%d %s" % (size // bytes_, unit)
    return "%d B" % size


def parties_of(row):
    return "%s to %s" % (row.get("senders", "?"), row.get("receivers", "?"))


def short(value):
    """Three digits that count."""
    return "%.0f" % value if value >= 100 else "%.3g" % value


def figure(value, unit):
    if value is None:
        return "-"
    scales = {"messages/s": ((1e6, " M/s"), (1e3, " k/s"), (1, "/s")),
              "bytes/s": ((1e9, " GB/s"), (1e6, " MB/s"), (1, " B/s")),
              "ns": ((1e6, " ms"), (1e4, " µs"), (1, " ns"))}
    for least, name in scales.get(unit, ()):
        if value >= least or least == 1:
            scale = 1e3 if name == " µs" else least
            return short(value / scale) + name
    return short(value) + (" " + unit if unit else "")


def table(titles, rows):
    lines = ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
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
               parties_of(row), row.get("unit", ""))
        found.setdefault(key, {})[row["class"]] = row.get("value")
    lines = []
    for (test, system, size, parties, unit), values in found.items():
        lines.append([words(test), system, size, parties] +
                     [figure(values.get(c), unit) for c in CLASSES])
    return table(["Test", "System", "Size", "Senders to receivers", "Near",
                  "Far"], lines)


def waiting(rows):
    """The tests waiting_..., a column for each number of messages waiting."""
    found = {(row["test"], row["system"]): row.get("value")
             for row in rows if row["test"].startswith("waiting_")}
    lines = []
    for what, title in WAITING.items():
        values = [found.get(("waiting_" + what, "cubby, %s waiting" % count))
                  for count in COUNTS]
        lines.append([title] + [figure(value, "ns") for value in values])
    return table(["Receive"] + [count + " waiting" for count in COUNTS], lines)


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


def block(rows):
    machine = next(row for row in rows if row["test"] == "machine")
    return "\n".join([
        "Measured on %s, on %s, Linux %s." % (
            machine["when"].split("T")[0], machine["system"],
            machine["kernel"]),
        "Medians over rounds, on processors that are near each other (a bare "
        "cache line goes",
        "there and back in less than %d ns) and far (in more);"
        % machine.get("far_from_ns", 250),
        "[docs/performance.md](docs/performance.md) says how.",
        "", figures(rows), "",
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


def rewrite(text, new):
    before, rest = text.split(BEGIN + "\n")
    after = rest.split(END)[1]
    return before + BEGIN + "\n" + new + END + after


def main():
    default = os.path.join(ROOT, "build", "bench", "results.json")
    results = sys.argv[1] if len(sys.argv) > 1 else default
    readme = (sys.argv[2] if len(sys.argv) > 2
              else os.path.join(ROOT, "README.md"))
    if not os.path.exists(results):
        sys.exit("bench-table: no %s; run make bench" % results)
    with open(results, encoding="utf-8") as file:
        rows = json.load(file)
    with open(readme, encoding="utf-8") as file:
        text = file.read()
    text = rewrite(text, block(rows))
    with open(readme, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    main()
