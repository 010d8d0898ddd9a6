# SPDX-License-Identifier: GPL-2.0-or-later
"""What a relay loses while one of its planes is killed and started again."""
import os
import signal

from . import place, tap


def relayed(node):
    """The circuits that go through a relay, as its vx6d lists them."""
    return [c for c in node.api("circuit.list")["circuits"]
            if c["role"] == "relay" and c["state"] == "open"]


def plane(node):
    return node.api("stats")["dataplane"]


class Carried:
    """Counts the cells of a relay's data plane from here on, over its vx6d's
    restarts: `carried` went through, `dropped` by reason did not.  Every cell
    taken in is one or the other, or was a probe or vx6d's own."""

    def __init__(self, node):
        self.node, self.before = node, plane(node)

    def look(self):
        now = plane(self.node)
        self.carried = sum(now[k] - self.before[k]
                           for k in ("forwarded", "backwarded"))
        self.dropped = {k: v - self.before["drops"].get(k, 0)
                        for k, v in now["drops"].items()}
        self.dropped = {k: v for k, v in self.dropped.items() if v}
        return self

    @property
    def lost(self):
        return sum(self.dropped.values())


def hand_over(node):
    """Ends vx6d in the way that leaves its relayed circuits to the next."""
    p, node.vx6d = node.vx6d, None
    tap.equal(place.end(p, signal.SIGUSR1), 0, "vx6d's exit status")


def vx6d_killed(node, meanwhile, end=lambda node: node.kill("vx6d")):
    """Kills a relay's vx6d, calls meanwhile(), starts another, and waits
    until that one has taken up what there was.  Returns how many circuits."""
    before = len(relayed(node))
    end(node)
    meanwhile()
    node.start()
    node.ready()
    tap.equal(len(relayed(node)), before, "circuits that were taken up")
    return before


def killed_while_carrying(relay, transfer, size, digest, **more):
    """A transfer of size bytes through one circuit over relay, begun by
    transfer(), outlives relay's vx6d, which is away for a quarter of it.
    Returns what the relay's data plane counted (`lost`, `carried`)."""
    count = Carried(relay)
    d = transfer()
    d.past(size // 4)
    vx6d_killed(relay, lambda: d.past(size // 2), **more)
    d.done(digest)
    return count.look()


def fds(process):
    return len(os.listdir(f"/proc/{process.pid}/fd"))


def rss_kib(process):
    """What a process has in memory; None where ASan keeps what was freed."""
    with open(f"/proc/{process.pid}/maps", encoding="ascii") as f:
        if "libasan" in f.read():
            return None
    with open(f"/proc/{process.pid}/status", encoding="ascii") as f:
        for line in f:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return None
