#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 300
"""Links that move while a transfer goes on over them (PROTOCOL.md section 6).

      client --- NAT home ---> switch ---> r1 ===> owner
         (or without)

What a link does is read where it is told: link.list, the log, counters, and
captures of its cables.
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "e2e"), HERE]
from harness import command, tap
from netlab import lacking
from netlab.seen import (ALONE, classified, link, linked, refusals, said,
                         up, with_each)
from netlab.transfer import Transfer, lab_of

BACKENDS = ("udp", "af_xdp")


def host_of(address):
    return address.rpartition(":")[0].strip("[]")


# ---- moving ----

def nat_moves(backend, address):
    lab = lab_of(backend, ["r1"], client={"behind": "home", "config": ALONE})
    home, r1 = lab.nats["home"], lab["r1"]
    t = Transfer(lab, ["r1"])
    t.past(.1)
    before = linked(r1, "client")
    tap.within([home.address("v6"), home.address("v4")],
               host_of(before["address"]), "learnt from its first ask")
    refused, seen = refusals(r1).get("BAD_SOURCE", 0), classified(r1)
    home.rebind(address=address)
    after = tap.wait(lambda: (x := up(r1, "client")) and
                     x["moves"] and x, "it to move")
    tap.true(after["address"] != before["address"], "another address")
    moved = classified(r1)
    t.done()
    if backend == "af_xdp":
        tap.true(moved.get("CHANCE", 0) > seen.get("CHANCE", 0),
                 f"let through to be challenged: {moved}")
        tap.true(classified(r1)["CELL"] > moved["CELL"],
                 "the classifier's idea of the source follows")
    tap.equal((after["index"], after["moves"]), (before["index"], 1),
              "the same link, once moved")
    tap.equal(said(r1, "link", "moved"), 1, "events")
    tap.true(refusals(r1).get("BAD_SOURCE", 0) > refused,
             "its cells were refused until it was challenged")
    tap.equal(t.watch.of("moved"), [], "moves of the tunnel")
    tap.equal(len(t.circuits()), 1, "circuits")
    tap.equal(said(r1, "link", "down"), 0, "dead links")


@with_each(BACKENDS)
def a_nat_gives_other_ports(backend):
    nat_moves(backend, address=False)


@with_each(BACKENDS)
def a_nat_gets_another_address(backend):
    nat_moves(backend, address=True)


def readdress(node, part):
    """The node's other address comes, the one before goes."""
    old = 5 - part
    node.ns.sysctl("net.ipv4.conf.all.promote_secondaries", 1)
    for verb, which in (("add", part), ("del", old)):
        node.ns.ip(*[f"address {verb} {a} dev vx0"
                     for a in node.where.addresses(0, which)])
    return [node.where.address(f, 0, part) for f in node.where.families]


@with_each(BACKENDS)
def a_relay_gets_another_address(backend):
    lab = lab_of(backend, ["r1", "r2"], client={"config": ALONE})
    client, r1, owner = lab["client"], lab["r1"], lab["owner"]
    t = Transfer(lab, ["r1"])
    t.past(.1)
    before = {n.name: linked(n, "r1") for n in (client, owner)}
    told = r1.api("identity.show")["sequence"]
    mine = readdress(r1, 3)
    tap.wait(lambda: r1.api("identity.show")["sequence"] > told,
             "it to notice")
    for n in (client, owner):
        at = tap.wait(lambda: (x := up(n, "r1")) and
                      host_of(x["address"]) in mine and x,
                      f"{n.name}'s link to move", hint=lambda: link(n, "r1"))
        tap.equal(at["index"], before[n.name]["index"], "the same link")
    t.done()
    tap.equal(t.watch.of("moved"), [], "moves of the tunnel")
    for n in (client, owner, lab["r2"]):
        tap.wait(lambda: (p := n.peers()["r1"])["state"] == "connected" and
                 host_of(p["address"]) in mine and p["record"]["sequence"] ==
                 r1.api("identity.show")["sequence"],
                 f"{n.name} to have its record and a session",
                 hint=lambda: f"{n.peers()['r1']}\n{n.last_words()}")


@with_each(BACKENDS[:1])
def a_client_gets_another_address(backend):
    """It dialled its sessions: they move along."""
    lab = lab_of(backend, ["r1"], client={"config": ALONE})
    client, r1 = lab["client"], lab["r1"]
    t = Transfer(lab, ["r1"])
    t.past(.1)
    before = linked(r1, "client")
    mine = readdress(client, 3)
    at = tap.wait(lambda: (x := up(r1, "client")) and
                  host_of(x["address"]) in mine and x, "the link to move")
    tap.equal(at["index"], before["index"], "the same link")
    t.done()
    tap.equal(t.watch.of("moved"), [], "moves of the tunnel")
    tap.equal((said(client, "session", "moved"),
               said(client, "session", "down"), said(r1, "session", "down")),
              (1, 0, 0), "the session went along")


@tap.test
def a_direct_tunnel_moves_along():
    lab = lab_of("udp", [])
    t = Transfer(lab)
    tap.equal(t.call.ready["mode"], "direct")
    t.past(.1)
    readdress(lab["client"], 3)
    t.more()
    t.done()
    tap.equal(said(lab["client"], "tunnel", "not-moved"), 0)


tap.main(lacking() or command.have("vx6", "vx6d", "vx6-dataplane"))
