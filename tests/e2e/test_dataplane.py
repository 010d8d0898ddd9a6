#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 120
"""Real vx6-dataplane processes over loopback, programmed over their control
sockets by tests/e2e/harness/dataplane.py.

    left --link 1--> A --link 2--> B --link 3--> C --link 4--> right
"""
import os
import random
import signal
import struct
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import command, tap  # noqa: E402
from harness.dataplane import (DATA, HALF_ADD, LINK_ADD,  # noqa: E402
                               LOCAL, PROGRAM, RING, SLOT, SLOTS, SUBSCRIBE,
                               WAIT_S, Client, Keys, half, mapped, one,
                               path_of_three, seal_layer, udp_at)


@tap.test
def cells_go_through_three_processes():
    with path_of_three() as path:
        clients = [Client(p) for p in path.planes]
        assert len({c.instance for c in clients}) == 3
        path.program(clients)
        path.there_and_back(100)
        for c in clients:
            drops, n = c.stats()
            assert n["forwarded"] == 100 and n["backwarded"] == 100, n
            bad = {k: v for k, v in drops.items() if v and k != "NO_LINK"}
            assert not bad, bad
        assert [p.end() for p in path.planes] == [0, 0, 0]


@tap.test
def ipv6_and_the_default_address_work():
    with path_of_three("[::]") as path:
        clients = [Client(p) for p in path.planes]
        path.program(clients)
        path.there_and_back(20)
        assert clients[1].stats()[1]["forwarded"] == 20


@tap.test
def cells_flow_after_the_client_was_killed():
    with path_of_three() as path:
        r, w = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                keep = [Client(p) for p in path.planes]
                path.program(keep)
                os.write(w, b"1")
                signal.pause()
            finally:
                os._exit(1)
        os.close(w)
        try:
            assert os.read(r, 1) == b"1"
            path.there_and_back(20)
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            os.close(r)
        path.there_and_back(40)
        # the next one finds everything, notes and counters, and no key
        for i, p in enumerate(path.planes):
            c = Client(p)
            links, halves = c.dump()
            assert sorted(links) == [i + 2, i + 101], links
            assert sorted(halves) == [0x10 + i, 0x20 + i], halves
            for no, v in links.items():
                assert v[0] + v[1] + v[2] + v[3] == bytes(96)
                assert v[-1].startswith(b"link %d " % no)
            for no, v in halves.items():
                assert v[0] + v[1] == bytes(48)
                assert v[-1].startswith(b"half %d " % no)
                assert v[14] == 60, v
        path.there_and_back(20)


def up(c):
    """A client's links when all of them are up and measured."""
    links, _ = c.dump()
    good = all(v[13] == 1 and v[14] > 0 for v in links.values())
    return good and links


@tap.test
def links_between_processes_come_up():
    with path_of_three() as path:
        clients = [Client(p) for p in path.planes]
        path.program(clients)
        c = clients[1]
        c.ok(SUBSCRIBE)
        links = tap.wait(lambda: up(c), "links to be up")
        # where the neighbour sees us
        at = mapped(*path.planes[1].at)
        assert all((v[19], v[20]) == at for v in links.values()), links


@tap.test
def local_cells_use_the_ring_of_the_day():
    with path_of_three() as path:
        plane, link = path.planes[0], path.links[0]
        c = Client(plane)
        path.program([c])
        c.ok(HALF_ADD, half(LOCAL, 0x31, 101, 0, 0, None, 1000))

        def arrive(n):
            h8c = seal_layer(2, bytes(32), bytes(16), 1000 + n, DATA, b"x" * n)
            path.left.sendto(path.cell(link, link.hdr_right, 101, 0x31, h8c),
                             plane.at)
            return h8c

        want = arrive(1)
        got = c.take_up()
        assert got[:2] == (101, 0x31) and got[2][8:] == want
        c.close()
        between = arrive(2)  # for nobody, or for who comes next
        c = Client(plane)
        want = arrive(3)
        got = c.take_up()
        if got[2][8:] == between:
            got = c.take_up()
        assert got[2][8:] == want
        drops, n = c.stats()
        # the second went into rings of nobody, or was dropped and counted
        assert n["up"] + n["ring_full"] == 3, n
        assert n["ring_full"] == drops["NO_ROOM"], (n, drops)
        # and down, to the left
        h8c = seal_layer(2, bytes(32), bytes(16), 5, DATA, b"down" * 50)
        c.put_down(101, 0x1234, h8c, 1232)
        cell = path.recv(path.left, link.hdr_left, 1)
        assert len(cell) == 1232
        assert cell[4:8 + len(h8c)] == struct.pack(">I", 0x1234) + h8c
        # nonsense on the ring is refused and harms nothing
        for size in (0, 23, 1473, 65535):
            c.put_down(101, 1, b"")
            at = 4096 + (SLOTS + (c.word(RING) - 1) % SLOTS) * SLOT
            c.ring[at + 8:at + 10] = struct.pack("@H", size)
        c.put_word(RING, c.word(RING) + 5000)  # more than there can be
        assert plane.alive()
        c.stats()


@tap.test
def garbage_is_counted_and_changes_nothing():
    with path_of_three() as path:
        clients = [Client(p) for p in path.planes]
        path.program(clients)
        path.there_and_back(10)
        r = random.Random(4)
        before = clients[0].stats()
        s = udp_at(("127.0.0.1", 0))
        for i in range(3000):
            p = bytearray(r.randbytes(r.randrange(0, 1500)))
            if i % 3 and len(p) > 4:
                p[:4] = b"\x01\x00\x00\x65"
            # from a stranger, and from the left end itself
            (s if i % 2 else path.left).sendto(p, path.planes[0].at)
            if i % 100 == 99:  # so that no socket buffer overflows
                path.there_and_back(1)
        drops, n = clients[0].stats()
        new = {k: v - before[0][k] for k, v in drops.items()
               if v != before[0][k]}
        assert sum(new.values()) == 3000, new
        assert {"BAD_SIZE", "BAD_VERSION", "BAD_KIND"} <= set(new), new
        assert n["forwarded"] == 40, n
        s.close()


@tap.test
def starts_again_after_a_kill():
    with one() as plane:
        c = Client(plane)
        first = c.instance
        plane.end(signal.SIGKILL)
        assert os.path.exists(plane.path())  # it had no time to remove it
        plane.start(port=plane.at[1])
        assert c.sock.recv(10) == b""
        again = Client(plane)
        assert again.instance != first
        assert again.dump() == ({}, {})


@tap.test
def refusals_are_sentences():
    with one() as plane:
        for want, code, args in [
                ("is in use", 1, ["--run", plane.dir + "/x", "--listen",
                                  f"127.0.0.1:{plane.at[1]}"]),
                ("another vx6-dataplane", 1, ["--run", plane.dir,
                                              "--listen", "127.0.0.1:0"]),
                ("cannot make the directory", 1,
                 ["--run", plane.dir + "/y/z", "--listen", "127.0.0.1:0"]),
                ("there is no option", 2, ["--wings"]),
                ("whole number", 2, ["--halves", "many"])]:
            p = subprocess.run([PROGRAM, *args], capture_output=True,
                               timeout=WAIT_S, check=False)
            text = p.stderr.decode()
            assert p.returncode == code, (args, p.returncode, text)
            assert text.startswith("vx6-dataplane: ") and want in text, text
            assert text.count("\n") == 1, text
        if os.path.isdir(plane.dir + "/x"):
            os.rmdir(plane.dir + "/x")


@tap.test
def an_idle_plane_blocks():
    with one() as plane:
        c = Client(plane)
        tap.wait(lambda: all(c.stats()[1][k] for k in (
            "blocked_ns", "spin_ns", "busy_ns")), "all kinds of time",
                 hint=lambda: f"{c.stats()[1]}")
    with one("--idle", "spin") as plane:
        c = Client(plane)
        tap.wait(lambda: c.stats()[1]["spin_ns"], "it to spin")
        assert c.stats()[1]["blocked_ns"] == 0


@tap.test
def logs_name_no_peer():
    with one("--log", "json") as plane:
        c = Client(plane)
        c.ok(LINK_ADD, Keys(1).add(False, ("127.0.0.77", 7777)))
        c.close()
        plane.end()
        text = plane.text()
        assert '"event":"start"' in text and '"event":"stop"' in text, text
        assert "127.0.0.77" not in text and "7777" not in text, text


tap.main(command.have("vx6-dataplane"))
