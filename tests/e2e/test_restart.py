#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 420
"""Either plane of a relay dies; what is the other's goes on.

      client ===> r1 ---> r2 ---> r3 ===> owner     carries
             ===> s1 ---> s2 ---> s3 ===>           waits, in some

vx6d of a relay dies: its cells flow, and the next vx6d takes its links and
circuits up again.  vx6-dataplane dies: its circuits are dead, their ends are
told, and everything is made anew.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import command, place, programs, tap
from harness.node import chain
from harness.transfer import Download, Watch

MIB = 1 << 20
R, S = ["r1", "r2", "r3"], ["s1", "s2", "s3"]
SIZE = 48 * MIB

nginx = tap.once(programs.Nginx)
page = tap.once(lambda: nginx().page("page", SIZE))

# A busy machine's worker may miss the 50 ms of the default: a move too many.
PATIENT = {"silence_min_s": 2}


def network(relays=tuple(R), **timers):
    page()
    made = chain(relays, {**PATIENT, **timers})
    made["owner"].service("web", nginx().target)
    return made


def relayed(node):
    """The circuits that go through a relay, as its vx6d lists them."""
    return [c for c in node.api("circuit.list")["circuits"]
            if c["role"] == "relay" and c["state"] == "open"]


def plane(node):
    return node.api("stats")["dataplane"]


def lost_cells(before, after):
    """Cells that a relay took in and did not send on, by its own counters;
    probes and cells that vx6d asked for are none of the circuit's."""
    def both(s):
        return s["forwarded"] + s["backwarded"]
    drops = {k: after["drops"][k] - before["drops"].get(k, 0)
             for k in after["drops"]}
    bad = {k: v for k, v in drops.items() if v > 0}
    return sum(bad.values()), both(after) - both(before), bad


def vx6d_dies(node):
    place.kill(node.vx6d)


def vx6d_returns(node):
    node.start_vx6d()
    node.ready()


@tap.test
def a_killed_vx6d_costs_no_cell():
    made = network()
    r2 = made["r2"]
    with made["client"].connect("owner.web", via=R, spare_via=[]) as c:
        watch = Watch(c)
        tap.equal(len(relayed(r2)), 1, "circuits through r2")
        before = plane(r2)
        d = Download(c.listen, "page", os.path.join(made["client"].dir, "got"))
        d.past(SIZE // 4)
        vx6d_dies(r2)
        d.past(SIZE // 2)
        vx6d_returns(r2)
        tap.equal(len(relayed(r2)), 1, "circuits that were taken up")
        d.done(page())
        lost, carried, bad = lost_cells(before, plane(r2))
        tap.note(f"{carried} cells through r2, {bad or 'none'} dropped")
        tap.true(carried > SIZE / 1472, "they went through r2")
        tap.equal(lost, 0, "cells lost")
        tap.equal(watch.of("moved"), [], "moves")
        tap.equal(watch.of("down"), [], "down")
        listed = relayed(r2)[0]
        tap.equal((listed["previous"], listed["next"]), ("r1", "r3"))
        tap.true(listed["cells_backward"] > SIZE / 1472, "its cells counted")
    tap.wait(lambda: plane(r2)["halves"] == 0, "DESTROY to end the circuit")
    tap.equal(relayed(r2), [])


tap.main(command.have("vx6", "vx6d", "vx6-dataplane"))
