# SPDX-License-Identifier: GPL-2.0-or-later
"""Network namespaces without a name, held by a descriptor of this process.

    ns = Namespace("r1")
    ns.ip("link set lo up")
    with ns.inside():                # this thread, and what it starts
        subprocess.run(["ping", ..])
    ns.path                          # for others: nsenter --net=PATH ..

Nothing stands for such a namespace in the file system: when its descriptor
and its last process are gone, however they went, it is gone with all its
interfaces.  Only the network is entered, so mounts stay as they are, bpffs
and cgroups among them.  (/sys/class/net goes on to show the interfaces of
the namespace that mounted it; /proc/sys/net is the entered one's.)
"""
import contextlib
import os
import shutil
import socket
import struct
import subprocess

from harness import programs, tap

NEEDS = ("ip", "nft", "tcpdump")
NETFILTER = 12  # socket.NETLINK_NETFILTER, which Python does not name
CT_DELETE = 1 << 8 | 2  # NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE


def here():
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


@contextlib.contextmanager
def back():
    """Whatever namespace this thread enters, it leaves it again."""
    home = here()
    try:
        yield
    finally:
        os.setns(home, os.CLONE_NEWNET)
        os.close(home)


def lacking():
    """Why there can be no namespaces here, as a reason to skip, or None."""
    if os.geteuid() != 0:
        return "netns: making one needs root"
    for name in NEEDS:
        if not shutil.which(name, path=os.pathsep.join(programs.PATHS)):
            return f"netns: there is no program {name}"
    try:
        with back():
            os.unshare(os.CLONE_NEWNET)
    except OSError as e:
        return f"netns: this kernel gives none ({e.strerror})"
    return None


class Namespace:
    def __init__(self, name):
        self.name, self.fd = name, -1
        self.drops = False  # whether there are rules to cut cables
        with back():
            os.unshare(os.CLONE_NEWNET)
            self.fd = here()
        # before there is an interface that could inherit them
        self.sysctl("net.ipv6.conf.default.accept_dad", 0)
        self.sysctl("net.ipv6.conf.default.accept_ra", 0)
        for which in ("all", "default"):
            self.sysctl(f"net.ipv4.conf.{which}.rp_filter", 0)
        self.ip("link set lo up")

    @property
    def path(self):
        return f"/proc/{os.getpid()}/fd/{self.fd}"

    @contextlib.contextmanager
    def inside(self):
        with back():
            os.setns(self.fd, os.CLONE_NEWNET)
            yield

    def run(self, command, check=True, **more):
        """Runs a program in here to its end."""
        if "input" not in more:
            more.setdefault("stdin", subprocess.DEVNULL)
        with self.inside():
            p = subprocess.run(command, capture_output=True, text=True,
                               **more)
        if check and p.returncode != 0:
            raise tap.Failed(f"{self.name}: {' '.join(command)}: "
                             f"{p.stderr.strip() or p.returncode}"
                             f"\n{more.get('input', '')}".rstrip())
        return p.stdout

    def ip(self, *lines):
        """Commands of ip(8), one process for all of them."""
        self.run([programs.program("ip"), "-batch", "-"],
                 input="\n".join(lines) + "\n")

    def nft(self, text):
        self.run([programs.program("nft"), "-f", "-"], input=text + "\n")

    def sysctl(self, key, value):
        with self.inside():
            with open("/proc/sys/" + key.replace(".", "/"), "w",
                      encoding="ascii") as f:
                f.write(str(value))

    def speaks(self, interface):
        """Whether IPv6 has begun on an interface.  The kernel lets it begin
        a little after the carrier is there, and loses packets until then."""
        with self.inside(), \
                open("/proc/thread-self/net/if_inet6", encoding="ascii") as f:
            return any(line.startswith("fe80") and
                       line.split()[5] == interface for line in f)

    def routes_packets(self):
        self.sysctl("net.ipv4.ip_forward", 1)
        self.sysctl("net.ipv6.conf.all.forwarding", 1)

    def forget_connections(self):
        """Empties the table of connections, as `conntrack -F` does."""
        ask = struct.pack("=IHHIIBBH", 20, CT_DELETE, 1 | 4, 1, 0, 0, 0, 0)
        with self.inside(), \
                socket.socket(socket.AF_NETLINK, socket.SOCK_RAW,
                              NETFILTER) as s:
            s.bind((0, 0))
            s.send(ask)
            error = -struct.unpack_from("=i", s.recv(4096), 16)[0]
        if error:
            raise tap.Failed(f"{self.name}: the table of connections: "
                             f"{os.strerror(error)}")

    def close(self):
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1
