#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 300
"""Relays on DPDK: client ==> r1 (dpdk) ==> r2 (udp) ==> r3 (dpdk) ==> owner.

DPDK has copies of an interface's packets (net_af_packet), or those that are
cells, by an XDP program (net_af_xdp); the kernel goes on answering for
addresses and sessions.
"""
import itertools
import json
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "e2e"), HERE]
from harness import command, place, programs, tap
from harness.ask import Refused
from netlab import Lab, lacking

SIZE = 48 << 20
CELL = 1472
BIN = os.environ["VX6_BIN"]
NUMBER = itertools.count()
OBJECT = os.path.join(os.environ["VX6_BUILD"], "lib/vx6/vx6-port-dpdk.so")


def plane(node):
    return node.api("stats")["dataplane"]


class Chain:
    """client, r1 (dpdk), r2 (udp), r3 (dpdk), owner with a page."""

    def __init__(self, families, device):
        dpdk = {"relay": True, "backend": "dpdk",
                "config": {"data": {"dpdk_ports": device}}}
        self.lab = Lab({"defaults": {"families": families}, "nodes": {
            "client": {}, "owner": {},
            "r1": dpdk, "r2": {"relay": True}, "r3": dpdk}}).up()
        with self.lab["owner"].inside():
            self.nginx = programs.Nginx(f"nginx{next(NUMBER)}")
        self.digest = self.nginx.page("page", SIZE)
        self.lab["owner"].service("web", self.nginx.target)

    def call(self):
        """None while a relay that has just started has no links yet."""
        try:
            return self.lab["client"].connect(
                "owner.web", via=["r1", "r2", "r3"], spare_via=[])
        except Refused as e:
            if e.code != "unreachable":
                raise
            return None

    def fetch(self):
        """Every cell that r1 and r3 forward goes by their devices."""
        lab, got = self.lab, os.path.join(self.nginx.dir, "got")
        before = {r: plane(lab[r]) for r in ("r1", "r3")}
        with tap.wait(self.call, "a circuit") as c, lab["client"].inside():
            programs.curl("-o", got, f"http://{c.listen}/page")
        tap.equal(programs.file_digest(got), self.digest)
        for r, was in before.items():
            by_device(r, was, plane(lab[r]))


def by_device(name, was, now):
    tap.equal((now["backend"], now["asked"]), ("dpdk", "dpdk"))
    tap.equal([i["name"] for i in now["interfaces"]], ["vx0"])
    more = {k: now[k] - was[k] for k in
            ("rx_xsk", "tx_xsk", "rx_socket", "tx_socket")}
    tap.note(f"{name}: {more}, drops {now['drops']}")
    tap.true(min(more["rx_xsk"], more["tx_xsk"]) >= SIZE / CELL, more)
    tap.true(100 * max(more["rx_socket"], more["tx_socket"]) < SIZE / CELL,
             f"{more}: the socket has no copies")


@tap.test
def af_packet_by_ipv6():
    Chain("v6", "net_af_packet0,iface=vx0").fetch()


@tap.test
def af_packet_by_ipv4():
    Chain("v4", "net_af_packet0,iface=vx0").fetch()


@tap.test
def af_xdp_by_ipv6():
    Chain("v6", "net_af_xdp0,iface=vx0").fetch()


@tap.test
def af_xdp_by_ipv4_and_nothing_is_left():
    """The XDP program ends with the data plane, however that ends, so that
    the next one finds the interface free."""
    chain = Chain("v4", "net_af_xdp0,iface=vx0")
    r1 = chain.lab["r1"]

    def program():
        said = r1.ns.run([programs.program("ip"), "link", "show", "vx0"])
        at = re.search(r"prog/xdp id (\d+)", said)
        return at and at.group(1)
    tap.true(program(), "there is a program")
    for end in (r1.kill, r1.stop):
        end("dataplane")
        tap.wait(lambda: program() is None, "the program to go")
        r1.start()
        r1.ready()
        tap.wait(lambda: plane(r1)["backend"] == "dpdk", "the new one")
    chain.fetch()


def goes_away(device):
    """Neither daemon ends with it: a restart finds the interface again."""
    chain = Chain("v6", device)
    r1 = chain.lab["r1"]
    chain.fetch()
    chain.lab.unplug("r1")
    tap.wait(lambda: plane(r1)["links"] == 0, "its links to go", seconds=60)
    tap.equal([p.poll() for _, p in r1.processes()], [None, None])
    r1.stop("dataplane")
    chain.lab.plug("r1")
    r1.start()
    r1.ready()
    chain.fetch()


@tap.test
def af_packet_without_its_interface():
    goes_away("net_af_packet0,iface=vx0")


@tap.test
def af_xdp_without_its_interface():
    goes_away("net_af_xdp0,iface=vx0")


# ---- what cannot work says so ----

def new_dir():
    return place.new_dir(f"dpdk{next(NUMBER)}")


def try_plane(data, binary=None):
    """Starts a data plane that must not start; its exit code and words."""
    where = new_dir()
    doc = os.path.join(where, "config.json")
    with open(doc, "w", encoding="utf-8") as f:
        json.dump({"data": dict({"enabled": True, "backend": "dpdk",
                                 "listen": "[::]:0"}, **data)}, f)
    p = subprocess.run(
        [binary or os.path.join(BIN, "vx6-dataplane"), "--config", doc,
         "--run", where], capture_output=True, text=True, timeout=60,
        check=False)
    tap.equal(p.stdout, "")
    return p.returncode, p.stderr


def installed(change):
    """A program with an object beside it, which change(path) has made."""
    root = new_dir()
    os.makedirs(os.path.join(root, "bin"))
    os.makedirs(os.path.join(root, "lib/vx6"))
    binary = shutil.copy(os.path.join(BIN, "vx6-dataplane"),
                         os.path.join(root, "bin/vx6-dataplane"))
    change(os.path.join(root, "lib/vx6/vx6-port-dpdk.so"))
    return binary


def refused(code, words, data=None, binary=None):
    got, said = try_plane(data or {"dpdk_ports": "net_ring0"}, binary)
    tap.equal(got, code, said)
    tap.within(said, words)


@tap.test
def no_object():
    refused(1, "install the package vx6-dpdk", binary=installed(lambda p: 0))


@tap.test
def an_object_that_others_write():
    def loose(path):
        shutil.copy(OBJECT, path)
        os.chmod(path, 0o666)
    refused(1, "written by nobody else", binary=installed(loose))


@tap.test
def an_object_of_another_version():
    def other(path):
        with open(OBJECT, "rb") as f:
            body = f.read()
        # version, then the sizes of port and of a frame, 64
        at = [i for i in range(0, len(body) - 20, 4)
              if body[i:i + 4] == b"\1\0\0\0" and
              body[i + 8:i + 12] == b"\x40\0\0\0" and
              0 < int.from_bytes(body[i + 4:i + 8], "little") < 4096 and
              body[i + 12:i + 16] != b"\0\0\0\0"]
        tap.equal(len(at), 1, "places that look like the table")
        with open(path, "wb") as f:
            f.write(body[:at[0]] + b"\2" + body[at[0] + 1:])
        os.chmod(path, 0o755)
    refused(1, "of another version of VX6", binary=installed(other))


@tap.test
def an_object_that_is_none():
    def text(path):
        with open(path, "w", encoding="utf-8") as f:
            f.write("no object\n")
        os.chmod(path, 0o755)
    refused(1, "cannot be loaded", binary=installed(text))


@tap.test
def arguments_that_eal_refuses():
    refused(1, "data.dpdk_eal", {"dpdk_ports": "net_ring0",
                                 "dpdk_eal": ["--no-such-thing"]})
    refused(1, "no argument for a daemon",
            {"dpdk_ports": "net_ring0", "dpdk_eal": ["--help"]})
    refused(2, "data.dpdk_eal", {"dpdk_ports": "net_ring0",
                                 "dpdk_eal": "with space"})


@tap.test
def devices_that_are_not_there():
    refused(1, "data.dpdk_ports: net_af_packet0",
            {"dpdk_ports": "net_af_packet0,iface=nowhere"})
    refused(1, "data.dpdk_ports: net_nothing0", {"dpdk_ports": "net_nothing0"})
    refused(1, "data.dpdk_ports", {"dpdk_ports": "0000:99:00.0"})
    refused(2, "at least one device", {"dpdk_ports": []})


@tap.test
def the_programs_do_without():
    for name in ("vx6", "vx6d", "vx6-dataplane"):
        needs = subprocess.run(["readelf", "-d", os.path.join(BIN, name)],
                               capture_output=True, text=True, check=True)
        tap.within(needs.stdout, "NEEDED")
        tap.true("librte" not in needs.stdout, needs.stdout)
    needs = subprocess.run(["readelf", "-d", OBJECT], capture_output=True,
                           text=True, check=True)
    tap.within(needs.stdout, "librte_eal")


if not os.path.exists(OBJECT):
    tap.main("dpdk: libdpdk-dev is not installed, so the object was not made")
tap.main(lacking() or command.have("vx6", "vx6d", "vx6-dataplane"))
