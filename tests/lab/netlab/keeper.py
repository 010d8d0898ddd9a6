# SPDX-License-Identifier: GPL-2.0-or-later
"""The process that a lab of the command line lives in, and how to ask it.

    lab up FILE  ->  lab --keep FILE     holds namespaces and processes
    lab cut r1   ->  one line of JSON to the keeper's socket, one line back

The directory of its run (harness/place.py) is /tmp/vx6-lab-UID/PID-START/;
the demo's is in vx6-demo-UID, and it serves a keeper's socket, too.  A keeper
that is killed takes all cables along, and all namespaces but those in which
its daemons still run; the next `lab up` or `lab down` ends them.
"""
import json
import os
import signal
import socket
import sys
import tempfile

from harness import place, tap

from .lab import Lab, LabNode
from .plan import Wrong

LINE = 1 << 16
SOCKET = "keeper.sock"  # in the run's directory


class Refused(Exception):
    """What the keeper could not do, in words."""


def living():
    """The keepers' pids, with the directories of their runs."""
    found = {}
    for name in ("lab", "demo"):
        base = os.path.join(tempfile.gettempdir(),
                            f"vx6-{name}-{os.geteuid()}")
        for run in sorted(os.listdir(base)) if os.path.isdir(base) else []:
            pid, path = place.alive(run), os.path.join(base, run)
            if pid and os.path.exists(os.path.join(path, SOCKET)):
                found[pid] = path
    return found


def ask(run, cmd, *args, timeout=120):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.settimeout(timeout)
        s.connect(os.path.join(run, SOCKET))
        s.sendall(json.dumps([cmd, *args]).encode() + b"\n")
        with s.makefile("rb") as f:
            line = f.readline()
    if not line:
        raise Refused("the lab ended meanwhile")
    answer = json.loads(line)
    if "error" in answer:
        raise Refused(answer["error"])
    return answer["ok"]


class Keeper:
    def __init__(self, lab):
        self.lab, self.captured = lab, {}
        self.over = False

    # ---- what can be asked for: do_NAME ----

    def do_list(self):
        return {"pid": os.getpid(), "hosts": [
            self.describe(h) for h in self.lab.hosts.values()]}

    def describe(self, host):
        row = {"name": host.name, "namespace": host.ns.path,
               "addresses": [a for f in host.where.families
                             if (a := host.address(f))],
               "cut": host.name in self.lab.severed}
        if host.name in self.lab.nats:
            return dict(row, kind="nat", behind=None)
        kind = "plain" if host.spec["plain"] else \
            "relay" if host.spec["relay"] else "node"
        row.update(kind=kind, behind=host.spec["behind"])
        if not isinstance(host, LabNode):
            return row
        return dict(row, id=host.id, dir=host.dir, config=host.config_path,
                    socket=host.sock, backend=host.spec["backend"]
                    if host.config["data"]["enabled"] else None,
                    processes={name: {"pid": p.pid, "state":
                                      self.state(host, name, p)}
                               for name, p in host.processes()})

    @staticmethod
    def state(host, name, p):
        if p.poll() is not None:
            return f"ended with status {p.returncode}"
        return "paused" if name in host.paused else "running"

    def node(self, name):
        host = self.lab[name]
        if not isinstance(host, LabNode):
            raise Refused(f"{name} has no daemons")
        return host

    def do_start(self, name):
        node = self.node(name)
        node.start()
        node.ready()

    def do_stop(self, name, *which):
        self.node(name).stop(*which)

    def do_kill(self, name, *which):
        self.node(name).kill(*which)

    def do_pause(self, name, *which):
        self.node(name).pause(*which)

    def do_resume(self, name, *which):
        self.node(name).resume(*which)

    def do_cut(self, name, silent, other):
        if other:
            self.lab.cut_between(name, other)
        else:
            self.lab.cut(name, silent)

    def do_mend(self, name, other):
        self.lab.mend(name, other)

    def do_unplug(self, name):
        self.lab.unplug(name)

    def do_plug(self, name):
        self.lab.plug(name)

    def do_nat(self, name, what):
        if name not in self.lab.nats:
            raise Refused(f"{name} is no NAT; there are "
                          + (", ".join(self.lab.nats) or "none"))
        nat = self.lab.nats[name]
        if what == "forget":
            nat.forget()
        else:
            nat.rebind(address=what == "readdress")

    def do_capture(self, name, path):
        if name in self.captured:
            raise Refused(f"{name} is being captured; say "
                          f"`lab capture {name} --end` first")
        self.captured[name] = self.lab.capture(name, path)

    def do_uncapture(self, name):
        if name not in self.captured:
            raise Refused(f"nothing captures {name}")
        c = self.captured.pop(name).stop()
        return {"path": c.path, "lost": c.lost}

    def do_down(self):
        self.over = True

    # ---- the socket ----

    def answer(self, line):
        try:
            cmd, *args = json.loads(line)
            return {"ok": getattr(self, "do_" + cmd)(*args)}
        except (Refused, tap.Failed, OSError) as e:
            return {"error": str(e)}
        except KeyError as e:
            return {"error": e.args[0]}

    def serve(self, ready=lambda: None):
        """Answers until somebody asks for the end; ready is called when
        there is somebody to be asked."""
        path = os.path.join(place.place(), SOCKET)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.bind(path + ".new")
            sock.listen(16)
            os.rename(path + ".new", path)
            ready()
            while not self.over:
                self._serve_one(sock.accept()[0])

    def _serve_one(self, conn):
        with conn, conn.makefile("rb") as f:
            conn.settimeout(5)
            try:
                line = f.readline(LINE)
                if line:
                    conn.sendall(json.dumps(
                        self.answer(line)).encode() + b"\n")
            except (OSError, ValueError):
                pass  # who asked has gone


def _interrupted(signo, frame):
    raise KeyboardInterrupt


def keep(source):
    """The keeper's whole life.  What it has to say while it comes up goes to
    standard output, a JSON object a line; nobody may be listening."""
    def tell(message):
        try:
            print(json.dumps(message), flush=True)
        except BrokenPipeError:
            raise KeyboardInterrupt
    place.name = "lab"
    signal.signal(signal.SIGTERM, _interrupted)
    signal.signal(signal.SIGHUP, _interrupted)
    signal.signal(signal.SIGINT, _interrupted)
    code = 1
    try:
        lab = Lab(source, lambda step: tell({"step": step})).up()

        def ready():
            tell({"up": os.getpid()})
            # or who waits for the end of our output would wait for ours
            log = os.open(os.path.join(place.place(), "keeper.log"),
                          os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(log, 1)
            os.dup2(log, 2)
        Keeper(lab).serve(ready)
        code = 0
    except KeyboardInterrupt:
        code = 130
    except (Wrong, tap.Skip, tap.Failed, OSError) as e:
        tell({"error": str(e)})
    finally:
        for signo in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signo, signal.SIG_IGN)
        tap.finish()
        place.leave()
    sys.exit(code)
