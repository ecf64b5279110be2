# SPDX-License-Identifier: MIT
"""The section of what stands in results.json: cubby beside what bounds it."""

import plots
import words
from page import cell, details, element, figure, panels, paragraph, section, table

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
    "batch": "One way, in batches",
    "queue": "One way, in order of arrival",
    "call": "Request and reply",
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


def title(test):
    return TESTS.get(test, test.replace("_", " ").capitalize())


def machine(rows):
    return next(row for row in rows if row["test"] == "machine")


def measured(rows):
    """By test and by system with its size and parties, the rows by class."""
    found = {}
    for row in rows:
        if (row["test"] in ("machine", "dropped") or
                row["test"].startswith(("ratio:", "waiting_"))):
            continue
        name = row["system"]
        if row.get("size"):
            name += ", " + words.size(row["size"])
        if (row.get("senders"), row.get("receivers")) != (1, 1):
            name += ", " + words.parties(row)
        systems = found.setdefault(row["test"], {})
        systems.setdefault(name, []).append(row)
    return found


def dots(name, rows):
    values = {row["class"]: (row["value"], row.get("p1"), row.get("p99"))
              for row in rows if row["value"] is not None and row.get("class")}
    ordered = {c: values[c] for c in words.CLASSES if c in values}
    kind = "ours" if name.startswith("cubby") else "peer"
    return plots.Dots(name, kind, ordered) if ordered else None


def dropped(rows, test):
    for row in rows:
        if row["test"] == "dropped" and row["system"] == test:
            return "%s: %d kept, %d dropped" % (
                title(test), row.get("kept") or 0,
                (row.get("changed") or 0) + (row.get("preempted") or 0))
    return None


def test_plots(rows):
    drawn, without = [], []
    for test, systems in measured(rows).items():
        found = [dots(name, its) for name, its in systems.items()]
        units = {row.get("unit") for its in systems.values() for row in its}
        without += ["%s: %s (%s)" % (title(test), name,
                                     its[0].get("reason") or
                                     "no round counted")
                    for (name, its), row in zip(systems.items(), found)
                    if row is None]
        found = [row for row in found if row]
        if found:
            drawn.append(plots.dots(title(test), found, units.pop() or ""))
    return drawn, without


def test_table(rows):
    lines = []
    for test, systems in measured(rows).items():
        for name, its in systems.items():
            by_class = {row.get("class"): row for row in its}
            cells = [cell("%s: %s" % (title(test), name), scope="row")]
            for class_ in ("near", "far", "alone"):
                row = by_class.get(class_)
                cells.append(cell(words.figure(
                    row and row["value"], row.get("unit") if row else None),
                    "number", below=words.rounds(row or {})))
            lines.append(cells)
    return table(["Test", "Near", "Far", "Alone"], lines)


def waiting_table(rows):
    found = {(row["test"], row["system"]): row.get("value") for row in rows
             if row["test"].startswith("waiting_")}
    if not found:
        return ""
    lines = []
    for what, name in WAITING.items():
        values = [found.get(("waiting_" + what, "cubby, %s waiting" % count))
                  for count in COUNTS]
        lines.append([cell(name, scope="row")] +
                     [cell(words.figure(value, "ns"), "number")
                      for value in values])
    return element("h3", "Receiving one of many that wait") + paragraph(
        "One process alone, 64 bytes, in order of arrival or by priority.") + \
        table(["Receive"] + [count + " waiting" for count in COUNTS], lines)


def sections(rows):
    drawn, without = test_plots(rows)
    rounds = [dropped(rows, test) for test in measured(rows)]
    caption = "Medians over rounds; the bar is p1 to p99 of the rounds. " \
        "Full: near processors, or one process alone; hollow: far. "
    caption += "Rounds: " + "; ".join(r for r in rounds if r) + ". " \
        if any(rounds) else ""
    if without:
        caption += "Not measured: " + "; ".join(without) + "."
    return [section(
        "bounds", "Cubby beside what bounds it",
        paragraph("A bare exchange of cache lines, a ring without any of a "
                  "mailbox's duties, a bare futex: what no mailbox can "
                  "beat, or hardly."),
        figure([caption], panels(drawn), details("The figures, as a table",
                                               test_table(rows))),
        waiting_table(rows))]
