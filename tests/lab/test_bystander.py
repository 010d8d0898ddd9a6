#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 300
"""Others on a relay's interface notice nothing of it.

      guest --- ssh, curl --->  [vx0] sshd, nginx, tcpdump
                                  |   vx6-dataplane with af_xdp, which
      client ======== cells ======+   starts, carries, is killed, stops

Everybody is the unmodified program.  No request fails, the ssh session
counts on without a gap, and tcpdump goes on seeing both.
"""
import collections
import os
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "e2e"), HERE]
from harness import command, place, programs, tap
from netlab import Lab, lacking
from netlab.seen import ALONE, linked

SIZE = 4 << 20
COUNTING = "i=0; while echo $i; do i=$((i+1)); sleep .01; done"


class Curls(threading.Thread):
    """A new connection for each request, one after the other."""

    def __init__(self, guest, url, digest):
        super().__init__(daemon=True)
        self.guest, self.url, self.digest = guest, url, digest
        self.good, self.bad, self.over = 0, [], threading.Event()
        self.start()

    def run(self):
        got = os.path.join(self.guest.dir, "page")
        with self.guest.inside():
            while not self.over.is_set():
                try:
                    programs.curl("-m", "20", "-o", got, self.url)
                    tap.equal(programs.file_digest(got), self.digest)
                    self.good += 1
                except (tap.Failed, OSError) as e:
                    self.bad.append(str(e))

    def end(self):
        self.over.set()
        self.join(30)


class Count:
    """An ssh session whose far end counts."""

    def __init__(self, guest, sshd):
        self.path = os.path.join(guest.dir, "count")
        key = os.path.join(sshd.dir, "client_key")
        with guest.inside(), open(self.path, "wb") as out:
            self.p = place.start(
                [programs.program("ssh"), "-p", str(sshd.port), "-F", "none",
                 "-i", key, "-o", "StrictHostKeyChecking=no", "-o",
                 "BatchMode=yes", "-o", "UserKnownHostsFile=/dev/null",
                 "-o", "LogLevel=ERROR", sshd.host, COUNTING],
                stdout=out, stderr=subprocess.DEVNULL)
        tap.after(place.end, self.p)

    def lines(self):
        with open(self.path, encoding="ascii") as f:
            return f.read().split("\n")[:-1]

    def reached(self):
        return len(self.lines())


class Dump:
    """tcpdump beside the daemons, on the very interface."""

    def __init__(self, host):
        self.path = os.path.join(host.dir, "seen.pcap")
        log = self.path + ".log"
        with host.inside():
            self.p = place.start(
                [programs.program("tcpdump"), "-i", "vx0", "-n", "-U",
                 "--immediate-mode", "-s", "64", "-Z", "root", "-w",
                 self.path, "tcp"], log=log)
        tap.after(place.end, self.p)

        def listens():
            with open(log, encoding="utf-8") as f:
                return "listening on" in f.read()
        tap.wait(listens, "tcpdump")

    def ports(self):
        """Frames by the port at this host that they went to or came from."""
        found = collections.Counter()
        with open(self.path, "rb") as f:
            f.seek(24)
            while len(head := f.read(16)) == 16:
                frame = f.read(int.from_bytes(head[8:12], "little"))
                at = 14 + (frame[14] & 15) * 4  # IPv4
                for i in (at, at + 2):
                    found[int.from_bytes(frame[i:i + 2], "big")] += 1
        return found


@tap.test
def nobody_notices():
    lab = Lab({"nodes": {
        "client": {"config": ALONE}, "owner": {}, "guest": {"plain": True},
        "r1": {"relay": True, "backend": "af_xdp"}}})
    r1, guest = lab["r1"], lab["guest"]
    with r1.inside():
        nginx = programs.Nginx("nginx-r1", host=r1.address("v4"))
        sshd = programs.Sshd("sshd-r1", host=r1.address("v4"))
    with lab["owner"].inside():
        web = programs.Nginx("nginx-owner")
    page = nginx.page("page", 100_000)
    dump = Dump(r1)
    curls = Curls(guest, f"http://{nginx.target}/page", page)
    tap.after(curls.end)
    count = Count(guest, sshd)

    def all_go_on(when):
        """Each gets further than it was, by more than is under way."""
        good, reached, seen = curls.good, count.reached(), dump.ports()
        tap.wait(lambda: curls.good > good + 3 or curls.bad,
                 f"requests {when}")
        tap.wait(lambda: count.reached() > reached + 20 or
                 count.p.poll() is not None, f"the session {when}")
        tap.equal((curls.bad, count.p.poll(), dump.p.poll()),
                  ([], None, None), when)
        for port in (nginx.port, sshd.port):
            tap.wait(lambda: dump.ports()[port] > seen[port],
                     f"tcpdump to see {port} {when}")

    def carries(when):
        with lab["client"].connect("owner.web", via=["r1"]) as call, \
                lab["client"].inside():
            got = os.path.join(lab["client"].dir, "got")
            programs.curl("-o", got, f"http://{call.listen}/page")
            tap.equal(programs.file_digest(got), digest, when)
        plane = r1.api("stats")["dataplane"]
        tap.equal(plane["backend"], "af_xdp", plane["why"])
        tap.true(plane["rx_xsk"] > 0, "cells by AF_XDP")
    all_go_on("before there is a relay")
    lab.up()
    digest = web.page("page", SIZE)
    lab["owner"].service("web", web.target)
    all_go_on("when it has started")
    linked(lab["client"], "r1")
    carries("first")
    all_go_on("when it has carried")
    r1.kill("dataplane")
    all_go_on("when it was killed")
    r1.start()
    r1.ready()
    all_go_on("when it is there again")
    tap.wait(lambda: lab.knows(lab["client"]), "its sessions")
    carries("again")
    r1.kill("dataplane")
    r1.stop()
    all_go_on("when nothing of it runs")
    r1.start()
    r1.ready()
    r1.stop()
    all_go_on("when it was stopped")
    curls.end()
    place.end(count.p)
    lines = count.lines()
    tap.equal(lines, [str(i) for i in range(len(lines))], "what it counted")
    tap.note(f"{curls.good} requests, {len(lines)} numbers, "
             f"{sum(dump.ports().values()) // 2} frames in tcpdump")


tap.main(lacking() or command.have("vx6", "vx6d", "vx6-dataplane"))
