#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 300
"""Restarts where AF_XDP carries the cells: client ==> r1 -> r2 -> r3 ==> owner.

What tests/e2e/test_restart.py shows over sockets holds over AF_XDP, too.
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "e2e"), HERE]
from harness import command, programs, tap
from harness.restart import killed_while_carrying, plane, relayed
from harness.transfer import Download, Watch
from netlab import Lab, lacking

SIZE = 48 << 20
R = ["r1", "r2", "r3"]


@tap.once
def lab():
    return Lab({"defaults": {"backend": "af_xdp"},
                "timers": {"silence_min_s": 2},
                "nodes": {"client": {}, "owner": {},
                          **{r: {"relay": True} for r in R}}}).up()


@tap.once
def page():
    with lab()["owner"].inside():
        nginx = programs.Nginx()
    digest = nginx.page("page", SIZE)
    lab()["owner"].service("web", nginx.target)
    return digest


def download(call):
    client = lab()["client"]
    with client.inside():
        return Download(call.listen, "page", os.path.join(client.dir, "got"))


@tap.test
def a_killed_vx6d_costs_no_cell():
    page()
    r2 = lab()["r2"]
    with lab()["client"].connect("owner.web", via=R, spare_via=[]) as c:
        watch = Watch(c)
        tap.equal(plane(r2)["backend"], "af_xdp", "what carries the cells")
        count = killed_while_carrying(r2, lambda: download(c), SIZE, page())
        tap.note(f"{count.carried} cells through r2, dropped: "
                 f"{count.dropped or 'none'}")
        tap.true(count.carried > SIZE / 1472, "they went through r2")
        tap.equal(count.dropped, {}, "cells lost")
        tap.equal(watch.of("moved") + watch.of("down"), [])
        tap.true(plane(r2)["rx_xsk"] > SIZE / 1472, "frames by AF_XDP")
    tap.wait(lambda: plane(r2)["halves"] == 0, "DESTROY to end the circuit")
    tap.equal(relayed(r2), [])


@tap.test
def a_killed_data_plane_is_programmed_anew():
    page()
    r2 = lab()["r2"]
    with lab()["client"].connect("owner.web", via=R, spare_via=[]) as c:
        watch = Watch(c)
        d = download(c)
        d.past(SIZE // 4)
        r2.kill("dataplane")
        tap.wait(lambda: watch.of("down"), "the client to be told")
        r2.start()
        r2.ready()
        d.done(page())
        tap.equal(plane(r2)["backend"], "af_xdp", "what carries the cells")
        tap.equal(plane(r2)["halves"], 2, "half-circuits of the fresh one")
    tap.wait(lambda: plane(r2)["halves"] == 0, "DESTROY to end the circuit")


tap.main(lacking() or command.have("vx6", "vx6d", "vx6-dataplane"))
