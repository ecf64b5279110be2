#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs/concepts.md is true: every notion has lines of shell and a program, the
programs are those of examples/concepts/, and all of it prints what it says there.

concepts.py text ROOT			the document and the files agree
concepts.py write ROOT			copies the files' text into the document
concepts.py program ROOT NAME BINARY	one program prints what is said
concepts.py shell ROOT COMMAND		so do the lines of shell

A program stands below a comment that names its file, and above what it prints:
	<!-- program: NAME -->, a block of c, a block of text
without the file's first line, its licence. A block of console holds commands
after "$ " (continued after "> ") and what each prints."""

import glob
import os
import re
import signal
import subprocess
import sys

from documents import Failed, PATIENCE, room, run

DOCUMENT = "docs/concepts.md"
FOLDER = "examples/concepts"
LINES = 60  # that a program may have
WITHOUT_EXAMPLES = {"How to read this", "Which to choose"}

PROGRAM = re.compile(
    r"(^<!-- program: (\w+) -->\n```c\n)(.*?)(^```\n(?:\n?```text\n(.*?)^```)?)",
    re.M | re.S,
)
CONSOLE = re.compile(r"^```console\n(.*?)^```", re.M | re.S)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


def shown(root, name):
    """Of a program's file what the document shows."""
    return read(root, "%s/%s.c" % (FOLDER, name)).partition("\n")[2]


def programs(text):
    """Of each program in the document its text and what it prints."""
    return {
        name: (code, printed)
        for _, name, code, _, printed in PROGRAM.findall(text)
    }


def sections(text):
    """Of each heading what stands below it."""
    parts = re.split(r"^## (.*)\n", text, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


# The text -------------------------------------------------------------------


def check_text(root):
    text = read(root, DOCUMENT)
    told = programs(text)
    pattern = os.path.join(root, FOLDER, "*.c")
    files = {os.path.basename(p)[:-2] for p in glob.glob(pattern)}
    if not files:
        yield "%s holds no program" % FOLDER
    for name in sorted(files - set(told)):
        yield "%s does not show %s.c" % (DOCUMENT, name)
    for name in sorted(set(told) - files):
        yield "there is no %s/%s.c" % (FOLDER, name)
    for name in sorted(files & set(told)):
        code, printed = told[name]
        if code != shown(root, name):
            yield "%s.c is another than in %s" % (name, DOCUMENT)
        if not printed:
            yield "%s does not say what %s.c prints" % (DOCUMENT, name)
        if len(code.splitlines()) > LINES:
            yield "%s.c has more than %d lines" % (name, LINES)
    for title, part in sections(text).items():
        if title in WITHOUT_EXAMPLES:
            continue
        if not CONSOLE.search(part):
            yield "%s: '%s' has no lines of shell" % (DOCUMENT, title)
        if "<!-- program: " not in part:
            yield "%s: '%s' has no program" % (DOCUMENT, title)


def write(root):
    """Brings the programs in the document up to date."""

    def replaced(found):
        before, name, after = found.group(1, 2, 4)
        return before + shown(root, name) + after

    text = PROGRAM.sub(replaced, read(root, DOCUMENT))
    with open(os.path.join(root, DOCUMENT), "w", encoding="utf-8") as file:
        file.write(text)


# The programs ---------------------------------------------------------------


def check_program(root, name, binary):
    told = programs(read(root, DOCUMENT))
    if name not in told:
        yield "%s does not show %s.c" % (DOCUMENT, name)
        return
    with room() as place:
        env = dict(os.environ, CUBBY_ROOT=place)
        printed = run([os.path.abspath(binary)], env=env)
        if printed != told[name][1]:
            yield "%s prints %r, not %r" % (name, printed, told[name][1])
        for left in glob.glob(os.path.join(place, "*", "*")):
            yield "%s leaves %s behind" % (name, left)


# The lines of shell ---------------------------------------------------------


def commands_of(block):
    """Of each command in a block its text and what it prints."""
    found = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append([line[2:], ""])
        elif not found:
            raise Failed("a block begins with %r" % line)
        elif line.startswith("> ") and not found[-1][1]:
            found[-1][0] += "\n" + line[2:]
        else:
            found[-1][1] += line + "\n"
    return found


def script_of(commands):
    """Runs them in one shell, with a mark after what each prints."""
    mark = "status=$?; printf '\\001'; (exit $status)\n"
    lines = ["%s\n%s" % (command, mark) for command, _ in commands]
    return "exec 2>&1\n" + "".join(lines) + "wait\n"


def run_script(script, env):
    with subprocess.Popen(
        ["sh", "-c", script],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        universal_newlines=True,
        start_new_session=True,
    ) as shell:
        try:
            return shell.communicate(timeout=PATIENCE)[0]
        except subprocess.TimeoutExpired:
            raise Failed("it hangs:\n%s" % script)
        finally:
            try:
                os.killpg(shell.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def check_block(block, env):
    commands = commands_of(block)
    parts = run_script(script_of(commands), env).split("\1")
    commands.append(("the end", ""))
    if len(parts) != len(commands):
        yield "not all of it runs:\n%s" % block
    for (command, said), printed in zip(commands, parts):
        if printed != said:
            yield "'%s' prints %r, not %r" % (command, printed, said)
    left = run(["cubby", "ls"], env=env)
    left += run(["cubby", "region", "ls"], env=env)
    if left:
        yield "a block leaves behind:\n%s%s" % (left, block)


def check_shell(root, command):
    blocks = CONSOLE.findall(read(root, DOCUMENT))
    if not blocks:
        yield "%s has no lines of shell" % DOCUMENT
    with room() as place:
        env = dict(os.environ, CUBBY_ROOT=place, NO_COLOR="1")
        folder = os.path.dirname(os.path.abspath(command))
        env["PATH"] = folder + ":" + env["PATH"]
        for block in blocks:
            try:
                yield from check_block(block, env)
            except Failed as why:
                yield str(why)


CHECKS = {"text": check_text, "program": check_program, "shell": check_shell}


def main(what, *arguments):
    if what == "write":
        write(*arguments)
        return 0
    problems = list(CHECKS[what](*arguments))
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
