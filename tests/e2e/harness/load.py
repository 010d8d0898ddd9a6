# SPDX-License-Identifier: GPL-2.0-or-later
"""A relay between two nodes that make CREATEs and answer them
(benchmarks/load_create.c says what they can).

    pair = Creates()                  # before -- relay -- behind
    pair.batch("make 1000")           # {"ok": 1000, "failed": {}, ..}
    more = pair.sender("more")        # one more before the relay
    pair.batch("make 10", more)
"""
import json
import os
import subprocess

from . import command, place, tap
from .node import Net, Node, lives

PROGRAM = os.path.join(os.environ.get("VX6_BUILD", "build"), "bench",
                       "load_create")
FAILS = {4: "BAD_SLOT", 5: "REPLAYED", 7: "RATE", 8: "NO_ROOM"}


class LoadNode(Node):
    """Its vx6d is load_create, with these words."""

    words, more = (), {}

    def start_vx6d(self):
        with self.inside():
            self.vx6d = place.start(
                [PROGRAM, "--config", self.config_path, *self.words],
                log=self.log, **self.more)


class Creates:
    def __init__(self, limits=None, data=None, net=None, by=None):
        """by: an Udp that stands before the relay's control port."""
        self.net = net or Net()
        self.relay = self.net.relay("relay", config={
            "limits": dict(limits or {}), "data": dict(data or {}),
            "control": {"advertise": [by.at]} if by else {}})
        if by:
            by.to = (self.relay.host, self.relay.port)
        self.net.start("relay")
        self.behind = self.begin("behind", ["--next"])
        self.before = self.sender("before")

    def sender(self, name, host=None):
        return self.begin(name, ["--relay", self.relay.id, "--behind",
                                 self.behind.id], host,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True)

    def begin(self, name, words, host=None, **more):
        """Starts a load_create and waits for its link to the relay."""
        node = LoadNode(self.net, name, host=host, timers=self.net.timers)
        self.net.nodes[name] = node
        node.words, node.more = words, more
        node.init()
        node.start()
        node.ready()
        node.learn(self.relay.record())
        tap.wait(self.linked, "links to the relay", 30,
                 self.relay.last_words)
        return node

    def linked(self):
        nodes = self.net.nodes.values()
        links = [x for n in nodes for x in n.api("link.list")["links"]]
        return len(links) == 2 * (len(nodes) - 1) and \
            all(x["state"] == "up" and x["rtt_ms"] for x in links)

    def say(self, line, sender=None):
        """What load_create answers to a line."""
        p = (sender or self.before).vx6d
        tap.true(lives(p), "load_create runs")
        p.stdin.write(line + "\n")
        p.stdin.flush()
        answer = json.loads(p.stdout.readline())
        tap.true("error" not in answer, answer.get("error"))
        return answer

    def batch(self, line, sender=None):
        self.say(line, sender)
        return self.go(sender)

    def go(self, sender=None):
        got = self.say("go", sender)
        got["failed"] = {FAILS.get(int(k), k): n
                         for k, n in got["failed"].items()}
        return got

    def counts(self):
        return self.relay.api("stats")["vx6d"]

    def end(self):
        """Destroys what stands, and waits until the relay has."""
        self.say("end")
        tap.wait(lambda: self.counts()["circuit_ids"] == 0,
                 "the circuits to end", 60)

    def stop(self):
        self.net.stop()


def lacking():
    return command.have("vx6", "vx6d", "vx6-dataplane") or (
        None if os.access(PROGRAM, os.X_OK) else f"there is no {PROGRAM}")
