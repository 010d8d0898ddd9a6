#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 300
"""One node in several roles at once: relays that use and offer services,
and pass on other people's cells all the while."""
import os
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import command, programs, tap
from harness.node import chain

MIB = 1 << 20
net = tap.once(chain)
nginx = tap.once(programs.Nginx)


def fetch(node, service, page, **path):
    """Downloads a page and returns its digest."""
    got = os.path.join(nginx().dir, f"{node.name}-{page}")
    with node.connect(service, spare_via=[], **path) as c:
        tap.equal(c.ready["path"], path["via"])
        programs.curl("-o", got, f"http://{c.listen}/{page}")
    return programs.file_digest(got)


@tap.test
def a_relay_is_client_and_another_is_owner():
    digest = nginx().page("a", 16 * MIB)
    net()["r3"].service("web", nginx().target)
    tap.equal(fetch(net()["r1"], "r3.web", "a", via=["r2"]), digest)
    tap.true(net()["r2"].cells() >= 16 * MIB / 1472, "cells over r2")


@tap.test
def they_carry_others_meanwhile():
    """client -> r1 -> r2 -> r3 -> owner while r1 -> r2 -> r3's own service
    and owner -> r3 -> r2 -> r1's own: every relay in every role."""
    digest = nginx().page("b", 16 * MIB)
    net()["owner"].service("web", nginx().target)
    net()["r1"].service("web", nginx().target)
    found, trouble = {}, []

    def one(name, *args, **path):
        try:
            found[name] = fetch(*args, **path)
        except Exception as e:
            trouble.append(f"{name}: {e}")
    threads = [threading.Thread(target=one, args=a, kwargs=k) for a, k in (
        (("through", net()["client"], "owner.web", "b"),
         {"via": ["r1", "r2", "r3"]}),
        (("from r1", net()["r1"], "r3.web", "b"), {"via": ["r2"]}),
        (("to r1", net()["owner"], "r1.web", "b"), {"via": ["r3", "r2"]}))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    tap.equal(trouble, [])
    tap.equal(found, {"through": digest, "from r1": digest, "to r1": digest})


@tap.test
def two_of_one_services_users_meet_nothing_of_each_other():
    digest = nginx().page("c", 4 * MIB)
    for name, via in (("client", ["r1", "r2"]), ("r2", ["r1", "r3"])):
        tap.equal(fetch(net()[name], "owner.web", "c", via=via), digest)


tap.main(command.have("vx6", "vx6d", "vx6-dataplane"))
