# SPDX-License-Identifier: MIT
"""The section of what stands in scale.json: what growth costs, as curves."""

from html import escape

import plots
import words
from page import (cell, details, element, figure, missing, panels, paragraph,
                  section, table)

# What there is to be, by bench/README.md: what of it is not in the file is named.
EXPECTED = {
    "idle_senders": "a busy sender beside idle ones",
    "busy_senders": "1 to 1,000 senders on one mailbox, all busy",
    "receivers": "1 to 64 receivers",
    "mailboxes": "up to 10,000 mailboxes open in one process",
    "mailboxes_machine": "up to 10,000 mailboxes on one machine",
    "backlog": "a backlog of up to 10 million messages, and the memory after it",
    "sizes": "messages of 1 KiB to 1 GiB",
    "oversubscription": "more processes than processors",
    "memory_mailbox": "the memory of an idle mailbox",
    "memory_sender": "the memory of an idle sender",
    "memory_message": "the memory of a message",
    "open": "the time from opening to the first message",
}


def series(data, curve):
    """By series and class: points by x; and the rows without a value."""
    found, without = {}, []
    for row in data["rows"]:
        if row["curve"] != curve["name"]:
            continue
        if row["value"] is None:
            without.append(row)
            continue
        name = row["series"] + (", " + row["class"] if row.get("class")
                                else "")
        found.setdefault(name, []).append(row)
    for rows in found.values():
        rows.sort(key=lambda row: row["x"] or 0)
    return found, without


def x_words(curve, x):
    if x is None:
        return "-"
    if curve.get("x_unit") == "bytes":
        return words.size(int(x))
    return "%s %s" % (words.tick(x, curve.get("x_unit") or ""), curve["x"])


def curve_table(curve, found):
    rows = []
    for name, its in found.items():
        for row in its:
            rows.append([
                cell("%s, %s" % (name, x_words(curve, row["x"])) if
                     row["x"] is not None else name, scope="row"),
                cell(words.figure(row["value"], curve["unit"]), "number"),
                cell(words.figure(row.get("low"), curve["unit"]), "number"),
                cell(words.figure(row.get("high"), curve["unit"]), "number"),
                cell("-" if row.get("rounds") is None else
                     "{:,.0f}".format(row["rounds"]), "number")])
    return table(["", "Median", "p10", "p90", "Rounds"], rows)


def curve_plots(curve, found):
    """As many plots as the series need for a colour and a shape each; none if
    there is no curve, but single figures."""
    lines = {name: [(row["x"], row["value"], row.get("low"), row.get("high"))
                    for row in its if row["x"] is not None and row["value"] > 0]
             for name, its in found.items()}
    lines = {name: points for name, points in lines.items()
             if len(points) > 1}
    names, most = list(lines), plots.SHAPES - 1
    drawn = []
    for i in range(0, len(names), most):
        styles = [0] + list(range(2, plots.SHAPES))
        drawn.append(plots.lines(
            curve["title"],
            [plots.Line(name, style, lines[name])
             for name, style in zip(names[i:i + most], styles)],
            curve["unit"], curve["x"], curve.get("x_unit")))
    return drawn


def curve_parts(data, curve):
    found, without = series(data, curve)
    note = [curve["note"]] if curve.get("note") else []
    note += sorted({"%s, %s: %s" % (row["series"], x_words(curve, row["x"]),
                                    row.get("reason") or "not measured")
                    for row in without})
    drawn = curve_plots(curve, found)
    if not found:
        return missing("%s: not measured. %s" % (curve["title"],
                                                 "; ".join(note)))
    if not drawn:
        return element("h3", escape(curve["title"])) + curve_table(
            curve, found) + paragraph("; ".join(note), "soft")
    return figure(note, panels(drawn), details(
        "The figures, as a table", curve_table(curve, found)))


def sections(data):
    there = {row["curve"] for row in data["rows"]}
    lacking = [text for name, text in EXPECTED.items() if name not in there]
    parts = [paragraph("Medians over rounds; the band is p10 to p90. Both "
                       "axes are logarithmic.")]
    if data["settings"].get("quick"):
        parts.append(paragraph("A quick run: each point is of a moment, and no "
                               "target is judged by it.", "soft"))
    # Curves stand beside each other, single figures below them.
    made = [curve_parts(data, curve) for curve in data["curves"]]
    plotted = [part for part in made if part.startswith("<figure")]
    parts.append(element("div", *plotted, class_="panels"))
    parts += [part for part in made if not part.startswith("<figure")]
    if lacking:
        parts.append(missing("Not measured in this run: %s." % "; ".join(
            lacking)))
    return [section("scale", "What growth costs", *parts)]
