#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""One relay's data plane on veth cables, fed as fast as a core can feed it.

    left (load_cells) === relay (vx6-dataplane, on a core) === right

    benchmarks/cells.py [part of a figure's name]
    benchmarks/cells.py --list

The real process, programmed over its real socket; what it is compared with
stands in namespaces of its own, in turn.  Needs root.
"""
import json
import os
import select
import signal
import subprocess
import sys

import measure
from measure import Samples, digits, emit, first, repeats, stage
from harness import command, load, place, programs, tap
from netlab import lacking, ns

WHERE = os.path.dirname(load.PROGRAM)
OBJECT = os.path.join(os.path.dirname(command.BIN), "lib", "vx6",
                      "vx6-port-dpdk.so")
SHOT = 131072      # cells that are made, then sent
LONG_SHOT = 524288 # the same, where a relay's rings are to be full
SHOTS = 2          # of these in a turn
TURNS = 5
SIZE = 1200
LOSS_S = int(os.environ.get("VX6_BENCH_LOSS_S", "60"))
SOCKET_TURNS = 15
WINDOW = 2048      # cells on their way over sockets
OUTRUN = 0.98      # at most so much was forwarded of what was sent
BUSY = 0.9         # of the relay's core, or the generator was measured
FAR, NEAR = "fd00::2", "fd00::1"


def mac(where, interface):
    found = json.loads(where.run(
        [programs.program("ip"), "-j", "link", "show", interface]))
    return found[0]["address"]


class Talker:
    """A program that answers lines with JSON."""

    patience = LOSS_S + 20  # seconds

    def __init__(self, words, log):
        self.p = place.start(words, stdin=subprocess.PIPE, text=True,
                             stdout=subprocess.PIPE, log=log)
        self.log = log
        self.heard()

    def heard(self):
        ready, _, _ = select.select([self.p.stdout], [], [], self.patience)
        line = self.p.stdout.readline() if ready else ""
        if not line:
            with open(self.log, encoding="utf-8") as f:
                raise tap.Failed(f"{self.p.args[0]}: {f.read()[-300:]}")
        return json.loads(line)

    def __call__(self, line):
        self.p.stdin.write(line + "\n")
        self.p.stdin.flush()
        return self.heard()


class Place:
    """Three namespaces, two cables; nobody speaks there but who is asked."""

    def __init__(self, name, cores):
        self.name, self.cores = name, cores
        self.left, self.relay, self.right = (
            ns.Namespace(f"{name}-{n}") for n in ("left", "relay", "right"))
        self.dir = place.new_dir(name)
        self.run = os.path.join(self.dir, "run")
        os.mkdir(self.run)
        self.cable(self.left, "rl", NEAR, "fd00::3")
        self.cable(self.right, "rr", FAR, "fd00::4")
        self.left.ip(f"route add {FAR} via fd00::3 dev vx0",
                     "link add spare type veth peer name spare1",
                     "link set spare up", "link set spare1 up")
        self.forwarder = self.cells = None

    def cable(self, end, name, theirs, ours):
        self.relay.ip(f"link add {name} type veth peer name vx0 netns "
                      f"{end.path}")
        end.ip(f"address add {theirs}/128 dev vx0 nodad", "link set vx0 up",
               f"route add {ours} dev vx0",
               f"neigh add {ours} lladdr {mac(self.relay, name)} dev vx0 "
               "nud permanent")
        self.relay.ip(f"address add {ours}/128 dev {name} nodad",
                      f"link set {name} up",
                      f"route add {theirs} dev {name}",
                      f"neigh add {theirs} lladdr {mac(end, 'vx0')} dev "
                      f"{name} nud permanent")

    def start_relay(self, backend, *more):
        log = os.path.join(self.dir, "dataplane.log")
        with self.relay.inside():
            self.forwarder = place.start(
                [os.path.join(command.BIN, "vx6-dataplane"), "--run",
                 self.run, *(() if backend == "dpdk" else ("--port", backend)),
                 "--cpus", str(self.cores[0]), *more], log=log)
        tap.wait(lambda: os.path.exists(
            os.path.join(self.run, "dataplane.sock")), "the data plane")
        self.start_cells(self.run)
        self.plane_log = log
        return self

    def start_plain(self):
        with self.relay.inside():
            self.plain = Talker([os.path.join(WHERE, "load_plain"),
                                 str(self.cores[0]), "rl", "rr"],
                                os.path.join(self.dir, "plain.log"))
        self.forwarder = self.plain.p
        self.start_cells()
        self.stats = lambda: self.plain("stats")
        return self

    def start_cells(self, *more):
        with self.left.inside():
            self.cells = Talker(
                [os.path.join(WHERE, "load_cells"), "vx0",
                 mac(self.left, "vx0"), mac(self.relay, "rl"), *more],
                os.path.join(self.dir, "cells.log"))
        os.sched_setaffinity(self.cells.p.pid, {self.cores[-1]})
        for p in (self.cells.p, self.forwarder):
            first(p.pid)
        self.stats = lambda: self.cells("stats")

    def drop_at_right(self):
        with self.right.inside():
            self.right.run([os.path.join(WHERE, "load_frames"), "--drop",
                            "vx0"])

    def arrived(self):
        found = json.loads(self.right.run(
            [programs.program("ip"), "-j", "-s", "link", "show", "vx0"]))
        return found[0]["stats64"]["rx"]["packets"]

    def only(self, others):
        """Nobody else spins on that core meanwhile."""
        for one in others:
            one.forwarder.send_signal(
                signal.SIGCONT if one is self else signal.SIGSTOP)

    def settled(self):
        """Counters, once nothing moves any more."""
        was = None
        for _ in range(1000):
            if (now := self.stats())["tx"] == was:
                return now
            was = now["tx"]
        raise tap.Failed(f"{self.name}: cells come that nobody sends")


def run_ns(pid):
    """How long all threads of a process have run on a core."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as f:
            total += int(f.read().split()[0])
    return total


def worker(pid):
    """(how long the thread that ran most has run, how long it has waited
    for a core while it could have)"""
    most = (0, 0)
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as f:
            ran, waited, _ = f.read().split()
        most = max(most, (int(ran), int(waited)))
    return most


def worker_ns(pid):
    return worker(pid)[0]


def shots(at, word="shots"):
    """What the counters moved by in a turn, and what was sent.  run_ns: how
    long the forwarder's process was run."""
    total, sent = {"run_ns": 0}, {}
    for _ in range(SHOTS):
        at.cells(f"make {LONG_SHOT}")
        was, ran = at.settled(), run_ns(at.forwarder.pid)
        got = at.cells(word)
        now = at.settled()
        total["run_ns"] += run_ns(at.forwarder.pid) - ran
        for k in was:
            total[k] = total.get(k, 0) + now[k] - was[k]
        for k, n in got.items():
            sent[k] = sent.get(k, 0) + n
    return total, sent


class Lab:
    def __init__(self):
        if why := lacking() or load.lacking():
            raise tap.Skip(why)
        self.cores = sorted(os.sched_getaffinity(0))
        one = Place("first", self.cores).start_relay("udp")
        self.host = measure.host(one)
        place.end(one.forwarder)

    def close(self):
        """Whatever runs still ends with the run."""


def share(found):
    """Of the time that the forwarder was run, that in which it had work."""
    return found["busy_ns"] / (found["busy_ns"] + found["spin_ns"])


def pace(found):
    """Cells a second that the forwarder was run and had work."""
    return found["tx"] / (found["run_ns"] / 1e9 * share(found))


def stopped(at):
    at.forwarder.send_signal(signal.SIGCONT)
    place.end(at.forwarder)
    at.forwarder = None


def outrun(both):
    """What two forwarders send in turn when more comes than they can take:
    by place, (cells a second of work, share of the time that there was work,
    cells a second of the clock's)."""
    rates, busy, wall = ({at: Samples() for at in both} for _ in range(3))
    for at in both:
        at.drop_at_right()
    for _ in repeats(TURNS, 60):
        for at in both:
            at.only(both)
            found, sent = shots(at)
            if found["tx_xsk"] < .99 * found["tx"] or found["tx"] == 0:
                rates[at].fail("frames did not go past the kernel")
            elif found["tx"] > OUTRUN * sent["sent"]:
                rates[at].fail("the generator did not outrun it")
            else:
                rates[at].add(pace(found))
                busy[at].add(found["busy_ns"] / sent["ns"])
                wall[at].add(found["tx"] / (sent["ns"] / 1e9))
    for at in both:
        stopped(at)
        if busy[at].good and busy[at].median < BUSY:
            rates[at].fail(f"{at.name}'s core was {busy[at].median:.0%} busy:"
                           " the generator was measured")
    return {at: (rates[at], busy[at], wall[at]) for at in both}


def relay_on(lab, name, backend, *more):
    """One that waits for its turn."""
    at = Place(name, lab.cores).start_relay(backend, "--idle", "spin", *more)
    at.forwarder.send_signal(signal.SIGSTOP)
    return at


@stage("dp.veth.af_xdp.aes256gcm.1200", "dp.loss_at_70pct")
def over_af_xdp(lab):
    relay = relay_on(lab, "relay", "af_xdp", "--interfaces", "rl,rr")
    plain = Place("plain", lab.cores).start_plain()
    found = outrun([relay, plain])
    rates, busy, wall = found[relay]
    emit(lab, "dp.veth.af_xdp.aes256gcm.1200", rates, "cells/s",
         "AF_XDP without crypto", found[plain][0], size=SIZE,
         busy=digits(busy.median), busy_baseline=digits(found[plain][1].median),
         counted="by the time that the forwarder was run and had work",
         wall_cells_s=digits(wall.median))
    if wall.good:
        loss(lab, int(wall.median * .7), rates.faults)


@stage("dp.veth.dpdk.aes256gcm.1200")
def over_dpdk(lab):
    """The same relay, its cables' ends DPDK's by net_af_xdp, against it on
    AF_XDP without DPDK between."""
    rates, busy, wall = Samples(), Samples(), Samples()
    base = base_busy = None
    if os.path.exists(OBJECT):
        config = os.path.join(place.new_dir("devices"),
                              "config.json")
        with open(config, "w", encoding="utf-8") as f:
            json.dump({"data": {"enabled": True, "backend": "dpdk",
                                "dpdk_ports": ["net_af_xdp0,iface=rl",
                                               "net_af_xdp1,iface=rr"]}}, f)
        relay = relay_on(lab, "dpdk", "dpdk", "--config", config)
        other = relay_on(lab, "xdp", "af_xdp", "--interfaces", "rl,rr")
        found = outrun([relay, other])
        rates, busy, wall = found[relay]
        base, base_busy, _ = found[other]
    else:
        rates.fail("libdpdk-dev is not installed, so the object was not made")
    emit(lab, "dp.veth.dpdk.aes256gcm.1200", rates, "cells/s",
         "the relay on AF_XDP", base, size=SIZE, busy=digits(busy.median),
         busy_baseline=digits(base_busy.median) if base_busy else None,
         counted="by the time that the forwarder was run and had work",
         wall_cells_s=digits(wall.median))


def dropped(at):
    """What the cables' four ends have dropped, by who did."""
    found = {}
    for name, where, interface, way in (
            ("sender", at.left, "vx0", "tx"), ("in", at.relay, "rl", "rx"),
            ("out", at.relay, "rr", "tx"), ("far", at.right, "vx0", "rx")):
        link = json.loads(where.run(
            [programs.program("ip"), "-j", "-s", "link", "show", interface]))
        found[name] = link[0]["stats64"][way]["dropped"]
    return found


def stolen_ms(core):
    """What the hypervisor has kept of a core."""
    with open("/proc/stat", encoding="ascii") as f:
        for line in f:
            name, *ticks = line.split()
            if name == f"cpu{core}":
                return int(ticks[7]) * 1000 // measure.TICK
    return 0


def loss(lab, rate, faults):
    """So many cells a second, for long; none may be lost anywhere."""
    at = Place("loss", lab.cores).start_relay("af_xdp", "--interfaces",
                                              "rl,rr")
    at.drop_at_right()
    lost = Samples()
    was, before, dropped_before = at.settled(), at.arrived(), dropped(at)
    waited = worker(at.forwarder.pid)[1]
    stolen = stolen_ms(at.cores[0])
    sent = at.cells(f"flow {rate} {LOSS_S}")
    now, arrived = at.settled(), at.arrived() - before
    drops = {k: n - dropped_before[k] for k, n in dropped(at).items()}
    waited = worker(at.forwarder.pid)[1] - waited
    stolen = stolen_ms(at.cores[0]) - stolen
    stopped(at)
    found = {k: now[k] - was[k] for k in was}
    for fault in faults:
        lost.fail(f"what it can carry is not known: {fault}")
    if sent["refused"] or sent["ns"] > 1.05e9 * LOSS_S:
        lost.fail("the pace was not kept")
    if arrived < found["forwarded"]:
        lost.fail(f"{found['forwarded'] - arrived} were sent and did not "
                  "arrive")
    lost.add(max(0, sent["sent"] - found["forwarded"]))
    emit(lab, "dp.loss_at_70pct", lost, "cells", seconds=LOSS_S,
         cells_s=rate, sent=sent["sent"], forwarded=found["forwarded"],
         counted=found["drops"], arrived=arrived,
         busy=digits(found["busy_ns"] / sent["ns"]),
         waited_ms=round(waited / 1e6),
         longest_turn_ms=digits(now["longest_ns"] / 1e6),
         waiting_most=now["rx_most"], stolen_ms=stolen,
         sender_held_ms=round(sent["held_ns"] / 1e6), burst=sent["burst"],
         dropped=drops)


# ---- sockets, and the kernel ----

def sink(where, interface, on=True):
    """Whatever comes in there is dropped as soon as it is received."""
    where.nft("table netdev sink {}; delete table netdev sink")
    if on:
        where.nft("""table netdev sink {
            chain in {
                type filter hook ingress device "%s" priority 0;
                drop
            }
        }""" % interface)


# what is measured: how the cells come, whereto, and whether a relay takes them
LOADS = {
    "relay": ("trains", "near", True),
    "single": ("packets", "near", True),
    "kernel": ("packets", "far", False),
}


def spent(at, word, relays):
    """(CPU ns a cell: the sender's with its softirqs and the worker's; the
    share of the worker's in which it had work).  While it has none, none of
    it is counted."""
    at.cells(f"make {SHOT}")
    was, ran = at.settled(), worker_ns(at.forwarder.pid)
    got = at.cells(word)
    ran = worker_ns(at.forwarder.pid) - ran
    now = at.settled()
    if got["sent"] != SHOT:
        raise tap.Failed(f"{SHOT - got['sent']} cells were not sent")
    if not relays:
        return got["cpu_ns"] / SHOT, None
    found = {k: now[k] - was[k] for k in was}
    if found["forwarded"] != SHOT:
        raise tap.Failed(f"{SHOT - found['forwarded']} cells were lost")
    return (got["cpu_ns"] + ran * share(found)) / SHOT, share(found)


def added(at, word, where, relays):
    """What forwarding adds to a cell that is dropped where it comes in, in
    CPU ns; and as spent() has it."""
    at.cells(where)
    sink(at.relay, "rl", False)
    at.cells(f"window {WINDOW}")
    cost, busy = spent(at, word, relays)
    sink(at.relay, "rl")
    at.cells("window 0")
    cost -= spent(at, word, False)[0]
    if cost <= 0:
        raise tap.Failed("it cost nothing: something else was measured")
    return cost, busy


@stage("dp.veth.udp.aes256gcm.1200")
def over_sockets(lab):
    """What forwarding adds to a cell, in CPU time.  All of it is one core's,
    in turns: the sender's, in softirqs as well, while the window is open, and
    then the worker's."""
    at = Place("udp", lab.cores[:1]).start_relay("udp")
    at.relay.routes_packets()
    if not at.cells(f"count {at.right.path}")["counting"]:
        raise tap.Skip("tcx: this kernel has none")
    rates = {name: Samples() for name in LOADS}
    busy = Samples()
    for _ in repeats(SOCKET_TURNS, 60):
        for name, load_of in LOADS.items():
            try:
                cost, work = added(at, *load_of)
            except tap.Failed as e:
                rates[name].fail(e)
                continue
            rates[name].add(1e9 / cost)
            if name == "relay":
                busy.add(work)
    stopped(at)
    if busy.good and busy.median < BUSY:
        rates["relay"].fail(f"the worker had work {busy.median:.0%} of its "
                            "time: waiting was measured")
    single, kernel = rates["single"].median, rates["kernel"].median
    emit(lab, "dp.veth.udp.aes256gcm.1200", rates["relay"], "cells/s",
         "the kernel's forwarding, packet by packet", rates["kernel"],
         size=SIZE, busy=digits(busy.median),
         counted="by CPU time over that of cells dropped on arrival",
         single_cells_s=digits(single),
         ratio_single=digits(single / kernel) if single and kernel else None,
         faults_single=rates["single"].faults or None)


if __name__ == "__main__":
    sys.exit(measure.main("cells", Lab))
