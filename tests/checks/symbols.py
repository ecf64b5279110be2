#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""symbols.py HEADER... LIBCUBBY_SO: the library exports what the headers declare
with CUBBY_PUBLIC, nothing else, and needs nothing but libc."""

import re
import subprocess
import sys

import c_source

DECLARATION = re.compile(r"^CUBBY_PUBLIC\b[^;(]*?\b(\w+)\s*\(", re.M)
LIBC = re.compile(r"libc\.so\.[0-9]+|libc\.musl-.*|ld-linux.*|ld64?\.so\..*")


def declared(header):
    return set(DECLARATION.findall(c_source.Source(header).code))


def exported(library):
    listing = run("nm", "--dynamic", "--defined-only", library)
    found = set()
    for line in listing.splitlines():
        kind, name = line.split()[-2:]
        if kind != "A":  # the name of the version itself
            found.add(name.split("@")[0])
    return found


def compare(wanted, found):
    return [
        "%s is declared and not exported" % name
        for name in sorted(wanted - found)
    ] + [
        "%s is exported and not declared" % name
        for name in sorted(found - wanted)
    ]


def strangers(dynamic_section):
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic_section)
    return [name for name in needed if not LIBC.fullmatch(name)]


def run(*command):
    return subprocess.run(
        command, check=True, stdout=subprocess.PIPE, universal_newlines=True
    ).stdout


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    *headers, library = sys.argv[1:]
    wanted, errors = set(), []
    for path in headers:
        with open(path) as header:
            found = declared(header.read())
        if not found:
            errors.append("%s declares nothing" % path)
        wanted |= found
    errors += compare(wanted, exported(library))
    dynamic = run("readelf", "--dynamic", "--wide", library)
    errors += ["needs %s" % name for name in strangers(dynamic)]
    for error in errors:
        print(error)
    print("%d symbols, %d violations" % (len(wanted), len(errors)))
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
