# SPDX-License-Identifier: MIT
"""Plots as SVG, of the width of a telephone's screen: a wide page puts several
beside each other. Their colours are the page's own, by classes. Each has a title
and a description, and each mark the figure that it stands for."""

import itertools
import math
import textwrap
from html import escape

import words

WIDTH = 400
LEFT, RIGHT = 8, 392      # of a plot with a name above each row
AXIS_LEFT = 62            # of one with an axis at its left
TITLE_WIDTH, NAME_WIDTH, FIGURE_WIDTH = 8, 7, 6.2    # of a letter, at most, on the average
LINE = 14                 # the height of one
SHAPES = 7                # that a line's points can have: one for each series

identities = itertools.count(1)


def attribute_name(name):
    return name.rstrip("_").replace("_", "-")


def tag(name, *children, **attributes):
    """An element; children are markup already, attributes are not."""
    text = "".join(' %s="%s"' % (attribute_name(key), escape(number(value)))
                   for key, value in attributes.items() if value is not None)
    if not children:
        return "<%s%s/>" % (name, text)
    return "<%s%s>%s</%s>" % (name, text, "".join(children), name)


def number(value):
    if isinstance(value, float):
        return ("%.1f" % value).rstrip("0").rstrip(".")
    return str(value)


def text(x, y, string, class_="", anchor=None):
    return tag("text", escape(string), x=x, y=y, class_=class_ or None,
               text_anchor=anchor)


def hover(string):
    return tag("title", escape(string))


def title_lines(title):
    """The title over the plot, and the place below."""
    found = textwrap.wrap(title, (RIGHT - LEFT) // TITLE_WIDTH) or [""]
    return [text(LEFT, 14 + 16 * i, line, "title")
            for i, line in enumerate(found)], 8 + 16 * len(found)


def shortened(string, width):
    most = int(width // NAME_WIDTH)
    return string if len(string) <= most else string[:most - 1] + "…"


def svg(height, title, description, parts):
    name = "plot-%d" % next(identities)
    return tag("svg",
               tag("title", escape(title), id=name + "-title"),
               tag("desc", escape(description), id=name + "-text"),
               *parts, viewBox="0 0 %d %d" % (WIDTH, math.ceil(height)),
               role="img", aria_labelledby="%s-title %s-text" % (name, name))


# Axes ---------------------------------------------------------------------


class Scale:
    """From values to places, by their logarithm."""

    def __init__(self, low, high, start, end, base=10):
        if high <= low:
            low, high = low / 2, high * 2
        self.low, self.high = math.log(low), math.log(high)
        self.start, self.end, self.base = start, end, base

    def __call__(self, value):
        value = math.log(value) if value > 0 else self.low
        share = (value - self.low) / (self.high - self.low)
        share = min(1.0, max(0.0, share))
        return self.start + share * (self.end - self.start)

    def ticks(self, most=6):
        if self.base == 2:
            return self.binary_ticks(most)
        low, high = math.exp(self.low), math.exp(self.high)
        for steps in ((1, 2, 3, 4, 5, 6, 8), (1, 2, 5), (1, 3), (1,)):
            found = [step * 10.0 ** power
                     for power in range(math.floor(math.log10(low)) - 1,
                                        math.ceil(math.log10(high)) + 1)
                     for step in steps
                     if low * 0.999 <= step * 10.0 ** power <= high * 1.001]
            if len(found) <= most:
                return found
        return found[::math.ceil(len(found) / most)]

    def binary_ticks(self, most):
        first = math.ceil(self.low / math.log(2) - 1e-6)
        last = math.floor(self.high / math.log(2) + 1e-6)
        step = max(1, math.ceil((last - first + 1) / most))
        return [2.0 ** power for power in range(first, last + 1, step)]


def values_span(values):
    positive = [value for value in values if value and value > 0]
    return (min(positive), max(positive)) if positive else (1.0, 10.0)


def axis_below(scale, unit, top, bottom, label=None, ticks=None):
    """The lines up through the plot, and what they stand for."""
    parts = []
    written = -math.inf  # up to there
    for value in ticks or scale.ticks():
        x = scale(value)
        name = label(value) if label else words.tick(value, unit)
        half = len(name) * FIGURE_WIDTH / 2
        anchor = ("start" if x < half else "end" if x > WIDTH - half else
                  "middle")
        left = x - {"start": 0, "middle": half, "end": 2 * half}[anchor]
        parts.append(tag("line", x1=x, x2=x, y1=float(top), y2=float(bottom),
                         class_="grid"))
        # A line without its figure is one between those beside it.
        if left > written + FIGURE_WIDTH / 2:
            parts.append(text(x, bottom + 14.0, name, "tick", anchor))
            written = left + 2 * half
    return parts


def axis_left(scale, unit, left, right):
    parts = []
    for value in scale.ticks():
        y = scale(value)
        parts.append(tag("line", x1=float(left), x2=float(right), y1=y, y2=y,
                         class_="grid"))
        parts.append(text(left - 5.0, y + 4, words.tick(value, unit), "tick",
                          "end"))
    return parts


def heading(name, figures, top):
    """Over a row: who, and what; in two lines if one is too short. Returns the
    parts, and the place below."""
    length = len(name) * NAME_WIDTH + len(figures) * FIGURE_WIDTH
    below = top if length < RIGHT - LEFT else top + LINE
    return [text(LEFT, top + 11.0, name, "name"),
            text(RIGHT, below + 11.0, figures, "figures", "end")], below


# Distributions: a row for each, its name above it ---------------------------

ROW, NAME = 46, 15
BINS_OF_OCTAVE = 12


class Distribution:
    """latency: as in peers.json; None: there is none."""

    def __init__(self, name, kind, latency):
        self.name, self.kind, self.latency = name, kind, latency

    def density(self):
        """Pairs of a bin's number and the share of all that lies in it; a
        bucket that is wider than a bin is spread over several."""
        bins = {}
        total = sum(count for _, count in self.latency["buckets"]) or 1
        for start, count in self.latency["buckets"]:
            first, last = bin_of(start), bin_of(bucket_end(start))
            first_bin, last_bin = math.floor(first), math.floor(last)
            for i in range(first_bin, last_bin + 1):
                part = (min(last, i + 1) - max(first, i)) / (last - first)
                if part > 0:
                    bins[i] = bins.get(i, 0) + part * count / total
        return bins

    def words(self):
        latency = self.latency
        if not latency:
            return "no round counted"
        parts = ["%s %s" % (name, words.figure(latency[key], "ns"))
                 for name, key in (("p50", "p50"), ("p99", "p99"),
                                   ("p99.9", "p999"))
                 if latency.get(key) is not None]
        return " · ".join(parts)


def bin_of(ns):
    return math.log2(max(ns, 1)) * BINS_OF_OCTAVE


def bucket_end(start):
    """bench/README.md: 1 ns on, or 1/32 of its power of two."""
    start = max(start, 1)
    if start < 64:
        return start + 1
    return start + 2 ** (math.floor(math.log2(start)) - 5)


def distributions_span(distributions):
    """From the fastest to the p99.9 of most."""
    lows = [d.latency["buckets"][0][0] for d in distributions]
    medians = [d.latency.get("p50") or 1 for d in distributions]
    highs = [d.latency.get("p999") or d.latency.get("p99") or
             d.latency.get("max") or 1 for d in distributions]
    if not lows:
        return 1.0, 10.0
    return (max(1.0, float(min(lows)), min(medians) / 4),
            max(max(medians) * 1.5, sorted(highs)[len(highs) * 3 // 4]))


def hill(distribution, scale, base, height):
    """The outline of a distribution as a path, over base."""
    bins = distribution.density()
    most = max(bins.values()) or 1
    low, high = math.exp(scale.low), math.exp(scale.high)
    points = []
    last = None
    for i in sorted(bins):
        at = [2 ** (edge / BINS_OF_OCTAVE) for edge in (i, i + 1)]
        if at[1] <= low or at[0] >= high:
            continue
        if last is not None and i != last + 1:
            points.append((scale(2 ** ((last + 1) / BINS_OF_OCTAVE)), base))
        if last is None or i != last + 1:
            points.append((scale(at[0]), base))
        up = base - height * bins[i] / most
        points += [(scale(at[0]), up), (scale(at[1]), up)]
        last = i
    if not points:
        return ""
    points.append((points[-1][0], base))
    path = "M" + "L".join("%s %s" % (number(float(x)), number(float(y)))
                          for x, y in points) + "Z"
    return tag("path", hover("%s: %s" % (distribution.name,
                                         distribution.words())),
               d=path, class_="hill")


def distribution_row(distribution, scale, top):
    """The row, and where it ends."""
    parts, top = heading(distribution.name, distribution.words(), top)
    base = top + ROW - 6.0
    latency = distribution.latency or {}
    parts += [tag("line", x1=LEFT, x2=RIGHT, y1=base, y2=base, class_="base"),
              hill(distribution, scale, base, ROW - NAME - 8.0)
              if latency else ""]
    for key, mark in (("p50", "median"), ("p99", "tail"), ("p999", "tail")):
        value = latency.get(key)
        if value is None or math.log(max(value, 1)) > scale.high:
            continue
        x = scale(value)
        parts.append(tag("line", x1=x, x2=x, y1=base - (
            ROW - NAME - 8.0 if mark == "median" else 8.0), y2=base + 3,
            class_=mark))
    return tag("g", *parts, class_=distribution.kind), top + ROW


def stack(rows, draw, top):
    """Rows one below the other, and where they end."""
    parts = []
    for row in rows:
        drawn, top = draw(row, top)
        parts.append(drawn)
    return parts, top


def distributions(title, rows, span):
    """span: what the axis covers, the same for plots to be compared."""
    scale = Scale(span[0], span[1], LEFT, RIGHT)
    parts, start = title_lines(title)
    drawn, bottom = stack(
        rows, lambda row, top: distribution_row(row, scale, top), start + 4)
    parts += axis_below(scale, "ns", start + 4, bottom) + drawn
    description = "; ".join("%s: %s" % (row.name, row.words())
                            for row in rows)
    return svg(bottom + 20, title, description, parts)


# Dots: a row for each, a mark for each class of processors -------------------

DOT_ROW = 32


class Dots:
    """values: by class, (median, low, high)."""

    def __init__(self, name, kind, values):
        self.name, self.kind, self.values = name, kind, values

    def words(self, unit):
        if set(self.values) == {"alone"}:
            return words.figure(self.values["alone"][0], unit)
        return " · ".join("%s %s" % (name, words.figure(value[0], unit))
                          for name, value in self.values.items())


def dot(x, y, class_, label):
    """Near full, far hollow, others square."""
    kind = {"near": "full", "alone": "full", "far": "hollow"}.get(class_,
                                                               "square")
    if kind == "square":
        return tag("rect", hover(label), x=x - 4, y=y - 4, width=8, height=8,
                   class_="dot hollow")
    return tag("circle", hover(label), cx=x, cy=y, r=5, class_="dot " + kind)


def dots_row(row, scale, unit, top):
    """The row, and where it ends."""
    parts, top = heading(row.name, row.words(unit), top)
    y = top + 22.0
    parts.append(tag("line", x1=LEFT, x2=RIGHT, y1=y, y2=y, class_="base"))
    for class_, (value, low, high) in row.values.items():
        spread = ""
        if low is not None and high is not None:
            spread = ", %s to %s" % (words.figure(low, unit),
                                     words.figure(high, unit))
            parts.append(tag("line", x1=scale(low), x2=scale(high), y1=y,
                             y2=y, class_="spread"))
        parts.append(dot(scale(value), y, class_, "%s, %s: %s%s" % (
            row.name, class_, words.figure(value, unit), spread)))
    return tag("g", *parts, class_=row.kind), top + DOT_ROW


def dots(title, rows, unit):
    values = [v for row in rows for value in row.values.values()
              for v in value if v is not None]
    low, high = values_span(values)
    scale = Scale(low * 0.9, high * 1.1, LEFT + 5.0, RIGHT - 5.0)
    parts, start = title_lines(title)
    drawn, bottom = stack(
        rows, lambda row, top: dots_row(row, scale, unit, top), start)
    parts += axis_below(scale, unit, start, bottom + 4) + drawn
    description = "; ".join("%s: %s" % (row.name, row.words(unit))
                            for row in rows)
    return svg(bottom + 24, title, description, parts)


# Lines ----------------------------------------------------------------------


class Line:
    """points: (x, value, low, high), by x; styles 0 and 1 are ours."""

    def __init__(self, name, style, points):
        self.name, self.style, self.points = name, style, points


def mark(x, y, style, *children):
    """A shape of its own for each series, so that none is told by its colour
    alone."""
    shape = style % SHAPES
    paths = {
        1: "M%(l)s %(t)sH%(r)sV%(b)sH%(l)sZ",
        2: "M%(x)s %(t)sL%(r)s %(b)sH%(l)sZ",
        3: "M%(x)s %(t)sL%(r)s %(y)sL%(x)s %(b)sL%(l)s %(y)sZ",
        4: "M%(l)s %(t)sH%(r)sL%(x)s %(b)sZ",
        5: "M%(l)s %(t)sL%(r)s %(b)sM%(r)s %(t)sL%(l)s %(b)s",
        6: "M%(x)s %(t)sV%(b)sM%(l)s %(y)sH%(r)s",
    }
    class_ = "mark s%d" % style
    if shape == 0:
        return tag("circle", *children, cx=float(x), cy=float(y), r=4,
                   class_=class_)
    places = {"x": x, "y": y, "l": x - 4, "r": x + 4, "t": y - 4, "b": y + 4}
    places = {key: number(float(place)) for key, place in places.items()}
    return tag("path", *children, d=paths[shape] % places, class_=class_)


def line_marks(line, across, up, unit, x_words):
    points = ["%s %s" % (number(float(across(x))), number(float(up(value))))
              for x, value, _, _ in line.points]
    parts = []
    spread = [(x, low, high) for x, _, low, high in line.points
              if low is not None and high is not None]
    if len(spread) > 1:
        edge = [(x, low) for x, low, _ in spread]
        edge += [(x, high) for x, _, high in reversed(spread)]
        parts.append(tag("path", d="M" + "L".join(
            "%s %s" % (number(float(across(x))), number(float(up(v))))
            for x, v in edge) + "Z", class_="band s%d" % line.style))
    parts.append(tag("path", d="M" + "L".join(points),
                     class_="line s%d" % line.style))
    for x, value, low, high in line.points:
        label = "%s, %s: %s" % (line.name, x_words(x),
                                words.figure(value, unit))
        if low is not None and high is not None:
            label += ", %s to %s" % (words.figure(low, unit),
                                     words.figure(high, unit))
        parts.append(mark(across(x), up(value), line.style, hover(label)))
    return parts


def legend(lines, top):
    """As many names a line as there is room for; returns the parts and where
    it ends."""
    longest = max((len(line.name) for line in lines), default=0)
    columns = max(1, min(3, (RIGHT - LEFT) // (longest * NAME_WIDTH + 16)))
    width = (RIGHT - LEFT) / columns
    parts = []
    for i, line in enumerate(lines):
        x = LEFT + 6 + (i % columns) * width
        y = top + 16 * (i // columns) + 8.0
        parts.append(mark(x, y, line.style))
        parts.append(text(x + 9, y + 4, shortened(line.name, width - 16),
                          "key ours" if line.style < 2 else "key"))
    return parts, top + 16 * math.ceil(len(lines) / columns)


def upward(low, high, unit, bottom, top):
    """The scale of the values; of what hardly differs, wider than that."""
    base = 2 if unit == "bytes" else 10
    scale = Scale(low * 0.9, high * 1.1, bottom, top, base)
    while len(scale.ticks()) < 2:
        low, high = low * 0.8, high * 1.25
        scale = Scale(low, high, bottom, top, base)
    return scale


def ticks_of(scale, all_x):
    """What was measured, if there is room for that."""
    places = [scale(x) for x in all_x]
    if all(b - a >= 40 for a, b in zip(places, places[1:])):
        return all_x
    if all_x[0] > 0:
        return scale.ticks()
    return [0] + [x for x in scale.ticks() if x >= all_x[1] * 0.99]


def lines(title, series, unit, x_label, x_unit, span=None, all_x=None):
    """span, all_x: what the axes cover, the same for plots to be compared."""
    points = [point for line in series for point in line.points]
    low, high = span or values_span(
        [v for point in points for v in point[1:] if v is not None])
    binary = x_unit == "bytes"
    all_x = sorted(set(all_x or [point[0] for point in points]))
    x_low, x_high = values_span(all_x)
    if all_x[0] <= 0:
        x_low /= 2      # where 0 is put, as it has no logarithm

    def x_words(value):
        if binary:
            return words.size(int(round(value)))
        return words.tick(value, x_unit or "") + " " + x_label

    parts, start = title_lines(title)
    keys, plot_top = legend(series, start)
    plot_top += 10
    bottom = plot_top + 190
    across = Scale(x_low, x_high, AXIS_LEFT + 8.0, RIGHT - 8.0,
                   2 if binary else 10)
    up = upward(low, high, unit, bottom, plot_top)
    parts += keys + axis_left(up, unit, AXIS_LEFT, RIGHT)
    parts += axis_below(across, x_unit or "", plot_top, bottom,
                        (lambda v: words.size(int(round(v)))) if binary
                        else None, ticks_of(across, all_x))
    parts.append(text((AXIS_LEFT + RIGHT) / 2, bottom + 30.0, x_label,
                      "tick", "middle"))
    # Ours over the others.
    for line in sorted(series, key=lambda line: -line.style):
        parts += line_marks(line, across, up, unit, x_words)
    description = "; ".join("%s: %s" % (line.name, ", ".join(
        "%s at %s" % (words.figure(value, unit), x_words(x))
        for x, value, _, _ in line.points)) for line in series)
    return svg(bottom + 36, title, description, parts)
