# SPDX-License-Identifier: GPL-2.0-or-later
"""What went over a cable: tcpdump on one end, and its file read back.

    with lab.capture("r2") as c:
        ...
    for d in c.datagrams():          # UDP, both ways, in order
        d.src, d.sport, d.dst, d.dport, d.payload, d.time
"""
import collections
import ipaddress
import os
import re
import signal
import socket
import struct

from harness import place, programs, tap

SEGMENTS = 65535  # what a veth takes by itself
BUFFER_KIB = 65536
MARK = 0x88b5  # an EtherType for local experiments (IEEE 802)
LINK = struct.Struct("<IIII")  # pcap: seconds, us, length kept, length

Datagram = collections.namedtuple(
    "Datagram", "time src sport dst dport payload")


class Capture:
    """From its first frame to stop(), what crosses the cable is split into
    the frames of a wire: a veth would hand on many datagrams as one."""

    def __init__(self, host, interface, path):
        self.host, self.where = host, host.uplink
        self.mine, self.theirs = f"vx{interface}", f"{host.name}.{interface}"
        self.path, self.log = path, path + ".log"
        self.lost = None
        self._segments(1)  # before tcpdump hears anything
        with self.where.inside():
            self.p = place.start(
                [programs.program("tcpdump"), "-i", self.theirs, "-n", "-p",
                 "-U", "--immediate-mode", "-B", str(BUFFER_KIB), "-s",
                 str(host.mtu + 64), "-Z", "root", "-w", path], log=self.log)
        tap.wait(lambda: "listening on" in self.said() or self.gone(),
                 f"tcpdump on {self.theirs}", hint=self.said)

    def _segments(self, most):
        self.host.ns.ip(f"link set {self.mine} gso_max_segs {most}")
        self.where.ip(f"link set {self.theirs} gso_max_segs {most}")

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()

    def gone(self):
        if self.p.poll() is None:
            return False
        raise tap.Failed(f"tcpdump on {self.theirs}: {self.said()}")

    def _mark(self):
        """Sends a frame and waits until it is in the file: so is all that
        went before."""
        word = b"end of capture" + os.urandom(16)
        frame = b"\xff" * 6 + b"\x02" + bytes(5) + struct.pack("!H", MARK) + \
            word + bytes(32)
        before = os.stat(self.path).st_size
        try:
            with self.where.inside(), \
                    socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
                s.bind((self.theirs, MARK))
                s.send(frame)
        except OSError:  # the cable is cut: nothing goes over it
            return

        def there():
            with open(self.path, "rb") as f:
                f.seek(before)
                return word in f.read()
        tap.wait(there, "the capture's last frame")

    def stop(self):
        """Ends it when all that has gone by is in the file."""
        if self.p is None:
            return self
        self._mark()
        self.end()
        m = re.search(r"(\d+) packets? dropped by kernel", self.said())
        self.lost = int(m.group(1)) if m else None
        return self

    def end(self):
        if self.p is not None:
            place.end(self.p, signal.SIGINT)
            self.p = None
            self._segments(SEGMENTS)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    # ---- reading ----

    def frames(self):
        """(time, bytes) of every frame but the marks."""
        with open(self.path, "rb") as f:
            f.seek(24)
            while head := f.read(LINK.size):
                seconds, us, kept, _ = LINK.unpack(head)
                frame = f.read(kept)
                if frame[12:14] != struct.pack("!H", MARK):
                    yield seconds + us / 1e6, frame

    def datagrams(self):
        for when, frame in self.frames():
            if d := udp(when, frame):
                yield d


def udp(when, frame):
    """The datagram in a frame, None where there is none or only a part."""
    kind = frame[12:14]
    if kind == b"\x86\xdd" and frame[20:21] == b"\x11":
        src, dst, at = frame[22:38], frame[38:54], 54
    elif kind == b"\x08\x00" and frame[23:24] == b"\x11" and \
            not struct.unpack_from("!H", frame, 20)[0] & 0x3fff:
        src, dst = frame[26:30], frame[30:34]
        at = 14 + (frame[14] & 15) * 4
    else:
        return None
    if len(frame) < at + 8:
        return None
    sport, dport, length = struct.unpack_from("!HHH", frame, at)
    return Datagram(when, str(ipaddress.ip_address(src)), sport,
                    str(ipaddress.ip_address(dst)), dport,
                    frame[at + 8:at + length])
