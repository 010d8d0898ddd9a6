#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 120
"""What the documents name is there: members of answers, settings, commands
and their options; and what vx6d answers is in API.md."""
import glob
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import command, tap, tcp
from harness.node import chain

ROOMS = ("", "benchmarks", "config", "controlplane", "controlplane/api",
         "dataplane/wire", "image", "tests/lab", "tests/xdp")
PROGRAMS = ("vx6", "vx6d", "vx6-dataplane")
LISTS = ("peer", "link", "circuit", "tunnel", "service", "forward")


def text_of(*path):
    with open(os.path.join(command.TOP, *path), encoding="utf-8") as f:
        return f.read()


@tap.once
def documents():
    found = {}
    for room in ROOMS:
        for path in glob.glob(os.path.join(command.TOP, room, "*.md")):
            found[os.path.relpath(path, command.TOP)] = text_of(path)
    return found


def said(*argv):
    """What a program prints."""
    return subprocess.run(argv, capture_output=True, text=True,
                          check=False).stdout


@tap.once
def net():
    made = chain()
    server = tcp.Server(tcp.echo)
    made["owner"].service("web", server.target)
    tap.after(made["client"].connect("owner.web",
                                     via=["r1", "r2", "r3"]).close)
    return made


def members(value):
    """The keys of all objects in it, but for what is a name of its own: a
    status or a reason."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if not key.isupper():
                yield key
            yield from members(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from members(inner)


@tap.test
def what_vx6d_answers_is_in_api_md():
    doc = text_of("controlplane/api/API.md")
    named = set(re.findall(r'"(\w+)":', doc)) | set(re.findall(r"`(\w+)`",
                                                               doc))
    more = {}
    for node in ("client", "r2", "owner"):
        api = net()[node].api
        for cmd in ["status", "stats", "identity.show"] + [
                f"{kind}.list" for kind in LISTS]:
            for key in set(members(api(cmd))) - named:
                more.setdefault(key, f"{cmd} of {node}")
    tap.equal(more, {}, "more than API.md has")


@tap.test
def what_api_md_shows_is_answered():
    source = "".join(
        text_of(path) for room in ("node", "api") for path in
        glob.glob(os.path.join(command.TOP, "controlplane", room, "*.c")))
    shown = set()
    for line in text_of("controlplane/api/API.md").splitlines():
        if line.startswith("    "):
            shown |= {k for k in re.findall(r'"(\w+)":', line)
                      if not k.isupper()}
    tap.true(len(shown) > 100, f"{len(shown)} members were read")
    tap.equal(sorted(k for k in shown if f'"{k}"' not in source), [])
    words = set()
    for listed in re.findall(
            r"`(?:state|mode|side|source|transport|at)`: ([^.]*)\.",
            text_of("controlplane/api/API.md")):
        words |= set(re.findall(r"`([a-z]+)`", listed))
    tap.true({"connected", "silent", "owner"} < words, f"read {words}")
    tap.equal(sorted(w for w in words if f'"{w}"' not in source), [],
              "words that nobody says")


@tap.test
def settings_that_documents_name_exist():
    keys = set(re.findall(r"^\| `([\w.]+)", text_of("config/REFERENCE.md"),
                          re.M))
    sections = {k.split(".")[0] for k in keys if "." in k}
    wrong = []
    for path, doc in documents().items():
        for name in re.findall(r"`(\w+\.\w+)`", doc):
            if name.split(".")[0] in sections and name not in keys and \
                    not name.endswith((".c", ".h", ".md")):
                wrong.append((path, name))
    tap.equal(wrong, [])


@tap.test
def every_machine_of_core_is_in_the_architecture():
    doc = text_of("controlplane/ARCHITECTURE.md")
    found = glob.glob(os.path.join(command.TOP, "controlplane/core/*.h"))
    tap.true(found, "there are some")
    tap.equal([h for h in found
               if f"`{os.path.basename(h)[:-2]}`" not in doc], [])


def commands(doc):
    """(program, its words) of every command line in a document."""
    lines = re.findall(r"`([^`\n]+)`", doc)
    lines += [x.strip() for x in doc.splitlines() if x.startswith("    ")]
    for line in lines:
        line = line.split("#")[0]
        m = re.match(r"(?:sudo )?(?:build/bin/)?(vx6(?:d|-dataplane)?) (.+)",
                     line)
        if m:
            yield m.group(1), m.group(2).split()


@tap.test
def commands_that_documents_show_exist():
    helps = {p: said(os.path.join(command.BIN, p), "--help")
             for p in PROGRAMS}
    verbs = re.findall(r"^  ([a-z]+(?: [a-z]+)?)  ", helps["vx6"], re.M)
    wrong, seen = [], 0
    for path, doc in documents().items():
        for program, words in commands(doc):
            verb = next((v for v in sorted(verbs, key=len, reverse=True)
                         if words[:len(v.split())] == v.split()), None)
            about = helps[program]
            if program == "vx6":
                if verb is None and not words[0].startswith("-"):
                    wrong.append((path, f"vx6 {' '.join(words)}"))
                    continue
                about += said(command.VX6, "help", *(verb or "").split())
            seen += 1
            wrong += [(path, program, *words) for w in words
                      if w.startswith("--")
                      and w.split("=")[0] not in about]
    tap.equal(wrong, [])
    tap.true(seen > 20, f"{seen} commands were read")


tap.main(command.have(*PROGRAMS))
