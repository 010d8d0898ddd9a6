#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 600
"""Streams through three relays, each host with a network of its own.

    client ==> r1 ---> r2 ---> r3 ==> owner --> 127.0.0.1:port
          vx0     \\_____|_____/      vx0
                     switch

Every way through is tried with the same transfers: relays on AF_XDP, on
sockets and in turn, of several workers on several queues, over IPv6, over
IPv4 and with relays that change it.
"""
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "e2e"), HERE]
from harness import command, programs, tap, tcp
from netlab import Lab, lacking

MIB = 1 << 20
SIZE = 256 * MIB
CELL = 1472
RELAYS = ["r1", "r2", "r3"]
NODES = ["client"] + RELAYS + ["owner"]

# families of each node, in their order on the path; backends of the relays;
# what else these are
SEVERAL = {"queues": 4, "config": {"data": {"workers": 2}}}
WAYS = {
    "xdp_v6": (["v6"] * 5, ["af_xdp"] * 3),
    "xdp_v4": (["v4"] * 5, ["af_xdp"] * 3),
    "xdp_mixed": (["v6", "both", "v4", "both", "v6"], ["af_xdp"] * 3),
    "udp_mixed": (["v4", "both", "v6", "both", "v4"], ["udp"] * 3),
    "in_turn": (["both"] * 5, ["af_xdp", "udp", "af_xdp"]),
    "xdp_workers": (["both"] * 5, ["af_xdp"] * 3, SEVERAL),
}


class Way:
    """One way through; there is one lab at a time."""
    now = None

    def __init__(self, name):
        self.name = name
        self.families, backends, *more = WAYS[name]
        self.backends = dict(zip(RELAYS, backends))
        self.more = more[0] if more else {}
        self.lab = None

    def __enter__(self):
        if Way.now is not self:
            if Way.now:
                Way.now.lab.stop()
            Way.now = self
            self.make()
        return self.lab

    def __exit__(self, *_):
        pass

    def make(self):
        nodes = {n: {"families": f} for n, f in zip(NODES, self.families)}
        for r in RELAYS:
            nodes[r].update(relay=True, backend=self.backends[r], **self.more)
        self.lab = tap.once(lambda: Lab({"nodes": nodes}))()
        self.lab.up()


def offered(lab, name, target):
    lab["owner"].service(name, target)
    tap.after(lambda: lab["owner"].api("service.remove", name=name))
    return "owner." + name


def through(lab, service):
    return lab["client"].connect(service, via=RELAYS, spare_via=[])


def speed(way, what, began):
    tap.note(f"{way.name}, {what}: "
             f"{SIZE / 1e6 / (time.monotonic() - began):.0f} MB/s")


def fresh(doc):
    """A lab of a test's own."""
    return Lab(doc).up()


def counts(lab, relays=RELAYS):
    return {r: lab[r].api("stats")["dataplane"] for r in relays}


def every_cell_came_by(way, lab, before):
    """Each relay forwarded them all, and those on AF_XDP let them in by the
    classifier and took and sent them there: its socket has what comes before
    a neighbour is known, and what keeps it known."""
    after, least = counts(lab), SIZE / CELL
    for r in RELAYS:
        def more(key):
            return after[r][key] - before[r][key]
        cells = more("forwarded") + more("backwarded")
        tap.true(cells >= least, f"{r} forwarded {cells} cells")
        tap.equal(after[r]["backend"], way.backends[r], r)
        if way.backends[r] == "udp":
            tap.equal((more("rx_xsk"), more("tx_xsk")), (0, 0), r)
            continue
        tap.equal([(i["name"], i["mode"]) for i in after[r]["interfaces"]],
                  [("vx0", "native")], r)
        let_in = [c["classifier"].get("CELL", {"packets": 0})["packets"]
                  for c in (before[r], after[r])]
        tap.true(let_in[1] - let_in[0] >= least, f"{r} let in {let_in}")
        by = {k: more(k) for k in ("rx_xsk", "tx_xsk", "rx_socket",
                                   "tx_socket")}
        tap.true(min(by["rx_xsk"], by["tx_xsk"]) >= least and
                 100 * max(by["rx_socket"], by["tx_socket"]) < least,
                 f"{r}: {by}")


def each_worker_had_some(way, lab):
    for r in RELAYS if way.more is SEVERAL else []:
        for w in lab[r].api("stats")["dataplane"]["placement"]:
            i = w["worker"]
            tap.equal(w["queues"], [i, i + 2], f"{r}, worker {i}")
            tap.true(w["rx_cells"] > 0 and w["tx_cells"] > 0, f"{r}: {w}")


def download(way):
    with way as lab:
        with lab["owner"].inside():
            nginx = programs.Nginx(name=f"nginx-{way.name}-down")
        digest = nginx.page("page", SIZE)
        got = os.path.join(nginx.dir, "got")
        before = counts(lab)
        with through(lab, offered(lab, "web", nginx.target)) as c, \
                lab["client"].inside():
            tap.equal(c.ready["path"], RELAYS)
            began = time.monotonic()
            programs.curl("-o", got, f"http://{c.listen}/page")
            speed(way, "download", began)
        tap.equal(programs.file_digest(got), digest)
        every_cell_came_by(way, lab, before)
        each_worker_had_some(way, lab)
        os.unlink(got)


def upload(way):
    with way as lab:
        with lab["owner"].inside():
            nginx = programs.Nginx(name=f"nginx-{way.name}-up")
        path = os.path.join(nginx.dir, "up")
        digest = programs.random_file(path, SIZE)
        before = counts(lab)
        with through(lab, offered(lab, "web", nginx.target)) as c, \
                lab["client"].inside():
            began = time.monotonic()
            programs.curl("-T", path, f"http://{c.listen}/put/up")
            speed(way, "upload", began)
        tap.equal(programs.file_digest(nginx.pages + "/put/up"), digest)
        every_cell_came_by(way, lab, before)
        os.unlink(path)


def many_at_once(way):
    with way as lab:
        with lab["owner"].inside():
            server = tcp.Server(tcp.echo)
        with through(lab, offered(lab, "echo", server.target)) as c, \
                lab["client"].inside():
            tcp.Crowd(c.listen, 200, 64 << 10).run()
        tap.equal(server.trouble, [])


def half_close(way):
    data = os.urandom(2 * MIB + 3)
    with way as lab:
        with lab["owner"].inside():
            server = tcp.Server(tcp.digest_of_all)
        with through(lab, offered(lab, "half", server.target)) as c, \
                lab["client"].inside(), tcp.connect(c.listen) as s:
            tcp.arrives(s, data)


def the_families_are_those(way):
    """Neighbours on the path talk in the family that both have."""
    with way as lab:
        for name, after in zip(NODES, NODES[1:]):
            a, b = lab[name], lab[after]
            common = set(a.where.families) & set(b.where.families)
            where = a.peers()[after]["address"]
            tap.true(("v6" if "[" in where else "v4") in common,
                     f"{name} reaches {after} at {where}")


@tap.test
def an_interface_of_a_relay_goes_and_comes_back():
    """While it is away nothing comes; afterwards AF_XDP has it again, and
    the stream that was open goes on."""
    lab = fresh({"defaults": {"families": "v6"},
                 "nodes": {"client": {}, "owner": {}, "r1": {
                     "relay": True, "backend": "af_xdp"}}})
    with lab["owner"].inside():
        server = tcp.Server(tcp.echo)
    lab["owner"].service("echo", server.target)
    with lab["client"].connect("owner.echo", via=["r1"], spare_via=[]) as c, \
            lab["client"].inside(), tcp.connect(c.listen) as s:
        def on_xdp():
            return [i["name"] for i in
                    lab["r1"].api("stats")["dataplane"]["interfaces"]]
        for turn in (b"one", b"two"):
            s.sendall(turn)
            tap.equal(s.recv(10), turn)
            lab.unplug("r1")
            tap.wait(lambda: on_xdp() == [], "it to see that it is gone")
            lab.plug("r1")
            tap.wait(lambda: on_xdp() == ["vx0"], "it to take it again")
        before = counts(lab, ["r1"])["r1"]["rx_xsk"]
        data = os.urandom(64 << 10)
        s.sendall(data)
        got = b""
        while len(got) < len(data):
            got += s.recv(1 << 16)
        tap.equal(got, data)
        after = counts(lab, ["r1"])["r1"]["rx_xsk"]
        tap.true(after - before >= 2 * len(data) / CELL,
                 f"frames by AF_XDP: {after - before}")


@tap.test
def an_address_is_dialled_that_can_be_reached():
    """Those who have only one family meet one who has both, in a session
    and directly; those who have both take IPv6."""
    lab = fresh({"nodes": {"six": {"families": "v6"},
                           "four": {"families": "v4"}, "both": {},
                           "r1": {"relay": True}, "owner": {}}})
    with lab["owner"].inside():
        server = tcp.Server(tcp.echo)
    lab["owner"].service("echo", server.target)
    for name, mark in (("six", "["), ("four", "10."), ("both", "[")):
        with lab[name].connect("owner.echo", hops=0) as c, \
                lab[name].inside(), tcp.connect(c.listen) as s:
            s.sendall(b"word")
            tap.equal(s.recv(10), b"word")
            tap.true(lab[name].peers()["r1"]["address"].startswith(mark),
                     name)
            # no session with the owner told where it is
            tap.equal(lab[name].peers()["owner"]["state"], "known")


@tap.test
def another_address_is_dialled_when_one_is_silent():
    lab = Lab({"defaults": {"families": "v6"},
               "timers": {"handshake_s": 0.5, "redial_min_s": 0.1,
                          "redial_max_s": 0.2},
               "nodes": {"client": {}, "r1": {"relay": True,
                                              "second": True}}})
    lab.cut("r1", silent=True, interface=0)
    lab.up()
    where = lab["client"].peers()["r1"]["address"]
    tap.within(where, lab["r1"].address("v6", 1))


def make_tests():
    for way in map(Way, WAYS):
        for what in (download, upload, many_at_once, half_close,
                     the_families_are_those):
            def one(what=what, way=way):
                what(way)
            one.__name__ = f"{way.name}_{what.__name__}"
            tap.test(one)


make_tests()
tap.main(lacking() or command.have("vx6", "vx6d", "vx6-dataplane"))
