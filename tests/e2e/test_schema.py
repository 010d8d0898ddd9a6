#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 120
"""The published schema, reference and example of the configuration.

test_config writes what the table makes, and every bad document it knows, to
a directory.  An independent validator (python3-jsonschema) then takes the
example and every default, and refuses each bad document that a schema can
see to be bad.  The files in config/ must be what the table makes now; with
VX6_WRITE=1 they are written.
"""
import json
import os
import subprocess
import sys
import tempfile

TOP = os.environ.get("VX6_TOP") or os.path.dirname(os.path.dirname(
    os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("VX6_BUILD") or os.path.join(TOP, "build")
PUBLISHED = ["schema.json", "REFERENCE.md", "example.json"]
count = 0


def result(ok, name, why=""):
    global count
    count += 1
    print(f"{'ok' if ok else 'not ok'} {count} - {name}")
    for line in str(why).splitlines() if not ok else []:
        print(f"# {line}")


def skip(name, why):
    global count
    count += 1
    print(f"ok {count} - {name} # SKIP {why}")


def samples(directory):
    """Lets the unit test, as it is now, write what the table makes."""
    program = os.path.join(BUILD, "tests/unit/test_config")
    if "VX6_BUILD" not in os.environ:  # make test has made it
        subprocess.run(["make", os.path.relpath(program, TOP)], cwd=TOP,
                       check=True, stdout=subprocess.DEVNULL)
    env = dict(os.environ, VX6_SAMPLES=directory)
    env.pop("VX6_TEST_ONLY", None)
    subprocess.run([program], env=env, cwd=TOP, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as f:
        return f.read()


def published(directory):
    for name in PUBLISHED:
        made = read(directory, name)
        path = os.path.join(TOP, "config", name)
        if os.environ.get("VX6_WRITE") == "1":
            with open(path, "w", encoding="utf-8") as f:
                f.write(made)
        same = os.path.exists(path) and read(path) == made
        result(same, f"config/{name} is what the table makes",
               "VX6_WRITE=1 tests/e2e/test_schema.py writes it")


def fields(schema, path=""):
    """Every field's own schema, with its path."""
    for key, sub in schema.get("properties", {}).items():
        here = f"{path}.{key}" if path else key
        if "properties" in sub:
            yield from fields(sub, here)
        else:
            yield here, sub
            yield from fields(sub.get("items", {}), here + "[]")


def judge(directory):
    names = ["is a schema", "takes the example", "takes every default",
             "refuses what is bad", "has no field that takes anything"]
    try:
        import jsonschema
    except ImportError:
        for name in names:
            skip(name, "jsonschema: python3-jsonschema is not installed")
        return
    schema = json.loads(read(directory, "schema.json"))
    cls = jsonschema.Draft202012Validator
    try:
        cls.check_schema(schema)
        result(True, names[0])
    except jsonschema.SchemaError as e:
        result(False, names[0], e)
        return
    v = cls(schema)
    example = json.loads(read(directory, "example.json"))
    result(v.is_valid(example), names[1],
           [e.message for e in v.iter_errors(example)])
    bad = [p for p, s in fields(schema)
           if "default" in s and not cls(s).is_valid(s["default"])]
    result(not bad, names[2], bad)
    wrong = []
    for line in read(directory, "cases.jsonl").splitlines():
        case = json.loads(line)
        try:
            doc, parsed = json.loads(case["doc"]), True
        except ValueError:
            doc, parsed = None, False
        if case["schema"] == "not json":
            # keys written twice are JSON to Python, and lost
            fine = not parsed or "twice" in case["text"] \
                or "\\u0000" in case["text"]
        else:
            fine = parsed and v.is_valid(doc) == (
                case["schema"] == "cannot say")
        if not fine:
            wrong.append(case)
    result(not wrong, names[3], json.dumps(wrong, indent=1))
    junk = [{"no such": 1}, [[]], "no \x01 such", -10**30, None]
    lax = [p for p, s in fields(schema)
           if any(cls(s).is_valid(j) for j in junk)]
    result(not lax, names[4], lax)


def main():
    with tempfile.TemporaryDirectory() as directory:
        samples(directory)
        published(directory)
        judge(directory)
    print(f"1..{count}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
