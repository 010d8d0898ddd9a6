#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 120
"""Real vx6-dataplane processes over loopback, programmed over their control
sockets by this second implementation of the messages, the ring and (from
tests/vectors) the cells.

    left --link 1--> A --link 2--> B --link 3--> C --link 4--> right
"""
import contextlib
import mmap
import os
import random
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import traceback

TOP = os.environ.get("VX6_TOP") or os.path.dirname(os.path.dirname(
    os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("VX6_BIN", os.path.join(TOP, "build", "bin"))
PROGRAM = os.path.join(BIN, "vx6-dataplane")
sys.path.insert(0, os.path.join(TOP, "tests", "vectors"))
from make_vectors import (Cipher, algorithms, modes,  # noqa: E402
                          open_layer, protect, seal_layer)
from harness import place, tap  # noqa: E402

WAIT_S = 60 * float(os.environ.get("VX6_TIMEOUT_FACTOR", "1"))
VERSION = 5
DATA, CONTROL, DROP, PROBE = 1, 2, 3, 4
FORWARD, BACKWARD, LOCAL = 1, 2, 3
(HELLO, LINK_ADD, LINK_CHANGE, LINK_REMOVE, HALF_ADD, HALF_REMOVE, SPLICE,
 UNSPLICE, INJECT, DUMP, SUBSCRIBE, STATS) = range(1, 13)
(WELCOME, DONE, LINK_IS, HALF_IS, DUMP_END, STATS_ARE, BUDGET_IS,
 WORKER_IS) = range(64, 72)
LINK = struct.Struct("@16s16s32s32s16sHHQQIIHBBQQQQQ16sHHBBH96s")
HALF = struct.Struct("@32s16sQQQIIIIHHBB2sQQQ96s")
HEAD = struct.Struct("@HHIII")
STATUS = re.findall(r"^\tX\((\w+),", open(os.path.join(
    TOP, "dataplane/base/status.h"), encoding="ascii").read(), re.M)
STATS_NAMES = ("rx_cells rx_bytes tx_cells tx_bytes forwarded backwarded up "
               "down injected busy_ns spin_ns blocked_ns ring_full").split()
WORKER_IS = 71
SLOTS, SLOT, RING = 1024, 2048, 192


def mapped(host, port, *_):
    if ":" in host:
        return socket.inet_pton(socket.AF_INET6, host), port
    return bytes(10) + b"\xff\xff" + socket.inet_aton(host), port


def unprotect(key, cell):
    d = Cipher(algorithms.AES(key), modes.ECB()).decryptor()
    return cell[:4] + d.update(cell[4:20]) + d.finalize() + cell[20:]


class Keys:
    """One link's keys as its left end has them; seeded, so both agree."""

    def __init__(self, no):
        r = random.Random(f"link {no}")
        self.no = no
        self.hdr_right, self.hdr_left = r.randbytes(16), r.randbytes(16)
        self.probe_right, self.probe_left = r.randbytes(32), r.randbytes(32)

    def add(self, at_left, peer, u=1472):
        """The body of LINK_ADD; the left end's index is no, the right
        end's no + 100."""
        k = (self.hdr_right, self.hdr_left, self.probe_right, self.probe_left)
        if not at_left:
            k = (k[1], k[0], k[3], k[2])
        mine, theirs = self.no, self.no + 100
        if not at_left:
            mine, theirs = theirs, mine
        note = (b"link %d " % mine).ljust(96, b".")
        return LINK.pack(*k, *mapped(*peer), 0, 200_000_000, 200_000_000,
                         mine, theirs, u, 0, 0, 0, 0, 0, 0, 0, bytes(16),
                         0, 0, 0, 0, 0, note)


class HalfKeys:
    def __init__(self, name, suite):
        r = random.Random(f"half {name}")
        self.key, self.iv = r.randbytes(32), r.randbytes(16)
        self.start = r.getrandbits(46)
        self.suite = suite
        self.n = 0

    def seal(self, kind, plain):
        self.n += 1
        return seal_layer(self.suite, self.key, self.iv,
                          self.start + self.n - 1, kind, plain)

    def open(self, h8c):
        return open_layer(self.suite, self.key, self.iv, h8c)


class Plane:
    """One vx6-dataplane process."""

    def __init__(self, name, *more, port=0, listen="127.0.0.1"):
        self.dir = tempfile.mkdtemp(prefix=f"{name}-", dir=place.place())
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(os.path.join(self.dir, "notify"))
        self.notify.settimeout(WAIT_S)
        self.log = open(os.path.join(self.dir, "log"), "w+b")
        self.proc = None
        self.listen = listen
        self.start(port, more)

    def start(self, port=0, more=()):
        env = dict(os.environ, NOTIFY_SOCKET=os.path.join(self.dir, "notify"))
        self.proc = place.start(
            [PROGRAM, "--run", self.dir, "--listen", f"{self.listen}:{port}",
             "--halves", "1024", "--links", "256", *more],
            stderr=self.log, env=env)
        assert self.notify.recv(100) == b"READY=1"
        text = self.text()
        port = re.findall(r"listen\W{1,3}[0-9.:\[\]]+:(\d+)", text)[-1]
        host = "::1" if self.listen == "[::]" else self.listen
        self.at = (host, int(port))

    def text(self):
        self.log.seek(0)
        return self.log.read().decode()

    def path(self):
        return os.path.join(self.dir, "dataplane.sock")

    def alive(self):
        return self.proc.poll() is None

    def end(self, sig=signal.SIGTERM):
        if self.proc.poll() is None:
            self.proc.send_signal(sig)
        return self.proc.wait(WAIT_S)

    def clean(self):
        self.end(signal.SIGKILL)
        self.log.close()
        self.notify.close()
        for f in os.listdir(self.dir):
            os.unlink(os.path.join(self.dir, f))
        os.rmdir(self.dir)


class Client:
    """The other side of a control socket."""

    def __init__(self, plane):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(WAIT_S)
        self.sock.connect(plane.path())
        self.seq = 0
        self.events = []
        self.say(HELLO)
        data, fds, _, _ = socket.recv_fds(self.sock, 1152, 3)
        assert HEAD.unpack(data[:16])[1] == WELCOME and len(fds) == 3
        self.fds = fds
        self.ring = mmap.mmap(fds[0], 0)
        self.instance = data[16:32]
        self.suites = data[16 + 52]

    def say(self, kind, body=b""):
        self.seq += 1
        self.sock.send(HEAD.pack(VERSION, kind, self.seq, 0, 0)
                       + body.ljust(1136, b"\0"))

    def hear(self):
        """The next answer to the last command: type, status, body."""
        while True:
            data = self.sock.recv(2048)
            assert len(data) == 1152, len(data)
            version, kind, seq, status, zero = HEAD.unpack(data[:16])
            assert version == VERSION and zero == 0
            if seq == self.seq:
                return kind, status, data[16:]
            assert seq == 0
            self.events.append((kind, data[16:]))

    def call(self, kind, body=b""):
        self.say(kind, body)
        kind, status, _ = self.hear()
        assert kind == DONE
        return STATUS[status]

    def ok(self, kind, body=b""):
        st = self.call(kind, body)
        assert st == "OK", st

    def stats(self):
        self.say(STATS)
        kind, _, body = self.hear()
        while kind == WORKER_IS:
            kind, _, body = self.hear()
        assert kind == STATS_ARE
        n = len(STATUS)
        v = struct.unpack(f"@{n + len(STATS_NAMES)}Q",
                          body[:8 * (n + len(STATS_NAMES))])
        return (dict(zip(STATUS, v[:n])), dict(zip(STATS_NAMES, v[n:])))

    def dump(self):
        self.say(DUMP)
        links, halves = {}, {}
        while True:
            kind, _, body = self.hear()
            if kind == DUMP_END:
                return links, halves
            if kind == LINK_IS:
                v = LINK.unpack(body[:LINK.size])
                links[v[9]] = v
            else:
                assert kind == HALF_IS
                v = HALF.unpack(body[:HALF.size])
                halves[v[5]] = v

    def take_up(self):
        """The next cell on the way up; waits by the ring's rules."""
        while True:
            head = self.word(0)
            tail = self.word(64)
            if head != tail:
                break
            self.put_word(128, 1)
            if self.word(0) == tail:
                r, _, _ = select.select([self.fds[1]], [], [], WAIT_S)
                assert r, "no cell came up"
                os.read(self.fds[1], 8)
            self.put_word(128, 0)
        at = 4096 + (tail % SLOTS) * SLOT
        link, circ, size = struct.unpack("@IIH", self.ring[at:at + 10])
        cell = self.ring[at + 64:at + 64 + size]
        self.put_word(64, tail + 1)
        return link, circ, cell

    def put_down(self, link, circ, h8c, cell_size=0):
        head = self.word(RING)
        at = 4096 + (SLOTS + head % SLOTS) * SLOT
        self.ring[at:at + 16] = struct.pack("@IIHHI", link, circ, len(h8c),
                                            cell_size, 0)
        self.ring[at + 64:at + 64 + len(h8c)] = h8c
        self.put_word(RING, head + 1)
        if self.word(RING + 128):
            self.put_word(RING + 128, 0)
            os.write(self.fds[2], struct.pack("@Q", 1))

    def word(self, at):
        return struct.unpack("@I", self.ring[at:at + 4])[0]

    def put_word(self, at, v):
        self.ring[at:at + 4] = struct.pack("@I", v & 0xffffffff)

    def close(self):
        self.ring.close()
        for f in self.fds:
            os.close(f)
        self.sock.close()


def half(kind, no, in_link, out_link, out_id, keys, rx, tx=0):
    none = kind == LOCAL
    return HALF.pack(bytes(32) if none else keys.key,
                     bytes(16) if none else keys.iv, rx, tx, 0, no, in_link,
                     out_link, out_id, 0, 0, kind, 0 if none else keys.suite,
                     bytes(2), 0, 0, 0, (b"half %d " % no).ljust(96, b"."))


class Path:
    """Three planes, and both ends of one circuit through them."""

    def __init__(self, listen):
        self.planes = [Plane(n, listen=listen) for n in "abc"]
        host = self.planes[0].at[0]
        self.left, self.right = self.udp(host), self.udp(host)
        self.links = [Keys(i) for i in range(1, 5)]
        self.f = [HalfKeys(f"f{i}", 1 + i % 2) for i in range(4)]
        self.b = [HalfKeys(f"b{i}", 1 + i % 2) for i in range(4)]

    @staticmethod
    def udp(host="127.0.0.1"):
        s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET,
                          socket.SOCK_DGRAM)
        s.bind((host, 0))
        s.settimeout(WAIT_S)
        return s

    def program(self, clients):
        where = [self.left.getsockname()] + [p.at for p in self.planes] \
            + [self.right.getsockname()]
        for i, c in enumerate(clients):
            c.ok(LINK_ADD, self.links[i].add(False, where[i]))
            c.ok(LINK_ADD, self.links[i + 1].add(True, where[i + 2]))
            back_in = self.b[i + 1].start
            c.ok(HALF_ADD, half(FORWARD, 0x10 + i, i + 101, i + 2, 0x11 + i,
                                self.f[i], self.f[i].start))
            c.ok(HALF_ADD, half(BACKWARD, 0x20 + i, i + 2, i + 101, 0x1f + i,
                                self.b[i], back_in, self.b[i].start))

    def cell(self, keys, key, index, circ, h8c):
        return protect(key, bytes([1]) + struct.pack(">I", index)[1:]
                       + struct.pack(">I", circ) + h8c)

    def send_right(self, text):
        for k in reversed(self.f):
            text = k.seal(DATA, text)
        l = self.links[0]
        self.left.sendto(self.cell(l, l.hdr_right, 101, 0x10, text),
                         self.planes[0].at)

    def send_left(self, text):
        l = self.links[3]
        self.right.sendto(self.cell(l, l.hdr_left, 4, 0x22,
                                    self.b[3].seal(DATA, text)),
                          self.planes[2].at)

    def recv(self, sock, key, index):
        """The next cell that is no probe, unprotected."""
        while True:
            cell = unprotect(key, sock.recv(2048))
            assert cell[0] == 1 and cell[1:4] == struct.pack(">I", index)[1:]
            if cell[4:8] != bytes(4):
                return cell

    def recv_right(self):
        cell = self.recv(self.right, self.links[3].hdr_right, 104)
        assert cell[4:8] == struct.pack(">I", 0x13)
        return self.f[3].open(cell[8:])

    def recv_left(self):
        cell = self.recv(self.left, self.links[0].hdr_left, 1)
        assert cell[4:8] == struct.pack(">I", 0x1f)
        text = cell[8:]
        for k in self.b:
            text = k.open(text)
        return text

    def there_and_back(self, n):
        for i in range(n):
            text = os.urandom(i * 37 % 1200)
            self.send_right(text)
            assert self.recv_right() == text
            self.send_left(text)
            assert self.recv_left() == text

    def clean(self):
        for p in self.planes:
            p.clean()
        self.left.close()
        self.right.close()


@contextlib.contextmanager
def path_of_three(listen="127.0.0.1"):
    path = Path(listen)
    try:
        yield path
    finally:
        path.clean()


@contextlib.contextmanager
def one(*more):
    plane = Plane("one", *more)
    try:
        yield plane
    finally:
        plane.clean()


# ---- tests -----------------------------------------------------------------


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


def ipv6_and_the_default_address_work():
    with path_of_three("[::]") as path:
        clients = [Client(p) for p in path.planes]
        path.program(clients)
        path.there_and_back(20)
        assert clients[1].stats()[1]["forwarded"] == 20


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


def garbage_is_counted_and_changes_nothing():
    with path_of_three() as path:
        clients = [Client(p) for p in path.planes]
        path.program(clients)
        path.there_and_back(10)
        r = random.Random(4)
        before = clients[0].stats()
        s = path.udp()
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


def logs_name_no_peer():
    with one("--log", "json") as plane:
        c = Client(plane)
        c.ok(LINK_ADD, Keys(1).add(False, ("127.0.0.77", 7777)))
        c.close()
        plane.end()
        text = plane.text()
        assert '"event":"start"' in text and '"event":"stop"' in text, text
        assert "127.0.0.77" not in text and "7777" not in text, text


TESTS = [cells_go_through_three_processes,
         ipv6_and_the_default_address_work,
         cells_flow_after_the_client_was_killed,
         links_between_processes_come_up,
         local_cells_use_the_ring_of_the_day,
         garbage_is_counted_and_changes_nothing,
         starts_again_after_a_kill,
         refusals_are_sentences,
         an_idle_plane_blocks,
         logs_name_no_peer]


def chosen(name):
    import fnmatch
    only = os.environ.get("VX6_TEST_ONLY")
    return not only or fnmatch.fnmatch(name, only)


def main():
    tests = [t for t in TESTS if chosen(t.__name__)]
    failed = 0
    print(f"1..{len(tests)}")
    for i, test in enumerate(tests, 1):
        try:
            test()
            print(f"ok {i} - {test.__name__}", flush=True)
        except Exception:  # pylint: disable=broad-except
            for line in traceback.format_exc().splitlines():
                print("#", line)
            print(f"not ok {i} - {test.__name__}", flush=True)
            failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
