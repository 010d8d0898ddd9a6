#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Relays on AF_XDP and on sockets, measured: real processes in network
namespaces, on veth cables through a namespace that routes.

    client --+          +-- owner -- nginx
             +- switch -+
    r1 r2 r3 +          + the same once more, relays on the other back end

    benchmarks/veth.py [part of a figure's name]
    benchmarks/veth.py --list

measure.py says how it is measured, README.md what each figure means.
Needs root.  The exit status is 1 where something could not be measured.
"""
import contextlib
import ctypes
import fcntl
import os
import socket
import struct
import sys
import time

import measure
from measure import (MB, TICK, TROUBLE, Samples, digits, emit, rate, repeats,
                     stage)
from harness import place, programs, restart, tap
from harness.transfer import Download
import netlab

BACKENDS = ["af_xdp", "udp"]
VIA = ["r1", "r2", "r3"]
WARM = 32 * MB
BIG = 256 * MB  # at most; less where it would take longer than TRANSFER_S
TRANSFER_S = 4
TURNS = 5
KILLS = 3
KILL_PAGE = 32 * MB
TOLERANCE = 0.1  # of a pace that was asked for
BUSY = (0, 1, 2, 5, 6)  # user, nice, system, irq, softirq: proc_stat(5)
SIOCETHTOOL = 0x8946
SEGMENTATION = (0x1f, 0x24)  # ETHTOOL_STSO, ETHTOOL_SGSO


class Side:
    """One network, its relays on one back end, and a page at the far end."""

    def __init__(self, backend):
        relay = {"relay": True, "backend": backend}
        self.net = netlab.Lab({"nodes": {
            "client": {}, "owner": {}, **{r: relay for r in VIA}}})
        self.net.up()
        self.client, self.owner = self.net["client"], self.net["owner"]
        with self.owner.inside():
            self.nginx = programs.Nginx(f"nginx-{backend}")
            self.open = programs.Nginx(f"open-{backend}",
                                       host=self.owner.address("v6"))
        self.owner.service("web", self.nginx.target)
        self.out = place.new_dir(f"out-{backend}")
        self.calls = {}

    def through(self, via):
        """The local port of a forward over these relays."""
        if len(via) not in self.calls:
            self.calls[len(via)] = self.client.connect(
                "owner.web", via=via, spare_via=[])
        return self.calls[len(via)].listen

    def rate(self, samples, at, page, during=None, *more):
        """Adds the MB/s of one curl at the client to samples."""
        name, size, digest = page
        where = os.path.join(self.out, "got")
        with self.client.inside():
            return rate(samples, size, [*more, "-o", where,
                                        f"http://{at}/{name}"],
                        where, digest, during)

    def page(self, name, size):
        """The same page at both servers."""
        digest = self.nginx.page(name, size)
        os.symlink(os.path.join(self.nginx.pages, name),
                   os.path.join(self.open.pages, name))
        return name, size, digest

    def backend(self):
        """What the relays' data planes really run."""
        return sorted({self.net[r].api("status")["dataplane"]["backend"]
                       for r in VIA})

    def close(self):
        for call in self.calls.values():
            call.close()
        self.net.stop()


class Lab:
    def __init__(self):
        if why := netlab.lacking():
            raise tap.Skip(why)
        self.sides = {}
        for backend in BACKENDS:
            self.sides[backend] = Side(backend)
        self.host = measure.host(self.sides["udp"].net["r2"])
        self.pages, self.fastest = {}, {}

    def open(self):
        """Pages that take TRANSFER_S, and how fast each side is."""
        for name, side in self.sides.items():
            if name in self.pages:
                continue
            tap.equal(side.backend(), [name], "the relays' back end")
            warm, page = Samples(), side.page("warm", WARM)
            for _ in range(2):
                side.rate(warm, side.through(VIA), page)
            if not warm.good:
                raise tap.Failed("; ".join(warm.faults))
            size = max(warm.good) * MB * TRANSFER_S
            self.fastest[name] = max(warm.good)
            self.pages[name] = side.page("big", int(min(BIG, max(WARM,
                                                                 size))))

    def close(self):
        for side in self.sides.values():
            side.close()


def offload(name, on):
    """Whether this namespace's interface takes trains of packets to cut
    (TSO and GSO), as ethtool -K sets it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for what in SEGMENTATION:
            value = ctypes.create_string_buffer(struct.pack("=II", what, on))
            fcntl.ioctl(sock, SIOCETHTOOL, struct.pack(
                "16sP16x", name.encode(), ctypes.addressof(value)))


@contextlib.contextmanager
def one_packet_at_a_time(side):
    """The cables carry what they would carry in the world: packets of the
    MTU, and not trains of them."""
    def trains(on):
        for name in ("client", "owner"):
            host = side.net[name]
            with host.ns.inside():
                offload("vx0", on)
            with host.uplink.inside():
                offload(f"{name}.0", on)
    trains(0)
    try:
        yield
    finally:
        trains(1)


@stage("relay3.af_xdp.throughput")
def throughput(lab):
    """Relays on AF_XDP, relays on sockets, and the kernel's forwarding of
    IPv6 from the same client to the same owner, in turn."""
    lab.open()
    found = {name: Samples() for name in [*BACKENDS, "kernel", "packets"]}
    first = lab.sides["af_xdp"]
    for _ in repeats(TURNS, 60):
        for name, side in lab.sides.items():
            if side.rate(found[name], side.through(VIA), lab.pages[name]):
                lab.fastest[name] = found[name].median
        first.rate(found["kernel"], first.open.target, lab.pages["af_xdp"])
        with one_packet_at_a_time(first):
            first.rate(found["packets"], first.open.target,
                       lab.pages["af_xdp"])
    value = found["af_xdp"].median
    more = {}
    for name, word in (("kernel", "kernel"), ("packets", "kernel_packets")):
        under = found[name].median
        more[word] = digits(under)
        more["ratio_" + word] = digits(value / under) \
            if value and under else None
    emit(lab, "relay3.af_xdp.throughput", found["af_xdp"], "MB/s",
         "the same on sockets", found["udp"],
         bytes=lab.pages["af_xdp"][1], **more)


class Machine:
    """What all CPUs together were busy with, while it holds."""

    def __init__(self, side):
        self.side = side
        self.busy_s = self.worker = None

    @staticmethod
    def _read():
        with open("/proc/stat", encoding="ascii") as f:
            fields = [int(n) for n in f.readline().split()[1:]]
        return sum(fields[i] for i in BUSY) / TICK

    def _worker(self):
        plane = self.side.net["r1"].api("stats")["dataplane"]
        return plane["busy_ns"] / 1e9

    def __enter__(self):
        self._at = time.monotonic(), self._worker(), self._read()

    def __exit__(self, *_):
        busy = self._read()
        took = time.monotonic() - self._at[0]
        self.worker = (self._worker() - self._at[1]) / took
        self.busy_s = busy - self._at[2]


def paced(side, via, page, pace):
    """(busy CPU seconds, the first relay's worker's busy share, MB/s) of a
    transfer at a pace in MB/s; None where it failed."""
    machine, speed = Machine(side), Samples()
    if not side.rate(speed, side.through(via), page, machine,
                     "--limit-rate", int(pace * MB)):
        raise tap.Failed(speed.faults[0])
    return machine.busy_s, machine.worker, speed.good[0]


def relay_cost(lab, backend):
    """One relay's cost: a path of three less a path of two, at half of what
    three can carry."""
    side, pace = lab.sides[backend], lab.fastest[backend] / 2
    name, size, digest = page = lab.pages[backend]
    cost, share, kept = Samples(), Samples(), Samples()
    gb = size / 1e9
    for _ in repeats(TURNS, 90):
        try:
            three, worker, at3 = paced(side, VIA, page, pace)
            two, _, at2 = paced(side, VIA[:2], page, pace)
        except TROUBLE as e:
            cost.fail(e)
            continue
        cost.add((three - two) / gb)
        share.add(worker)
        kept.add(min(at3, at2) / pace)
    if cost.good and min(cost.good) <= 0:
        cost.fail("the machine was busy with something else: a relay that "
                  "costs nothing is none")
    if kept.good and kept.median < 1 - TOLERANCE:
        cost.fail(f"the pace was not kept: {kept.median:.2f} of it")
    emit(lab, f"relay.{backend}.cpu_s_per_gb", cost, "s/GB",
         pace_mb_s=digits(pace), worker_busy=digits(share.median),
         bytes=size)


@stage("relay.af_xdp.cpu_s_per_gb", "relay.udp.cpu_s_per_gb")
def costs(lab):
    lab.open()
    for backend in BACKENDS:
        relay_cost(lab, backend)


@stage("vx6d_kill.lost_cells")
def killed(lab):
    """vx6d of the middle relay is killed in the middle of a transfer, and
    another one takes up what its data plane has.  Nothing is spare."""
    side = lab.sides["af_xdp"]
    lost, carried = Samples(), 0
    name, size, digest = side.page("kept", KILL_PAGE)
    for _ in repeats(KILLS, 60):
        try:
            with side.client.connect("owner.web", via=VIA,
                                     spare_via=[]) as call:
                def transfer(at=call.listen):
                    with side.client.inside():
                        return Download(at, name,
                                        os.path.join(side.out, "kept"))
                count = restart.killed_while_carrying(
                    side.net["r2"], transfer, size, digest)
            lost.add(count.lost)
            carried += count.carried
        except TROUBLE as e:
            lost.fail(e)
    emit(lab, "vx6d_kill.lost_cells", lost, "cells",
         worst=max(lost.good, default=None), carried=carried,
         backend="af_xdp")


if __name__ == "__main__":
    sys.exit(measure.main("veth", Lab))
