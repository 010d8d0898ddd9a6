#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 600
"""Garbage of every sort at relays that carry a transfer meanwhile.

      client ==> r1 (af_xdp) ==> r2 (udp) ==> owner
                      ^             ^
                      +-- stranger -+   from its own address, and, as it
                                        stands at the switch, from others'

Nothing crashes or leaks, every packet is counted under a reason, and what
was under way arrives whole.
"""
import collections
import hashlib
import os
import random
import socket
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "e2e"), HERE]
from harness import command, place, tap, tcp
from netlab import Lab, forge, lacking
from netlab.capture import udp as datagram
from netlab.seen import ALONE, linked, refusals

COUNT = 100_000  # packets of each sort, to each port of each relay
AHEAD = 500      # sent and not yet counted: no buffer overflows
MOST = 1472      # bytes that a frame takes
ENOUGH = 20      # captured packets to repeat
PART = 16384
CONTROL, DATA = 4242, 4243


class Stream:
    """Bytes that come through the relays, asked for a piece at a time, until
    somebody says that it is enough; both ends digest them."""

    def __init__(self, lab):
        self.theirs, self.mine = hashlib.sha256(), hashlib.sha256()
        self.count, self.over = 0, threading.Event()
        with lab["owner"].inside():
            server = tcp.Server(self.serve)
        lab["owner"].service("bytes", server.target)
        self.call = lab["client"].connect("owner.bytes", via=["r1", "r2"])
        tap.after(self.call.close)
        with lab["client"].inside():
            self.sock = tcp.connect(self.call.listen)
        tap.after(self.sock.close)
        self.trouble = None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def serve(self, sock):
        while sock.recv(1):
            part = os.urandom(PART)
            self.theirs.update(part)
            sock.sendall(part)

    def run(self):
        try:
            while not self.over.wait(.002):
                self.sock.sendall(b"?")
                left = PART
                while left:
                    part = self.sock.recv(left)
                    if not part:
                        raise OSError("the stream ended")
                    self.mine.update(part)
                    left -= len(part)
                self.count += PART
        except OSError as e:
            self.trouble = e

    def goes_on(self):
        before = self.count
        tap.wait(lambda: self.count > before + 4 * PART or self.trouble,
                 "the stream to go on")
        tap.equal(self.trouble, None, "the stream")

    def finish(self):
        self.over.set()
        self.thread.join(60)
        tap.equal((self.trouble, self.thread.is_alive()), (None, False))
        tap.equal(self.mine.hexdigest(), self.theirs.hexdigest(),
                  f"the digest of {self.count} bytes")
        tap.note(f"{self.count / 1e6:.0f} MB went through meanwhile")


# ---- what is sent ----

class Sender:
    """Sends in a host's network and keeps to what has been counted."""

    def __init__(self, lab, relay, port, captured):
        self.lab, self.relay, self.port = lab, relay, port
        self.r = random.Random(f"{relay.name} {port}")
        self.to = (relay.address("v4"), port)
        self.captured = [(f, d.payload) for f, d in captured
                         if (d.dst, d.dport) == self.to and
                         len(d.payload) <= MOST]  # not cut up yet
        tap.true(len(self.captured) > ENOUGH, f"packets to {self.to} to repeat")
        with lab["stranger"].inside():
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with lab.switch.inside():
            self.raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            self.raw.bind((f"{relay.name}.0", 0))

    def close(self):
        self.udp.close()
        self.raw.close()

    def one(self):
        return self.r.choice(self.captured)

    def random(self):
        payload = self.r.randbytes(self.r.randrange(1, MOST + 1))
        self.udp.sendto(payload, self.to)

    def truncated(self):
        frame, payload = self.one()
        self.raw.send(forge.with_payload(
            frame, payload[:self.r.randrange(1, len(payload))]))

    def replayed(self):
        self.raw.send(forge.with_payload(*self.one()))

    def flipped(self):
        frame, payload = self.one()
        changed = bytearray(payload)
        bit = self.r.randrange(len(payload) * 8)
        changed[bit // 8] ^= 1 << bit % 8
        self.raw.send(forge.with_payload(frame, bytes(changed)))

    def misplaced(self):
        """The right index from a wrong source."""
        self.udp.sendto(self.one()[1], self.to)


SORTS = ("random", "truncated", "replayed", "flipped", "misplaced")


def arrived_cells(relay):
    return sum(refusals(relay).values())


def arrived_packets(relay):
    """On the control port: read by vx6d, or dropped by the classifier."""
    stats = relay.api("stats")
    plane = stats["dataplane"]["classifier"] or {}
    return stats["vx6d"]["rx_datagrams"] + \
        plane.get("HANDSHAKES", {"packets": 0})["packets"]


def flood(sender, sort, arrived):
    send, relay = getattr(sender, sort), sender.relay
    before, sent = arrived(relay), 0
    while sent < COUNT:
        for _ in range(min(AHEAD, COUNT - sent)):
            send()
        sent = min(sent + AHEAD, COUNT)
        tap.wait(lambda: arrived(relay) - before >= sent,
                 f"{sent} {sort} packets at {relay.name}:{sender.port}", 20,
                 lambda: f"{arrived(relay) - before} were counted: "
                         f"{refusals(relay)}")
    return before


def size_of(p):
    """(resident KiB, open descriptors) of a process."""
    with open(f"/proc/{p.pid}/status", encoding="ascii") as f:
        kib = next(int(line.split()[1]) for line in f
                   if line.startswith("VmRSS"))
    return kib, len(os.listdir(f"/proc/{p.pid}/fd"))


def sizes(lab):
    return {(n, what): size_of(p) for n in ("r1", "r2")
            for what, p in lab[n].processes()}


def pids(lab):
    return {key: p.pid for n in ("r1", "r2")
            for key, p in (((n, what), p) for what, p in
                           lab[n].processes()) if p.poll() is None}


# ---- the tests: one lab, one stream, garbage at each door ----

Scene = collections.namedtuple("Scene", "lab stream captured")


@tap.once
def scene():
    nodes = {"client": {"config": ALONE}, "owner": {},
             "r1": {"relay": True, "backend": "af_xdp"},
             "r2": {"relay": True}, "stranger": {"plain": True}}
    lab = Lab({"defaults": {"families": "v4"}, "nodes": nodes,
               "timers": {"session_ping_s": .2}})
    for node in lab.nodes.values():
        # under ASan: what was freed is no leak
        node.env["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + \
            ":quarantine_size_mb=1:thread_local_quarantine_size_kb=64"
    lab.up()
    stream = Stream(lab)
    linked(lab["r1"], "r2")
    captured = {}
    for name in ("r1", "r2"):
        here = lab[name].address("v4")
        with lab.capture(name) as c:
            stream.goes_on()
            tap.wait(lambda: sum((d.dst, d.dport) == (here, CONTROL)
                                 for d in c.datagrams()) > ENOUGH,
                     f"sessions of {name} to be heard", 60)
        captured[name] = [(f, d) for _, f in c.frames()
                          if (d := datagram(0, f))]
    return Scene(lab, stream, captured)


def cell_reasons(relay):
    return collections.Counter(refusals(relay))


def packet_reasons(relay):
    own = relay.api("stats")["vx6d"]
    found = collections.Counter(own["drops"], strange=own["strange"],
                                quic_replayed=own["quic_replayed"])
    found["HANDSHAKES"] = refusals(relay).get("HANDSHAKES", 0)
    return found


def garbage(name, port, arrived, reasons):
    """All sorts at one port of a relay; what was counted, by sort."""
    s = scene()
    relay = s.lab[name]
    alive, before = pids(s.lab), sizes(s.lab)
    sender = Sender(s.lab, relay, port, s.captured[name])
    tap.after(sender.close)
    seen = {}
    for sort in SORTS:
        at, was = arrived(relay), reasons(relay)
        flood(sender, sort, arrived)
        s.stream.goes_on()
        if port == DATA:
            tap.equal(arrived(relay) - at, COUNT, f"{sort}: packets counted")
        seen[sort] = reasons(relay) - was
        tap.note(f"{name}:{port} {sort}: {dict(seen[sort])}")
    tap.equal(pids(s.lab), alive, "the same processes live")
    tap.wait(lambda: all(fds <= before[key][1]
                         for key, (_, fds) in sizes(s.lab).items()),
             "descriptors to be closed", hint=lambda: f"{before}, then "
             f"{sizes(s.lab)}")
    for key, (kib, _) in sizes(s.lab).items():
        tap.true(kib < before[key][0] + 16384,
                 f"memory of {key}: {before[key][0]} KiB, then {kib}")
    return seen


def cells(name):
    seen = garbage(name, DATA, arrived_cells, cell_reasons)
    for sort, reasons in (
            ("random", ("BAD_VERSION", "BAD_SIZE", "NO_LINK")),
            ("truncated", ("BAD_SIZE",)), ("replayed", ("REPLAYED",)),
            ("flipped", ("BAD_SIZE", "BAD_KIND", "NO_CIRCUIT", "REPLAYED",
                         "BAD_VERSION", "NO_LINK")),
            ("misplaced", ("BAD_SOURCE",))):
        for reason in reasons:
            tap.true(seen[sort][reason] > 0, f"{sort}: {seen[sort]} has no "
                     f"{reason}")


@tap.test
def garbage_at_the_data_port_of_af_xdp():
    cells("r1")


@tap.test
def garbage_at_the_data_port_of_udp():
    cells("r2")


def told_apart(seen):
    """Packets of a session that came again, from wherever, are counted as
    such (or, if so old that QUIC's short numbers name others by now, as
    forged); what never was a session's is not."""
    for sort in SORTS:
        again = seen[sort]["quic_replayed"]
        tap.equal(again, seen[sort]["REPLAYED"], f"{sort}: {seen[sort]}")
        if sort not in ("replayed", "misplaced"):
            tap.equal(again, 0, f"{sort}: {seen[sort]}")


@tap.test
def garbage_at_the_control_port_behind_a_classifier():
    seen = garbage("r1", CONTROL, arrived_packets, packet_reasons)
    told_apart(seen)
    tap.true(seen["random"]["HANDSHAKES"] > 0, f"a bucket: {seen}")


@tap.test
def garbage_at_the_control_port():
    seen = garbage("r2", CONTROL, arrived_packets, packet_reasons)
    told_apart(seen)
    tap.true(seen["random"]["strange"] > 0, f"no QUIC packets: {seen}")


@tap.test
def changed_before_it_arrives():
    """A bit of the ciphertext, in cells whose counters are fresh."""
    s = scene()
    r1, client = s.lab["r1"], s.lab["client"]
    here = (r1.address("v4"), DATA)
    like = next(f for f, d in s.captured["r1"] if (d.dst, d.dport) == here
                and d.src == client.address("v4"))
    s.lab.cut("client", silent=True)
    with s.lab.capture("client") as c:
        tap.wait(lambda: len(kept(c, here)) > 1, "cells to be swallowed")
    s.lab.mend("client")
    before = refusals(r1).get("BAD_TAG", 0)
    with s.lab.switch.inside(), \
            socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind(("r1.0", 0))
        for payload in kept(c, here):
            raw.send(forge.with_payload(
                like, payload[:-1] + bytes([payload[-1] ^ 1])))
    tap.wait(lambda: refusals(r1).get("BAD_TAG", 0) > before, "BAD_TAG",
             hint=lambda: f"{refusals(r1)}")
    s.stream.goes_on()


def kept(capture, to):
    return [d.payload for d in capture.datagrams()
            if (d.dst, d.dport) == to][-8:]


@tap.test
def the_transfer_is_whole():
    s = scene()
    s.stream.goes_on()
    s.stream.finish()
    tap.equal([x["state"] for x in
               s.lab["client"].api("circuit.list")["circuits"]], ["open"])


@tap.test
def and_both_relays_end_well():
    for name in ("r1", "r2"):
        for what, p in scene().lab[name].processes():
            tap.equal(place.end(p), 0, f"{name}: the status of {what}")


tap.main(lacking() or command.have("vx6", "vx6d", "vx6-dataplane"))
