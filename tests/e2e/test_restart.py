#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 420
"""Either plane of a relay dies; what is the other's goes on.

      client ===> r1 ---> r2 ---> r3 ===> owner     carries
             ===> s1 ---> s2 ---> s3 ===>           waits, where there is one

vx6d of a relay dies: its cells flow, and the next vx6d takes its links and
circuits up again.  vx6-dataplane dies: its circuits are dead, their ends are
told, and everything is made anew.
"""
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import command, place, programs, tap
from harness.node import chain
from harness.restart import (Carried, fds, plane, relayed, rss_kib,
                             vx6d_killed)
from harness.transfer import Download, Stream, Watch

MIB = 1 << 20
R, S = ["r1", "r2", "r3"], ["s1", "s2", "s3"]
SIZE = 48 * MIB
KILLS = 50

nginx = tap.once(programs.Nginx)
page = tap.once(lambda: nginx().page("page", SIZE))

# A busy machine's worker may miss the 50 ms of the default: a move too many.
PATIENT = {"silence_min_s": 2}
# Seconds instead of minutes, so that what was cut off is made again soon.
QUICK = {"silence_min_s": 0.2, "redial_min_s": 0.1, "redial_max_s": 0.5,
         "link_ask_s": 1}


@tap.test
def a_killed_vx6d_costs_no_cell():
    page()
    made = chain(R, PATIENT)
    made["owner"].service("web", nginx().target)
    r2 = made["r2"]
    with made["client"].connect("owner.web", via=R, spare_via=[]) as c:
        watch = Watch(c)
        tap.equal(len(relayed(r2)), 1, "circuits through r2")
        count = Carried(r2)
        d = Download(c.listen, "page", os.path.join(made["client"].dir, "got"))
        d.past(SIZE // 4)
        vx6d_killed(r2, lambda: d.past(SIZE // 2))
        d.done(page())
        count.look()
        tap.note(f"{count.carried} cells through r2, dropped: "
                 f"{count.dropped or 'none'}")
        tap.true(count.carried > SIZE / 1472, "they went through r2")
        tap.equal(count.dropped, {}, "cells lost")
        tap.equal(watch.of("moved"), [], "moves")
        tap.equal(watch.of("down"), [], "down")
        listed = relayed(r2)[0]
        tap.equal((listed["previous"], listed["next"]), ("r1", "r3"))
        tap.true(listed["cells_backward"] > SIZE / 1472, "its cells counted")
    tap.wait(lambda: plane(r2)["halves"] == 0, "DESTROY to end the circuit")
    tap.equal(relayed(r2), [])


# ---- fifty times -----------------------------------------------------------

class Base:
    """What may not grow.  A killed process begins anew with the same."""
    SPARE_FDS = 4  # questions of ours that vx6d has not closed yet

    def __init__(self, net):
        self.net = net
        tap.wait(lambda: not any(self.circuits(n) for n in net.nodes),
                 "the last circuit to be gone", 30)
        self.had = {n: self.look(n) for n in net.nodes}
        self.fds, self.rss = self.sizes(fds), self.sizes(rss_kib)

    def circuits(self, name):
        return self.net[name].api("circuit.list")["total"]

    def look(self, name):
        node = self.net[name]
        stats = node.api("stats")
        return {"links": len(node.api("link.list")["links"]),
                "circuits": self.circuits(name),
                "ids": stats["vx6d"]["circuit_ids"],
                "halves": (stats["dataplane"] or {}).get("halves", 0)}

    def sizes(self, of):
        return {p.pid: of(p) for n in self.net.nodes.values()
                for p in (n.vx6d, n.plane) if p}

    def is_back(self):
        self.now = {n: self.look(n) for n in self.net.nodes}
        return self.now == self.had

    def check(self):
        tap.wait(self.is_back, "everything to be as before", 30,
                 lambda: "; ".join(
                     f"{n}: had {self.had[n]}, has {self.now[n]}"
                     for n in self.now if self.now[n] != self.had[n]))
        usual = max(self.fds.values()) + self.SPARE_FDS
        for pid, now in self.sizes(fds).items():
            before = self.fds.get(pid, usual)
            tap.true(now <= before + self.SPARE_FDS,
                     f"process {pid} had {before} descriptors, has {now}")
        for pid, now in self.sizes(rss_kib).items():
            grown = now - self.rss.get(pid, now)
            tap.true(grown < 16 * 1024, f"process {pid} grew by {grown} KiB")


def both_stand(node):
    return len([c for c in node.api("circuit.list")["circuits"]
                if c["state"] == "open"]) == 2


def path_in_use(node):
    return node.api("tunnel.list")["tunnels"][0]["path"]


def kill(node, which):
    for p in ("plane", "vx6d") if which == "both" else (which,):
        place.kill(getattr(node, p))


def back(node, which, first):
    """Starts what was killed, in one order or the other."""
    for p in sorted(("plane", "vx6d") if which == "both" else (which,),
                    reverse=first == "vx6d"):
        (node.start_plane if p == "plane" else node.start_vx6d)()
    node.ready()


@tap.test
def either_plane_dies_fifty_times():
    made = chain(R + S, QUICK)
    seed = int(os.environ.get("VX6_SEED", "20261129"))
    rnd = random.Random(seed)
    tap.note(f"seed {seed}")
    stream = Stream(seed)
    made["owner"].service("stream", stream.server.target)
    with made["client"].connect("owner.stream", via=R, spare_via=S):
        tap.wait(lambda: both_stand(made["client"]), "both circuits")
    base = Base(made)
    with made["client"].connect("owner.stream", via=R, spare_via=S) as c:
        watch = Watch(c)
        stream.start(c.listen)
        for i in range(KILLS):
            tap.wait(lambda: both_stand(made["client"]),
                     f"both circuits before kill {i + 1}", 30,
                     lambda: made["client"].last_words())
            stream.past(stream.count + stream.PART)
            victim = made[path_in_use(made["client"])[1]]
            which = rnd.choice(("vx6d", "plane", "both"))
            kill(victim, which)
            stream.past(stream.count + stream.PART)
            back(victim, which, rnd.choice(("vx6d", "plane")))
        count = stream.done()
        tap.note(f"{KILLS} kills, {len(watch.of('moved'))} moves, "
                 f"{count} bytes, 0 lost")
    base.check()


tap.main(command.have("vx6", "vx6d", "vx6-dataplane"))
