#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 120
"""A vx6-dataplane of two workers on DPDK, with a queue each on two devices:

    left ==0== A ==1== right         a namespace each, between two cables

16 UDP sockets at each side, a link to each: which queue a link's cells come
by is the kernel's choice, whose they are is not.  What is another worker's
is handed over.
"""
import json
import os
import random
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "lab")]
from harness import command, place, tap  # noqa: E402
from harness import dataplane as dp  # noqa: E402
from netlab.ns import Namespace, lacking  # noqa: E402

OBJECT = os.path.join(os.path.dirname(command.BIN), "lib", "vx6",
                      "vx6-port-dpdk.so")
PORT, FLOWS, ROUNDS, U = 4243, 16, 60, 1452
WORKER = struct.Struct("@8Q")  # rx, tx, handed, full .. queues, as in abi.h
DPDK = 3


def at(cable, right, port=PORT):
    return f"fd00:{cable}::{2 if right else 1}", port


def lay(i, left, right):
    left.ip(f"link add c{i} type veth peer name c{i} netns {right.path}")
    for ns, n in ((left, 1), (right, 2)):
        ns.ip(f"address add fd00:{i}::{n}/64 dev c{i} nodad",
              f"link set c{i} up")


class DpdkPlane(dp.Plane):
    def __init__(self, ns, **data):
        self.ns = ns
        self.config = os.path.join(place.new_dir("dpdk"), "config.json")
        with open(self.config, "w", encoding="utf-8") as f:
            json.dump({"data": dict({"enabled": True, "backend": "dpdk"},
                                    **data)}, f)
        super().__init__("dpdk", "--config", self.config, port=PORT,
                         listen="[::]")

    def start(self, port=0, more=()):
        with self.ns.inside():
            super().start(port, more)


class DpdkClient(dp.Client):
    def workers(self):
        """What each worker counted, by its number."""
        self.say(dp.STATS)
        told = []
        kind, _, body = self.hear()
        while kind == dp.WORKER_IS:
            told.append(WORKER.unpack_from(body))
            kind, _, body = self.hear()
        return [dict(zip("rx tx handed full busy spin blocked queues".split(),
                         w)) for w in told]

    def backend(self):
        """(its number, frames by devices in, out, by the socket in, out)"""
        self.say(dp.STATS)
        kind, _, body = self.hear()
        while kind == dp.WORKER_IS:
            kind, _, body = self.hear()
        base = 8 * (len(dp.STATUS) + len(dp.STATS_NAMES)) + 16
        return body[base + 376], struct.unpack_from("@4Q", body, base)


class Flow:
    """A circuit through A, from a socket at the left to one at the right,
    whose links are different workers' or the same one's."""

    def __init__(self, no, nets, client):
        self.no = no
        self.left = dp.udp_at(at(0, False, PORT + no), nets[0])
        self.right = dp.udp_at(at(1, True, PORT + no), nets[2])
        self.in_, self.out = dp.Keys(1 + no), \
            dp.Keys(40 + (no ^ (no >> 1 & 1)))
        self.f = dp.HalfKeys(f"f{no}", 1 + no % 2)
        self.ours = dp.HalfKeys(f"b{no}", 1 + no % 2)
        self.far = dp.HalfKeys(f"far{no}", 1)
        self.end = dp.HalfKeys(f"end{no}", 1)
        self.counters = set()
        left, right = self.in_.no + 100, self.out.no  # as A has them
        client.ok(dp.LINK_ADD, self.in_.add(
            False, self.left.getsockname()[:2], U))
        client.ok(dp.LINK_ADD, self.out.add(
            True, self.right.getsockname()[:2], U))
        client.ok(dp.HALF_ADD, dp.half(
            dp.FORWARD, 16 + no, left, right, 1000 + no, self.f, self.f.start))
        client.ok(dp.HALF_ADD, dp.half(
            dp.BACKWARD, 64 + no, right, left, 2000 + no, self.ours,
            self.far.start, self.ours.start))

    @staticmethod
    def cell(key, index, circ, text):
        return dp.protect(key, bytes([1]) + struct.pack(">I", index)[1:] +
                          struct.pack(">I", circ) + text)

    @staticmethod
    def recv(sock, key, circ):
        for _ in range(1000):
            cell = dp.unprotect(key, sock.recv(2048))
            if cell[4:8] != bytes(4):  # no probe
                tap.equal(cell[4:8], struct.pack(">I", circ))
                return cell[8:]
        raise tap.Failed(f"no cell of circuit {circ} came, but probes")

    def send(self, text):
        self.left.sendto(self.cell(
            self.in_.hdr_right, self.in_.no + 100, 16 + self.no,
            self.f.seal(dp.DATA, self.end.seal(dp.DATA, text))),
            at(0, True))
        self.right.sendto(self.cell(
            self.out.hdr_left, self.out.no, 64 + self.no,
            self.far.seal(dp.DATA, text)), at(1, False))

    def take(self, text):
        got = self.recv(self.right, self.out.hdr_right, 1000 + self.no)
        tap.equal(self.end.open(got), text)
        got = self.recv(self.left, self.in_.hdr_left, 2000 + self.no)
        tap.true(got[:8] not in self.counters, "a counter is used once")
        self.counters.add(got[:8])
        tap.equal(self.far.open(self.ours.open(got)), text)


def carries(*devices):
    if not os.path.exists(OBJECT):
        raise tap.Skip("dpdk: libdpdk-dev is not installed, so the object was "
                       "not made")
    if why := lacking():
        raise tap.Skip(why)
    nets = [Namespace(n) for n in ("left", "A", "right")]
    for ns in nets:
        tap.after(ns.close)
    lay(0, nets[0], nets[1])
    lay(1, nets[1], nets[2])
    plane = DpdkPlane(nets[1], workers=2, dpdk_ports=list(devices))
    tap.after(plane.clean)
    client = DpdkClient(plane)
    tap.after(client.close)
    flows = [Flow(i, nets, client) for i in range(FLOWS)]
    warm, before = 0, client.backend()[1]

    def neighbours_known():
        nonlocal warm, before
        flows[0].send(b"who is there")
        flows[0].take(b"who is there")
        warm += 1
        was, before = before, client.backend()[1]
        return before[1] >= was[1] + 2
    tap.wait(neighbours_known, "cells to go by the devices")
    draw = random.Random(7)
    for _ in range(ROUNDS):
        text = draw.randbytes(draw.randrange(1300))
        for flow in flows:
            flow.send(text)
        for flow in flows:
            flow.take(text)
    return plane, client, warm, before


@tap.test
def queues_of_two_devices():
    plane, client, warm, before = carries("net_af_packet0,iface=c0,qpairs=2",
                                          "net_af_packet1,iface=c1,qpairs=2")
    drops, n = client.stats()
    tap.equal((n["forwarded"], n["backwarded"]),
              (warm + FLOWS * ROUNDS,) * 2)
    tap.equal({k: v for k, v in drops.items() if v}, {})
    number, after = client.backend()
    tap.equal(number, DPDK)
    # all but what keeps a neighbour known
    rx_dev, tx_dev = after[0] - before[0], after[1] - before[1]
    tap.true(min(rx_dev, tx_dev) > 1.9 * FLOWS * ROUNDS, (rx_dev, tx_dev))
    for k, w in enumerate(client.workers()):
        tap.note(f"worker {k}: {w}")
        tap.equal((w["queues"], w["full"]), (1 << k, 0))
        tap.true(w["handed"] > 0, "its queues had cells of the other's links")
        tap.true(min(w["rx"], w["tx"]) > 0, "it has links that work")
    tap.equal(plane.end(), 0)


if __name__ == "__main__":
    tap.main(command.have("vx6-dataplane"))
