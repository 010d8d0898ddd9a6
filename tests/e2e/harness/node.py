# SPDX-License-Identifier: GPL-2.0-or-later
"""Nodes as processes on loopback, each with its own directories and address.

    net = Net()
    r1 = net.relay("r1")
    owner = net.node("owner")
    net.start()                      # until every vx6d answers
    net.acquaint()                   # until everybody knows every relay
    owner.service("web", nginx.target)
    with client.connect("owner.web", via=["r1"]) as c:
        programs.curl(f"http://{c.listen}/page")

Ports are those that were free, so that several runs do not meet.  Nothing
waits for time: readiness is a condition asked of vx6d.
"""
import base64
import contextlib
import json
import os
import random
import signal
import socket

from . import command, place, programs, tap
from .ask import Api, Gone

BOTH = (socket.SOCK_DGRAM, socket.SOCK_STREAM)

# Seconds instead of minutes, so that a test sees every timer go by.
SHORT = {"session_idle_s": 3, "session_ping_s": 1, "session_unused_s": 3,
         "link_ask_s": 1, "channel_ping_s": 1, "circuit_unused_s": 5,
         "redial_min_s": 0.2, "redial_max_s": 2}


def lives(p):
    return p is not None and p.poll() is None


class NodeApi(Api):
    """Says what became of vx6d when it does not answer."""

    def __init__(self, node):
        super().__init__(node.sock)
        self.node = node

    def open(self, cmd, **args):
        try:
            return super().open(cmd, **args)
        except OSError as e:
            self.node.status()
            raise tap.Failed(f"{self.node.name}: {cmd}: {e}; "
                             f"{self.node.last_words()}")


class Node:
    def __init__(self, net, name, relay=False, data=None, host=None,
                 port=None, data_port=None, timers=None, config=None,
                 env=None):
        self.net, self.name, self.relay = net, name, relay
        self.host = host or net.new_host()
        self.dir = place.new_dir(net.tag + name)
        self.state = os.path.join(self.dir, "state")
        self.run = os.path.join(self.dir, "run")
        self.config_path = os.path.join(self.dir, "config.json")
        self.sock = os.path.join(self.run, "vx6d.sock")
        self.log = os.path.join(self.dir, "vx6d.log")
        self.plane_log = os.path.join(self.dir, "vx6-dataplane.log")
        self.port = port or programs.free_port(self.host, BOTH)
        self.data_port = data_port or programs.free_port(self.host, BOTH)
        self.env = dict(env or {})
        self.vx6d = self.plane = None
        self.api = NodeApi(self)
        self.config = self.default_config(
            relay if data is None else data, timers)
        for key, value in (config or {}).items():
            if isinstance(value, dict):
                self.config.setdefault(key, {}).update(value)
            else:
                self.config[key] = value
        self.write_config()
        self.id = None

    def at(self, port):
        return f"[{self.host}]:{port}" if ":" in self.host \
            else f"{self.host}:{port}"

    def default_config(self, data, timers):
        doc = {"node": {"name": self.name, "relay": self.relay},
               "control": {"listen": [self.at(self.port)],
                           "advertise": [self.at(self.port)]},
               "data": {"enabled": data},
               "dial": {"private": True},
               "timers": dict(timers or {}),
               "state": self.state, "run": self.run}
        if data:
            doc["data"]["listen"] = self.at(self.data_port)
        return doc

    def write_config(self):
        with open(self.config_path, "w", encoding="utf-8") as f:
            json.dump(self.config, f, indent=2)

    # ---- as a person at this node ----

    def inside(self):
        """The network that this node's processes are started in."""
        return contextlib.nullcontext()

    def vx6(self, *args, **more):
        with self.inside():
            return command.vx6("--config", self.config_path, *args, **more)

    def terminal(self, *args):
        with self.inside():
            return command.Terminal("--config", self.config_path, *args)

    def init(self):
        self.id = self.vx6("--json", "init").expect(0).json()["id"]

    # ---- processes ----

    def daemon(self, name):
        return [os.path.join(command.BIN, name), "--config",
                self.config_path, "--state", self.state, "--run", self.run]

    def start(self):
        """Starts what of this node does not run and does not wait for it."""
        if self.id is None:
            self.init()
        if self.config["data"]["enabled"] and not lives(self.plane):
            self.start_plane()
        if not lives(self.vx6d):
            self.start_vx6d()

    def start_vx6d(self):
        env = dict(os.environ, **self.env)
        env.pop("NOTIFY_SOCKET", None)
        with self.inside():
            self.vx6d = place.start(self.daemon("vx6d"), log=self.log,
                                    env=env)

    def start_plane(self):
        env = dict(os.environ, **self.env)
        env.pop("NOTIFY_SOCKET", None)
        with self.inside():
            self.plane = place.start(self.daemon("vx6-dataplane"),
                                     log=self.plane_log, env=env)

    def status(self):
        """vx6d's status, or None while it does not answer."""
        if self.vx6d and self.vx6d.poll() is not None:
            raise tap.Failed(f"{self.name}: vx6d ended with status "
                             f"{self.vx6d.returncode}: {self.last_words()}")
        try:
            return Api(self.sock)("status")
        except (OSError, Gone):
            return None

    def is_up(self):
        s = self.status()
        if s is None:
            return False
        return not self.config["data"]["enabled"] or \
            s["dataplane"]["state"] == "connected"

    def ready(self, seconds=20):
        tap.wait(self.is_up, f"{self.name} to answer", seconds,
                 self.last_words)

    def last_words(self):
        text = ""
        for path in (self.log, self.plane_log):
            if os.path.exists(path):
                with open(path, encoding="utf-8", errors="replace") as f:
                    text += "".join(f.readlines()[-8:])
        return f"the logs of {self.name} end with:\n{text}"

    def processes(self, *which):
        """(name, process) of those named, or of both, that were started."""
        both = (("vx6d", self.vx6d), ("dataplane", self.plane))
        return [(name, p) for name, p in both
                if p and (not which or name in which)]

    def _forget(self, name):
        if name == "vx6d":
            self.vx6d = None
        else:
            self.plane = None

    def stop(self, *which):
        """Ends vx6d, the dataplane, or both."""
        for name, p in self.processes(*which):
            place.end(p)
            self._forget(name)

    def kill(self, *which):
        """What a power cut does, to one of them or to both."""
        for name, p in self.processes(*which):
            place.kill(p)
            self._forget(name)

    # ---- among nodes ----

    def record(self):
        """The node's signed record, as bytes."""
        return base64.b64decode(
            self.api("identity.show", record=True)["record"])

    def learn(self, record):
        return self.api("peer.add",
                        record=base64.b64encode(record).decode())

    def peers(self):
        return {p["name"] or p["id"]: p
                for p in self.api("peer.list")["peers"]}

    def service(self, name, target, allow=None):
        args = {"allow": allow} if allow is not None else {"public": True}
        return self.api("service.add", name=name, target=target, proto="tcp",
                        **args)

    def connect(self, service, seconds=60, **args):
        """A forward that lives until close(); raises Refused."""
        args.setdefault("listen", "127.0.0.1:0")
        call = self.api.open("connect", service=service, **args)
        call.settimeout(seconds)
        try:
            call.ready = call.event("ready")
        except Exception:
            call.close()
            raise
        call.listen = call.ready["listen"]
        call.host, _, port = call.listen.rpartition(":")
        call.port = int(port)
        return call

    def cells(self):
        """Cells that this node's data plane forwarded either way."""
        plane = self.api("stats")["dataplane"]
        return plane["forwarded"] + plane["backwarded"] if plane else 0


class Net:
    """Nodes that know each other.  own_hosts: each has an address of its
    own, which is not the one that the kernel would choose to send from."""

    def __init__(self, timers=None, own_hosts=False, tag=None):
        self.nodes = {}
        self.own_hosts = own_hosts
        self.timers = timers
        self.tag = f"net{random.randrange(1 << 32):08x}-" if tag is None \
            else tag
        # not 127.0.0: other people's programs are there
        self.prefix = f"127.{random.randrange(16, 250)}." \
                      f"{random.randrange(1, 250)}"
        self.hosts = 0
        tap.after(self.stop)

    def new_host(self):
        self.hosts += 1
        return f"{self.prefix}.{self.hosts}" if self.own_hosts else \
            "127.0.0.1"

    def node(self, name, **more):
        more.setdefault("timers", self.timers)
        node = self.nodes[name] = Node(self, name, **more)
        return node

    def relay(self, name, **more):
        return self.node(name, relay=True, **more)

    def __getitem__(self, name):
        return self.nodes[name]

    def start(self, *names):
        chosen = [self.nodes[n] for n in names] or list(self.nodes.values())
        for node in chosen:
            node.start()
        for node in chosen:
            node.ready()
        return self

    def acquaint(self):
        """Gives everybody everybody's record and waits until each knows
        all relays and has a session with each."""
        nodes = list(self.nodes.values())
        records = {n.name: n.record() for n in nodes}
        for n in nodes:
            for name, record in records.items():
                if name != n.name:
                    n.learn(record)
        for n in nodes:
            tap.wait(lambda: self.knows(n), f"{n.name} to know the relays",
                     30, lambda: f"it knows {n.status()}\n{n.last_words()}")
        return self

    def knows(self, node):
        relays = [n for n in self.nodes.values() if n.relay and n is not node]
        peers = node.peers()
        return all(r.name in peers and (
            peers[r.name]["state"] == "connected" or not self.reach(node, r))
                   for r in relays) and \
            node.status()["relays_known"] >= len(relays)

    @staticmethod
    def reach(_a, _b):
        """Whether two nodes can have a session at all."""
        return True

    def stop(self):
        running = [n for n in self.nodes.values()]
        # all at once, then wait: goodbyes to the dead take time
        for n in running:
            for p in (n.vx6d, n.plane):
                if p and p.poll() is None:
                    p.send_signal(signal.SIGTERM)
        for n in running:
            n.stop()


def chain(relays=("r1", "r2", "r3"), timers=None, **more):
    """client, relays and owner, started and acquainted."""
    net = Net(timers)
    for name in ("client", "owner"):
        net.node(name, **more)
    for name in relays:
        net.relay(name)
    return net.start().acquaint()
