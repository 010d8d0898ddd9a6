#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 300
"""Links that fall silent, lose their session, are narrow, or have strangers at
them, while a transfer goes on (PROTOCOL.md section 6).

      client ===> r1 ===> r2 ===> owner      carries
             ===> s1 ===> s2 ===>            waits, in one test

What a link does is read where it is told: link.list, the log, counters, and
captures of its cables.
"""
import os
import socket
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "e2e"), HERE]
from harness import command, tap
from harness.ask import Refused
from netlab import Lab, forge, lacking
from netlab.capture import udp as datagram
from netlab.seen import ALONE, link, linked, refusals, said, with_each
from netlab.transfer import MIB, TIMERS, Transfer, lab_of

CELLS, PROBE, LONGEST = 4243, 70, 1472
BACKENDS = ("udp", "af_xdp")


# ---- falling silent ----

def sent(capture, src, dst, size=None):
    """When datagrams of a link left, from one host to another."""
    mine = {src.address(f) for f in src.where.families}
    theirs = {dst.address(f) for f in dst.where.families}
    return [d.time for d in capture.datagrams()
            if d.src in mine and d.dst in theirs and d.dport == CELLS and
            size in (None, len(d.payload))]


@with_each(BACKENDS)
def a_link_falls_silent(backend):
    """Nothing is told but by its silence: three asks, then it is dead."""
    lab = lab_of(backend, ["r1", "r2", "s1", "s2"])
    r1, r2, client = lab["r1"], lab["r2"], lab["client"]
    t = Transfer(lab, ["r1", "r2"], ["s1", "s2"])
    t.past(.1)
    linked(r1, "r2")
    asked = r1.api("link.list")
    with lab.capture("r1") as c:
        lab.cut_between("r1", "r2")
        for a, b in (("r1", "r2"), ("r2", "r1")):
            tap.wait(lambda: said(lab[a], "link", "down", peer=lab[b].id),
                     f"{a} to call its link dead", 30, lab[a].last_words)
    asks = sent(c, r1, r2, PROBE)
    tap.true(len(asks) >= 3, f"asks of {asked}: {asks}")
    for first, second in zip(asks[-3:], asks[-2:]):
        # 1 s by the clock of who asks, who may be held up before it sends
        tap.true(second - first > .5, f"asks 1 s apart: {asks}")
    t.done()
    tap.equal([e["path"] for e in t.watch.of("moved")], [["s1", "s2"]],
              "the tunnel has moved")
    # both sides of the dead link told theirs
    for name in ("r1", "r2", "owner"):
        tap.wait(lambda: not [x for x in
                              lab[name].api("circuit.list")["circuits"]
                              if {"r1", "r2"} & set(passes(x))],
                 f"{name} to have no circuit of it")
    lab.mend("r1", "r2")
    for a, b in (("r1", "r2"), ("r2", "r1")):
        tap.wait(lambda: lab[a].peers()[b]["state"] == "connected",
                 f"{a} to have a session with {b}", hint=lab[a].last_words)
    with client.connect("owner.web", via=["r1", "r2"]) as again:
        tap.equal(again.ready["path"], ["r1", "r2"], "over a new link")
        linked(r1, "r2")
        linked(r2, "r1")


def passes(circuit):
    """The neighbours of a circuit that goes through or to a node."""
    return [circuit.get("previous"), circuit.get("next"),
            *circuit.get("path", [])]


# ---- without a session ----

SESSIONS = """
table inet sessions {{}}
delete table inet sessions
table inet sessions {{
    chain through {{
        type filter hook forward priority filter;
        iifname {{ {ends} }} oifname {{ {ends} }} udp dport 4242 drop
    }}
}}
"""


def cut_sessions(lab, a, b):
    """Between two relays cells go through, and packets of sessions do not."""
    lab.switch.nft(SESSIONS.format(ends=f'"{a}.0", "{b}.0"'))


def mend_sessions(lab):
    lab.switch.nft("delete table inet sessions")


@with_each(BACKENDS)
def a_link_outlives_its_session(backend):
    lab = lab_of(backend, ["r1", "r2"], client={"config": ALONE})
    r1, r2 = lab["r1"], lab["r2"]
    t = Transfer(lab, ["r1", "r2"])
    t.past(.1)
    before = linked(r1, "r2"), linked(r2, "r1")
    cut_sessions(lab, "r1", "r2")
    for a, b in (("r1", "r2"), ("r2", "r1")):
        tap.wait(lambda: not link(lab[a], b)["session"],
                 f"{a}'s session to idle out", hint=lab[a].last_words)
    t.more()
    mend_sessions(lab)
    for a, b in (("r1", "r2"), ("r2", "r1")):
        tap.wait(lambda: link(lab[a], b)["session"], f"{a}'s new session",
                 hint=lab[a].last_words)
    t.more()
    after = linked(r1, "r2"), linked(r2, "r1")
    for x, y in zip(before, after):
        tap.equal((y["index"], y["peer_index"]),
                  (x["index"], x["peer_index"]), "the same link")
    for a in (r1, r2):
        tap.wait(lambda: said(a, "link", "kept"), f"{a.name} to adopt it",
                 hint=a.last_words)
    t.done()
    tap.equal(t.watch.of("moved"), [], "moves of the tunnel")
    tap.equal(len(t.circuits()), 1, "circuits of the client")
    for a in (r1, r2):
        tap.equal(len(a.api("circuit.list")["circuits"]), 1, a.name)


@with_each(BACKENDS[:1])
def an_orphan_ends(backend):
    lab = lab_of(backend, ["r1", "r2"],
                 timers=dict(TIMERS, link_orphan_s=2, create_hop_s=.5),
                 client={"config": ALONE})
    t = Transfer(lab, ["r1", "r2"])
    t.past(.1)
    linked(lab["r1"], "r2")
    cut_sessions(lab, "r1", "r2")
    for a, b in (("r1", "r2"), ("r2", "r1")):
        tap.wait(lambda: said(lab[a], "link", "orphaned"),
                 f"{a} to end its link", hint=lab[a].last_words)
        tap.wait(lambda: not link(lab[a], b), f"{a}'s link to be gone")
    # the client was told at once, by the session that r1 has with it
    tap.wait(lambda: t.watch.of("down"), "the client to be told")
    mend_sessions(lab)
    t.done()


# ---- strangers ----

class Stranger:
    """Who has read a relay's cable, and sends what it read again."""

    def __init__(self, lab, capture, to, family):
        self.lab, self.to, self.family = lab, to, family
        # on a veth several datagrams may travel as one, which no cable does
        self.frames = [(f, d) for _, f in capture.frames()
                       if (d := datagram(0, f)) and d.dport == CELLS and
                       d.dst == to.address(family) and
                       len(d.payload) <= LONGEST]
        tap.true(self.frames, f"cells to {to.name} were captured")

    def spoof(self):
        """The same, as if it came from who sent it."""
        with self.lab.switch.inside(), \
                socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
            s.bind((f"{self.to.name}.0", 0))
            for frame, d in self.frames:
                s.send(forge.with_payload(frame, d.payload))

    def replay(self):
        """The datagrams, from an address of its own."""
        kind = socket.AF_INET6 if self.family == "v6" else socket.AF_INET
        with self.lab["stranger"].inside(), \
                socket.socket(kind, socket.SOCK_DGRAM) as s:
            for _, d in self.frames:
                s.sendto(d.payload, (d.dst, d.dport))

    def probes(self):
        return sum(len(d.payload) == PROBE for _, d in self.frames)


def rises(node, reasons, what):
    """Calls what until all the counters are higher than before."""
    before = refusals(node)

    def all_rose():
        now = refusals(node)
        return all(now.get(r, 0) > before.get(r, 0) for r in reasons)
    what()
    tap.wait(all_rose, f"{reasons} to be counted",
             hint=lambda: f"{before} then {refusals(node)}")


@with_each(BACKENDS)
def a_stranger_moves_nothing(backend):
    lab = lab_of(backend, ["r1", "r2"], client={"config": ALONE},
                 timers=dict(TIMERS, link_ask_s=1),
                 stranger={"plain": True})
    r2 = lab["r2"]
    family = "v6" if ":" in linked(r2, "r1")["address"].rpartition(":")[0] \
        else "v4"
    t = Transfer(lab, ["r1", "r2"])
    with lab.capture("r2") as c:
        t.past(.2)
        tap.wait(lambda: len(sent(c, lab["r1"], r2, PROBE)) > 2,
                 "probes to go by")
    stranger = Stranger(lab, c, r2, family)
    tap.true(stranger.probes() > 0, "probes are among what was captured")
    before = {n: linked(r2, n)["address"] for n in ("r1", "owner")}
    rises(r2, ["REPLAYED"], stranger.spoof)
    rises(r2, ["BAD_SOURCE"], stranger.replay)
    t.done()
    after = {n: linked(r2, n)["address"] for n in ("r1", "owner")}
    tap.equal(after, before, "where the links are")
    tap.equal(said(r2, "link", "moved"), 0, "moves")
    tap.equal(t.watch.of("moved"), [], "moves of the tunnel")


# ---- narrow paths ----

NARROW = """
table inet narrow {{
    chain through {{
        type filter hook forward priority filter;
        oifname "{end}" meta length > 1280 counter drop
        iifname "{end}" meta length > 1280 counter drop
    }}
}}
"""


@with_each(BACKENDS)
def a_path_swallows_what_is_large(backend):
    """MTU 1280 somewhere in the middle, and nobody says so."""
    lab = Lab({"nodes": {"client": {"config": ALONE}, "owner": {},
                         "r1": {"relay": True, "backend": backend}},
               "timers": TIMERS})
    lab.switch.nft(NARROW.format(end="r1.0"))
    for host in lab.hosts.values():
        host.ns.ip("link set vx0 gso_max_segs 1")  # as on a wire
    lab.up()
    for name in ("client", "owner"):
        tap.true(linked(lab[name], "r1")["u"] <= 1232,
                 f"{name} counts on no more than what every path carries")
    t = Transfer(lab, ["r1"], size=4 * MIB)
    t.done()
    try:
        lab["client"].connect("owner.web", via=["r1"], cell_size=1452)
    except Refused as e:
        tap.within(str(e), "from client to r1 takes datagrams of 1232 bytes")
    else:
        raise tap.Failed("cells of 1452 bytes are no cells of that path")
    tap.wait(lambda: all(link(lab[a], b)["u"] == 1232 for a, b in (
        ("client", "r1"), ("owner", "r1"), ("r1", "client"),
        ("r1", "owner"))), "the size to be found", 60)


tap.main(lacking() or command.have("vx6", "vx6d", "vx6-dataplane"))
