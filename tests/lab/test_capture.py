#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 300
"""What somebody sees who listens to every cable of every relay.

      client ==> r1 (af_xdp) ==> r2 (udp) ==> r3 (af_xdp) ==> owner

Of a transfer whose payload is known, random or the same over and over,
nothing can be read; what goes into a relay and what comes out of it have
nothing in common; no header repeats; and the cells of a circuit of constant
size have one.
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "e2e"), HERE]
from harness import command, place, programs, tap
from netlab import Lab, lacking
from netlab.seen import ALONE

RELAYS = ["r1", "r2", "r3"]
CELLS, RUN = (4242, 4243), 16
SIZE = 192 << 10
PROBES = {70, 1452, 1472}  # asks, and those that try what a path carries
PROBES_S = 4  # of a link's two ends, however long the transfer takes
WORDS = b"attack at dawn; retreat at dusk. "


@tap.once
def lab():
    nodes = {"client": {"config": ALONE}, "owner": {}}
    for name, backend in zip(RELAYS, ("af_xdp", "udp", "af_xdp")):
        nodes[name] = {"relay": True, "backend": backend}
    return Lab({"nodes": nodes}).up()


@tap.once
def nginx():
    with lab()["owner"].inside():
        made = programs.Nginx()
    lab()["owner"].service("web", made.target)
    with open(os.path.join(made.pages, "random"), "wb") as f:
        f.write(os.urandom(SIZE))
    with open(os.path.join(made.pages, "words"), "wb") as f:
        f.write((WORDS * (SIZE // len(WORDS) + 1))[:SIZE])
    return made


def runs(data):
    """Every run of 16 bytes in it, wherever it begins."""
    return {data[i:i + RUN] for i in range(len(data) - RUN + 1)}


class Heard:
    """The datagrams of one relay's cable."""

    def __init__(self, name, capture):
        self.name = name
        here = {lab()[name].address(f) for f in ("v6", "v4")}
        self.all = list(capture.datagrams())
        tap.equal(capture.lost, 0, "frames that tcpdump missed")
        # the first byte of a cell is 1, of a QUIC packet at least 64
        cells = [d for d in self.all if d.dport in CELLS and
                 d.sport in CELLS and d.payload[:1] == b"\x01"]
        self.seconds = self.all[-1].time - self.all[0].time
        self.into = [d.payload for d in cells if d.dst in here]
        self.out = [d.payload for d in cells if d.src in here]


def transfer(page, **more):
    """Downloads and uploads a page; what each relay's cable carried."""
    path = os.path.join(nginx().pages, page)
    client, got = lab()["client"], os.path.join(place.place(), page + ".got")
    captures = {}
    with client.connect("owner.web", via=RELAYS, **more) as call, \
            client.inside():
        for name in RELAYS:
            captures[name] = lab().capture(name)
        programs.curl("-o", got, f"http://{call.listen}/{page}")
        programs.curl("-T", path, f"http://{call.listen}/put/{page}")
        for c in captures.values():
            c.stop()
    for back in (got, os.path.join(nginx().pages, "put", page)):
        tap.equal(programs.file_digest(back), programs.file_digest(path))
        os.unlink(back)
    heard = [Heard(name, c) for name, c in captures.items()]
    for h in heard:
        tap.true(min(len(h.into), len(h.out)) > 2 * SIZE // 1472,
                 f"{h.name}: {len(h.into)} cells in, {len(h.out)} out")
    return heard


def examine(page, **more):
    heard = transfer(page, **more)
    with open(os.path.join(nginx().pages, page), "rb") as f:
        secret = runs(f.read())
    for h in heard:
        shown = [d for d in h.all if not secret.isdisjoint(runs(d.payload))]
        tap.equal(len(shown), 0, f"{h.name}: datagrams with the payload")
        into = set().union(*map(runs, h.into))
        common = sum(not into.isdisjoint(runs(cell)) for cell in h.out)
        tap.equal(common, 0, f"{h.name}: cells that were recognised")
        for cells in (h.into, h.out):
            heads = [cell[4:20] for cell in cells]
            tap.equal(len(set(heads)), len(heads), f"{h.name}: headers")
    return heard


@tap.test
def random_bytes():
    examine("random")


@tap.test
def the_same_words_over_and_over():
    examine("words")


def one_size(size):
    for h in examine("words", cell_size=size):
        for cells in (h.into, h.out):
            sizes = {len(cell) for cell in cells}
            tap.true(sizes <= PROBES | {size},
                     f"{h.name}: {sizes}, and none but probes' beside {size}")
            probes = sum(len(cell) != size for cell in cells)
            tap.true(probes < len(cells) // 20 + PROBES_S * h.seconds,
                     f"{h.name}: {probes} probes in {h.seconds:.1f} s")


@tap.test
def all_cells_have_1232_bytes():
    one_size(1232)


@tap.test
def all_cells_have_1452_bytes():
    one_size(1452)


tap.main(lacking() or command.have("vx6", "vx6d", "vx6-dataplane"))
