# SPDX-License-Identifier: GPL-2.0-or-later
"""What a lab's file says, checked, with an address for everything.

Errors are for people: which key of which node, what it is and what it
should be.
"""
import ipaddress
import json
import random
import re

FAMILIES = {"both": ("v6", "v4"), "v6": ("v6",), "v4": ("v4",)}
MOST = 200  # nodes and NATs together; the number is a byte of an address
BACKENDS = ("udp", "af_xdp", "dpdk")

# key: (default, what may stand there, in words)
KEYS = {
    "relay": (False, lambda v: isinstance(v, bool), "true or false"),
    "plain": (False, lambda v: isinstance(v, bool), "true or false"),
    "backend": ("udp", lambda v: v in BACKENDS, " or ".join(BACKENDS)),
    "families": ("both", lambda v: v in FAMILIES, " or ".join(FAMILIES)),
    "behind": (None, lambda v: v is None or is_name(v),
               "the name of a NAT: a-z, 0-9 and -"),
    "mtu": (1500, lambda v: is_int(v, 1280, 9000), "from 1280 to 9000"),
    "queues": (1, lambda v: is_int(v, 1, 64), "from 1 to 64"),
    "second": (False, lambda v: isinstance(v, bool), "true or false"),
    "config": ({}, lambda v: isinstance(v, dict), "an object"),
}
TOP = ("nodes", "defaults", "timers")


class Wrong(Exception):
    """The file does not describe a lab."""


def is_int(v, least, most):
    return isinstance(v, int) and not isinstance(v, bool) and \
        least <= v <= most


def is_name(v):
    return isinstance(v, str) and \
        re.fullmatch(r"[a-z0-9][a-z0-9-]{0,11}", v) is not None


def _check(where, spec, allowed):
    if not isinstance(spec, dict):
        raise Wrong(f"{where} is {json.dumps(spec)}; it should be an object")
    for key, value in spec.items():
        if key not in allowed:
            raise Wrong(f"{where} has a key {key!r}; there are "
                        + ", ".join(allowed))
        if key in KEYS and not KEYS[key][1](value):
            raise Wrong(f"{where}.{key} is {json.dumps(value)}; it should be "
                        + KEYS[key][2])


class Place:
    """Where something stands: its number and addresses.  Interface k has
    the k-th network of the node's own /32 and /16; the other end is ::1."""

    def __init__(self, block, number, families):
        self.number = number
        self.families = families
        self.block = ipaddress.ip_network((block, 24)).network_address
        self.net6 = ipaddress.ip_network((int(self.block) | number << 96, 32))
        self.net4 = ipaddress.ip_network(f"10.{number}.0.0/16")

    def address(self, family, interface=0, host=2):
        if family not in self.families:
            return None
        if family == "v6":
            return str(self.net6[(interface << 64) + host])
        return str(self.net4[(interface << 8) + host])

    def addresses(self, interface=0, host=2):
        """With the length of their prefix, for ip(8)."""
        return [f"{self.address(f, interface, host)}"
                f"/{64 if f == 'v6' else 24}" for f in self.families]


class Plan:
    """nodes: name -> its keys, all there; nats: names; places: of both."""

    def __init__(self, doc):
        _check("the file", doc, TOP)
        defaults = doc.get("defaults", {})
        _check("defaults", defaults, KEYS)
        if not isinstance(doc.get("nodes"), dict) or not doc["nodes"]:
            raise Wrong("nodes is missing; it should be an object with a key "
                        'for each node, as in {"nodes": {"r1": {"relay": '
                        "true}}}")
        self.timers = doc.get("timers", {})
        _check("timers", self.timers, self.timers)
        # fd, then 8 random bits: a ULA (RFC 4193) of this lab
        block = (0xfd << 120) | random.getrandbits(8) << 112 | \
            random.getrandbits(8) << 104
        self.nodes, self.places = {}, {}
        for name, spec in doc["nodes"].items():
            self._node(name, spec, defaults, block)
        self.nats = []
        for name, spec in self.nodes.items():
            if spec["behind"] and spec["behind"] not in self.nats:
                self._nat(spec["behind"], block)

    def _number(self):
        if len(self.places) == MOST:
            raise Wrong(f"there are more than {MOST} nodes and NATs")
        return len(self.places) + 1

    def _node(self, name, spec, defaults, block):
        if not is_name(name):
            raise Wrong(f"nodes has a key {name!r}; a name is 1 to 12 of "
                        "a-z, 0-9 and -")
        _check(f"nodes.{name}", spec, KEYS)
        full = {key: spec.get(key, defaults.get(key, known[0]))
                for key, known in KEYS.items()}
        if full["plain"] and full["relay"]:
            raise Wrong(f"nodes.{name} is plain and a relay; a plain node "
                        "has no daemons")
        self.nodes[name] = full
        self.places[name] = Place(block, self._number(),
                                  FAMILIES[full["families"]])

    def _nat(self, name, block):
        if name in self.nodes:
            raise Wrong(f"{name} is a node, and something is behind it; NATs "
                        "have names of their own")
        self.nats.append(name)
        self.places[name] = Place(block, self._number(), FAMILIES["both"])


def read(source):
    """A plan from a dict or from a file's path."""
    if isinstance(source, dict):
        return Plan(source)
    try:
        with open(source, encoding="utf-8") as f:
            return Plan(json.load(f))
    except ValueError as e:
        raise Wrong(f"{source} is no JSON: {e}")
    except OSError as e:
        raise Wrong(f"{source}: {e.strerror}")
    except Wrong as e:
        raise Wrong(f"{source}: {e}")
