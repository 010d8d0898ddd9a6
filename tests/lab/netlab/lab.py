# SPDX-License-Identifier: GPL-2.0-or-later
"""A lab: nodes in namespaces of their own, joined by a switch that routes.

     r1               switch               NAT home           client
    [vx0]-----------[r1.0  home.0]---------[vx0  client.0]---[vx0]
                          ...                  masquerade

Every cable is a veth pair between two namespaces.  None has an end in the
namespace that this runs in, and nothing routes there.
"""
import os
import re
import signal

from harness import place, programs, tap
from harness.node import Net, Node

from . import ns, plan
from .capture import Capture

CONTROL, DATA = 4242, 4243
PORTS = 1000  # of one NAT's mappings until it is told to rebind
FIRST_PORT, PORT_RANGES = 20000, 40

DROPS = """
table inet cut {
    set silent { type ifname; }
    set pairs6 { type ipv6_addr . ipv6_addr; }
    set pairs4 { type ipv4_addr . ipv4_addr; }
    chain in {
        type filter hook prerouting priority raw;
        iifname @silent counter drop
        ip6 saddr . ip6 daddr @pairs6 counter drop
        ip saddr . ip daddr @pairs4 counter drop
    }
    chain out {
        type filter hook postrouting priority raw;
        oifname @silent counter drop
    }
}
"""

NAT = """
table inet nat {{}}
delete table inet nat
table inet nat {{
    chain post {{
        type nat hook postrouting priority srcnat;
        oifname vx0 meta l4proto {{ tcp, udp }} masquerade to :{first}-{last}
        oifname vx0 masquerade
    }}
    chain in {{
        type filter hook input priority filter;
        iifname vx0 meta l4proto {{ icmp, ipv6-icmp }} accept
        iifname vx0 ct state established,related accept
        iifname vx0 drop
    }}
    chain through {{
        type filter hook forward priority filter;
        iifname vx0 ct state != {{ established, related }} drop
    }}
}}
"""


class Host:
    """Something with a namespace and a cable: a node, a NAT."""

    mtu = 1500
    # a packet socket would see many datagrams as one, as no wire has them
    single = False

    def settle(self, lab, name, where, uplink):
        self.lab, self.name, self.where = lab, name, where
        self.unplugged = set()
        self.uplink = uplink  # the namespace at the other end
        self.ns = ns.Namespace(name)

    def cable(self, interface, mtu, queues):
        self.mtu = mtu
        mine, theirs = f"vx{interface}", f"{self.name}.{interface}"
        many = f"mtu {mtu} numtxqueues {queues} numrxqueues {queues}"
        self.ns.ip(f"link add {mine} {many} type veth peer name {theirs} "
                   f"{many} netns {self.uplink.path}")
        if "v6" not in self.where.families:
            self.ns.sysctl(f"net.ipv6.conf.{mine}.disable_ipv6", 1)
        self.uplink.ip(*[f"address add {a} dev {theirs}" for a in
                         self.where.addresses(interface, 1)],
                       f"link set {theirs} up")
        if self.single:
            self.uplink.ip(f"link set {theirs} gso_max_segs 1")
        self.ns.ip(*[f"address add {a} dev {mine}" for a in
                     self.where.addresses(interface)],
                   f"link set {mine} up", *self.routes(interface))

    def carries(self, interface):
        """Whether packets get over a cable."""
        return self.uplink.speaks(f"{self.name}.{interface}") and (
            "v6" not in self.where.families or
            self.ns.speaks(f"vx{interface}"))

    def routes(self, interface):
        """The first interface has the default route; what comes from the
        address of another leaves by that one."""
        lines = []
        for family in self.where.families:
            gate = self.where.address(family, interface, 1)
            way = f"default via {gate} dev vx{interface}"
            if interface == 0:
                lines.append(f"route add {way}")
                continue
            own = self.where.address(family, interface)
            lines += [f"route add {way} metric {4000 + interface}",
                      f"route add {way} table {100 + interface}"]
            # ip -batch takes every address in a rule for IPv4
            rule = [f"-{family[1]}", "rule", "add", "from", own, "lookup",
                    f"{100 + interface}"]
            if interface not in self.unplugged:  # rules outlive interfaces
                self.ns.run([programs.program("ip"), *rule])
        return lines

    def inside(self):
        return self.ns.inside()

    def program(self, command, check=True, **more):
        """Runs a program in here to its end; its output."""
        return self.ns.run([str(c) for c in command], check, **more)

    def address(self, family="v6", interface=0):
        return self.where.address(family, interface)


class Nat(Host):
    def __init__(self, lab, name):
        self.settle(lab, name, lab.plan.places[name], lab.switch)
        self.turn, self.hosts_part = 0, 2
        self.ns.routes_packets()
        self.cable(0, 9000, 1)
        self._map()

    def _map(self):
        first = FIRST_PORT + self.turn % PORT_RANGES * PORTS
        self.ns.nft(NAT.format(first=first, last=first + PORTS - 1))

    def forget(self):
        """Loses every mapping, as after a restart or a long silence."""
        self.ns.forget_connections()

    def rebind(self, address=False):
        """Gives every connection another port, and all another address if
        asked: whoever is behind has moved, and does not know it."""
        self.turn += 1
        if address:
            self._readdress()
        self._map()
        self.forget()

    def _readdress(self):
        old, self.hosts_part = self.hosts_part, 5 - self.hosts_part
        # or with an IPv4 network's first address the others would go
        self.ns.sysctl("net.ipv4.conf.all.promote_secondaries", 1)
        self.ns.ip(*[f"address {verb} {a} dev vx0"
                     for verb, part in (("add", self.hosts_part),
                                        ("del", old))
                     for a in self.where.addresses(0, part)])

    def address(self, family="v6", interface=0):
        return self.where.address(family, interface, self.hosts_part)


class Plain(Host):
    """A host without daemons of ours."""

    def __init__(self, lab, name, spec):
        self.spec = spec
        self.settle(lab, name, lab.plan.places[name],
                    lab.uplink(spec["behind"]))
        self.dir = place.new_dir(lab.tag + name)


class LabNode(Host, Node):
    def __init__(self, lab, name, spec):
        self.spec, self.paused = spec, set()
        self.single = spec["backend"] == "dpdk"
        self.settle(lab, name, lab.plan.places[name],
                    lab.uplink(spec["behind"]))
        Node.__init__(self, lab, name, relay=spec["relay"], host="::",
                      port=CONTROL, data_port=DATA, timers=lab.timers,
                      config=self.extra())

    def extra(self):
        """Nothing is advertised: a node finds its own addresses."""
        more = {k: dict(v) if isinstance(v, dict) else v
                for k, v in self.spec["config"].items()}
        more.setdefault("control", {}).setdefault("advertise", [])
        data = more.setdefault("data", {})
        if self.spec["backend"] != "udp" and (
                self.spec["relay"] or data.get("enabled")):
            data.setdefault("backend", self.spec["backend"])
        if data.get("backend") == "dpdk":
            data.setdefault("dpdk_ports", "net_af_packet0,iface=vx0")
        return more

    def inside(self):
        return Host.inside(self)

    def pause(self, *which):
        """Stops the scheduler from running them."""
        for name, p in self.processes(*which):
            p.send_signal(signal.SIGSTOP)
            self.paused.add(name)

    def resume(self, *which):
        for name, p in self.processes(*which):
            p.send_signal(signal.SIGCONT)
            self.paused.discard(name)

    def stop(self, *which):
        self.resume(*which)
        Node.stop(self, *which)

    def kill(self, *which):
        Node.kill(self, *which)
        self.paused -= set(which) or self.paused


class Lab(Net):
    """Made from a dict or a file; see README.md for its keys.

    progress(text) is called before each step that takes a moment."""

    def __init__(self, source, progress=None, tag=None):
        if why := ns.lacking():
            raise tap.Skip(why)
        self.plan = plan.read(source)
        super().__init__(timers=self.plan.timers, tag=tag)
        self.progress = progress or (lambda text: None)
        self.hosts, self.nats, self.captures = {}, {}, []
        self.severed = set()
        self.build()

    def build(self):
        self.progress("cables")
        self.switch = ns.Namespace("switch")
        self.switch.routes_packets()
        for name in self.plan.nats:
            self.hosts[name] = self.nats[name] = Nat(self, name)
        for name, spec in self.plan.nodes.items():
            kind = Plain if spec["plain"] else LabNode
            host = self.hosts[name] = kind(self, name, spec)
            if not spec["plain"]:
                self.nodes[name] = host
            for interface in range(2 if spec["second"] else 1):
                host.cable(interface, spec["mtu"], spec["queues"])
        for name in self.hosts:
            self.carried(name)

    def up(self):
        """Starts everything and waits until everybody knows everybody."""
        for node in self.nodes.values():
            self.progress(f"starting {node.name}")
            node.start()
        for node in self.nodes.values():
            self.progress(f"waiting for {node.name}")
            node.ready()
        self.progress("they get to know each other")
        return self.acquaint()

    def __getitem__(self, name):
        if name not in self.hosts:
            raise KeyError(f"the lab has no {name}; there are "
                           + ", ".join(self.hosts))
        return self.hosts[name]

    def uplink(self, behind):
        return self.nats[behind].ns if behind else self.switch

    @staticmethod
    def reach(a, b):
        behind = a.spec["behind"], b.spec["behind"]
        if behind[0] and behind[1] and behind[0] != behind[1]:
            return False
        return bool(set(a.where.families) & set(b.where.families))

    # ---- cables ----

    def cables(self, name):
        """A host, and the far ends of the cables that are plugged in."""
        host = self[name]
        two = getattr(host, "spec", {}).get("second")
        return host, {k: f"{name}.{k}" for k in range(2 if two else 1)
                      if k not in host.unplugged}

    def carried(self, name):
        host, ends = self.cables(name)
        tap.wait(lambda: all(map(host.carries, ends)),
                 f"the cable of {name}")

    def unplug(self, name, interface=0):
        """Takes a node's interface away, as when its driver is unloaded."""
        host, ends = self.cables(name)
        if interface not in ends:
            raise tap.Failed(f"{name} has no vx{interface} now")
        host.ns.ip(f"link del vx{interface}")
        host.unplugged.add(interface)

    def plug(self, name, interface=0):
        """Puts it back: a new one with the same name and addresses."""
        host = self[name]
        if interface not in host.unplugged:
            raise tap.Failed(f"{name}'s vx{interface} is not unplugged")
        host.cable(interface, host.spec["mtu"], host.spec["queues"])
        host.unplugged.discard(interface)
        self.carried(name)

    def cut(self, name, silent=False, interface=None):
        """Takes the carrier away, or loses every packet and says nothing."""
        host, ends = self.cables(name)
        self.severed.add(name)
        chosen = [e for k, e in ends.items() if interface in (None, k)]
        if silent:
            self._drops(host.uplink)
            host.uplink.nft(_silent("add", chosen))
        else:
            host.uplink.ip(*[f"link set {end} down" for end in chosen])

    def cut_between(self, a, b):
        """Loses every packet between two hosts."""
        self._drops(self.switch)
        self.switch.nft(self._pairs("add", a, b))

    def mend(self, name, other=None):
        """Makes good what cut did; nothing happens to what is whole."""
        if other:
            self._drops(self.switch)
            # what is not there cannot be deleted, but what was added can
            self.switch.nft(self._pairs("add", name, other))
            self.switch.nft(self._pairs("delete", name, other))
            return
        host, ends = self.cables(name)
        self.severed.discard(name)
        if host.uplink.drops:
            host.uplink.nft("\n".join(_silent(verb, ends.values())
                                      for verb in ("add", "delete")))
        # the kernel forgets IPv6 addresses and routes of a link that is
        # taken down, here the uplink's
        host.uplink.ip(*[f"link set {end} up" for end in ends.values()],
                       *[f"address replace {a} dev {end}"
                         for k, end in ends.items()
                         for a in host.where.addresses(k, 1)])
        self.carried(name)

    def _drops(self, where):
        """The rules are there only once something was cut silently: they
        cost every packet a little."""
        if not where.drops:
            where.nft(DROPS)
            where.drops = True

    def lost(self):
        """Packets that silent cuts took, in the switch and in NATs."""
        where = [self.switch] + [n.ns for n in self.nats.values()]
        return sum(int(n) for w in where if w.drops for n in re.findall(
            r"counter packets (\d+)",
            w.run([programs.program("nft"), "list", "table", "inet", "cut"])))

    def _pairs(self, verb, a, b):
        lines = []
        for f in ("v6", "v4"):
            x, y = self[a].address(f), self[b].address(f)
            if x and y:
                lines.append(f"{verb} element inet cut pairs{f[1]} "
                             f"{{ {x} . {y}, {y} . {x} }}")
        if not lines:
            raise tap.Failed(f"{a} and {b} have no address family in common")
        return "\n".join(lines)

    def capture(self, name, path=None, interface=0):
        """Everything on a host's cable, seen from its far end."""
        host = self[name]
        path = path or os.path.join(
            place.place(), f"{self.tag}{name}-{len(self.captures)}.pcap")
        capture = Capture(host, interface, path)
        self.captures.append(capture)
        return capture

    def stop(self):
        for capture in self.captures:
            capture.end()
        super().stop()
        for host in self.hosts.values():
            host.ns.close()
        if hasattr(self, "switch"):
            self.switch.close()


def _silent(verb, ends):
    return "\n".join(f'{verb} element inet cut silent {{ "{end}" }}'
                     for end in ends)
