# SPDX-License-Identifier: GPL-2.0-or-later
"""Real vx6-dataplane processes, programmed over their control sockets by this
second implementation of the messages, the ring and (from tests/vectors) the
cells.
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
import sys
import tempfile

from . import command, place, tap

PROGRAM = os.path.join(command.BIN, "vx6-dataplane")
sys.path.insert(0, os.path.join(command.TOP, "tests", "vectors"))
from make_vectors import (Cipher, algorithms, modes,  # noqa: E402
                          open_layer, protect, seal_layer)

WAIT_S = 60 * float(os.environ.get("VX6_TIMEOUT_FACTOR", "1"))
VERSION = 6
DATA, CONTROL, DROP, PROBE = 1, 2, 3, 4
FORWARD, BACKWARD, LOCAL = 1, 2, 3
(HELLO, LINK_ADD, LINK_CHANGE, LINK_REMOVE, HALF_ADD, HALF_REMOVE, SPLICE,
 UNSPLICE, INJECT, DUMP, SUBSCRIBE, STATS) = range(1, 13)
(WELCOME, DONE, LINK_IS, HALF_IS, DUMP_END, STATS_ARE, BUDGET_IS,
 WORKER_IS) = range(64, 72)
STALL = 131
LINK = struct.Struct("@16s16s32s32s16sHHQQIIHBBQQQQQ16sHHBBH96s")
HALF = struct.Struct("@32s16sQQQIIIIHHBB2sQQQ96s")
HEAD = struct.Struct("@HHIII")
STATUS = re.findall(r"^\tX\((\w+),", open(os.path.join(
    command.TOP, "dataplane/base/status.h"), encoding="ascii").read(), re.M)
STATS_NAMES = ("rx_cells rx_bytes tx_cells tx_bytes forwarded backwarded up "
               "down injected busy_ns spin_ns blocked_ns ring_full").split()
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


def udp_at(where, net=None):
    """A UDP socket, in that namespace, until the test ends."""
    family = socket.AF_INET6 if ":" in where[0] else socket.AF_INET
    with net.inside() if net else contextlib.nullcontext():
        s = socket.socket(family, socket.SOCK_DGRAM)
    tap.after(s.close)
    s.settimeout(WAIT_S)
    s.bind(where)
    return s


class Path:
    """Three planes, and both ends of one circuit through them."""

    def __init__(self, listen):
        self.planes = [Plane(n, listen=listen) for n in "abc"]
        host = self.planes[0].at[0]
        self.left, self.right = udp_at((host, 0)), udp_at((host, 0))
        self.links = [Keys(i) for i in range(1, 5)]
        self.f = [HalfKeys(f"f{i}", 1 + i % 2) for i in range(4)]
        self.b = [HalfKeys(f"b{i}", 1 + i % 2) for i in range(4)]

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
