# SPDX-License-Identifier: MIT
"""The sections of what stands in peers.json: cubby beside what people use."""

from html import escape

import plots
import words
from page import (cell, details, element, figure, missing, panels, paragraph,
                  section, table)

MODES = {
    "spinning": "nobody ever sleeps",
    "shipped": "the plain calls, however those wait",
    "asleep": "the other side sleeps before each trip",
}
SHOWN = ("near", "far")
MOST_OF_A_PANEL = 5       # peers, so that each has a colour and a shape


class Peers:
    """The rows by what was done, whom with, and on which processors."""

    def __init__(self, data):
        self.peers = data["peers"]
        self.goals = data["goals"]
        self.settings = data["settings"]
        self.rows, self.shares = {}, {}
        for row in data["rows"]:
            what = (row["mode"], row["size"], row["senders"],
                    row["receivers"])
            if row["test"] == "shares":
                self.shares.setdefault((row["of"],) + what, []).append(row)
                continue
            found = self.rows.setdefault((row["test"],) + what, {})
            found.setdefault(row["peer"], []).append(row)

    def present(self):
        return [peer for peer in self.peers if peer["present"]]

    def sizes(self, test, mode, senders=1, receivers=1):
        return sorted(key[2] for key in self.rows
                      if (key[0], key[1], key[3], key[4]) ==
                      (test, mode, senders, receivers))

    def shapes(self, test):
        found = {(key[3], key[4]) for key in self.rows if key[0] == test}
        return sorted(found, key=lambda shape: (sum(shape), -shape[0]))

    def modes(self, test):
        found = {key[1] for key in self.rows if key[0] == test}
        return [mode for mode in MODES if mode in found] + sorted(
            found - MODES.keys())

    def of(self, key, peer):
        """By class, the rows with a value."""
        return {row["class"]: row
                for row in self.rows.get(key, {}).get(peer["name"], ())
                if row["value"] is not None and row.get("class")}

    def reasons(self, keys, peer):
        """Why there is no value, of those tests that have none."""
        found = []
        for key in keys:
            for row in self.rows.get(key, {}).get(peer["name"], ()):
                if row["value"] is None and row.get("reason"):
                    found.append((key, row["reason"]))
        return found

    def classes(self, keys):
        found = {class_ for key in keys for peer in self.peers
                 for class_ in self.of(key, peer)}
        return [class_ for class_ in words.CLASSES if class_ in found] + \
            sorted(found - set(words.CLASSES))

    def shown_classes(self, keys):
        """Near and far; what there is, where neither is."""
        found = self.classes(keys)
        return [c for c in SHOWN if c in found] or found


def rounds_of(peers, keys):
    """On what processors the rounds were, and what was dropped."""
    rows = [row for key in keys for row in peers.shares.get(key, ())]
    counts = {class_: sum(int(row.get(class_) or 0) for row in rows)
              for class_ in words.CLASSES + ("moved", "preempted")}
    all_ = sum(counts[class_] for class_ in words.CLASSES)
    if not all_:
        return ""
    shares = ", ".join("%.0f %% %s" % (100.0 * counts[c] / all_, c)
                       for c in words.CLASSES if counts[c])
    return ("Of %s rounds: %s. Dropped: %d as the processors had moved, %d as "
            "one was taken away." % ("{:,}".format(all_), shares,
                                     counts["moved"], counts["preempted"]))


def not_there(peers, keys):
    """Who has no value in any of these, and why: a line for each reason."""
    by_reason = {}
    for peer in peers.peers:
        if any(peers.of(key, peer) for key in keys):
            continue
        reasons = peers.reasons(keys, peer)
        reason = ("absent: %s" % (peer.get("absent") or "no reason given")
                  if not peer["present"] else
                  reasons[0][1] if reasons else "not part of this run")
        by_reason.setdefault(reason, []).append(peer["name"])
    return ["Without a figure, %s: %s." % (reason, "; ".join(names))
            for reason, names in by_reason.items()]


def caption(peers, keys, before=""):
    return [before, rounds_of(peers, keys)] + not_there(peers, keys)


def nothing(peers, keys, what):
    """In the place of a figure."""
    return missing("%s: no round counted." % what) + "".join(
        paragraph(line, "soft") for line in caption(peers, keys) if line)


def by_size(peers, test, mode, shape, titles="Peer"):
    """A table: a line for each peer, columns for sizes and classes."""
    sizes = peers.sizes(test, mode, *shape)
    keys = [(test, mode, size) + shape for size in sizes]
    columns = [(key, class_) for key in keys
               for class_ in peers.classes([key])]
    rows = []
    for peer in peers.peers:
        cells = [cell(peer["name"], scope="row")]
        for key, class_ in columns:
            row = peers.of(key, peer).get(class_)
            if row:
                spread = " (%s to %s)" % (
                    words.figure(row.get("low"), row["unit"]),
                    words.figure(row.get("high"), row["unit"]))
                cells.append(cell(words.figure(row["value"], row["unit"]),
                                  "number", title="p5 to p95" + spread,
                                  below=words.rounds(row)))
            else:
                reasons = peers.reasons([key], peer)
                cells.append(cell("-", "number", title=reasons[0][1]
                                  if reasons else "not on such processors"))
        rows.append(element("tr", *cells, class_="ours-row"
                            if peer["kind"] == "ours" else None))
    return table([titles] + ["%s, %s" % (words.size(key[2]), class_)
                             for key, class_ in columns], rows)


# There and back -------------------------------------------------------------


def distribution_plots(peers, key):
    """The same rows in each plot, so that they can be compared."""
    classes = peers.shown_classes([key])
    found = {peer["name"]: {class_: row["latency"]
                            for class_, row in peers.of(key, peer).items()
                            if class_ in classes and has_latency(row)}
             for peer in peers.peers}
    rows = {class_: [plots.Distribution(peer["name"], peer["kind"],
                                        found[peer["name"]].get(class_))
                     for peer in peers.peers if found[peer["name"]]]
            for class_ in classes}
    every = [row for its in rows.values() for row in its if row.latency]
    if not every:
        return None
    span = plots.distributions_span(every)
    return panels([plots.distributions(
        "%s, %s processors" % (words.size(key[2]), class_), its, span)
        for class_, its in rows.items()])


def has_latency(row):
    return bool(row and row.get("latency") and row["latency"]["buckets"])


def distribution_figure(peers, key):
    drawn = distribution_plots(peers, key)
    if drawn is None:
        return nothing(peers, [key], words.size(key[2]))
    return figure(caption(peers, [key]), drawn, wide=True)


def round_trips(peers):
    parts = [paragraph(
        "How long a message and its answer take between two processes: every "
        "single trip of all rounds, not averages of rounds. Each hill shows "
        "how the trips of one peer are spread, along a logarithmic axis that "
        "all plots of a group share; each is drawn as high as the others. The "
        "long mark is the median, the short ones are p99 and p99.9; what lies "
        "beyond the axis is not drawn, but counted in those figures.")]
    for mode in peers.modes("round_trip"):
        sizes = peers.sizes("round_trip", mode)
        first = 64 if 64 in sizes else sizes[0]
        parts.append(element("h3", escape("%s: %s" % (
            mode.capitalize(), MODES.get(mode, mode)))))
        parts.append(distribution_figure(
            peers, ("round_trip", mode, first, 1, 1)))
        others = [distribution_figure(peers, ("round_trip", mode, size, 1, 1))
                  for size in sizes if size != first]
        if others:
            parts.append(details("Messages of other sizes", *others))
        parts.append(details("Medians over rounds, as a table", by_size(
            peers, "round_trip", mode, (1, 1))))
    return section("round-trips", "There and back: the distribution of "
                   "latencies", *parts)


# One way --------------------------------------------------------------------


def families(peers):
    """Groups that one plot can hold, with its title."""
    others = [p for p in peers.present() if p["kind"] == "peer"]
    batches = [p for p in others if "batches" in p["offers"]]
    others = [p for p in others if p not in batches]
    spinning = [p for p in others if "blocking" not in p["offers"]]
    kernel = [p for p in others if p not in spinning and
              (p.get("version") or "").startswith("Linux")]
    libraries = [p for p in others if p not in spinning and p not in kernel]
    found = []
    for title, members in (("of the kernel", kernel),
                           ("libraries", libraries),
                           ("which never sleep", spinning),
                           ("in batches", batches)):
        for i in range(0, len(members), MOST_OF_A_PANEL):
            found.append((title, members[i:i + MOST_OF_A_PANEL]))
    return found


def rate_line(peers, peer, style, keys, class_):
    rows = [(key[2], peers.of(key, peer).get(class_)) for key in keys]
    return plots.Line(peer["name"], style, [
        (float(size), row["value"], row.get("low"), row.get("high"))
        for size, row in rows if row])


def rate_panel(peers, title, members, keys, class_, spans):
    batches = any("batches" in peer["offers"] for peer in members)
    ours = [peer for peer in peers.present() if peer["kind"] == "ours" and
            ("batches" not in peer["offers"] or batches)]
    if batches:
        ours = [p for p in ours if "in place" not in p["offers"]]
    lines = [rate_line(peers, peer, min(i, 1), keys, class_)
             for i, peer in enumerate(ours)]
    lines += [rate_line(peers, peer, 2 + i, keys, class_)
              for i, peer in enumerate(members)]
    lines = [line for line in lines if line.points]
    if not any(line.style > 1 for line in lines):
        return ""
    return plots.lines("%s, %s" % (class_.capitalize(), title), lines,
                       "messages/s", "size of a message", "bytes", *spans)


def rate_figure(peers, mode, shape):
    sizes = peers.sizes("rate", mode, *shape)
    keys = [("rate", mode, size) + shape for size in sizes]
    rows = [row for key in keys for peer in peers.peers
            for class_, row in peers.of(key, peer).items()
            if class_ in peers.shown_classes(keys)]
    if not rows:
        return nothing(peers, keys, "%d to %d" % shape)
    spans = (plots.values_span([row[name] for row in rows
                                for name in ("value", "low", "high")
                                if row.get(name)]),
             [float(size) for size in sizes])
    drawn = [panels([rate_panel(peers, title, members, keys, class_, spans)
                     for title, members in families(peers)])
             for class_ in peers.shown_classes(keys)]
    return figure(caption(peers, keys), *drawn, details(
        "The figures, as a table", by_size(peers, "rate", mode, shape)))


def rates(peers):
    parts = [paragraph(
        "Messages a second from senders to receivers, each message filled, "
        "read in full and compared. Medians over rounds; the band is p5 to "
        "p95. Both axes are logarithmic, and the same in all plots of a "
        "group. Cubby is in each plot, where a round of it counted.")]
    for shape in peers.shapes("rate"):
        parts.append(element("h3", escape("%d to %d" % shape)))
        modes = peers.modes("rate")
        first = "shipped" if "shipped" in modes else modes[0]
        parts.append(paragraph("%s: %s." % (first.capitalize(),
                                            MODES.get(first, first)), "soft"))
        parts.append(rate_figure(peers, first, shape))
        parts += [details("%s: %s" % (mode.capitalize(),
                                      MODES.get(mode, mode)),
                          rate_figure(peers, mode, shape))
                  for mode in modes if mode != first]
    return section("rates", "One way: rates by size", *parts)


# Single tests ---------------------------------------------------------------


def dots_of(peers, key, field="value"):
    rows = []
    for peer in peers.peers:
        values = {}
        found = peers.of(key, peer)
        for class_ in words.CLASSES:
            row = found.get(class_)
            if row and row.get(field) is not None:
                plain = field == "value"
                values[class_] = (row[field],
                                  row.get("low") if plain else None,
                                  row.get("high") if plain else None)
        if values:
            rows.append(plots.Dots(peer["name"], peer["kind"], values))
    return rows


def dots_figure(peers, test, unit, title, wanted=None):
    """A plot for each size of the test."""
    keys = sorted(key for key in peers.rows if key[0] == test)
    drawn = []
    for key in keys:
        rows = dots_of(peers, key)
        if rows:
            drawn.append(plots.dots("%s, %s" % (title, words.size(key[2])),
                                    rows, unit))
    if not drawn:
        return nothing(peers, keys, title)
    tables = [by_size(peers, test, mode, (1, 1))
              for mode in peers.modes(test)]
    return figure(caption(peers, keys, wanted or ""), panels(drawn),
                  details("The figures, as a table", *tables), wide=True)


MARKS = ("Full: near processors; hollow: far; square: others. The bar is p5 to "
         "p95 of the rounds.")


def untouched(peers):
    if not any(key[0] == "rate_untouched" for key in peers.rows):
        return missing("1 MiB untouched was not part of this run.")
    return dots_figure(peers, "rate_untouched", "messages/s",
                       "Messages a second", MARKS)


def even_load(peers):
    if not any(key[0] == "even_load" for key in peers.rows):
        return missing("The even load was not part of this run.")
    pacing = peers.settings.get("pacing_ns")
    before = MARKS
    if isinstance(pacing, (int, float)):
        before += (" Keeping the pace alone takes its process %s a message, "
                   "which is part of each." % words.figure(pacing, "ns"))
    return dots_figure(peers, "even_load", "ns of processor",
                       "Processor time a message", before)


def calls(peers):
    tests = {"calls_rate": "One way", "calls_round_trip": "There and back",
             "calls_even_load": "Even load"}
    keys = sorted((key for key in peers.rows if key[0] in tests),
                  key=lambda key: list(tests).index(key[0]))
    columns = [(key, class_) for key in keys
               for class_ in peers.classes([key])]
    if not columns:
        reason = peers.settings.get("calls_not_counted")
        return missing("System calls were not counted%s." % (
            ": %s" % reason if reason else ""))
    rows = []
    for peer in peers.peers:
        found = [peers.of(key, peer).get(class_) for key, class_ in columns]
        cells = [cell(peer["name"], scope="row")]
        cells += [cell(few(row and row.get("calls")), "number",
                       below=words.rounds(row or {}))
                  for row in found]
        rows.append(element("tr", *cells, class_="ours-row"
                            if peer["kind"] == "ours" else None))
    titles = ["%s, %s" % (tests[key[0]], class_) for key, class_ in columns]
    return table(["Calls a message of %s" % words.size(keys[0][2])] + titles,
                 rows) + paragraph(rounds_of(peers, keys), "soft")


def few(count):
    """Of calls a message."""
    if count is None:
        return "-"
    return "< 0.001" if 0 < count < 0.001 else "%.3g" % count


def costs(peers):
    return section(
        "costs", "What a message costs besides time",
        element("h3", "Processor time at an even load"),
        paragraph("10,000 messages a second, evenly: the processor time of "
                  "all participants, a message. Who spins loses here."),
        even_load(peers),
        element("h3", "System calls"),
        paragraph("Of all participants, counted by the kernel in rounds of "
                  "their own; for there and back, a trip."),
        calls(peers),
        element("h3", "1 MiB in place, untouched"),
        paragraph("One word of each message is written and read; who copies, "
                  "copies all of it."),
        untouched(peers))


# Who took part ----------------------------------------------------------------

KINDS = {"ours": "cubby", "peer": "peer", "floor": "a bound, no mailbox"}


def who(peers):
    rows = []
    for peer in peers.peers:
        there = ("yes" if peer["present"] else
                 "absent: %s" % (peer.get("absent") or "no reason given"))
        rows.append(element("tr", *[
            cell(peer["name"], scope="row"),
            cell(KINDS.get(peer["kind"], peer["kind"])), cell(there),
            cell(peer.get("version") or "-"),
            cell(", ".join(peer["offers"]) or "-"),
            cell(peer.get("note") or "-"),
            cell(peer.get("manual") or "-")],
            class_="ours-row" if peer["kind"] == "ours" else None))
    return section(
        "peers", "Who took part",
        table(["Peer", "Kind", "Present", "Version", "Offers",
               "To be known of its figures", "Written as told by"], rows,
              numbers=False))


def sections(data):
    peers = Peers(data)
    parts = []
    for test, make in (("round_trip", round_trips), ("rate", rates)):
        if any(key[0] == test for key in peers.rows):
            parts.append(make(peers))
        else:
            parts.append(section(test.replace("_", "-") + "s",
                                 "There and back" if test == "round_trip"
                                 else "One way", missing(
                                     "The test %s was not part of this run."
                                     % test)))
    return parts + [costs(peers), who(peers)]
