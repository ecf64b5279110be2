#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks the models of cubby's protocols (*.pml, beside this script) with spin.

A model says in its opening comment what it stands for, and how it is run:

    Stands for:
      src/claims.c: claims_intend claims_confirm
    Left out:
      CLAIM-A5: why; CLAIM-C6
    Run NAME: -DOPTION ...          by make check
    Run long NAME: -DOPTION ...     by --long alone

run.py [MODEL ...]: goes through all states of each run. A run fails if an
assertion does, if it ends in a state that is no end (of a run with the option -E
that is not asked), or if not all states were gone through.

run.py --labels: every label that the source has in the functions that a model
stands for is at a step of it, or left out with a reason; and each label in a
model is in the source, at an access of the order that the step has.

run.py --mutants [NAME ...]: mutants/*.mutant are changes of a model, in the
format of tests/mutants, each of which must make a run of that model fail. They
break in the model what is broken in the source by the change beside it, if
there is one, which is held to fit the source.
"""

import argparse
import collections
import concurrent.futures
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(os.path.dirname(HERE))
LABEL = r"[A-Z][A-Z_]*-[A-Z]+[0-9]+"
DEPTH = 1000000  # steps in a row
MEMORY = 2048  # MB, of one run
PATIENCE = 3600  # seconds, with one run
COMPILE = ["-O0", "-w", "-DSAFETY", "-DCOLLAPSE", "-DMEMLIM=%d" % MEMORY]

Run = collections.namedtuple("Run", "model name options")


class Failure(Exception):
    pass


def opening_of(text):
    """The opening comment, without its stars: what the model says of itself."""
    comments = re.findall(r"/\*(.*?)\*/", text, re.S)
    for comment in comments:
        if "Stands for:" in comment:
            return re.sub(r"^[ \t]*\*[ \t]?", "", comment, flags=re.M)
    raise Failure("no comment that says what it stands for")


def runs_of(model, directory=HERE, long=False):
    with open(os.path.join(directory, model + ".pml"),
              encoding="utf-8") as file:
        opening = opening_of(file.read())
    runs = []
    for is_long, name, options in re.findall(
            r"^[ \t]*Run (long )?(\S+): (.*)$", opening, re.M):
        if long or not is_long:
            runs.append(Run(model, name, options.split()))
    if not runs:
        raise Failure("%s: no runs" % model)
    return runs


# Running ---------------------------------------------------------------------


def command(arguments, directory):
    try:
        done = subprocess.run(arguments, cwd=directory, text=True,
                              capture_output=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return 1, "no end after %d s" % PATIENCE
    return done.returncode, done.stdout + done.stderr


def search(run, directory):
    """Goes through all states. Returns (what is wrong or None, states)."""
    with tempfile.TemporaryDirectory(prefix="cubby-models.") as work:
        for path in glob.glob(os.path.join(directory, "*.pml")):
            shutil.copy(path, work)
        options = [o for o in run.options if o != "-E"]
        status, output = command(["spin", "-a", *options,
                                  run.model + ".pml"], work)
        if status or "Error" in output:
            return "spin: " + output.strip(), 0
        status, output = command(["cc", *COMPILE, "-o", "pan", "pan.c"], work)
        if status:
            return "does not compile: " + output.strip(), 0
        status, output = command(["./pan", "-n", "-m%d" % DEPTH, "-w22",
                                  *set(run.options) & {"-E"}], work)
        return judge(status, output)


def judge(status, output):
    found = re.search(r"errors: (\d+)", output)
    states = re.search(r"^\s*(\d+) states, stored", output, re.M)
    count = int(states.group(1)) if states else 0
    wrong = None
    said = re.search(r"^pan:1: (.*?)(?: \(at depth \d+\))?$", output, re.M)
    if said:
        wrong = said.group(1)
    elif not found or int(found.group(1)) or status:
        wrong = "pan ended with status %d: %s" % (status, output[-300:])
    elif ("max search depth too small" in output or
          "Search not completed" in output or "truncated" in output):
        wrong = "not all states were gone through"
    return wrong, count


def check_models(runs, jobs):
    failed = 0

    def one(run):
        start = time.monotonic()
        return run, search(run, HERE), time.monotonic() - start

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for trial in concurrent.futures.as_completed(
                [pool.submit(one, run) for run in runs]):
            run, (wrong, states), took = trial.result()
            failed += bool(wrong)
            print("%-7s %s %s: %d states [%.0f s]%s"
                  % ("FAILED" if wrong else "holds", run.model, run.name,
                     states, took, "\n\t" + wrong if wrong else ""),
                  flush=True)
    print("%d runs, %d failures" % (len(runs), failed))
    return 1 if failed or not runs else 0


# Labels ----------------------------------------------------------------------


def functions_of(path):
    """The text of each function, by its name, with the comments in it."""
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    found, name, begin = {}, None, 0
    for number, line in enumerate(lines):
        match = re.match(r"([a-z_]\w*)\(", line)
        if match and name is None:
            name, begin = match.group(1), number
        elif name and line == "}":
            found[name] = "\n".join(lines[begin:number + 1])
            name = None
        elif name and line.endswith(";") and not line.startswith(("\t", " ")):
            name = None  # a declaration
        elif name and number > begin and line == "":
            if "{" not in "\n".join(lines[begin:number]):
                name = None
    return found


def labels_in_source():
    """Each label's order, and the file and function that it is in."""
    orders, places = {}, collections.defaultdict(set)
    for path in glob.glob(os.path.join(TREE, "src", "*.[ch]")):
        name = "src/" + os.path.basename(path)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        for label, order in re.findall(
                r"^[ \t]*(?:/\*)?[ \t]*(%s) ([a-z_]+(?: [a-z_]+)*):" % LABEL,
                text, re.M):
            orders[label] = order
        for function, body in functions_of(path).items():
            for label in re.findall(r"(?:/\*|^)[ \t]*(%s) [a-z_]+:" % LABEL,
                                    body, re.M):
                places[(name, function)].add(label)
    return orders, places


def steps_of(text):
    """(label, the statement it stands beside) of each step of a model."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        comment = re.search(r"/\* ((?:%s(?:, )?)+) \*/" % LABEL, line)
        if not comment:
            continue
        first = number
        # A call that goes on over several lines.
        while first > 0 and "(" not in lines[first].split("/*")[0]:
            first -= 1
        statement = " ".join(l.split("/*")[0] for l in lines[first:number + 1])
        if not re.search(r"[a-z]\w*\(", statement) and number + 1 < len(lines):
            statement = lines[number + 1]
        while statement.count(")") > statement.count("(") and first > 0:
            first -= 1
            statement = lines[first].split("/*")[0] + " " + statement
        for label in re.findall(LABEL, comment.group(1)):
            yield label, statement


def stands_for(opening):
    for path, names in re.findall(r"^\s*(src/\S+): (.*)$", opening, re.M):
        for name in names.split():
            yield path, name


def check_labels():
    orders, places = labels_in_source()
    wrong = []
    for path in sorted(glob.glob(os.path.join(HERE, "*.pml"))):
        model = os.path.basename(path)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        if model == "memory.pml":
            continue
        opening = opening_of(text)
        body = text[text.index("*/", text.index("Stands for:")):]
        left_out = set(re.findall(
            LABEL, opening.split("Left out:")[1].split("Run ")[0]
            if "Left out:" in opening else ""))
        shown = set()
        for label, statement in steps_of(body):
            shown.add(label)
            order = orders.get(label)
            if order and order != "compiler" and \
                    not re.search(r"_?%s\(" % order.replace(" ", "_"),
                                  statement):
                wrong.append("%s: %s is %s, at %s"
                             % (model, label, order, statement.strip()))
        mentioned = set(re.findall(r"\b%s\b" % LABEL, text))
        for label in sorted(mentioned - set(orders)):
            wrong.append("%s: no label %s" % (model, label))
        expected = set()
        for place in stands_for(opening):
            if not os.path.exists(os.path.join(TREE, place[0])) or \
                    place[1] not in functions_of(os.path.join(TREE,
                                                              place[0])):
                wrong.append("%s: no function %s: %s" % ((model,) + place))
            expected |= places.get(place, set())
        in_body = set(re.findall(LABEL, body))
        for label in sorted(expected - in_body - left_out):
            wrong.append("%s: nothing stands for %s" % (model, label))
        print("%s: %d labels, %d left out"
              % (model, len(shown & set(orders)), len(left_out & expected)))
    for line in wrong:
        print(line)
    return 1 if wrong else 0


# Mutants ---------------------------------------------------------------------


sys.path.insert(0, os.path.join(TREE, "tests", "mutants"))


def read_mutants(names):
    import run as mutants_of_source
    every = sorted(glob.glob(os.path.join(HERE, "mutants", "*.mutant")))
    chosen = [mutants_of_source.Mutant(path) for path in every]
    if names:
        chosen = [m for m in chosen if m.name in names]
        if len(chosen) != len(set(names)):
            raise Failure("no such mutant among: " + " ".join(names))
    return chosen


def try_mutant(mutant):
    """Returns (caught, why)."""
    with tempfile.TemporaryDirectory(prefix="cubby-models.") as tree:
        for name in {name for name, _, _ in mutant.changes}:
            target = os.path.join(tree, name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy(os.path.join(TREE, name), target)
        models = os.path.join(tree, "tests", "models")
        os.makedirs(models, exist_ok=True)
        for path in glob.glob(os.path.join(HERE, "*.pml")):
            shutil.copy(path, models)
        mutant.apply(tree)
        for kind, model, *names in mutant.tests:
            for run in runs_of(model, models, long=bool(names)):
                if names and run.name not in names:
                    continue
                wrong = search(run, models)[0]
                if wrong and wrong.startswith(("spin:", "does not", "pan ")):
                    return False, wrong
                if wrong and "gone through" not in wrong:
                    return True, "%s %s: %s" % (model, run.name, wrong)
    return False, "no run fails"


def check_mutants(names, jobs):
    mutants = read_mutants(names)
    missed = []
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        trials = {pool.submit(try_mutant, m): m for m in mutants}
        for trial in concurrent.futures.as_completed(trials):
            mutant, (caught, why) = trials[trial], trial.result()
            if not caught:
                missed.append(mutant.name)
            print("%-10s %s: %s\n\t%s"
                  % ("caught" if caught else "NOT CAUGHT", mutant.name,
                     mutant.fields["title"], why[:200]), flush=True)
    print("%d mutants, %d not caught" % (len(mutants), len(missed)))
    return 1 if missed or not mutants else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="models, or mutants")
    parser.add_argument("-j", "--jobs", type=int,
                        default=len(os.sched_getaffinity(0)))
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--labels", action="store_true")
    parser.add_argument("--mutants", action="store_true")
    arguments = parser.parse_args()
    if arguments.labels:
        return check_labels()
    if not shutil.which("spin"):
        print("spin is not installed: the models are not checked")
        return 77
    if arguments.mutants:
        return check_mutants(arguments.names, arguments.jobs)
    every = sorted(os.path.basename(path)[:-4]
                   for path in glob.glob(os.path.join(HERE, "*.pml")))
    names = arguments.names or [n for n in every if n != "memory"]
    runs = [run for name in names
            for run in runs_of(name, long=arguments.long)]
    return check_models(runs, arguments.jobs)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit(str(failure))
