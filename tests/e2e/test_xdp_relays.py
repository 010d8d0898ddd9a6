#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 180
"""Real vx6-dataplane processes on AF_XDP, each in a network namespace of its
own, on cables:

    left ==0== A ==1== B ==2== C ==3== right

left and right are UDP sockets of the kernel, in one more namespace each, so
that what they take was judged by it.  The namespaces have no names and end
with this process.
"""
import json
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "lab")]
from harness import dataplane as dp  # noqa: E402
from harness import command, place, tap  # noqa: E402
from harness.dataplane import (BACKWARD, FORWARD, HALF_ADD,  # noqa: E402
                               LINK_ADD, Client, Plane, half, udp_at)
from harness.staged import Staged  # noqa: E402
from netlab.ns import Namespace, lacking  # noqa: E402

UDP, AF_XDP = 1, 2
XDP_ABI = os.path.join(command.TOP, "xdp", "abi.h")
with open(XDP_ABI, encoding="ascii") as xdp_abi:
    XDP = xdp_abi.read()
REASON = re.findall(r"^\tX\((\w+),", XDP, re.M)
CHANCES = int(re.search(r"define VX6_XDP_CHANCES (\d+)u", XDP).group(1))
PORT = 4243


class Net(Namespace):
    """A network namespace until the end of the test."""

    def __init__(self):
        if why := lacking():
            raise tap.Skip(why)
        super().__init__("net")
        tap.after(self.close)

    def argv(self, *argv):
        return ["nsenter", f"--net={self.path}", *argv]

    def sh(self, command):
        self.run(["sh", "-ec", command], timeout=dp.WAIT_S)


def at(i, right, v4):
    host = f"10.78.{i}.{2 if right else 1}" if v4 else \
        f"fd00:{i}::{2 if right else 1}"
    return host, PORT


def cable(i, left, right, mtu=1500, queues=1):
    many = f"mtu {mtu} numtxqueues {queues} numrxqueues {queues}"
    left.sh(f"ip link add c{i} {many} type veth peer name c{i} {many} "
            f"netns {right.path}")
    for net, n in ((left, 1), (right, 2)):
        net.sh(f"ip addr add fd00:{i}::{n}/64 dev c{i} nodad; "
               f"ip addr add 10.78.{i}.{n}/24 dev c{i}; "
               f"ip link set c{i} up")


class NetPlane(Plane):
    """A vx6-dataplane in a namespace, on AF_XDP unless said otherwise."""

    def __init__(self, net, *more, prefix=(), args=("--port", "af_xdp")):
        self.net, self.prefix, self.args = net, prefix, args
        super().__init__("xdp", *more, port=PORT, listen="[::]")

    def start(self, port=0, more=()):
        env = dict(os.environ, NOTIFY_SOCKET=os.path.join(self.dir, "notify"))
        self.proc = place.start(
            self.net.argv(*self.prefix, dp.PROGRAM, "--run", self.dir,
                          "--listen", f"[::]:{port}", "--halves", "1024",
                          "--links", "256", *self.args, *more),
            stderr=self.log, env=env)
        said = self.notify.recv(100)
        if said == b"STOPPING=1":  # by the one before
            said = self.notify.recv(100)
        assert said == b"READY=1"
        self.at = ("::1", port)


def plane(net, *more, **how):
    p = NetPlane(net, *more, **how)
    tap.after(p.clean)
    return p


class XdpClient(Client):
    """A control client that reads what version 2 of the messages adds."""

    def workers(self):
        """What each worker has and did."""
        self.say(dp.STATS)
        each = []
        while (heard := self.hear())[0] == dp.WORKER_IS:
            v = struct.unpack_from("@8Q", heard[2])
            w = dict(zip("rx_cells tx_cells handed hand_full busy_ns spin_ns "
                         "blocked_ns queues".split(), v))
            w["queues"] = [q for q in range(64) if w["queues"] >> q & 1]
            each.append(w)
        assert heard[0] == dp.STATS_ARE
        return each

    def dump_spliced(self):
        """By half-circuit: what it is spliced with, or 0."""
        self.say(dp.DUMP)
        spliced = {}
        while (heard := self.hear())[0] != dp.DUMP_END:
            if heard[0] == dp.HALF_IS:
                no = dp.HALF.unpack_from(heard[2])[5]
                spliced[no], = struct.unpack_from("@I", heard[2],
                                                  dp.HALF.size)
        return spliced

    def about(self):
        self.say(dp.STATS)
        kind, _, body = self.hear()
        while kind == dp.WORKER_IS:
            kind, _, body = self.hear()
        assert kind == dp.STATS_ARE
        at_ = 8 * (len(dp.STATUS) + len(dp.STATS_NAMES)) + 16
        way = struct.unpack_from("@4Q", body, at_)
        xdp = struct.unpack_from("@16Q", body, at_ + 32)
        ifs = []
        for i in range(8):
            name, mtu, queues, bits, _ = struct.unpack_from(
                "@16sIHBB", body, at_ + 160 + i * 24)
            if name[0]:
                ifs.append((name.rstrip(b"\0").decode(), mtu, queues, bits))
        refused, longest, most, backend = struct.unpack_from("@3QB", body,
                                                             at_ + 352)
        assert refused == 0, "the keeper refused what was asked for"
        assert longest > 0 and (most > 0) == (way[0] > 0), (longest, most)
        why = body[at_ + 384:at_ + 656].rstrip(b"\0").decode()
        return {"way": dict(zip("rx_xsk tx_xsk rx_sock tx_sock".split(), way)),
                "xdp": dict(zip(REASON, xdp)), "interfaces": ifs,
                "backend": backend, "why": why}


def client(p):
    c = XdpClient(p)
    tap.after(c.close)
    return c


def until(what, cond):
    return tap.wait(cond, what)


class NetPath(dp.Path):
    """The path of the picture above."""

    def __init__(self, v4=False, args=None,  # pylint: disable=W0231
                 queues=1):
        self.v4 = v4
        self.nets = [Net() for _ in range(5)]
        for i in range(4):
            cable(i, self.nets[i], self.nets[i + 1], queues=queues)
        self.left = udp_at(at(0, False, v4), self.nets[0])
        self.right = udp_at(at(3, True, v4), self.nets[4])
        self.links = [dp.Keys(i) for i in range(1, 5)]
        self.f = [dp.HalfKeys(f"f{i}", 1 + i % 2) for i in range(4)]
        self.b = [dp.HalfKeys(f"b{i}", 1 + i % 2) for i in range(4)]
        args = args or [("--port", "af_xdp")] * 3
        self.planes = [plane(self.nets[i + 1], args=args[i])
                       for i in range(3)]
        self.planes[0].at = at(0, True, v4)
        self.planes[2].at = at(3, False, v4)
        self.clients = [client(p) for p in self.planes]
        for i in range(3):
            self.program_one(i, self.clients[i])

    def program_one(self, i, c, ahead=0):
        """ahead: how far on the counter is that plane i seals under."""
        u = 1472 if self.v4 else 1452
        c.ok(LINK_ADD, self.links[i].add(False, at(i, False, self.v4), u))
        c.ok(LINK_ADD, self.links[i + 1].add(True, at(i + 1, True, self.v4),
                                             u))
        c.ok(HALF_ADD, half(FORWARD, 0x10 + i, i + 101, i + 2, 0x11 + i,
                            self.f[i], self.f[i].start))
        c.ok(HALF_ADD, half(BACKWARD, 0x20 + i, i + 2, i + 101, 0x1f + i,
                            self.b[i], self.b[i + 1].start,
                            self.b[i].start + ahead))


def warmed(path):
    """Carries cells until every relay knows its neighbours and sends past
    the kernel; how many went each way for that."""
    way = 0

    def all_past():
        nonlocal way
        before = [c.about()["way"]["tx_xsk"] for c in path.clients]
        path.there_and_back(1)
        way += 1
        return all(c.about()["way"]["tx_xsk"] >= was + 2
                   for c, was in zip(path.clients, before))
    until("neighbours to be known", all_past)
    return way


def relays(v4):
    path = NetPath(v4)
    sent = warmed(path) + 300
    before = [c.about()["way"] for c in path.clients]
    path.there_and_back(300)
    for i, c in enumerate(path.clients):
        drops, n = c.stats()
        assert n["forwarded"] == n["backwarded"] == sent, (n, sent)
        bad = {k: v for k, v in drops.items() if v}
        assert not bad, bad
        a = c.about()
        assert a["backend"] == AF_XDP and a["why"] == "", a
        assert sorted(x[:3] for x in a["interfaces"]) == [
            (f"c{i}", 1500, 1), (f"c{i + 1}", 1500, 1)], a
        # all but what keeps a neighbour known went past the kernel's stack
        more = {k: a["way"][k] - before[i][k] for k in a["way"]}
        assert more["rx_xsk"] > 590, (a, before[i])
        assert more["tx_xsk"] > 500, (a, before[i])
        assert a["xdp"]["CELL"] > 590, a
    assert [p.end() for p in path.planes] == [0, 0, 0]


@tap.test
def cells_go_through_three_relays_by_ipv6():
    relays(False)


@tap.test
def cells_go_through_three_relays_by_ipv4():
    relays(True)


@tap.test
def udp_and_af_xdp_relays_share_a_path():
    path = NetPath(args=[("--port", "af_xdp"), ("--port", "udp"),
                         ("--port", "af_xdp")])
    path.there_and_back(100)
    about = [c.about() for c in path.clients]
    assert [a["backend"] for a in about] == [AF_XDP, UDP, AF_XDP], about
    assert about[1]["way"]["rx_xsk"] == 0
    assert about[1]["way"]["rx_sock"] >= 200, about[1]


@tap.test
def af_xdp_relays_of_two_workers():
    """The first worker has the one queue; the other's links are let in."""
    two = ("--port", "af_xdp", "--workers", "2")
    path = NetPath(args=[two, two, two])
    path.there_and_back(100)
    for c in path.clients:
        drops, n = c.stats()
        assert n["forwarded"] == 100 and n["backwarded"] == 100, n
        assert not any(drops.values()), drops
        assert c.about()["way"]["rx_xsk"] > 190


def again(sock, to):
    """From here on the kernel may choose another queue for what it sends."""
    sock.connect(to)


@tap.test
def each_worker_has_its_queues():
    """Cells arrive at whichever queue and leave by the owner's."""
    two = ("--port", "af_xdp", "--workers", "2", "--log", "json")
    path = NetPath(args=[two, two, two], queues=4)
    sent = warmed(path) + 200
    for _ in range(40):
        again(path.left, path.planes[0].at)
        again(path.right, path.planes[2].at)
        path.there_and_back(5)
    for i, (p, c) in enumerate(zip(path.planes, path.clients)):
        drops, n = c.stats()
        assert n["forwarded"] == n["backwarded"] == sent, (n, sent)
        assert not any(drops.values()), drops
        about, each = c.about(), c.workers()
        assert sorted(x[0::2] for x in about["interfaces"]) == [
            (f"c{i}", 4), (f"c{i + 1}", 4)], about
        assert about["way"]["rx_xsk"] > 380, about
        assert about["way"]["tx_xsk"] > 300, about
        assert [w["queues"] for w in each] == [[0, 2], [1, 3]], each
        assert all(w["rx_cells"] >= 200 for w in each), each
        assert all(w["tx_cells"] >= 200 for w in each), each
        placed = [json.loads(x)["queues"] for x in p.text().splitlines()
                  if '"module":"worker","event":"start"' in x]
        assert placed == ["0,2", "1,3"], p.text()
    # the ends' choice is chance, so that each worker of A and C got some of
    # the other's; B gets them from A's and C's own queues
    handed = [sum(w["handed"] for w in c.workers()) for c in path.clients]
    assert all(handed), handed


LEFT_IN, RIGHT_IN, LEFT_OUT, RIGHT_OUT = 0x10, 0x20, 0x30, 0x40


class Meeting:
    """A rendezvous point of two workers; each leg's link is another's:

        left ==0== X ==1== right      links 101 (worker 1) and 2 (worker 0)
    """

    def __init__(self, backend):
        nets = [Net() for _ in range(3)]
        for i in range(2):
            cable(i, nets[i], nets[i + 1], queues=2)
        self.plane = plane(nets[1], args=("--port", backend, "--workers",
                                          "2"))
        self.client = client(self.plane)
        self.links = [dp.Keys(1), dp.Keys(2)]
        self.keys = {no: dp.HalfKeys(f"meeting {no}", 1)
                     for no in (LEFT_IN, RIGHT_IN, LEFT_OUT, RIGHT_OUT)}
        self.inner = [dp.HalfKeys(f"inner {i}", 1) for i in range(2)]
        self.ends = [udp_at(at(0, False, False), nets[0]),
                     udp_at(at(1, True, False), nets[2])]
        self.program()

    def program(self):
        c, k = self.client, self.keys
        c.ok(LINK_ADD, self.links[0].add(False, at(0, False, False), 1452))
        c.ok(LINK_ADD, self.links[1].add(True, at(1, True, False), 1452))
        for no, link in ((LEFT_IN, 101), (RIGHT_IN, 2)):
            c.ok(HALF_ADD, half(FORWARD, no, link, 0, 0, k[no], k[no].start))
        for no, link in ((LEFT_OUT, 101), (RIGHT_OUT, 2)):
            c.ok(HALF_ADD, half(BACKWARD, no, 0, link, no + 1, k[no], 0,
                                k[no].start))

    def splice(self, one, other):
        return self.client.call(dp.SPLICE, struct.pack("@II", one, other))

    def send(self, right, text):
        """From the left end, or from the right; the kernel chooses a
        queue anew."""
        to = at(1, False, False) if right else at(0, True, False)
        key = self.links[1].hdr_left if right else self.links[0].hdr_right
        index, circ = (2, RIGHT_IN) if right else (101, LEFT_IN)
        text = self.inner[right].seal(dp.DATA, text)
        text = self.keys[circ].seal(dp.DATA, text)
        again(self.ends[right], to)
        self.ends[right].send(dp.protect(
            key, bytes([1]) + struct.pack(">I", index)[1:]
            + struct.pack(">I", circ) + text))

    def take(self, right):
        """What the right end, or the left, gets next."""
        key = self.links[1].hdr_right if right else self.links[0].hdr_left
        circ = RIGHT_OUT if right else LEFT_OUT
        while True:
            cell = dp.unprotect(key, self.ends[right].recv(2048))
            if cell[4:8] != bytes(4):  # no probe
                break
        assert cell[4:8] == struct.pack(">I", circ + 1), cell[:16]
        return self.inner[not right].open(self.keys[circ].open(cell[8:]))

    def carry(self, n):
        for i in range(n):
            for right in (False, True):
                text = os.urandom(1 + i * 31 % 1100)
                self.send(right, text)
                assert self.take(not right) == text


def meeting(backend):
    m = Meeting(backend)
    c = m.client
    tap.equal(m.splice(LEFT_IN, RIGHT_OUT), "OK")
    tap.equal(m.splice(RIGHT_IN, LEFT_OUT), "OK")
    for one, other, want in ((LEFT_IN, RIGHT_OUT, "EXISTS"),
                             (LEFT_IN, LEFT_OUT, "EXISTS"),
                             (LEFT_IN, 0x77, "NO_CIRCUIT")):
        tap.equal(m.splice(one, other), want)
    m.carry(100)
    tap.equal(c.dump_spliced(), {LEFT_IN: RIGHT_OUT, RIGHT_OUT: LEFT_IN,
                                 RIGHT_IN: LEFT_OUT, LEFT_OUT: RIGHT_IN})
    drops, _ = c.stats()
    assert not any(drops.values()), drops
    # both legs' cells were opened by one and sealed by the other
    each = c.workers()
    assert all(w["handed"] >= 100 for w in each), each
    assert all(w["tx_cells"] >= 100 for w in each), each
    # parted: what comes goes nowhere, and is counted where it came
    c.ok(dp.UNSPLICE, struct.pack("@II", LEFT_IN, 0))
    for _ in range(10):
        m.send(False, b"nobody is there")
    until("ten refused", lambda: sum(c.stats()[0].values()) >= 10)
    tap.equal(sum(c.stats()[0].values()), 10)
    tap.equal(m.splice(LEFT_IN, RIGHT_OUT), "OK")
    m.carry(20)
    # and either half's end is the splice's: who opens hands one cell over in
    # vain, hears so, and refuses the others where they came
    c.ok(dp.HALF_REMOVE, struct.pack("@II", 0, RIGHT_OUT))
    m.send(False, b"nobody is there")
    until("one more", lambda: c.stats()[0]["NO_CIRCUIT"] == 1)
    tap.equal(c.dump_spliced()[LEFT_IN], 0)
    c.stats()  # no worker does this in the turn of a dump
    for _ in range(10):
        m.send(False, b"nobody is there")
    until("ten more", lambda: sum(c.stats()[0].values()) == 21)
    drops, _ = c.stats()
    tap.equal((drops["NO_CIRCUIT"], drops["NO_ROUTE"]), (1, 20))
    return m


@tap.test
def legs_of_two_workers_meet_over_udp():
    meeting("udp")


@tap.test
def legs_of_two_workers_meet_over_af_xdp():
    m = meeting("af_xdp")
    assert m.client.about()["way"]["rx_xsk"] > 150


def garbage_from(net, to, n):
    """Sends n datagrams that are no cells of ours, and returns how many
    bytes long none of them was."""
    r = random.Random(5)
    with net.inside():
        s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    for i in range(n):
        p = bytearray(r.randbytes(r.randrange(0, 1450)))
        if i % 3 and len(p) > 4:
            p[:4] = b"\x01\x00\x00\x65"
        s.sendto(p, to)
    s.close()


@tap.test
def garbage_is_dropped_by_reason_in_the_driver():
    path = NetPath()
    path.there_and_back(20)
    began = time.monotonic()
    before = path.clients[0].about()["xdp"]
    garbage_from(path.nets[0], at(0, True, False), 5000)
    path.there_and_back(20)
    after = path.clients[0].about()["xdp"]
    took = time.monotonic() - began
    new = {k: v - before[k] for k, v in after.items() if v != before[k]}
    for reason in ("BAD_VERSION", "BAD_SIZE", "BAD_SOURCE", "CHANCE"):
        assert new.get(reason), (reason, new)
    # the few that were let through are judged by the worker
    assert new["CHANCE"] <= CHANCES * (1 + took), (new, took)
    assert path.clients[0].stats()[1]["forwarded"] == 40


@tap.test
def a_second_start_takes_over_after_a_kill():
    path = NetPath()
    path.there_and_back(20)
    for n, sig in enumerate((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM)):
        p = path.planes[1]
        p.end(sig)
        p.start(port=PORT)
        c = client(p)
        path.program_one(1, c, 1000 * (n + 1))
        path.there_and_back(30)
        a = c.about()
        assert a["backend"] == AF_XDP and len(a["interfaces"]) == 2, a
        assert a["way"]["rx_xsk"] > 50, a


@tap.test
def a_lost_interface_is_taken_again():
    chosen = ("--port", "af_xdp")
    named = (*chosen, "--interfaces", "c1,c2")
    path = NetPath(args=[chosen, named, chosen])
    path.there_and_back(20)
    net, c = path.nets[2], path.clients[1]
    for _ in range(2):
        net.sh("ip link del c2")
        why = until("the sentence", lambda: c.about()["why"])
        assert "c2 has gone" in why and "UDP socket" in why, why
        assert [x[0] for x in c.about()["interfaces"]] == ["c1"]
        cable(2, path.nets[2], path.nets[3])
        until("two interfaces", lambda: len(c.about()["interfaces"]) == 2)
        until("C has it, too",
              lambda: len(path.clients[2].about()["interfaces"]) == 2)
        path.there_and_back(20)
        assert c.about()["why"] == ""
    text = path.planes[1].text()
    assert text.count("c2 has gone") == 2, text


@tap.test
def a_new_cable_has_other_queues():
    """Its queues are shared out anew, and cells go on."""
    two = ("--port", "af_xdp", "--workers", "2")
    path = NetPath(args=[two, (*two, "--interfaces", "c1,c2"), two], queues=2)
    path.there_and_back(20)
    c, sent = path.clients[1], 20
    for queues, placed in ((5, [[0, 2, 4], [1, 3]]), (1, [[0], [1]]),
                           (3, [[0, 2], [1]])):
        path.nets[2].sh("ip link del c2")
        until("it to be gone", lambda: len(c.about()["interfaces"]) == 1)
        cable(2, path.nets[2], path.nets[3], queues=queues)
        until("its queues", lambda: ("c2", queues) in [
            x[0::2] for x in c.about()["interfaces"]])
        until("C's, too", lambda: ("c2", queues) in [
            x[0::2] for x in path.clients[2].about()["interfaces"]])
        tap.equal([w["queues"] for w in c.workers()], placed)
        before = c.about()["way"]["rx_xsk"]
        path.there_and_back(20)
        sent += 20
        assert c.about()["way"]["rx_xsk"] >= before + 35, c.about()
        tap.equal([c.stats()[1][k] for k in ("forwarded", "backwarded")],
                  [sent, sent])


@tap.test
def refusals_say_why_and_udp_runs_instead():
    net = Net()
    net.sh("ip link add c0 type veth peer name d0; ip link set c0 up; "
           "ip link set d0 up mtu 1000; ip link set c0 mtu 1000; "
           "ip link add e0 type veth peer name e1; ip link set e1 up; "
           "ip link add b0 type bridge; ip link set e0 master b0 up; "
           "ip link set b0 up")
    bare = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
    some = ("setpriv", "--bounding-set=-all,+net_admin,+net_raw",
            "--inh-caps=-all")
    for prefix, args, want in (
            (bare, ("--port", "af_xdp"), "privilege"),
            (some, ("--port", "af_xdp"), "privilege"),
            ((), ("--port", "af_xdp", "--interfaces", "c0"),
             "the MTU of c0 is 1000, too small"),
            ((), ("--port", "af_xdp", "--interfaces", "eth7"),
             "there is no interface eth7"),
            ((), ("--port", "af_xdp", "--interfaces", "lo"),
             "lo is no Ethernet interface"),
            ((), ("--port", "af_xdp", "--interfaces", "b0"),
             "the driver of b0 has no native XDP")):
        p = NetPlane(net, prefix=prefix, args=args)
        try:
            c = XdpClient(p)
            a = c.about()
            c.close()
            assert want in a["why"] and "UDP socket" in a["why"], (want, a)
            assert a["backend"] == UDP, a
            assert p.end() == 0  # all that it said has been heard then
            lines = [x for x in p.text().splitlines() if "warn" in x]
            assert len(lines) == 1 and want in lines[0], lines
        finally:
            p.clean()


@tap.test
def run_keeps_the_privilege_that_af_xdp_needs():
    net = Net()
    net.sh("ip link add c0 type veth peer name d0; ip link set c0 up; "
           "ip link set d0 up")
    where = place.new_open_dir("run")
    config = os.path.join(where, "c.json")
    with open(config, "w", encoding="ascii") as f:
        json.dump({"data": {"enabled": True, "backend": "af_xdp",
                            "interfaces": ["c0"]},
                   "state": where + "/state", "run": where + "/run"}, f)
    # nobody starts the daemons, which stand beside vx6
    vx6 = [os.path.join(Staged().bin, "vx6"), "--config", config]
    env = dict(os.environ, VX6_LOG="")

    def ask(*argv):
        return subprocess.run(net.argv(*vx6, *argv), env=env, check=False,
                              capture_output=True, timeout=dp.WAIT_S)

    # the directories are made by `run`, for its user; the identity in them
    os.mkdir(where + "/state", 0o700)
    assert ask("init").returncode == 0
    net.sh(f"chown -R nobody {where}/state")
    run = subprocess.Popen(net.argv(*vx6, "run", "--user", "nobody"), env=env,
                           stderr=subprocess.PIPE)

    def end():
        run.terminate()
        run.communicate(timeout=dp.WAIT_S)
    tap.after(end)

    def status():
        p = ask("--json", "status")
        plane_ = json.loads(p.stdout)["dataplane"] if p.stdout else {}
        return plane_ if plane_.get("state") == "connected" else None
    got = tap.wait(status, "the data plane")
    assert got["backend"] == got["asked"] == "af_xdp", got
    assert got["why"] is None, got
    assert [x["name"] for x in got["interfaces"]] == ["c0"], got
    names, pids = [], children(run.pid)
    for pid in [*pids, *(c for p in pids for c in children(p))]:
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            s = dict(x.split(":\t") for x in f.read().splitlines()
                     if ":\t" in x)
        assert s["Uid"].split() == ["65534"] * 4, s
        # NET_ADMIN, NET_RAW, IPC_LOCK; PERFMON, BPF
        want = 0x7000 | 3 << 38 if s["Name"] == "vx6-keeper" else 0
        assert int(s["CapEff"], 16) == want, s
        assert int(s["CapPrm"], 16) == want, s
        names.append(s["Name"])
    assert sorted(names) == ["vx6-dataplane", "vx6-keeper", "vx6d"], names


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return f.read().split()


if __name__ == "__main__":
    tap.main()
