# SPDX-License-Identifier: GPL-2.0-or-later
"""A transfer that lasts, and what its client is told meanwhile."""
import os
import threading

from . import place, programs, tap
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
