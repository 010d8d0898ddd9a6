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
import ctypes
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import tap  # noqa: E402
import test_dataplane as dp  # noqa: E402
from test_dataplane import (BACKWARD, DATA, FORWARD, HALF_ADD,  # noqa: E402
                            LINK_ADD, Client, Plane, half)

UDP, AF_XDP = 1, 2
CLONE_NEWNET = 0x40000000
XDP_ABI = os.path.join(dp.TOP, "xdp", "abi.h")
REASON = re.findall(r"^\tX\((\w+),", open(XDP_ABI, encoding="ascii").read(),
                    re.M)
PORT = 4243
LIBC = ctypes.CDLL(None, use_errno=True)


def setns(fd):
    if LIBC.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Net:
    """A network namespace; what is made inside `with` is made there."""
    home = None

    def __init__(self):
        if Net.home is None:
            Net.home = os.open("/proc/self/ns/net", os.O_RDONLY)
        if LIBC.unshare(CLONE_NEWNET) != 0:
            raise tap.Skip("netns: this host makes no network namespace")
        self.fd = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.path = f"/proc/{os.getpid()}/fd/{self.fd}"
        setns(Net.home)
        tap.after(os.close, self.fd)
        self.run("ip link set lo up")

    def __enter__(self):
        setns(self.fd)

    def __exit__(self, *_):
        setns(Net.home)

    def argv(self, *argv):
        return ["nsenter", f"--net={self.path}", *argv]

    def run(self, command):
        p = subprocess.run(self.argv("sh", "-ec", command), check=False,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           timeout=dp.WAIT_S)
        assert p.returncode == 0, (command, p.stdout)
        return p.stdout.decode()


def at(i, right, v4):
    host = f"10.78.{i}.{2 if right else 1}" if v4 else \
        f"fd00:{i}::{2 if right else 1}"
    return host, PORT


def cable(i, left, right, mtu=1500):
    left.run(f"ip link add c{i} mtu {mtu} type veth peer name c{i} mtu {mtu} "
             f"netns {right.path}")
    for net, n in ((left, 1), (right, 2)):
        net.run(f"ip addr add fd00:{i}::{n}/64 dev c{i} nodad; "
                f"ip addr add 10.78.{i}.{n}/24 dev c{i}; "
                f"ip link set c{i} up")


class NetPlane(Plane):
    """A vx6-dataplane in a namespace, on AF_XDP unless said otherwise."""

    def __init__(self, net, *more, prefix=(), args=("--port", "af_xdp")):
        self.net, self.prefix, self.args = net, prefix, args
        super().__init__("xdp", *more, port=PORT, listen="[::]")

    def start(self, port=0, more=()):
        env = dict(os.environ, NOTIFY_SOCKET=os.path.join(self.dir, "notify"))
        self.proc = subprocess.Popen(
            self.net.argv(*self.prefix, dp.PROGRAM, "--run", self.dir,
                          "--listen", f"[::]:{port}", "--halves", "1024",
                          "--links", "256", *self.args, *more),
            stderr=self.log, env=env)
        assert self.notify.recv(100) == b"READY=1"
        self.at = ("::1", port)


def plane(net, *more, **how):
    p = NetPlane(net, *more, **how)
    tap.after(p.clean)
    return p


class XdpClient(Client):
    """A control client that reads what version 2 of the messages adds."""

    def about(self):
        self.say(dp.STATS)
        kind, _, body = self.hear()
        assert kind == dp.STATS_ARE
        at_ = 8 * (len(dp.STATUS) + len(dp.STATS_NAMES)) + 8
        way = struct.unpack_from("@4Q", body, at_)
        xdp = struct.unpack_from("@16Q", body, at_ + 32)
        ifs = []
        for i in range(8):
            name, mtu, queues, bits, _ = struct.unpack_from(
                "@16sIHBB", body, at_ + 160 + i * 24)
            if name[0]:
                ifs.append((name.rstrip(b"\0").decode(), mtu, queues, bits))
        backend = body[at_ + 352]
        why = body[at_ + 360:at_ + 632].rstrip(b"\0").decode()
        return {"way": dict(zip("rx_xsk tx_xsk rx_sock tx_sock".split(), way)),
                "xdp": dict(zip(REASON, xdp)), "interfaces": ifs,
                "backend": backend, "why": why}


def client(p):
    c = XdpClient(p)
    tap.after(c.close)
    return c


def until(what, cond):
    """Waits until cond() is true; returns it."""
    end = time.monotonic() + dp.WAIT_S
    while True:
        got = cond()
        if got:
            return got
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.01)


class NetPath(dp.Path):
    """The path of the picture above."""

    def __init__(self, v4=False, args=None):  # pylint: disable=W0231
        self.v4 = v4
        self.nets = [Net() for _ in range(5)]
        for i in range(4):
            cable(i, self.nets[i], self.nets[i + 1])
        self.left = self.end(0, False)
        self.right = self.end(3, True)
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

    def end(self, i, right):
        with self.nets[4 if right else 0]:
            s = socket.socket(
                socket.AF_INET if self.v4 else socket.AF_INET6,
                socket.SOCK_DGRAM)
        tap.after(s.close)
        s.settimeout(dp.WAIT_S)
        s.bind(at(i, right, self.v4))
        return s

    def program_one(self, i, c):
        u = 1472 if self.v4 else 1452
        c.ok(LINK_ADD, self.links[i].add(False, at(i, False, self.v4), u))
        c.ok(LINK_ADD, self.links[i + 1].add(True, at(i + 1, True, self.v4),
                                             u))
        c.ok(HALF_ADD, half(FORWARD, 0x10 + i, i + 101, i + 2, 0x11 + i,
                            self.f[i], self.f[i].start))
        c.ok(HALF_ADD, half(BACKWARD, 0x20 + i, i + 2, i + 101, 0x1f + i,
                            self.b[i], self.b[i + 1].start, self.b[i].start))


def relays(v4):
    path = NetPath(v4)
    path.there_and_back(300)
    for i, c in enumerate(path.clients):
        drops, n = c.stats()
        assert n["forwarded"] == 300 and n["backwarded"] == 300, n
        bad = {k: v for k, v in drops.items() if v}
        assert not bad, bad
        a = c.about()
        assert a["backend"] == AF_XDP and a["why"] == "", a
        assert sorted(x[:3] for x in a["interfaces"]) == [
            (f"c{i}", 1500, 1), (f"c{i + 1}", 1500, 1)], a
        # all but the first few went past the kernel's network stack
        assert a["way"]["rx_xsk"] > 590, a
        assert a["way"]["tx_xsk"] > 500, a
        assert a["xdp"]["CELL"] > 590, a
    assert [p.end() for p in path.planes] == [0, 0, 0]


@tap.test
def cells_go_through_three_relays_by_ipv6():
    relays(False)


@tap.test
def cells_go_through_three_relays_by_ipv4():
    relays(True)


if __name__ == "__main__":
    tap.main()
