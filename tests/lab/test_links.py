#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 300
"""Links between nodes that move, fall silent, and lose their sessions, while
a transfer goes on over them (PROTOCOL.md section 6).

      client --- NAT home ---.         .--- r1 --- r2 ---.
                              \\       /                   \\
                               switch                      owner
                              /       \\                   /
      stranger --------------'         '--- s1 --- s2 ---'

What a link does is read where it is told: link.list, the log, counters, and
captures of its cables.
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "e2e"), HERE]
from harness import command, programs, tap
from harness.node import SHORT
from harness.transfer import Download, Watch
from netlab import Lab, lacking

MIB = 1 << 20
SIZE = 24 * MIB
RATE = "6M"
CELLS = 4243
ALONE = {"circuits": {"spares": 0}}  # nothing to move to
BACKENDS = ("udp",)
# Sessions are missed early; the rest has its defaults, links above all.
TIMERS = {k: SHORT[k] for k in ("session_idle_s", "session_ping_s",
                                "redial_min_s", "redial_max_s")}


def with_each(backends):
    """A test that is run with every back end of the relays."""
    def make(function):
        for backend in backends:
            def one(backend=backend):
                function(backend)
            one.__name__ = f"{function.__name__}_{backend}"
            tap.test(one)
        return function
    return make


def lab_of(backend, relays, timers=TIMERS, **others):
    nodes = {name: {"relay": True, "backend": backend} for name in relays}
    nodes.update({"owner": {}, "client": {}}, **others)
    return Lab({"nodes": nodes, "timers": timers}).up()


class Transfer:
    """A download through relays, and what of it is seen from where."""

    def __init__(self, lab, via, spare_via=None, size=SIZE, rate=RATE):
        self.lab, self.client = lab, lab["client"]
        with lab["owner"].inside():
            nginx = programs.Nginx(f"nginx-{lab.tag}")
        self.digest, self.size = nginx.page("page", size), size
        lab["owner"].service("web", nginx.target)
        more = {"spare_via": spare_via} if spare_via else {}
        self.call = self.client.connect("owner.web", via=via, **more)
        tap.after(self.call.close)
        self.watch = Watch(self.call)
        with self.client.inside():
            self.download = Download(
                self.call.listen, "page",
                os.path.join(self.client.dir, "got"), rate=rate)

    def past(self, part):
        self.download.past(int(self.size * part))

    def more(self):
        """Some more arrives than there is now."""
        self.download.past(self.download.so_far() + MIB)

    def done(self):
        self.download.done(self.digest)

    def circuits(self):
        return self.client.api("circuit.list")["circuits"]


def link(node, peer):
    """A node's link to another, None where it has none."""
    found = [x for x in node.api("link.list")["links"] if x["node"] == peer]
    return found[0] if found else None


def host_of(address):
    return address.rpartition(":")[0].strip("[]")


def said(node, module, event, **values):
    """How often a node's vx6d has logged something."""
    words = [f" {module} {event}"] + [f"{k}={v}" for k, v in values.items()]
    with open(node.log, encoding="utf-8") as f:
        return sum(all(w in line for w in words) for line in f)


def drops(node):
    return node.api("stats")["dataplane"]["drops"]


def up(node, peer):
    at = link(node, peer)
    return at is not None and at["state"] == "up" and at["rtt_ms"] and at


def linked(node, peer):
    return tap.wait(lambda: up(node, peer), f"{node.name}'s link to {peer}")


# ---- moving ----

def nat_moves(backend, address):
    lab = lab_of(backend, ["r1"], client={"behind": "home", "config": ALONE})
    home, r1 = lab.nats["home"], lab["r1"]
    t = Transfer(lab, ["r1"])
    t.past(.1)
    before = linked(r1, "client")
    tap.within([home.address("v6"), home.address("v4")],
               host_of(before["address"]), "learnt from its first ask")
    refused = drops(r1).get("BAD_SOURCE", 0)
    home.rebind(address=address)
    after = tap.wait(lambda: (x := up(r1, "client")) and
                     x["moves"] and x, "it to move")
    tap.true(after["address"] != before["address"], "another address")
    t.done()
    tap.equal((after["index"], after["moves"]), (before["index"], 1),
              "the same link, once moved")
    tap.equal(said(r1, "link", "moved"), 1, "events")
    tap.true(drops(r1).get("BAD_SOURCE", 0) > refused,
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
    last = r1.api("identity.show")["sequence"]
    for n in (client, owner, lab["r2"]):
        tap.wait(lambda: (p := n.peers()["r1"])["state"] == "connected" and
                 host_of(p["address"]) in mine and
                 p["record"]["sequence"] == last,
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


tap.main(lacking() or command.have("vx6", "vx6d", "vx6-dataplane"))
