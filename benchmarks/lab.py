#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The whole thing, measured: real processes on loopback.

    client -- r1 -- r2 -- r3 -- owner -- nginx        curl at the client
            \\- s1 -- s2 -- s3 -/                      the spare circuit

    benchmarks/lab.py [part of a figure's name]
    benchmarks/lab.py --list

measure.py says how it is measured, README.md what each figure means.  The
exit status is 1 where something could not be measured at all.
"""
import os
import signal
import socket
import statistics
import sys
import time

import measure
from measure import (CURL_S, MB, TROUBLE, WRONG, Samples, children, cpu_s,
                     digits, emit, memory_bytes, rate, repeats, stage,
                     waited_for_s)
from harness import place, programs, tap
from harness.node import Net

VIA, SPARE = ["r1", "r2", "r3"], ["s1", "s2", "s3"]
WARM = 32 * MB
BIG = 256 * MB  # at most; less where it would take longer than TRANSFER_S
TRANSFER_S = 4
STREAMS = 8
CONNECTS = 20
PACE = 20 * MB  # bytes/s of the reader that meets the fail-over
PAGE = 60 * MB  # what it reads
GIVEN_UP_S = 20


class Lab:
    """A network that is up, a page at nginx, two ways to it."""

    def __init__(self):
        self.nginx = programs.Nginx()
        self.out = place.new_dir("out")
        self.net = make_net(self.nginx)
        self.host = measure.host(self.net["r2"])
        self.direct = self.relayed = None
        self.size = self.digest = None
        self.circuit = {}

    def open(self):
        """The two forwards, and a page that takes TRANSFER_S."""
        if self.direct:
            return
        client = self.net["client"]
        self.direct = client.connect("owner.web")
        self.relayed = client.connect("owner.web", via=VIA, spare_via=SPARE)
        mine = [c for c in client.api("circuit.list")["circuits"]
                if c["role"] == "origin" and c["path"] == VIA]
        self.circuit = {"suite": mine[0]["suite"], "d": mine[0]["d"]}
        warm = Samples()
        digest = self.nginx.page("warm", WARM)
        for c in (self.direct, self.relayed):
            rate(warm, WARM, *self.get(c.listen, "warm"), digest)
        slowest = min(warm.good, default=0) * MB
        self.size = int(min(BIG, max(WARM, slowest * TRANSFER_S)))
        self.digest = self.nginx.page("big", self.size)

    def get(self, at, page, name="page"):
        where = os.path.join(self.out, name)
        return ["-o", where, f"http://{at}/{page}"], where

    def put(self, at):
        where = os.path.join(self.nginx.pages, "put", "up")
        page = os.path.join(self.nginx.pages, "big")
        return ["-T", page, "-H", "Expect:", f"http://{at}/put/up"], where

    def more(self):
        return dict(self.circuit, bytes=self.size)

    def close(self):
        for c in (self.direct, self.relayed):
            if c:
                c.close()
        self.direct = self.relayed = None
        self.net.stop()


def make_net(nginx):
    net = Net()
    for name in ("client", "owner"):
        net.node(name)
    for name in VIA + SPARE:
        net.relay(name)
    net.start().acquaint()
    net["owner"].service("web", nginx.target)
    return net


# ---- stages ----

@stage("memory.relay_idle_mb")
def idle_memory(lab):
    """A relay that knows everybody and carried nothing yet."""
    resident, shared_out = Samples(), []
    for name in SPARE:
        node = lab.net[name]
        parts = [memory_bytes(p.pid) for p in (node.vx6d, node.plane)]
        resident.add(sum(p[0] for p in parts) / MB)
        shared_out.append(sum(p[1] for p in parts) / MB)
    emit(lab, "memory.relay_idle_mb", resident, "MB",
         pss_mb=digits(statistics.median(shared_out)))


@stage("circuit.build_ms", "connect_ms")
def connects(lab):
    """Sessions are up; every circuit is new.  The first connection, when
    nodes have just met, stands beside the figure."""
    build, trip, relayed, direct = (Samples() for _ in range(4))
    moved = 0
    client = lab.net["client"]
    with client.connect("owner.web", via=VIA, spare_via=[]) as c:
        first_ms = c.ready["connect_ms"]
    for _ in repeats(CONNECTS, 20):
        try:
            with client.connect("owner.web") as c:
                direct.add(c.ready["connect_ms"])
            with client.connect("owner.web", via=VIA, spare_via=[]) as c:
                tap.equal(c.ready["path"], VIA, "the path")
                hops = [e for e in c.events if e["event"] == "hop"]
                build.add(c.ready["build_ms"])
                relayed.add(c.ready["connect_ms"])
                trip.add(hops[-1]["ms"])
                moved += sum(e["event"] == "moved" for e in c.events)
        except TROUBLE as e:
            relayed.fail(e)
            build.fail(e)
    emit(lab, "circuit.build_ms", build, "ms",
         "round trip to r3 through it", trip)
    emit(lab, "connect_ms", relayed, "ms", "direct mode", direct,
         first_ms=digits(first_ms), moved=moved)


class Meter:
    """CPU seconds of every process that a transfer runs through."""

    def __init__(self, lab):
        self.pids = {n.name: (n.plane or n.vx6d).pid
                     for n in lab.net.nodes.values() if n.name not in SPARE}
        master = lab.nginx.p.pid  # alone, or with workers
        self.nginx = [master, *children(master)]
        self.r2 = lab.net["r2"]
        self.total = dict.fromkeys([*self.pids, "nginx", "curl"], 0.0)

    def read(self):
        now = {name: cpu_s(pid) for name, pid in self.pids.items()}
        now["nginx"] = sum(map(cpu_s, self.nginx))
        now["curl"] = waited_for_s()
        return now, self.r2.api("stats")["dataplane"]

    def of(self, transfer):
        """Runs it; CPU seconds by name and r2's counters, or None."""
        cpu, plane = self.read()
        if not transfer():
            return None
        cpu2, plane2 = self.read()
        return {k: cpu2[k] - cpu[k] for k in cpu}, \
            {k: plane2[k] - plane[k] for k in ("busy_ns", "rx_bytes")}


@stage("direct.throughput", "relay3.udp.throughput",
       "relay.udp.busy_s_per_gb", "relay.udp.process_s_per_gb")
def downloads(lab):
    """nginx itself, direct mode and three relays in turn."""
    plain, direct, relayed, busy, cpu, floor = (Samples() for _ in range(6))
    lab.open()
    meter, gb = Meter(lab), lab.size / 1e9
    for _ in repeats(5, 45):
        def load(samples, at):
            return rate(samples, lab.size, *lab.get(at, "big"), lab.digest)
        used = meter.of(lambda: load(plain, lab.nginx.target))
        if used:
            floor.add((used[0]["nginx"] + used[0]["curl"]) / gb)
        load(direct, lab.direct.listen)
        used = meter.of(lambda: load(relayed, lab.relayed.listen))
        if not used:
            continue
        busy.add(used[1]["busy_ns"] / max(1, used[1]["rx_bytes"]))
        cpu.add(used[0]["r2"] / gb)
        for name, seconds in used[0].items():
            meter.total[name] += seconds
    carried = gb * len(relayed.good)
    shares = {name: digits(s / carried) for name, s in meter.total.items()} \
        if carried else {}
    drops = lab.net["r2"].api("stats")["dataplane"]["drops"]
    emit(lab, "direct.throughput", direct, "MB/s", "curl to nginx", plain,
         bytes=lab.size)
    emit(lab, "relay3.udp.throughput", relayed, "MB/s", "direct mode", direct,
         plain=digits(plain.median), cpu_s_per_gb=shares, **lab.more())
    emit(lab, "relay.udp.busy_s_per_gb", busy.blame(relayed), "s/GB",
         drops=drops, **lab.more())
    emit(lab, "relay.udp.process_s_per_gb", cpu.blame(relayed), "s/GB",
         "nginx and curl over TCP", floor, **lab.more())


@stage("relay3.udp.upload")
def uploads(lab):
    direct, relayed = Samples(), Samples()
    lab.open()
    for _ in repeats(3, 30):
        rate(direct, lab.size, *lab.put(lab.direct.listen), lab.digest)
        rate(relayed, lab.size, *lab.put(lab.relayed.listen), lab.digest)
    emit(lab, "relay3.udp.upload", relayed, "MB/s", "direct mode", direct,
         **lab.more())


def together(lab, digest, size):
    """MB/s of STREAMS downloads at once, from the first curl's start to the
    last one's end."""
    begun, wheres = [], []
    began = time.monotonic()
    for i in range(STREAMS):
        args, where = lab.get(lab.relayed.listen, "part", f"part{i}")
        wheres.append(where)
        begun.append(place.start(
            [programs.program("curl"), "-sS", "--fail", "--noproxy", "*",
             "--max-time", str(CURL_S), *args],
            log=os.path.join(lab.out, "log")))
    try:
        codes = [p.wait(CURL_S + 5) for p in begun]
        seconds = time.monotonic() - began
        tap.equal(codes, [0] * STREAMS, "curl's exit statuses")
        if any(programs.file_digest(w) != digest for w in wheres):
            raise tap.Failed(WRONG)
        return size * STREAMS / MB / seconds
    finally:
        for p in begun:
            place.end(p)
        for where in wheres:
            if os.path.exists(where):
                os.unlink(where)


@stage("relay3.udp.streams8")
def streams(lab):
    """The same bytes in eight streams of one tunnel."""
    alone, eight = Samples(), Samples()
    lab.open()
    size = lab.size // STREAMS
    digest = lab.nginx.page("part", size)
    for _ in repeats(3, 30):
        rate(alone, lab.size, *lab.get(lab.relayed.listen, "big"),
             lab.digest)
        try:
            eight.add(together(lab, digest, size))
        except TROUBLE as e:
            eight.fail(e)
    emit(lab, "relay3.udp.streams8", eight, "MB/s", "one stream", alone,
         streams=STREAMS, **lab.more())


# ---- fail-over ----

class Reader:
    """Reads a page at PACE from a forward's port, as a player would."""

    def __init__(self, call):
        self.sock = socket.socket()
        # little is held by the kernel: a gap shall be seen
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 256 << 10)
        self.sock.settimeout(GIVEN_UP_S)
        self.sock.connect((call.host, call.port))
        self.sock.sendall(b"GET /paced HTTP/1.0\r\n\r\n")
        self.got = bytearray()
        self.began = time.monotonic()
        self.longest_s = 0.0  # without a byte, since reset

    def read(self, until=None):
        """Reads on until so much is there, or to the end."""
        while until is None or len(self.got) < until:
            ahead = self.began + len(self.got) / PACE - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)
            asked = time.monotonic()
            try:
                part = self.sock.recv(65536)
            except OSError:
                part = b""  # what is missing is counted by the caller
            waited = time.monotonic() - asked
            self.longest_s = max(self.longest_s, waited)
            if not part:
                return
            self.got += part

    def body(self):
        return bytes(self.got).partition(b"\r\n\r\n")[2]

    def close(self):
        self.sock.close()


def lost(got, want):
    """Bytes of want that are not at their place in got."""
    count, step = abs(len(want) - len(got)), 4096
    for at in range(0, min(len(want), len(got)), step):
        a, b = want[at:at + step], got[at:at + step]
        if a != b:
            count += sum(x != y for x, y in zip(a, b))
    return count


def path_in_use(client):
    tunnels = [t for t in client.api("tunnel.list")["tunnels"]
               if t["side"] == "client" and t["mode"] == "relay"]
    tap.equal(len(tunnels), 1, "tunnels")
    return tunnels[0]["path"], tunnels[0]["spares"]


def kill_in_the_middle(net, call, reader, at):
    """Reads a page and kills the middle relay on the way; the `moved` event,
    and whether the tunnel had moved without a reason before."""
    client = net["client"]
    reader.read(until=at)
    path, spares = path_in_use(client)
    early = path != VIA
    tap.equal(len(spares), 1, "spare circuits at hand")
    middle = net[path[1]]
    for p in (middle.vx6d, middle.plane):
        p.send_signal(signal.SIGKILL)
    middle.kill()
    reader.longest_s = 0.0
    reader.read()
    call.settimeout(GIVEN_UP_S)
    while True:
        e = call.event("moved")
        # a path that a tunnel leaves by itself is not what we killed
        if middle.name not in e["path"]:
            return e, early


def fail_over(nginx, page, at):
    """One network, one killed relay: (gap ms, gap at the reader ms, lost
    bytes, moved early)."""
    net = make_net(nginx)
    reader = call = None
    try:
        call = net["client"].connect("owner.web", via=VIA, spare_via=SPARE)
        tap.wait(lambda: path_in_use(net["client"])[1], "a spare circuit")
        reader = Reader(call)
        event, early = kill_in_the_middle(net, call, reader, at)
        return event["gap_ms"], reader.longest_s * 1e3, \
            lost(reader.body(), page), early
    finally:
        for thing in (reader, call):
            if thing:
                thing.close()
        net.stop()


@stage("failover.gap_ms")
def failover(lab):
    gap, at_reader = Samples(), Samples()
    lost_bytes, early_moves = 0, 0
    lab.close()
    lab.nginx.page("paced", PAGE)
    with open(os.path.join(lab.nginx.pages, "paced"), "rb") as f:
        page = f.read()
    for i in repeats(5, 50):
        try:
            ms, seen, missing, early = fail_over(
                lab.nginx, page, at=PAGE // 6 + i * PAGE // 15)
            gap.add(ms)
            at_reader.add(seen)
            lost_bytes += missing
            early_moves += early
            if missing:
                gap.fail(f"{missing} bytes lost")
        except TROUBLE as e:
            gap.fail(e)
    emit(lab, "failover.gap_ms", gap, "ms", lost_bytes=lost_bytes,
         worst=digits(max(gap.good, default=None)),
         reader_gap_ms=digits(max(at_reader.good, default=None)),
         early_moves=early_moves, bytes=PAGE, pace_bytes_s=PACE)


if __name__ == "__main__":
    sys.exit(measure.main("lab", Lab))
