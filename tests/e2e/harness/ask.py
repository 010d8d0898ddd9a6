# SPDX-License-Identifier: GPL-2.0-or-later
"""The socket of vx6d, from Python, as controlplane/api/API.md has it.

    api = Api(path)
    api("peer.list")["peers"]
    call = api.open("connect", service="owner.web", listen="127.0.0.1:0")
    call.event("ready")["listen"]
    call.close()
"""
import json
import socket


class Refused(Exception):
    """An answer with ok false."""

    def __init__(self, error):
        super().__init__(f"{error.get('code')}: {error.get('message')} "
                         f"({error.get('hint')})")
        self.code = error.get("code")
        self.message = error.get("message")
        self.hint = error.get("hint")


class Gone(Exception):
    """vx6d hung up."""


class Call:
    """One request on a connection of its own."""

    def __init__(self, path, cmd, args, timeout):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(timeout)
        self.events = []
        self.result = None
        try:
            self.sock.connect(path)
            line = json.dumps(dict(args, id=1, cmd=cmd)) + "\n"
            self.sock.sendall(line.encode())
            self.file = self.sock.makefile("rb")
        except OSError:
            self.sock.close()
            raise

    def next(self):
        """The next event, or None when the answer is in."""
        line = self.file.readline()
        if not line:
            raise Gone("vx6d hung up")
        msg = json.loads(line)
        if "event" in msg:
            self.events.append(msg)
            return msg
        if not msg.get("ok"):
            raise Refused(msg.get("error", {}))
        self.result = msg["result"]
        return None

    def event(self, kind):
        """Waits for an event of that kind; earlier ones are in events."""
        while True:
            e = self.next()
            if e is None:
                raise Gone(f"the call was answered before {kind}")
            if e["event"] == kind:
                return e

    def done(self):
        while self.next() is not None:
            pass
        self.close()
        return self.result

    def settimeout(self, seconds):
        self.sock.settimeout(seconds)

    def close(self):
        # first, or a thread that reads would hold the file
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.file.close()
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Api:
    def __init__(self, path, timeout=60):
        self.path, self.timeout = path, timeout

    def open(self, cmd, **args):
        return Call(self.path, cmd, args, self.timeout)

    def __call__(self, cmd, **args):
        return self.open(cmd, **args).done()
