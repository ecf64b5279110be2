#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds the layers: includes go one way, and only where the file says.

layers.py ROOT: every src/*.c and src/*.h begins (after an SPDX line, if there
is one) with

    /* Layer N. May include: a b c. */

(or "nothing"). It may include cubby.h, its own header, and those listed; what
is listed lies on a lower layer, or on the same one if no circle comes of it; a
source and its header are on one layer. What stands on the library (tools/,
bindings/, compat/, examples/) includes nothing of src/.
"""

import pathlib
import re
import sys

LINE = re.compile(
    r"\A(?:/\* SPDX-License-Identifier: [^\n]*\*/\n)?"
    r"/\* Layer ([0-9]+)\. May include:((?:\s+(?:\* )?[a-z0-9_]+)+)\. \*/\n"
)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
PUBLIC = "cubby.h"
USERS = ("tools", "bindings", "compat", "examples")


class Unit:
    def __init__(self, path):
        text = path.read_text()
        self.path = path
        found = LINE.match(text)
        self.layer = int(found.group(1)) if found else None
        listed = found.group(2).replace("*", " ").split() if found else []
        self.listed = [] if listed == ["nothing"] else listed
        self.includes = includes_of(text)


def includes_of(text):
    """(line number, name) of each #include "name"."""
    return [
        (text.count("\n", 0, match.start(2)) + 1, match.group(2))
        for match in INCLUDE.finditer(text)
        if match.group(1) == '"'
    ]


class Checker:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.errors = []
        self.units = {}

    def error(self, path, line, message):
        self.errors.append("%s:%d: %s" % (path, line, message))

    def run(self):
        for path in sorted((self.root / "src").glob("*.[ch]")):
            if path.name != PUBLIC:
                self.units[path.name] = Unit(path)
        if not self.units:
            self.error(self.root / "src", 0, "no source here")
        for unit in self.units.values():
            self.unit(unit)
        self.circles()
        for directory in USERS:
            for path in sorted((self.root / directory).rglob("*")):
                if path.suffix in (".c", ".h", ".cc", ".cpp", ".hpp"):
                    self.user(path)
        return self.errors

    def unit(self, unit):
        if unit.layer is None:
            self.error(
                unit.path, 1, "no line /* Layer N. May include: a b c. */"
            )
            return
        own = unit.path.stem
        for name in unit.listed:
            self.listed(unit, own, name)
        if unit.path.suffix == ".c" and own + ".h" in self.units:
            header = self.units[own + ".h"]
            if header.layer not in (None, unit.layer):
                self.error(
                    unit.path,
                    1,
                    "layer %d, but its header is on layer %d"
                    % (unit.layer, header.layer),
                )
        for line, name in unit.includes:
            self.include(unit, own, line, name)

    def listed(self, unit, own, name):
        if name in (own, "cubby"):
            return
        other = self.units.get(name + ".h")
        if not other:
            self.error(unit.path, 1, "lists %s, and there is no such header" % name)
        elif other.layer is not None and other.layer > unit.layer:
            self.error(
                unit.path,
                1,
                "layer %d lists %s of layer %d"
                % (unit.layer, name, other.layer),
            )

    def include(self, unit, own, line, name):
        stem = name[:-2] if name.endswith(".h") else name
        if name == PUBLIC or (unit.path.suffix == ".c" and stem == own):
            return
        if name not in self.units:
            self.error(unit.path, line, "%s is not a header of src/" % name)
        elif stem not in unit.listed:
            self.error(
                unit.path, line, "includes %s, which it does not list" % name
            )

    def circles(self):
        """Headers that list each other round in a circle. What a source lists
        counts for its header: together they are the unit."""
        lower = {}
        for unit in self.units.values():
            stem = unit.path.stem
            lower.setdefault(stem, set()).update(set(unit.listed) - {stem})
        done = set()

        def visit(stem, trail):
            if stem in trail:
                circle = trail[trail.index(stem) :] + [stem]
                self.error(
                    self.root / "src",
                    0,
                    "in a circle: " + " includes ".join(circle),
                )
                return
            if stem in done:
                return
            for other in sorted(lower.get(stem, ())):
                visit(other, trail + [stem])
            done.add(stem)

        for stem in sorted(lower):
            visit(stem, [])

    def user(self, path):
        for line, name in includes_of(path.read_text()):
            base = name.split("/")[-1]
            if base == PUBLIC:
                continue
            own = (path.parent / name).resolve()
            inside = own.exists() and (self.root / "src").resolve() not in (
                own.parents
            )
            if not inside and base in self.units:
                self.error(
                    path, line, "includes %s of src/; cubby.h is for it" % base
                )


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    checker = Checker(sys.argv[1])
    for error in checker.run():
        print(error)
    print("%d files, %d violations" % (len(checker.units), len(checker.errors)))
    return 1 if checker.errors else 0


if __name__ == "__main__":
    sys.exit(main())
