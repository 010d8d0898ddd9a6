# SPDX-License-Identifier: GPL-2.0-or-later
"""A download through relays of a lab, while something happens to it."""
import os

from harness import programs, tap
from harness.node import SHORT
from harness.transfer import Download, Watch

from .lab import Lab

MIB = 1 << 20
SIZE = 24 * MIB
RATE = "6M"
# Sessions are missed early; the rest has its defaults, links above all.
TIMERS = {k: SHORT[k] for k in ("session_idle_s", "session_ping_s",
                                "redial_min_s", "redial_max_s")}


def lab_of(backend, relays, timers=TIMERS, **others):
    """A lab that is up: relays, an owner, a client, and others."""
    nodes = {name: {"relay": True, "backend": backend} for name in relays}
    nodes.update({"owner": {}, "client": {}}, **others)
    return Lab({"nodes": nodes, "timers": timers}).up()


class Transfer:
    """From the owner's nginx to the client's curl; without via, directly."""

    def __init__(self, lab, via=None, spare_via=None, size=SIZE, rate=RATE):
        self.lab, self.client = lab, lab["client"]
        with lab["owner"].inside():
            nginx = programs.Nginx(f"nginx-{lab.tag}")
        self.digest, self.size = nginx.page("page", size), size
        lab["owner"].service("web", nginx.target)
        ways = {"via": via, "spare_via": spare_via}
        self.call = self.client.connect("owner.web", **{
            key: way for key, way in ways.items() if way})
        tap.after(self.call.close)
        self.watch = Watch(self.call)
        with self.client.inside():
            self.download = Download(
                self.call.listen, "page",
                os.path.join(self.client.dir, "got"), rate=rate)

    def past(self, part):
        self.download.past(int(self.size * part))

    def more(self):
        """Some more arrives than there is now."""
        self.download.past(self.download.so_far() + MIB)

    def done(self):
        self.download.done(self.digest)

    def circuits(self):
        return self.client.api("circuit.list")["circuits"]
