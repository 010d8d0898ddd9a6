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
import tempfile

from harness import command, tap

BUILD = os.environ.get("VX6_BUILD") or os.path.join(command.TOP, "build")
PUBLISHED = ["schema.json", "REFERENCE.md", "example.json"]


@tap.once
def samples():
    """Lets the unit test, as it is now, write what the table makes."""
    program = os.path.join(BUILD, "tests/unit/test_config")
    if "VX6_BUILD" not in os.environ:  # make test has made it
        subprocess.run(["make", os.path.relpath(program, command.TOP)],
                       cwd=command.TOP, check=True,
                       stdout=subprocess.DEVNULL)
    directory = tempfile.TemporaryDirectory()
    tap.after(directory.cleanup)
    env = dict(os.environ, VX6_SAMPLES=directory.name)
    env.pop("VX6_TEST_ONLY", None)
    subprocess.run([program], env=env, cwd=command.TOP, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return directory.name


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as f:
        return f.read()


@tap.test
def what_is_published_is_what_the_table_makes():
    for name in PUBLISHED:
        made = read(samples(), name)
        path = os.path.join(command.TOP, "config", name)
        if os.environ.get("VX6_WRITE") == "1":
            with open(path, "w", encoding="utf-8") as f:
                f.write(made)
        tap.true(os.path.exists(path) and read(path) == made,
                 f"config/{name}: VX6_WRITE=1 tests/e2e/test_schema.py "
                 "writes it")


def validator():
    """The schema, and the class of those who judge by it."""
    try:
        import jsonschema
    except ImportError:
        raise tap.Skip("jsonschema: python3-jsonschema is not installed")
    cls = jsonschema.Draft202012Validator
    schema = json.loads(read(samples(), "schema.json"))
    cls.check_schema(schema)
    return schema, cls


def fields(schema, path=""):
    """Every field's own schema, with its path."""
    for key, sub in schema.get("properties", {}).items():
        here = f"{path}.{key}" if path else key
        if "properties" in sub:
            yield from fields(sub, here)
        else:
            yield here, sub
            yield from fields(sub.get("items", {}), here + "[]")


@tap.test
def it_takes_the_example():
    schema, cls = validator()
    example = json.loads(read(samples(), "example.json"))
    tap.equal([e.message for e in cls(schema).iter_errors(example)], [])


@tap.test
def it_takes_every_default():
    schema, cls = validator()
    tap.equal([p for p, s in fields(schema)
               if "default" in s and not cls(s).is_valid(s["default"])], [])


@tap.test
def it_refuses_what_is_bad():
    schema, cls = validator()
    wrong = []
    for line in read(samples(), "cases.jsonl").splitlines():
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
            fine = parsed and cls(schema).is_valid(doc) == (
                case["schema"] == "cannot say")
        if not fine:
            wrong.append(case)
    tap.equal(wrong, [])


@tap.test
def no_field_takes_anything():
    schema, cls = validator()
    junk = [{"no such": 1}, [[]], "no \x01 such", -10**30, None]
    tap.equal([p for p, s in fields(schema)
               if any(cls(s).is_valid(j) for j in junk)], [])


tap.main()
