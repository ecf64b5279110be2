#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""documents.py ROOT COMPILER LIBCUBBY_SO COMMAND: the documents are true, as far
as a machine can tell. Each public function has a man page that names it and its
errors; cubby(1) has each verb and option of the command; cubby_format(5) has each
field of the layouts at its place; examples compile and run; the README's program
and its exchange in two terminals do what it says; links lead somewhere."""

import glob
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time

PATIENCE = 60  # seconds, for whatever is run
PRIVATE_STRUCTS = {  # of the layouts: not in any file
    "geometry",
    "queue_geometry",
    "queue_map",
    "robust_locker",
    "view",
}
DOCUMENTED_FOLDERS = "bench|docs|examples|include|man|scripts|src|tests|tools"


class Context:
    def __init__(self, root, compiler, library, command):
        self.root = os.path.abspath(root)
        self.compiler = shlex.split(compiler)
        self.library = os.path.abspath(library)
        self.command = os.path.abspath(command)

    def read(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8") as file:
            return file.read()

    def headers(self):
        """What is installed of include/, one after the other."""
        paths = glob.glob(os.path.join(self.root, "include", "*.h"))
        return "\n".join(self.read(path) for path in sorted(paths))

    def pages(self):
        """Of man/: name with section, and text."""
        found = {}
        for path in glob.glob(os.path.join(self.root, "man", "*.scd")):
            name = os.path.basename(path)[: -len(".scd")]
            found[name] = self.read(path)
        return found

    def markdown(self):
        paths = glob.glob(os.path.join(self.root, "*.md"))
        paths += glob.glob(os.path.join(self.root, "docs", "*.md"))
        return {os.path.relpath(p, self.root): self.read(p) for p in paths}

    def environment(self, cubby_root):
        env = dict(os.environ, CUBBY_ROOT=cubby_root, NO_COLOR="1")
        env["PATH"] = os.path.dirname(self.command) + ":" + env["PATH"]
        return env


def run(words, **options):
    """Its output; an exception tells what it said if it fails."""
    done = subprocess.run(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=PATIENCE,
        universal_newlines=True,
        **options
    )
    if done.returncode:
        raise Failed(
            "%s ends with %d:\n%s"
            % (" ".join(words), done.returncode, done.stdout)
        )
    return done.stdout


class Failed(Exception):
    pass


def room():
    """A directory for mailboxes, where mailboxes usually lie if that is there."""
    place = "/dev/shm"
    usable = os.path.isdir(place) and os.access(place, os.W_OK)
    return tempfile.TemporaryDirectory(dir=place if usable else None)


# Man pages ------------------------------------------------------------------


def plain(text):
    """Without the marks of scdoc."""
    return re.sub(r"[*\\]|\b_|_\b", "", text)


def section(text, title):
    """What stands below a heading, up to the next of the same kind."""
    found = re.search(
        r"^# %s$(.*?)(?=^# |\Z)" % re.escape(title), text, re.M | re.S
    )
    return found.group(1) if found else ""


def names_of(page):
    line = section(page, "NAME").strip()
    return set(re.findall(r"\w+", line.split(" - ")[0]))


DECLARATION = re.compile(
    r"/\*((?:(?!\*/).)*)\*/\s*^CUBBY_PUBLIC\b([^;(]*?)\b(cubby_\w+)\s*\(",
    re.M | re.S,
)


def functions_of(header):
    """Of each public function the comment before it."""
    found = {}
    for name in re.findall(
        r"^CUBBY_PUBLIC\b[^;(]*?\b(cubby_\w+)\s*\(", header, re.M
    ):
        found[name] = ""
    for comment, _, name in DECLARATION.findall(header):
        found[name] = comment
    return found


def errors_of(name, comments):
    """What its comment lists, with what it refers to."""
    comment = comments[name]
    found = set(re.findall(r"-E[A-Z0-9]+", comment))
    for other in re.findall(r"those of\s+(?:\*\s+)?(cubby_\w+)", comment):
        found |= errors_of(other, comments)
    return found


def check_functions(context):
    comments = functions_of(context.headers())
    pages = {n: t for n, t in context.pages().items() if n.endswith(".3")}
    if not comments:
        yield "no public function found in include/"
    for name in comments:
        homes = [n for n, text in pages.items() if name in names_of(text)]
        if len(homes) != 1:
            yield "%s has %d pages" % (name, len(homes))
            continue
        text = pages[homes[0]]
        if not re.search(r"\b%s\(" % name, section(text, "SYNOPSIS")):
            yield "%s: the synopsis lacks %s()" % (homes[0], name)
        told = set(re.findall(r"-E[A-Z0-9]+", section(text, "ERRORS")))
        for error in sorted(errors_of(name, comments) - told):
            yield "%s: ERRORS lacks %s of %s()" % (homes[0], error, name)
    overview = section(context.read("man/cubby.7.scd"), "RESULTS AND ERRORS")
    for name in comments:
        for error in sorted(errors_of(name, comments)):
            if "*%s*" % error not in overview:
                yield "cubby.7: ERRORS lacks %s of %s()" % (error, name)
    for name, text in pages.items():
        for function in sorted(names_of(text) - set(comments)):
            yield "%s names %s, which is in no header" % (name, function)
        for title in "SYNOPSIS DESCRIPTION BLOCKING ERRORS EXAMPLE".split():
            if not section(text, title).strip():
                yield "%s has no %s" % (name, title)
        if not section(text, "SEE ALSO").strip():
            yield "%s has no SEE ALSO" % name


def check_references(context):
    """name(section) of ours, in any page, is a page or a function of one."""
    pages = context.pages()
    known = set(pages)
    for name, text in pages.items():
        if name.endswith(".3"):
            known |= {"%s.3" % function for function in names_of(text)}
    for name, text in pages.items():
        for other, number in re.findall(r"(cubby\w*)\((\d)\)", plain(text)):
            if "%s.%s" % (other, number) not in known:
                yield "%s refers to %s(%s)" % (name, other, number)


def check_examples(context):
    with tempfile.TemporaryDirectory() as work:
        for name, text in sorted(context.pages().items()):
            if not name.endswith(".3"):
                continue
            programs = re.findall(
                r"^```\n(.*?)^```", section(text, "EXAMPLE"), re.M | re.S
            )
            if not programs:
                yield "%s: no program in EXAMPLE" % name
            for program in programs:
                try:
                    compile_and_run(context, work, program)
                except Failed as why:
                    yield "%s: its example: %s" % (name, why)


def compile_and_run(context, work, program):
    source = os.path.join(work, "program.c")
    with open(source, "w", encoding="utf-8") as file:
        file.write(program)
    folder = os.path.dirname(context.library)
    run(
        context.compiler
        + ["-std=c99", "-Wall", "-Wextra", "-Werror", source]
        + ["-I" + os.path.join(context.root, "include")]
        + [context.library, "-Wl,-rpath," + folder]
        + ["-o", os.path.join(work, "program")]
    )
    with room() as place:
        return run(
            [os.path.join(work, "program")], env=context.environment(place)
        )


# The command ----------------------------------------------------------------


def verbs_of(help_text):
    lines = help_text.split("Verbs:\n")[1].split("\n\n")[0]
    return re.findall(r"^  (\w+) ", lines, re.M)


def options_in_help(text):
    part = text.split("\nOptions:\n")[1].split("\nExamples:\n")[0]
    return {
        (letter or "", name)
        for letter, name in re.findall(
            r"^ {2,6}(?:-(\S), )?--([\w-]+)", part, re.M
        )
    }


def options_in_page(text):
    """Of each verb, below its heading."""
    found = {}
    for part in section(text, "VERBS").split("\n## ")[1:]:
        verb = part.split()[0]
        found[verb] = {
            (letter or "", name)
            for letter, name in re.findall(
                r"^(?:\*-(\S)\*, )?\*--([\w-]+)\*", part, re.M
            )
        }
    return found


def check_command(context):
    page = context.read("man/cubby.1.scd")
    general = run([context.command, "help"])
    told = options_in_page(page)
    verbs = verbs_of(general)
    for verb in sorted(set(verbs) ^ set(told)):
        yield "cubby.1: the verb %s is only in one of help and page" % verb
    for verb in sorted(set(verbs) & set(told)):
        has = options_in_help(run([context.command, "help", verb]))
        for letter, name in sorted(has ^ told[verb]):
            where = "help" if (letter, name) in has else "page"
            short = "-%s, " % letter if letter else ""
            yield "cubby.1: %s %s--%s is only in the %s" % (
                verb,
                short,
                name,
                where,
            )
    codes = re.findall(
        r"^  (\d)  ", general.split("Exit codes:")[1], re.M
    )
    rows = re.findall(
        r"^\|\[ \*(\d)\*$", section(page, "EXIT STATUS"), re.M
    )
    if codes != rows:
        yield "cubby.1: exit codes %s, and in the help %s" % (rows, codes)


# The format -----------------------------------------------------------------


def layouts(context):
    """The headers that say what lies in files."""
    found = []
    for pattern in ("layout*.h", "robust_lock.h", "sync_*.h"):
        found += glob.glob(os.path.join(context.root, "src", pattern))
    return sorted(os.path.basename(path) for path in found)


def structs_of(layout):
    """Of each struct in the text of a layout the names of its fields."""
    code = re.sub(r"/\*.*?\*/", "", layout, flags=re.S)
    found = {}
    for name, body in re.findall(
        r"^struct (\w+) \{(.*?)^\};", code, re.M | re.S
    ):
        fields = []
        body = re.sub(r"\{[^{}]*\}", "", body)
        for declaration in re.split("[;,]", body):
            field = re.search(r"(\w+)\s*(\[[^;]*\])?\s*$", declaration)
            if field and not re.match(r"unused\d*$", field.group(1)):
                flexible = re.search(r"\[\s*\]\s*$", declaration)
                fields.append((field.group(1), bool(flexible)))
        if name not in PRIVATE_STRUCTS:
            found[name] = fields
    return found


def print_from_c(context, statements):
    """What a program with the layouts prints."""
    lines = ['#include "base.h"', "#include <stdio.h>"]
    lines += ['#include "%s"' % name for name in layouts(context)]
    lines += ["int main(void) {"] + statements + ["return 0; }"]
    include = [
        "-I" + os.path.join(context.root, folder)
        for folder in ("include", "src")
    ]
    with tempfile.TemporaryDirectory() as work:
        source = os.path.join(work, "layout.c")
        with open(source, "w", encoding="utf-8") as file:
            file.write("\n".join(lines))
        binary = os.path.join(work, "layout")
        run(context.compiler + include + [source, "-o", binary])
        return run([binary])


def value_of(context, code):
    return print_from_c(context, ['printf("%%zu", (size_t)(%s));' % code])


def places_of(context, structs):
    """{struct: {field: (offset, size)}}, as the compiler sees it."""
    statements = []
    for name, fields in structs.items():
        for field, flexible in fields:
            size = "sizeof(((struct %s *)0)->%s)" % (name, field)
            statements.append(
                'printf("%s %s %%zu %%zu\\n", offsetof(struct %s, %s), '
                "(size_t)%s);"
                % (name, field, name, field, "0" if flexible else size)
            )
    places = {name: {} for name in structs}
    for line in print_from_c(context, statements).splitlines():
        name, field, offset, size = line.split()
        places[name][field] = (offset, size if size != "0" else "-")
    return places


def rows_of(page):
    """{struct: {field: (offset, size)}} of the tables in cubby_format(5)."""
    found = {}
    for part in re.split(r"^## struct ", page, flags=re.M)[1:]:
        name = part.split()[0]
        part = re.split(r"^#", part, flags=re.M)[0]
        found[name] = {
            field: (offset, size)
            for offset, size, field in re.findall(
                r"^\|\[ (\d+)\n:\[ (\d+|-)\n:\[ (\w+)$", part, re.M
            )
        }
    return found


def check_format(context):
    page = context.read("man/cubby_format.5.scd")
    layout = context.read("src/layout.h")
    structs = {}
    for name in layouts(context):
        structs.update(structs_of(context.read("src/" + name)))
    places = places_of(context, structs)
    rows = rows_of(page)
    if not places:
        yield "no struct found in the layouts"
    for name in sorted(set(places) | set(rows)):
        is_so, told = places.get(name, {}), rows.get(name, {})
        for field in sorted(set(is_so) | set(told)):
            if is_so.get(field) != told.get(field):
                yield "cubby_format.5: %s.%s is at %s, told as %s" % (
                    name,
                    field,
                    is_so.get(field),
                    told.get(field),
                )
    magic = re.search(r"LAYOUT_MAGIC\s+UINT64_C\((\w+)\)", layout).group(1)
    version = re.search(r"LAYOUT_VERSION\s+(\d+)", layout).group(1)
    for what, file in (("claims", "receivers_file"), ("data", "region_file")):
        begin = value_of(context, "sizeof(struct %s)" % file)
        if not re.search(r"The %s begins? at offset %s\b" % (what, begin), page):
            yield "cubby_format.5: the %s begin at %s" % (what, begin)
    if magic not in page:
        yield "cubby_format.5: the magic number is %s" % magic
    if "layout version %s." % version not in page:
        yield "cubby_format.5: the layout version is %s" % version


def check_limits(context):
    """The numbers in LIMITS of cubby(7)."""
    layout = context.read("src/layout.h") + context.read("src/layout_region.h")
    limits = section(context.read("man/cubby.7.scd"), "LIMITS")
    number = {
        name: int(value)
        for name, value in re.findall(
            r"^#define (\w+)\s+(\d+)(?=\s|$)", layout, re.M
        )
    }
    for name, value in (
        ("LANES_MAX", number["LANES_MAX"]),
        ("LANES_PER_UID", number["LANES_PER_UID"]),
        ("RECEIVERS_MAX", number["RECEIVERS_MAX"]),
        ("REGION_SLOTS", number["REGION_SLOTS"]),
        ("CLAIMS_MAX", number["CLAIM_CHUNKS"] * number["CLAIMS_PER_CHUNK"]),
    ):
        if not re.search(r"\b%d\b" % value, limits):
            yield "cubby.7: LIMITS lacks %s, which is %d" % (name, value)


def check_layers(context):
    """The table in docs/design.md: layer, units. Both ends of a unit, X_reader
    and X_writer, count as X."""
    design = context.read("docs/design.md")
    told = {
        int(number): set(units.split())
        for number, units in re.findall(
            r"^\| (\d+) \| ([a-z_ ]+) \|", design, re.M
        )
    }
    are = {}
    for path in glob.glob(os.path.join(context.root, "src", "*.[ch]")):
        name = os.path.splitext(os.path.basename(path))[0]
        layer = re.search(r"^/\* Layer (\d+)\.", context.read(path), re.M)
        unit = re.sub(r"_(reader|writer)$", "", name)
        are.setdefault(int(layer.group(1)), set()).add(unit)
    for number in sorted(set(are) | set(told)):
        one, other = are.get(number, set()), told.get(number, set())
        if one != other:
            yield "docs/design.md: layer %d has %s, told as %s" % (
                number,
                " ".join(sorted(one)),
                " ".join(sorted(other)),
            )


# The README -----------------------------------------------------------------


def block_after(text, marker):
    """The next fenced block after a marker comment."""
    found = re.search(
        r"^<!-- %s -->\n```\w*\n(.*?)^```" % re.escape(marker),
        text,
        re.M | re.S,
    )
    if not found:
        raise Failed("README.md has no block marked '%s'" % marker)
    return found.group(1)


def commands_of(block):
    return "\n".join(
        line[2:] for line in block.splitlines() if line.startswith("$ ")
    )


def output_of(block):
    return "".join(
        line + "\n" for line in block.splitlines() if not line.startswith("$ ")
    )


def check_program(context):
    readme = context.read("README.md")
    try:
        program = block_after(readme, "compiled by tests")
        wanted = block_after(readme, "printed by it")
        with tempfile.TemporaryDirectory() as work:
            printed = compile_and_run(context, work, program)
        if printed != wanted:
            yield "README.md: its program prints %r" % printed
        if len(program.splitlines()) > 12:
            yield "README.md: its program is no ten lines any more"
    except Failed as why:
        yield "README.md: %s" % why


def wait_for_receiver(env, mailbox, terminal):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and terminal.poll() is None:
        looked = subprocess.run(
            ["cubby", "info", "--json", mailbox],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        if looked.returncode == 0 and json.loads(looked.stdout)["receivers"]:
            return
    raise Failed("terminal 1 does not receive")


def exchange(env, first, second):
    """Runs the two terminals; the second when the first waits."""
    script = "set -e\n" + commands_of(first)
    with subprocess.Popen(
        ["sh", "-c", script],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
    ) as terminal:
        try:
            wait_for_receiver(env, "jobs", terminal)
            printed = run(["sh", "-ec", commands_of(second)], env=env)
            if printed != output_of(second):
                raise Failed("terminal 2 prints %r" % printed)
            printed = terminal.communicate(timeout=PATIENCE)[0]
        finally:
            terminal.kill()
    if terminal.returncode or printed != output_of(first):
        raise Failed(
            "terminal 1 ends with %d and prints %r"
            % (terminal.returncode, printed)
        )


def check_exchange(context):
    readme = context.read("README.md")
    with room() as place:
        env = context.environment(place)
        try:
            exchange(
                env,
                block_after(readme, "run by tests: terminal 1"),
                block_after(readme, "run by tests: terminal 2"),
            )
            alone = block_after(readme, "run by tests: alone")
            printed = run(["sh", "-ec", commands_of(alone)], env=env)
            if printed != output_of(alone):
                yield "README.md: the third block prints %r" % printed
        except Failed as why:
            yield "README.md: %s" % why


# Links ----------------------------------------------------------------------


def without_blocks(text):
    return re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)


def anchors_of(text):
    """As GitHub makes them of headings."""
    found = set()
    for title in re.findall(r"^#+ (.*)$", without_blocks(text), re.M):
        title = re.sub(r"[^\w\- ]", "", title.strip().lower())
        found.add(title.replace(" ", "-"))
    return found


def check_links(context):
    for name, text in context.markdown().items():
        folder = os.path.dirname(name)
        text = without_blocks(text)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            path = os.path.normpath(os.path.join(folder, path)) if path else name
            if not os.path.exists(os.path.join(context.root, path)):
                yield "%s: nothing at %s" % (name, target)
            elif anchor and anchor not in anchors_of(context.read(path)):
                yield "%s: no heading %s" % (name, target)


def check_paths(context):
    """`src/...` and the like, in backquotes, exist. In them * and NAME stand for
    anything."""
    pattern = re.compile(r"`((?:%s)/[\w./*-]*)`" % DOCUMENTED_FOLDERS)
    for name, text in context.markdown().items():
        for path in pattern.findall(text):
            wanted = path.replace("NAME", "*")
            if not glob.glob(os.path.join(context.root, wanted)):
                yield "%s: there is no %s" % (name, path)


CHECKS = [
    check_functions,
    check_references,
    check_examples,
    check_command,
    check_format,
    check_limits,
    check_layers,
    check_program,
    check_exchange,
    check_links,
    check_paths,
]


def main(arguments):
    context = Context(*arguments)
    status = 0
    for check in CHECKS:
        for problem in check(context):
            print(problem, file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
