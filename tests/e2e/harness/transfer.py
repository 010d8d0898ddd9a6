# SPDX-License-Identifier: GPL-2.0-or-later
"""A transfer that lasts, and what its client is told meanwhile."""
import hashlib
import os
import random
import threading

from . import place, programs, tap, tcp
from .ask import Gone, Refused

RATE = "24M"


class Watch:
    """Reads a connect call's events while the test does other things."""

    def __init__(self, call):
        self.call, self.events, self.ended = call, [], None
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        self.call.settimeout(None)
        try:
            while True:
                e = self.call.next()
                if e is None:
                    break
                self.events.append(e)
        except (OSError, ValueError, Gone, Refused) as e:
            self.ended = e

    def of(self, kind):
        return [e for e in self.events if e["event"] == kind]


class Download:
    """curl at a limited rate, so that there is a middle to kill in."""

    def __init__(self, listen, page, to, *more, rate=RATE):
        self.path = to
        self.p = place.start([programs.program("curl"), "-sS", "--noproxy",
                              "*", "--limit-rate", rate, *more, "-o", to,
                              f"http://{listen}/{page}"],
                             log=to + ".err")
        tap.after(place.end, self.p)

    def so_far(self):
        try:
            return os.stat(self.path).st_size
        except FileNotFoundError:
            return 0

    def past(self, size):
        tap.wait(lambda: self.so_far() >= size or self.p.poll() is not None,
                 f"{size} bytes", 60)
        tap.equal(self.p.poll(), None, f"curl ended at {self.so_far()}")

    def done(self, digest):
        tap.wait(lambda: self.p.poll() is not None, "the download", 90,
                 lambda: f"it has {self.so_far()} bytes")
        with open(self.path + ".err", encoding="utf-8") as f:
            tap.equal((self.p.returncode, f.read()), (0, ""), "curl")
        tap.equal(programs.file_digest(self.path), digest, "the digest")
        os.unlink(self.path)


class Stream:
    """A download that lasts until it is told to end: a server that sends
    random bytes at a steady pace, and a client that reads them."""
    PART, PAUSE_S = 32768, 0.005

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.over = threading.Event()
        self.sent = hashlib.sha256()
        self.server = tcp.Server(self._serve)
        self.got, self.count, self.trouble = hashlib.sha256(), 0, None
        self.thread = None

    def _serve(self, sock):
        if not sock.recv(1):
            return
        while not self.over.wait(self.PAUSE_S):
            part = self.random.randbytes(self.PART)
            sock.sendall(part)
            self.sent.update(part)

    def start(self, listen):
        sock = tcp.connect(listen, timeout=60)
        sock.sendall(b"g")
        self.thread = threading.Thread(target=self._read, args=(sock,),
                                       daemon=True)
        self.thread.start()

    def _read(self, sock):
        try:
            with sock:
                while part := sock.recv(tcp.PART):
                    self.got.update(part)
                    self.count += len(part)
        except OSError as e:
            self.trouble = e

    def past(self, count):
        tap.wait(lambda: self.count >= count or self.trouble,
                 f"byte {count} of the stream", 60,
                 lambda: f"it has {self.count}")
        tap.equal(self.trouble, None, f"after {self.count} bytes")

    def done(self):
        """Ends it and compares every byte; returns how many there were."""
        self.over.set()
        tap.wait(lambda: not self.thread.is_alive(), "the stream's end", 60)
        tap.equal(self.trouble, None, f"after {self.count} bytes")
        tap.equal(self.got.hexdigest(), self.sent.hexdigest(), "the digest")
        return self.count
