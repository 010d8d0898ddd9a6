#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How many CREATEs one core of a relay takes: real processes on loopback.

    before ===> relay ===> behind        load_create at both ends

    benchmarks/create.py [part of a figure's name]
    benchmarks/create.py --list

CREATEs are made before they are sent.  The relay opens each, passes it on,
programs both half-circuits into its data plane and answers; what counts is
the CPU time of its two processes, on one core, and nobody else's.
"""
import os
import sys

import measure
from measure import TROUBLE, Samples, cpu_s, digits, emit, repeats, stage
from harness import load, tap

COUNT = 8000
TURNS = 5
WARM = 500
LIMITS = {"create_rate": 100_000, "create_burst": 100_000,
          "create_prefix_rate": 100_000, "create_prefix_burst": 100_000,
          "create_jobs": 1024, "create_session_jobs": 1024,
          "create_prefix_jobs": 1024}


class Lab:
    def __init__(self):
        if why := load.lacking():
            raise tap.Skip(why)
        self.pair = load.Creates(limits=LIMITS)
        self.relay = self.pair.relay
        self.host = measure.host(self.relay)
        self.pids = [p.pid for _, p in self.relay.processes()]
        cores = sorted(os.sched_getaffinity(0))
        pin(self.pids, cores[:1])
        pin([n.vx6d.pid for n in (self.pair.before, self.pair.behind)],
            cores[1:] or cores)

    def close(self):
        self.pair.stop()


def pin(pids, cores):
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            os.sched_setaffinity(int(task), cores)


def batch(lab, count):
    """(relay's CPU seconds by process, seconds, what became of them)."""
    lab.pair.say(f"make {count}")
    was = [cpu_s(pid) for pid in lab.pids]
    got = lab.pair.go()
    now = [cpu_s(pid) for pid in lab.pids]
    tap.equal((got["ok"], got["failed"], got["lost"]), (count, {}, 0),
              "what became of the CREATEs")
    halves = lab.relay.api("stats")["dataplane"]["halves"]
    tap.equal(halves, 2 * count, "half-circuits in the data plane")
    lab.pair.end()
    tap.wait(lambda: lab.relay.api("stats")["dataplane"]["halves"] == 0,
             "the half-circuits to be gone", 60)
    return [b - a for a, b in zip(was, now)], got["ns"] / 1e9


@stage("dp.create.per_core")
def creates(lab):
    per_s, plane, busy = Samples(), Samples(), Samples()
    batch(lab, WARM)
    for _ in repeats(TURNS, 60):
        try:
            cpu, took = batch(lab, COUNT)
        except TROUBLE as e:
            per_s.fail(e)
            continue
        per_s.add(COUNT / sum(cpu))
        busy.add(sum(cpu) / took)
        plane.add(cpu[1] / sum(cpu))
    emit(lab, "dp.create.per_core", per_s, "1/s", counted="relay's CPU time",
         dataplane_share=digits(plane.median), busy=digits(busy.median),
         creates=COUNT)


if __name__ == "__main__":
    sys.exit(measure.main("create", Lab))
