#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 240
"""Every suite that this CPU has carries a whole circuit, when it is asked for.

      aes ====\\
      chacha ==> r1 ---> r2 ---> r3 ===> owner
      aegis ===/

Each client says another circuits.suite; all relays and the owner offer what
their CPU can do.  Every hop must then speak what was asked for, and what
comes through must be what was sent.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import programs, tap
from harness.node import Net

RELAYS = ["r1", "r2", "r3"]
SUITES = ["aes256gcm", "chacha20", "aegis128l"]
SIZE = 8 << 20


def cpu_has_aes():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
        return any(line.startswith("flags") and " aes " in line + " "
                   for line in f)


@tap.once
def net():
    made = Net()
    for name in SUITES + ["auto"]:
        made.node(name, config={"circuits": {"suite": name, "spares": 0}})
    made.node("owner")
    for name in RELAYS:
        made.relay(name)
    return made.start().acquaint()


@tap.once
def nginx():
    server = programs.Nginx()
    server.digest = server.page("page", SIZE)
    net()["owner"].service("web", server.target)
    return server


def suites(node, role):
    return [c["suite"] for c in node.api("circuit.list")["circuits"]
            if c["role"] == role and c["state"] == "open"]


def empty(node):
    status = node.status()
    return status is not None and status["circuits"] == 0


def speaks(client, want):
    with net()[client].connect("owner.web", via=RELAYS) as c:
        got = os.path.join(nginx().dir, client)
        programs.curl("-o", got, f"http://{c.listen}/page")
        tap.equal(programs.file_digest(got), nginx().digest)
        os.unlink(got)
        tap.equal(suites(net()[client], "origin"), [want])
        for r in RELAYS:
            tap.equal(suites(net()[r], "relay"), [want], r)
        tap.equal(suites(net()["owner"], "end"), [want], "owner")
    for r in RELAYS + ["owner"]:
        tap.wait(lambda: empty(net()[r]),
                 f"{r} to have no circuit", 30)


@tap.test
def chacha20_where_it_is_asked_for():
    nginx()
    speaks("chacha20", "chacha20")


@tap.test
def aes256gcm_and_auto_are_the_same_here():
    nginx()
    want = "aes256gcm" if cpu_has_aes() else "chacha20"
    speaks("aes256gcm", want)
    speaks("auto", want)


@tap.test
def aegis128l_where_the_cpu_has_aes():
    nginx()
    speaks("aegis128l", "aegis128l" if cpu_has_aes() else "chacha20")


tap.main()
