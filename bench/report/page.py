# SPDX-License-Identifier: MIT
"""The page around the sections: elements, tables, colours. All in one file: no
script, no font, no picture from elsewhere. It is XML too, so that a test can read
it."""

from html import escape

from plots import tag

# The first is ours. Each has 3 to 1 on its ground at least, and none is told
# by its colour alone.
STYLE = """
:root {
  color-scheme: light dark;
  --ground: #fcfcfb; --box: #ffffff; --ink: #17181a; --soft: #565b62;
  --rule: #dfe1e4; --grid: #e9eaec; --good: #0a6b2d; --bad: #b3261e;
  --s0: #1f66d1; --s1: #1f66d1; --s2: #c2500c; --s3: #0e7f63; --s4: #8a3fb5;
  --s5: #a06a00; --s6: #b8326d; --plain: #6d737b; --floor: #0e7f63;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #16181b; --box: #1c1f23; --ink: #eceef0; --soft: #a7adb5;
    --rule: #363b42; --grid: #2a2e34; --good: #63cf87; --bad: #ff8a80;
    --s0: #6aa6ff; --s1: #6aa6ff; --s2: #f58b4c; --s3: #3fc5a0;
    --s4: #c58bea; --s5: #dca63a; --s6: #f07fae; --plain: #969da6;
    --floor: #3fc5a0;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 1280px; margin: 0 auto; padding: 1rem 16px 4rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 1rem 0 .5rem; }
h2 { font-size: 1.3rem; margin: 3rem 0 .5rem; padding-top: .6rem;
  border-top: 1px solid var(--rule); }
h3 { font-size: 1.05rem; margin: 1.6rem 0 .4rem; }
p, .about li { max-width: 46rem; }
p { margin: .5rem 0; }
figcaption p { margin: .2rem 0; }
.soft, figcaption { color: var(--soft); font-size: .9rem; max-width: 46rem; }
a { color: var(--s0); }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1rem; margin: .8rem 0; }
.tiles { display: flex; flex-wrap: wrap; gap: .7rem; margin: 1rem 0; padding: 0;
  list-style: none; }
.tiles li { flex: 1 1 5rem; max-width: 12rem; font-size: .9rem; background: var(--box);
  border: 1px solid var(--rule); border-radius: 8px; padding: .5rem .7rem; }
.tiles b { display: block; font-size: 1.8rem; line-height: 1.2; }
.missing { border: 1px solid var(--rule); border-left: 4px solid var(--plain);
  border-radius: 4px; background: var(--box); padding: .6rem .9rem;
  margin: .8rem 0; max-width: 46rem; }
figure { margin: 1rem 0; }
.panels { display: flex; flex-wrap: wrap; gap: 1.2rem 20px; margin: .5rem 0; }
svg { flex: 1 1 330px; width: 100%; max-width: 400px; height: auto;
  align-self: flex-start; font-family: inherit; font-size: 12px; }
.panels > figure { flex: 1 1 330px; max-width: 400px; margin: 0; }
.wide > .panels > svg { max-width: 500px; }
details { margin: .5rem 0; }
summary { cursor: pointer; color: var(--s0); padding: .3rem 0; }
.scroll { overflow-x: auto; max-width: 100%; margin: .5rem 0;
  border: 1px solid var(--rule); border-radius: 6px; background: var(--box); }
table { border-collapse: collapse; font-size: .88rem; min-width: 100%;
  font-variant-numeric: tabular-nums; }
th, td { padding: .32rem .7rem; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--rule); }
tr:last-child > * { border-bottom: 0; }
thead th { font-weight: 600; color: var(--soft); vertical-align: bottom; }
tbody th { font-weight: 500; }
.detail { display: block; color: var(--soft); font-size: .82rem; }
.group th { background: var(--grid); font-weight: 600; }
.number { text-align: right; white-space: nowrap; }
.line-end { white-space: nowrap; }
.held { color: var(--good); font-weight: 600; white-space: nowrap; }
.missed { color: var(--bad); font-weight: 600; white-space: nowrap; }
.unknown { color: var(--soft); white-space: nowrap; }
td.decides { font-weight: 700; }
.ours-row > * { color: var(--s0); font-weight: 600; }
text { fill: var(--ink); }
.title { font-weight: 600; font-size: 13px; }
.tick, .figures { fill: var(--soft); font-size: 11px;
  font-variant-numeric: tabular-nums; }
.ours .name, .key.ours { fill: var(--s0); font-weight: 600; }
.grid { stroke: var(--grid); }
.base { stroke: var(--rule); }
g.ours { --c: var(--s0); } g.peer { --c: var(--plain); }
g.floor { --c: var(--floor); }
.hill { fill: var(--c); fill-opacity: .45; stroke: var(--c);
  stroke-width: .7; }
.median { stroke: var(--ink); stroke-width: 1.5; }
.tail { stroke: var(--c); stroke-width: 1.5; }
.spread { stroke: var(--c); stroke-width: 4; stroke-opacity: .35;
  stroke-linecap: round; }
.dot.full { fill: var(--c); }
.dot.hollow { fill: var(--ground); stroke: var(--c); stroke-width: 2; }
.line { fill: none; stroke: var(--c); stroke-width: 1.8;
  stroke-linejoin: round; }
.line.s0 { stroke-width: 2.6; }
.line.s1 { stroke-width: 2.2; stroke-dasharray: 6 4; }
.band { fill: var(--c); fill-opacity: .16; }
.mark { fill: var(--c); stroke: none; }
.mark.s5, .mark.s6 { stroke: var(--c); stroke-width: 2; fill: none; }
""" + "".join(".s%d { --c: var(--s%d); }\n" % (i, i) for i in range(7)) + """
@media (max-width: 40rem) {
  .goals thead, .goals .none { display: none; }
  .goals tr { display: flex; flex-wrap: wrap; gap: .1rem 1rem;
    padding: .45rem .7rem; border-bottom: 1px solid var(--rule); }
  .goals tr > * { padding: 0; border: 0; }
  .goals tr.group { background: var(--grid); }
  .goals .what { flex-basis: 100%; order: -1; }
  .goals [data-label]::before { content: attr(data-label) " ";
    color: var(--soft); font-weight: 400; }
}
@media print { details > * { display: block; } }
"""


def element(name, *children, **attributes):
    """As tag, with an end of its own even where it is empty."""
    return tag(name, *(children or ("",)), **attributes)


def paragraph(string, class_=None):
    return element("p", escape(string), class_=class_)


def cell(string, class_=None, scope=None, title=None, label=None, below=""):
    """label: what its column is called, where there is none to be seen. below: a
    smaller line."""
    below = [element("span", escape(below), class_="detail")] if below else []
    return element("th" if scope else "td", escape(string), *below,
                   class_=class_, scope=scope, title=title, data_label=label)


def table(titles, rows, numbers=True, class_=None):
    """In a box of its own, which scrolls where it is wider than the screen.
    rows: lists of elements, or the element of a whole row. But for the first,
    columns hold numbers."""
    head = [cell(title, "number" if numbers and i else None, "col")
            for i, title in enumerate(titles)]
    body = [row if isinstance(row, str) else element("tr", *row)
            for row in rows]
    return element(
        "div", element("table", element("thead", element("tr", *head)),
                       element("tbody", *body), class_=class_),
        class_="scroll", tabindex=0)


def details(summary, *children):
    return element("details", element("summary", escape(summary)), *children)


def panels(plots):
    return element("div", *plots, class_="panels")


def figure(captions, *children, wide=False):
    """captions: a paragraph each."""
    return element("figure", *children,
                   element("figcaption", *[paragraph(line)
                                           for line in captions if line]),
                   class_="wide" if wide else None)


def missing(string):
    return element("p", escape(string), class_="missing")


def section(name, title, *children):
    return element("section", element("h2", escape(title)), *children,
                   id=name)


def document(title, children):
    """The whole of it."""
    return "\n".join([
        "<!DOCTYPE html>",
        element("html",
                element("head",
                        tag("meta", charset="utf-8"),
                        tag("meta", name_="viewport",
                            content="width=device-width, initial-scale=1"),
                        element("title", escape(title)),
                        element("style", STYLE)),
                "\n", element("body", element("main", *children)),
                lang="en"),
        ""])
