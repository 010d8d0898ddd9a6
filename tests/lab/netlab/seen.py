# SPDX-License-Identifier: GPL-2.0-or-later
"""What a node tells of its links, and of what it refused."""
from harness import tap

ALONE = {"circuits": {"spares": 0}}  # for a client with nothing to move to


def with_each(backends):
    """A test that is run with every back end of the relays."""
    def make(function):
        for backend in backends:
            def one(backend=backend):
                function(backend)
            one.__name__ = f"{function.__name__}_{backend}"
            tap.test(one)
        return function
    return make


def link(node, peer):
    """A node's link to another, None where it has none."""
    found = [x for x in node.api("link.list")["links"] if x["node"] == peer]
    return found[0] if found else None


def up(node, peer):
    at = link(node, peer)
    return at is not None and at["state"] == "up" and at["rtt_ms"] and at


def linked(node, peer):
    return tap.wait(lambda: up(node, peer), f"{node.name}'s link to {peer}")


def said(node, module, event, **values):
    """How often a node's vx6d has logged something."""
    words = [f" {module} {event}"] + [f"{k}={v}" for k, v in values.items()]
    with open(node.log, encoding="utf-8") as f:
        return sum(all(w in line for w in words) for line in f)


def classified(node):
    """Packets by the classifier's reasons; none without one."""
    found = node.api("stats")["dataplane"]["classifier"] or {}
    return {reason: x["packets"] for reason, x in found.items()}


def refusals(node):
    """By reason, what the data plane dropped and what its classifier did."""
    plane = node.api("stats")["dataplane"]
    found = dict(plane["drops"])
    for reason, x in (plane["classifier"] or {}).items():
        if x["verdict"] == "drop":
            found[reason] = found.get(reason, 0) + x["packets"]
    return found
