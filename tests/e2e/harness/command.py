# SPDX-License-Identifier: GPL-2.0-or-later
"""Running vx6 as a person does, in a pipe or on a terminal."""
import fcntl
import json
import os
import pty
import select
import signal
import subprocess
import termios
import time

from . import place, tap

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))))
BIN = os.environ.get("VX6_BIN") or os.path.join(
    os.environ.get("VX6_BUILD", "build"), "bin")
VX6 = os.path.abspath(os.path.join(BIN, "vx6"))


def have(*names):
    """Why these programs cannot be run, or None."""
    for name in names:
        if not os.access(os.path.join(BIN, name), os.X_OK):
            return f"build: there is no {name} in {BIN}"
    return None


class Done:
    def __init__(self, code, out, err, args):
        self.code, self.out, self.err, self.args = code, out, err, args

    def json(self):
        try:
            return json.loads(self.out)
        except ValueError as e:
            raise tap.Failed(f"vx6 {' '.join(self.args)} wrote no JSON ({e}): "
                             f"{self.out!r} {self.err!r}")

    def expect(self, code):
        if self.code != code:
            raise tap.Failed(f"vx6 {' '.join(self.args)}: exit {self.code}, "
                             f"wanted {code}\n{self.out}{self.err}")
        return self


def _env(env):
    """What a user's environment must not change in a test."""
    full = {k: v for k, v in os.environ.items()
            if not k.startswith("XDG_") and k not in ("NO_COLOR",)}
    return dict(full, **(env or {}))


def vx6(*args, env=None, stdin=None, timeout=60, binary=None):
    """Runs vx6 to its end with its output in pipes."""
    args = [str(a) for a in args]
    p = subprocess.run([binary or VX6, *args], input=stdin, env=_env(env),
                       capture_output=True, timeout=timeout, text=True)
    return Done(p.returncode, p.stdout, p.stderr, args)


class Terminal:
    """vx6 on a terminal of its own; what it writes is in text."""

    def __init__(self, *args, env=None, binary=None):
        self.args = [str(a) for a in args]
        self.text = ""
        env = _env(dict({"TERM": "xterm"}, **(env or {})))
        parent, child = pty.openpty()
        self.fd = parent
        self.p = place.start([binary or VX6, *self.args], stdin=child,
                             stdout=child, stderr=child, env=env,
                             start_new_session=True, preexec_fn=self._own)
        os.close(child)
        tap.after(self.close)

    @staticmethod
    def _own():
        """In the child: what is typed there reaches it as signals."""
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def read(self, seconds=0.05):
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # EIO: the other side is closed
            return False
        self.text += data.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(data)

    def until(self, part, seconds=20):
        """Reads until part is on the screen."""
        def seen():
            self.read()
            return part in self.text
        tap.wait(seen, f"{part!r} on the terminal", seconds,
                 lambda: f"there is {self.text!r}")
        return self.text

    def interrupt(self):
        """Types ^C."""
        self.p.send_signal(signal.SIGINT)

    def end(self, seconds=20):
        """Reads to the end and returns the exit status."""
        until = time.monotonic() + seconds
        while self.read() and time.monotonic() < until:
            if self.p.poll() is not None and not select.select(
                    [self.fd], [], [], 0)[0]:
                break
        return self.p.wait(seconds)

    def close(self):
        if self.p.poll() is None:
            place.kill(self.p)
        os.close(self.fd)
