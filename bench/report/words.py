# SPDX-License-Identifier: MIT
"""How figures, sizes and parties are written, in the page and in the README."""

CLASSES = ("near", "far", "sibling", "mixed", "oversubscribed", "alone")

# For each unit: the least value from which on it is written so, what it is then
# divided by, and what stands behind it.
SCALES = {
    "messages/s": ((1e6, 1e6, " M/s"), (1e3, 1e3, " k/s"), (0, 1, "/s")),
    "bytes/s": ((1e9, 1e9, " GB/s"), (1e6, 1e6, " MB/s"), (0, 1, " B/s")),
    "ns": ((1e9, 1e9, " s"), (1e6, 1e6, " ms"), (1e4, 1e3, " µs"),
           (0, 1, " ns")),
    "bytes": ((1 << 30, 1 << 30, " GiB"), (1 << 20, 1 << 20, " MiB"),
              (1 << 10, 1 << 10, " KiB"), (0, 1, " B")),
}
SCALES["ns of processor"] = SCALES["ns"]
SCALES["us"] = ((1e6, 1e6, " s"), (1e3, 1e3, " ms"), (0, 1, " µs"))


def short(value):
    """Three digits that count."""
    return "%.0f" % value if value >= 100 else "%.3g" % value


def figure(value, unit):
    if value is None:
        return "-"
    for least, scale, name in SCALES.get(unit, ()):
        if value >= least:
            return short(value / scale) + name
    if not unit or unit == "ratio":
        return "%.2f" % value if value < 100 else "{:,.0f}".format(value)
    return short(value) + " " + unit


def tick(value, unit):
    """A round value at an axis: as short as it goes."""
    if unit in ("ns", "ns of processor") and value >= 1e3:
        for scale, name in ((1e9, " s"), (1e6, " ms"), (1e3, " µs")):
            if value >= scale:
                return "%g%s" % (value / scale, name)
    for least, scale, name in SCALES.get(unit, ()):
        if value >= least:
            return "%g%s" % (value / scale, name)
    return "{:,g}".format(value)


def size(count):
    for unit, scale in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count and count % scale == 0:
            return "%d %s" % (count // scale, unit)
    return "%d B" % count


def rounds(row):
    """How many counted."""
    count = row.get("rounds")
    if count is None:
        return ""
    return "1 round" if count == 1 else "{:,.0f} rounds".format(count)


def parties(row):
    return "%s to %s" % (row.get("senders", "?"), row.get("receivers", "?"))


def verdict(held):
    if held is None:
        return "not measured"
    return "held" if held else "missed"
