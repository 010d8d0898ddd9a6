#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 420
"""A thousand circuits come and go, and nothing of them is left.

      client ===> r1 ---> r2 ===> owner

Each connection builds its circuit and a spare, proves the service and ends.
Under make san the daemons' exit says whether memory was lost; here their
tables must be empty, and their size must not have grown with the number.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import command, programs, tap
from harness.node import SHORT, chain

ROUNDS = 500  # two circuits each
WARM = 100    # after these, caches and pools have their size
GROWTH_KB = 4096


def rss_kb(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as f:
        for line in f:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0


def sizes(made):
    all_of = {}
    for n in made.nodes.values():
        for what, p in (("vx6d", n.vx6d), ("dataplane", n.plane)):
            if p:
                all_of[f"{n.name} {what}"] = rss_kb(p)
    return all_of


def empty(node):
    status = node.api("status")
    plane = node.api("stats")["dataplane"]
    return status["circuits"] == 0 and status["tunnels"] == 0 and \
        (plane is None or plane["halves"] == 0)


@tap.test
def a_thousand_circuits_leave_nothing():
    page = programs.Nginx()
    made = chain(["r1", "r2", "r3", "r4"], SHORT)
    made["owner"].service("web", page.target)
    before = {}
    for i in range(ROUNDS):
        if i == WARM:
            before = sizes(made)
        made["client"].connect("owner.web", hops=2).close()
    built = made["client"].api("stats")["vx6d"]["circuits_built"]
    tap.true(built >= 2 * ROUNDS - ROUNDS // 10, f"circuits built: {built}")
    for n in made.nodes.values():
        tap.wait(lambda: empty(n), f"{n.name} to have no circuit", 30,
                 lambda: f"{n.status()}\n{n.last_words()}")
    after = sizes(made)
    grown = {k: after[k] - before[k] for k in before}
    tap.note(f"{built} circuits; growth in KiB after the first "
             f"{2 * WARM}: {grown}")
    if "/san/" in command.BIN + "/":
        return  # freed memory is kept aside there, to catch its use
    for name, kb in grown.items():
        tap.true(kb < GROWTH_KB, f"{name} grew by {kb} KiB")


tap.main()
