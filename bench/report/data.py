# SPDX-License-Identifier: MIT
"""Reads what the benchmarks have written: results.json, peers.json, scale.json,
as bench/README.md describes them. What does not look so is refused with the file
and the place; nothing is guessed."""

import json

import words

TEXT = str
NUMBER = float
COUNT = int
TRUTH = bool
LIST = list
OBJECT = dict

SCHEMA = 1
LARGEST = 1e100           # what is more was not measured


class Malformed(Exception):
    """The file, the place in it, and what is wrong there."""


class optional:
    """Of a field: it may be null, or not there."""

    def __init__(self, kind):
        self.kind = kind


NAMES = {TEXT: "a string", NUMBER: "a number", COUNT: "a whole number of 0 or more",
         TRUTH: "true or false", LIST: "an array", OBJECT: "an object"}

MACHINE = {"processor": TEXT, "architecture": TEXT, "kernel": TEXT,
           "system": TEXT, "cpus": LIST, "memory_bytes": optional(NUMBER)}

LATENCY = {"count": NUMBER, "p50": optional(NUMBER), "p99": optional(NUMBER),
           "p999": optional(NUMBER), "max": optional(NUMBER), "buckets": LIST}

PEER = {"name": TEXT, "kind": TEXT, "present": TRUTH, "absent": optional(TEXT),
        "version": optional(TEXT), "manual": optional(TEXT),
        "note": optional(TEXT), "own_threads": optional(TRUTH),
        "offers": LIST}

PEER_ROW = {"test": TEXT, "mode": TEXT, "size": COUNT, "senders": COUNT,
            "receivers": COUNT}
MEASURED = {"peer": TEXT, "unit": TEXT, "value": optional(NUMBER),
            "class": optional(TEXT), "low": optional(NUMBER),
            "high": optional(NUMBER), "rounds": optional(NUMBER),
            "processor_ns": optional(NUMBER), "calls": optional(NUMBER),
            "sleeps": optional(NUMBER), "spins": optional(TRUTH),
            "reason": optional(TEXT), "failed": optional(TRUTH),
            "latency": optional(OBJECT)}

SHARES = dict({"of": TEXT}, **{
    name: optional(COUNT) for name in words.CLASSES + ("moved", "preempted")})

GOAL = {"name": TEXT, "text": TEXT, "ours": optional(TEXT),
        "beside": optional(TEXT), "sense": TEXT, "goal": NUMBER,
        "near": optional(NUMBER), "far": optional(NUMBER),
        "near_reason": optional(TEXT), "far_reason": optional(TEXT),
        "value": optional(NUMBER), "held": optional(TRUTH),
        "reason": optional(TEXT)}

TARGET = {"name": TEXT, "text": TEXT, "sense": TEXT, "goal": NUMBER,
          "unit": TEXT, "value": optional(NUMBER), "held": optional(TRUTH),
          "near": optional(NUMBER), "far": optional(NUMBER),
          "reason": optional(TEXT)}

CURVE = {"name": TEXT, "title": TEXT, "x": TEXT, "x_unit": optional(TEXT),
         "unit": TEXT, "note": optional(TEXT)}

SCALE_ROW = {"curve": TEXT, "series": TEXT, "x": optional(NUMBER),
             "class": optional(TEXT), "value": optional(NUMBER),
             "low": optional(NUMBER), "high": optional(NUMBER),
             "rounds": optional(NUMBER), "reason": optional(TEXT)}

RESULT = {"test": TEXT, "system": TEXT, "size": optional(COUNT),
          "senders": optional(COUNT), "receivers": optional(COUNT),
          "unit": optional(TEXT), "value": optional(NUMBER),
          "class": optional(TEXT), "p1": optional(NUMBER),
          "p99": optional(NUMBER), "rounds": optional(NUMBER),
          "goal": optional(NUMBER), "sense": optional(TEXT),
          "held": optional(TRUTH), "near": optional(NUMBER),
          "far": optional(NUMBER), "beside": optional(TEXT),
          "reason": optional(TEXT), "kept": optional(COUNT),
          "changed": optional(COUNT), "preempted": optional(COUNT)}


def is_a(value, kind):
    if kind not in (NUMBER, COUNT):
        return isinstance(value, kind)
    return (isinstance(value, (int, float)) and
            not isinstance(value, bool) and abs(value) < LARGEST and
            (kind is NUMBER or (value == int(value) and value >= 0)))


def check(value, shape, path, where):
    """That value is an object with these fields; there may be others."""
    if not isinstance(value, dict):
        raise Malformed("%s: %s: not an object" % (path, where or "all of it"))
    for name, kind in shape.items():
        free = isinstance(kind, optional)
        kind = kind.kind if free else kind
        place = where + "." + name if where else name
        if value.get(name) is None:
            if not free:
                raise Malformed("%s: %s: is not there" % (path, place))
        elif not is_a(value[name], kind):
            raise Malformed("%s: %s: not %s" % (path, place, NAMES[kind]))


def items(value, name):
    return (("%s[%d]" % (name, i), item) for i, item in enumerate(value))


def load(path):
    """None if there is no such file."""

    def constant(name):
        raise Malformed("%s: %s is not a number of JSON" % (path, name))

    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file, parse_constant=constant)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Malformed("%s: %s" % (path, error.strerror))
    except UnicodeDecodeError:
        raise Malformed("%s: not UTF-8" % path)
    except json.JSONDecodeError as error:
        raise Malformed("%s: line %d, column %d: not JSON: %s" % (
            path, error.lineno, error.colno, error.msg))
    except ValueError as error:
        raise Malformed("%s: %s" % (path, error))
    except RecursionError:
        raise Malformed("%s: nested too deep" % path)
    if found is None:
        raise Malformed("%s: all of it: null" % path)
    return found


def check_head(data, path, lists):
    check(data, dict({"schema": COUNT, "when": TEXT, "machine": OBJECT,
                      "settings": OBJECT}, **{name: LIST for name in lists}),
          path, "")
    if data["schema"] != SCHEMA:
        raise Malformed("%s: schema: %d is not known here, only %d" % (
            path, data["schema"], SCHEMA))
    check(data["machine"], MACHINE, path, "machine")
    for where, cpu in items(data["machine"]["cpus"], "machine.cpus"):
        if not is_a(cpu, COUNT):
            raise Malformed("%s: %s: not a whole number" % (path, where))


def check_latency(latency, path, where):
    check(latency, LATENCY, path, where)
    for place, pair in items(latency["buckets"], where + ".buckets"):
        if not (isinstance(pair, list) and len(pair) == 2 and
                all(is_a(n, NUMBER) and n >= 0 for n in pair)):
            raise Malformed("%s: %s: not a pair of numbers" % (path, place))


def check_unique(names, path, where):
    seen = set()
    for name in names:
        if name in seen:
            raise Malformed("%s: %s: %s is there twice" % (path, where, name))
        seen.add(name)
    return seen


def read_peers(path):
    data = load(path)
    if data is None:
        return None
    check_head(data, path, ("peers", "rows", "goals"))
    for where, peer in items(data["peers"], "peers"):
        check(peer, PEER, path, where)
        if not all(isinstance(offer, str) for offer in peer["offers"]):
            raise Malformed("%s: %s.offers: not strings" % (path, where))
    known = check_unique((p["name"] for p in data["peers"]), path, "peers")
    for where, row in items(data["rows"], "rows"):
        check(row, PEER_ROW, path, where)
        if row["test"] == "shares":
            check(row, SHARES, path, where)
            continue
        check(row, MEASURED, path, where)
        if row["peer"] not in known:
            raise Malformed("%s: %s.peer: no such peer: %s" % (
                path, where, row["peer"]))
        if row.get("latency") is not None:
            check_latency(row["latency"], path, where + ".latency")
    for where, goal in items(data["goals"], "goals"):
        check(goal, GOAL, path, where)
    return data


def read_scale(path):
    data = load(path)
    if data is None:
        return None
    check_head(data, path, ("curves", "rows", "targets"))
    for where, curve in items(data["curves"], "curves"):
        check(curve, CURVE, path, where)
    known = check_unique((c["name"] for c in data["curves"]), path, "curves")
    for where, row in items(data["rows"], "rows"):
        check(row, SCALE_ROW, path, where)
        if row["curve"] not in known:
            raise Malformed("%s: %s.curve: no such curve: %s" % (
                path, where, row["curve"]))
    for where, target in items(data["targets"], "targets"):
        check(target, TARGET, path, where)
    return data


def read_results(path):
    rows = load(path)
    if rows is None:
        return None
    if not isinstance(rows, list):
        raise Malformed("%s: all of it: not an array" % path)
    for where, row in items(rows, "rows"):
        check(row, RESULT, path, where)
        if row["test"] == "machine":
            check(row, {"kernel": TEXT, "when": TEXT, "cpus": TEXT}, path,
                  where)
        if row["test"].startswith("ratio:"):
            check(row, {"goal": NUMBER, "sense": TEXT}, path, where)
    if not any(row["test"] == "machine" for row in rows):
        raise Malformed("%s: rows: none of them tells the machine" % path)
    return rows
