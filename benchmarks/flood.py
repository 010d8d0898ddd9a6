#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a flood at a relay leaves of a transfer through it: real processes
in network namespaces, on veth cables through a namespace that routes.

    client ---+          +--- r1 (af_xdp)      the transfer: client, r1, owner
    owner  ---+- switch -+
    foe    ---+          +--- bystander        drops all by XDP

    benchmarks/flood.py [part of a figure's name]
    benchmarks/flood.py --list

The foe sends the same at the same pace from the same core to the relay, and
to the bystander, in turn; the transfer keeps to half of what it could have.
Needs root.
"""
import contextlib
import ipaddress
import json
import os
import random
import struct
import subprocess
import sys

import measure
from measure import (MB, TROUBLE, Samples, digits, emit, first, rate, repeats,
                     stage)
from harness import load, place, programs, tap
import netlab
from netlab import forge
from netlab.seen import linked, refusals

PACE = 100_000     # frames a second
CREATE_PACE = 2_000
TURNS = 5
TRANSFER_S = 2
SECONDS = 30       # a flood lasts at most so long
FRAMES = 1024      # different ones
CONTROL, DATA = 4242, 4243
KEPT = 0.9         # of the pace, or the run says nothing
CREATE_LEN = 1549 + 6
DATAGRAM = 1452    # that carries CREATEs, full
FRAMES_AT = os.path.join(os.path.dirname(load.PROGRAM), "load_frames")


class Lab:
    def __init__(self):
        if why := netlab.lacking() or load.lacking():
            raise tap.Skip(why)
        self.net = netlab.Lab({"nodes": {
            "client": {}, "owner": {}, "foe": {},
            "r1": {"relay": True, "backend": "af_xdp"},
            "by": {"plain": True}}, "defaults": {"families": "v6"}}).up()
        self.r1, self.foe, self.by, self.client = (
            self.net[n] for n in ("r1", "foe", "by", "client"))
        self.host = measure.host(self.r1)
        self.foe.stop()
        self.by.program([FRAMES_AT, "--drop", "vx0"])
        with self.net["owner"].inside():
            self.nginx = programs.Nginx()
        self.net["owner"].service("web", self.nginx.target)
        linked(self.client, "r1")
        self.call = self.client.connect("owner.web", via=["r1"],
                                        spare_via=[])
        self.out = os.path.join(place.new_dir("out"), "got")
        self.core = str(max(os.sched_getaffinity(0)))
        self.r = random.Random(1)
        self.page = self.pace = None

    def open(self):
        """How fast a transfer is, and a page for half of that."""
        if self.page:
            return
        fast, size = Samples(), 64 * MB
        digest = self.nginx.page("fast", size)
        for _ in range(3):
            self.transfer(fast, ("fast", size, digest))
        if not fast.good:
            raise tap.Failed("; ".join(fast.faults))
        self.pace = fast.median / 2
        size = int(self.pace * MB * TRANSFER_S)
        self.page = "page", size, self.nginx.page("page", size)

    def transfer(self, samples, page, *more):
        name, size, digest = page
        with self.client.inside():
            return rate(samples, size, [*more, "-o", self.out,
                                        f"http://{self.call.listen}/{name}"],
                        self.out, digest)

    def close(self):
        self.call.close()
        self.net.stop()


# ---- frames ----

def mac(namespace, interface):
    found = json.loads(namespace.run(
        [programs.program("ip"), "-j", "link", "show", interface]))
    return bytes.fromhex(found[0]["address"].replace(":", ""))


class Frames:
    """Of the foe's, for its cable."""

    def __init__(self, lab):
        self.ether = mac(lab.net.switch, "foe.0") + mac(lab.foe.ns, "vx0") + \
            b"\x86\xdd"
        self.mine = ipaddress.IPv6Address(lab.foe.address()).packed
        self.r = lab.r

    def someone(self):
        """An address in the foe's /64."""
        return self.mine[:8] + self.r.randbytes(8)

    def ip(self, kind, src, dst, body, checksum_at):
        """body with its checksum, in IPv6."""
        head = src + dst + struct.pack("!II", len(body), kind)
        total = ~forge.ones_sum(body, forge.ones_sum(head)) & 0xffff
        body = bytearray(body)
        struct.pack_into("!H", body, checksum_at, total or 0xffff)
        return self.ether + struct.pack("!IHBB", 6 << 28, len(body), kind,
                                        64) + src + dst + bytes(body)

    def udp(self, src, sport, dst, dport, payload):
        return self.ip(17, src, dst, struct.pack(
            "!HHHH", sport, dport, 8 + len(payload), 0) + payload, 6)

    def syn(self, src, sport, dst, dport):
        return self.ip(6, src, dst, struct.pack(
            "!HHIIBBHHH", sport, dport, self.r.getrandbits(32), 0, 5 << 4, 2,
            64240, 0, 0), 16)


def port(lab):
    return lab.r.randrange(1024, 65536)


def cells_of(lab):
    """Cells that came to the relay in a transfer: (source, port, cell)."""
    spare = Samples()
    with lab.net.capture("r1") as c:
        lab.transfer(spare, ("fast", 64 * MB, lab.nginx.page(
            "fast", 64 * MB)), "-r", f"0-{4 * MB}")
    here = lab.r1.address()
    found = [(ipaddress.IPv6Address(d.src).packed, d.sport, d.payload)
             for d in c.datagrams() if d.dst == here and d.dport == DATA and
             d.payload[:1] == b"\x01" and len(d.payload) > 1000]
    tap.true(found, "cells to replay")
    return found[:FRAMES]


def some(make):
    return [make() for _ in range(FRAMES)]


def random_cells(lab, f):
    """No link has such an index, or none has its address."""
    return some(lambda: (f.mine, port(lab), DATA,
                         b"\x01" + lab.r.randbytes(1199)))


def wrong_source(lab, f):
    index = [x for x in lab.r1.api("link.list")["links"]
             if x["node"] == "client"][0]["index"]
    head = b"\x01" + index.to_bytes(3, "big")
    return some(lambda: (f.mine, port(lab), DATA,
                         head + lab.r.randbytes(1196)))


def replays(lab, _):
    return [(src, sport, DATA, cell) for src, sport, cell in cells_of(lab)]


def initials_of(lab):
    """Headers of RFC 9000 section 17.2.2; nobody can open them."""
    return port(lab), CONTROL, b"\xc3\0\0\0\1\x08" + \
        lab.r.randbytes(8) + b"\0\0\x44\x9e" + lab.r.randbytes(1182)


def initials(lab, f):
    return some(lambda: (f.someone(), *initials_of(lab)))


def spoofed(lab, f):
    """The same, each from a prefix of its own."""
    return some(lambda: (b"\x20\x01\x0d\xb8" + lab.r.randbytes(12),
                         *initials_of(lab)))


def creates_of_a_size(lab, f):
    """For the bystander: bytes as many as the CREATEs have."""
    return some(lambda: (f.mine, port(lab), CONTROL,
                         b"\x40" + lab.r.randbytes(DATAGRAM - 1)))


def write(lab, made, to, name):
    """A file of frames with what was made, addressed to a host."""
    f, dst = Frames(lab), ipaddress.IPv6Address(to.address()).packed
    path = os.path.join(place.place(), name)
    with open(path, "wb") as out:
        for what in made:
            if what is None:
                frame = f.syn(f.someone(), port(lab), dst, CONTROL)
            else:
                src, sport, dport, payload = what
                frame = f.udp(src, sport, dst, dport, payload)
            out.write(struct.pack("=H", len(frame)) + frame)
    return path


# ---- a flood ----

class Flood:
    """Frames from the foe, while it holds; sent: how many a second."""

    def __init__(self, lab, path, pace):
        self.lab, self.path, self.pace = lab, path, pace
        self.sent = 0

    def __enter__(self):
        with self.lab.foe.inside():
            self.p = place.start(
                [FRAMES_AT, "vx0", self.path, str(self.pace), str(SECONDS),
                 self.lab.core], stdout=subprocess.PIPE, text=True,
                log=os.path.join(self.lab.foe.dir, "frames.log"))
        first(self.p.pid)  # or strangers set the pace
        self.p.stdout.readline()

    def __exit__(self, *_):
        self.p.terminate()
        got = json.loads(self.p.stdout.readline())
        place.end(self.p)
        self.sent = got["sent"] / (got["ns"] / 1e9)


class CreateFlood:
    """CREATEs that do not open, over a session of the foe's."""

    def __init__(self, lab):
        self.lab, self.p, self.sent = lab, None, 0

    def begin(self):
        foe, r1 = self.lab.foe, self.lab.r1
        with foe.inside():
            self.p = place.start(
                [load.PROGRAM, "--config", foe.config_path, "--relay", r1.id,
                 "--behind", r1.id], log=foe.log, stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, text=True)
        os.sched_setaffinity(self.p.pid, {int(self.lab.core)})
        first(self.p.pid)
        tap.wait(lambda: foe.status() is not None, "load_create to answer")
        foe.learn(r1.record())
        tap.wait(lambda: any(x["state"] == "up" and x["rtt_ms"] for x in
                             foe.api("link.list")["links"]), "its link")
        self.say(f"garbage {CREATE_PACE * SECONDS} {CREATE_PACE}")

    def say(self, word):
        self.p.stdin.write(word + "\n")
        self.p.stdin.flush()
        answer = json.loads(self.p.stdout.readline())
        tap.true("error" not in answer, answer.get("error"))
        return answer

    def __enter__(self):
        if self.p is None:
            self.begin()
        self.was = self.lab.r1.api("stats")["vx6d"]["creates_in"]
        self.p.stdin.write("go\n")
        self.p.stdin.flush()

    def __exit__(self, *_):
        got = self.say("stop")
        came = self.lab.r1.api("stats")["vx6d"]["creates_in"] - self.was
        self.sent = came / max(got["ns"] / 1e9, .001)

    def end(self):
        if self.p:
            place.end(self.p)


def refused(node):
    """What either daemon, or the classifier, refused, by reason."""
    vx6d = node.api("stats")["vx6d"]
    found = refusals(node)
    for reason, n in [*vx6d["drops"].items(),
                      *vx6d["creates"]["failed"].items()]:
        found[f"vx6d {reason}"] = n
    return found


def goodput(lab, kind, at_relay, at_bystander):
    """The transfer during the one flood and the other, in turn."""
    hit, spared, reached = Samples(), Samples(), Samples()
    before = refused(lab.r1)
    for _ in repeats(TURNS, 60):
        for flood, into in ((at_relay, hit), (at_bystander, spared)):
            with contextlib.ExitStack() as held:
                try:
                    held.enter_context(flood)
                    lab.transfer(into, lab.page, "--limit-rate",
                                 str(int(lab.pace * MB)))
                except TROUBLE as e:
                    into.fail(e)
                    continue
            reached.add(flood.sent / flood.pace)
    after = refused(lab.r1)
    if reached.good and min(reached.good) < KEPT:
        hit.fail(f"the pace was not kept: {min(reached.good):.2f} of it")
    emit(lab, f"dp.flood.{kind}.goodput", hit, "MB/s",
         "the same at a bystander", spared, flood_per_s=at_relay.pace,
         transfer_mb_s=digits(lab.pace), drops={
             k: n - before.get(k, 0) for k, n in after.items()
             if n > before.get(k, 0)})


def of_frames(kind, make):
    @stage(f"dp.flood.{kind}.goodput")
    def run(lab):
        lab.open()
        made = make(lab, Frames(lab))
        goodput(lab, kind, *(Flood(lab, write(lab, made, to, f"{kind}.{n}"),
                                   PACE)
                             for n, to in enumerate((lab.r1, lab.by))))
    return run


for name, how in (("random", random_cells), ("source", wrong_source),
                  ("replay", replays), ("initial", initials),
                  ("spoofed", spoofed),
                  ("syn", lambda lab, f: [None] * FRAMES)):
    of_frames(name, how)


@stage("dp.flood.create.goodput")
def creates(lab):
    lab.open()
    flood = CreateFlood(lab)
    flood.pace = CREATE_PACE
    path = write(lab, creates_of_a_size(lab, Frames(lab)), lab.by, "create")
    try:
        goodput(lab, "create", flood, Flood(
            lab, path, CREATE_PACE * CREATE_LEN // DATAGRAM))
    finally:
        flood.end()


if __name__ == "__main__":
    sys.exit(measure.main("flood", Lab))
