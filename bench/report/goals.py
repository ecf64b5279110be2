# SPDX-License-Identifier: MIT
"""The goals of all files in one table, and how many of them are held."""

from html import escape

import bounds
import words
from page import cell, element, missing, paragraph, section, table

CLASSES = ("near", "far")
MARKS = {True: ("✓ held", "held"), False: ("✗ missed", "missed"),
         None: ("– not measured", "unknown")}


class Goal:
    def __init__(self, text, detail, row, unit="ratio"):
        self.text, self.detail, self.unit = text, detail, unit
        self.held = row.get("held")
        self.values = [row.get("near"), row.get("far")]
        self.unjudged = [row.get(c) is None and bool(row.get(c + "_reason"))
                         for c in CLASSES]
        self.value = row.get("value")
        self.bound = "%s %s" % (row["sense"],
                                words.figure(row["goal"], unit)
                                if unit != "ratio" else "%g" % row["goal"])


def of_peers(data):
    goals = []
    for row in data["goals"]:
        detail = "%s, beside %s" % (row["ours"], row["beside"]) if row.get(
            "ours") and row.get("beside") else ""
        reasons = [row["reason"]] if row.get("reason") else []
        reasons += ["not judged %s: %s" % (c, row[c + "_reason"])
                    for c in CLASSES if row.get(c + "_reason")]
        goals.append(Goal("%s: %s" % (row["name"], row["text"]),
                          ": ".join(filter(None, [
                              detail, "; ".join(reasons)])), row))
    return goals


def of_results(rows):
    goals = []
    for row in rows:
        if not row["test"].startswith("ratio:"):
            continue
        text = row["test"][len("ratio:"):] + ": " + row["system"]
        if row.get("beside"):
            text += ", beside " + row["beside"]
        if row.get("size"):
            text += ", " + words.size(row["size"])
        goals.append(Goal(text, row.get("reason"), row))
    return goals


def of_scale(data):
    return [Goal("%s: %s" % (row["name"], row["text"]),
                 row.get("reason") or "", row, row["unit"])
            for row in data["targets"]]


def value_cell(label, value, goal, decides=False, unjudged=False):
    class_ = "number" + (" decides" if decides else "") + (
        " none" if value is None and not unjudged else "")
    return cell("not judged" if unjudged else words.figure(value, goal.unit),
                class_, label=label)


def goal_row(goal):
    mark, class_ = MARKS[goal.held]
    values = [value_cell(label, value, goal,
                         value is not None and value == goal.value, unjudged)
              for label, value, unjudged in zip(CLASSES, goal.values,
                                                goal.unjudged)]
    other = goal.value if goal.value not in goal.values else None
    values.append(value_cell("measured", other, goal, True))
    detail = [element("span", escape(goal.detail), class_="detail")] \
        if goal.detail else []
    return element("tr", cell(mark, class_, "row"),
                   element("td", escape(goal.text), *detail, class_="what"),
                   cell(goal.bound, "number"), *values)


def group(title, goals, absent):
    head = element("tr", element("th", escape(title), colspan=6,
                                 scope="colgroup"), class_="group")
    if goals:
        return [head] + [goal_row(goal) for goal in goals]
    return [head, element("tr", element("td", escape(absent), colspan=6,
                                        class_="soft"))]


def tiles(goals):
    found = []
    for held, (mark, class_) in MARKS.items():
        count = sum(1 for goal in goals if goal.held is held)
        found.append(element("li", element("b", str(count)),
                             element("span", escape(mark), class_=class_)))
    return element("ul", *found, class_="tiles")


def sections(results, peers, scale):
    groups = (
        ("Beside what people use", of_peers(peers) if peers else [],
         "no peers.json: not measured" if peers is None else
         "this run measured none of them"),
        ("Beside what bounds it", of_results(results) if results else [],
         "no results.json: not measured" if results is None else
         "this run measured none of them"),
        ("What growth costs", of_scale(scale) if scale else [],
         "no scale.json: not measured" if scale is None else
         "this run measured none of them"))
    every = [goal for _, goals, _ in groups for goal in goals]
    rows = [row for part in groups for row in group(*part)]
    note = paragraph(
        "Each goal bounds a ratio of cubby and something else that was "
        "measured in the same laps, or a figure of cubby alone. The worse of "
        "near and far decides; it is set bold.", "soft")
    if not every:
        note += missing("No goal was measured.")
    return [section("goals", "The goals", tiles(every), note, table(
        ["Verdict", "Goal", "Bound", "Near", "Far", "Otherwise"], rows,
        numbers=False, class_="goals"))]
