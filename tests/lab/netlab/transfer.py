# SPDX-License-Identifier: GPL-2.0-or-later
"""A stream through relays of a lab, while something happens to it."""
from harness import tap
from harness.node import SHORT
from harness.transfer import Stream, Watch

from .lab import Lab

MIB = 1 << 20
SIZE = 24 * MIB
# Sessions are missed early; the rest has its defaults, links above all.
TIMERS = {k: SHORT[k] for k in ("session_idle_s", "session_ping_s",
                                "redial_min_s", "redial_max_s")}


def lab_of(backend, relays, timers=TIMERS, **others):
    """A lab that is up: relays, an owner, a client, and others."""
    nodes = {name: {"relay": True, "backend": backend} for name in relays}
    nodes.update({"owner": {}, "client": {}}, **others)
    return Lab({"nodes": nodes, "timers": timers}).up()


class Transfer:
    """From the owner to the client, at a steady pace, for as long as what
    happens to it takes; without via, directly."""

    def __init__(self, lab, via=None, spare_via=None, size=SIZE):
        self.lab, self.client, self.size = lab, lab["client"], size
        with lab["owner"].inside():
            self.stream = Stream(lab.tag)
        lab["owner"].service("web", self.stream.server.target)
        ways = {"via": via, "spare_via": spare_via}
        self.call = self.client.connect("owner.web", **{
            key: way for key, way in ways.items() if way})
        tap.after(self.call.close)
        self.watch = Watch(self.call)
        with self.client.inside():
            self.stream.start(self.call.listen)

    def past(self, part):
        self.stream.past(int(self.size * part))

    def more(self):
        """Some more arrives than there is now."""
        self.stream.past(self.stream.count + MIB)

    def done(self):
        """Ends it when all of size has come, and compares what came."""
        self.past(1)
        self.stream.done()

    def circuits(self):
        return self.client.api("circuit.list")["circuits"]
