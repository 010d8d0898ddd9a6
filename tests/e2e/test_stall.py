#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 120
"""A worker of a node is stopped while it has work: who is told, and where.

The thread is stopped by ptrace(2), which holds up nobody else.  It cannot say
where it is then; test_stall.c has one that can.
"""
import ctypes
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import command, tap
from harness import dataplane as dp
from harness.node import Net

SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17
WALL = 0x40000000


class Stopped:
    """A thread that does not run."""

    def __init__(self, tid):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.tid = tid
        self.call(SEIZE)
        self.call(INTERRUPT)
        os.waitpid(tid, WALL)

    def call(self, what):
        if self.libc.ptrace(what, self.tid, None, None) != 0:
            raise tap.Skip(f"ptrace: {os.strerror(ctypes.get_errno())}")

    def goes_on(self):
        if self.tid:
            self.call(DETACH)
        self.tid = None


def said(path, what):
    with open(path, encoding="utf-8") as f:
        return [line for line in f if what in line]


def stalls(node):
    s = node.status()
    return [w["stalls"] for w in s["dataplane"].get("placement", [])]


@tap.test
def a_stopped_worker_is_told_to_the_operator():
    if os.geteuid() != 0:
        raise tap.Skip("root: another's thread is stopped by root alone")
    net = Net()
    node = net.node("slow", data=True, config={"data": {"idle": "spin"}})
    net.start("slow")
    node.ready()
    # a machine with too much to do may have stalled it before
    text = node.vx6("status").expect(0).out
    if stalls(node) == [0]:
        tap.absent(text, "stalled")
    already = len(said(node.log, " plane stalled "))
    pid = node.plane.pid
    tids = [int(t) for t in os.listdir(f"/proc/{pid}/task") if int(t) != pid]
    tap.equal(len(tids), 1, "the worker's thread")
    worker = Stopped(tids[0])
    tap.after(worker.goes_on)
    line = tap.wait(lambda: said(node.log, " plane stalled ")[already:],
                    "vx6d to hear of it", hint=node.last_words)[0]
    tap.within(line, " error plane stalled worker=0 ms=")
    tap.within(line, " stack=")
    told = len(said(node.plane_log, " error worker stall "))
    tap.equal(told, already + 1, "how often the data plane said so")
    worker.goes_on()
    tap.wait(lambda: stalls(node)[0] >= told, "the count",
             hint=node.last_words)
    times = "1 time:" if told == 1 else f"{told} times:"
    tap.wait(lambda: f"worker 0 stalled {times}" in
             node.vx6("status").expect(0).out or stalls(node)[0] > told,
             "the operator to read of it")
    plane = node.vx6("--json", "stats").expect(0).json()["dataplane"]
    tap.true(plane["placement"][0]["stalls"] >= told, "and a program")


def read_all(client, asked):
    """Of the client's messages until it has every answer: (answers, events,
    by type)."""
    answers, events = 0, []
    while answers < asked or dp.STALL not in events:
        data = client.sock.recv(2048)
        _, kind, seq, _, _ = dp.HEAD.unpack(data[:16])
        if seq:
            tap.equal(kind, dp.DONE)
            answers += 1
        else:
            events.append(kind)
    return answers, events


@tap.test
def a_stall_waits_for_no_answer():
    """The client has asked for more than the socket takes, and reads none
    of it; then the worker is stopped."""
    if os.geteuid() != 0:
        raise tap.Skip("root: another's thread is stopped by root alone")
    plane = dp.Plane("stalls", "--idle", "spin")
    tap.after(plane.clean)
    client = dp.Client(plane)
    tap.after(client.close)
    client.sock.setblocking(False)
    asked = 0
    try:
        while True:  # until nobody reads what it says, either
            client.say(dp.SUBSCRIBE)
            asked += 1
    except BlockingIOError:
        pass
    client.sock.settimeout(dp.WAIT_S)
    pid = plane.proc.pid
    worker, = [int(t) for t in os.listdir(f"/proc/{pid}/task")
               if int(t) != pid]
    stopped = Stopped(worker)
    tap.after(stopped.goes_on)
    tap.wait(lambda: " error worker stall " in plane.text(),
             "the data plane to see it")
    answers, events = read_all(client, asked)
    tap.equal((answers, set(events)), (asked, {dp.STALL}))
    stopped.goes_on()


if __name__ == "__main__":
    tap.main(command.have("vx6", "vx6d", "vx6-dataplane"))
