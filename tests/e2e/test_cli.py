#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 240
"""The program vx6, against a vx6d that says what each test wants.

What is looked at is what a person or a script sees: the words, the exit
code, the JSON, and what went over the socket.
"""
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import command, place, tap
from harness.command import Terminal, vx6
from harness.fake import Fake, Raw, Refuse

ID = "vx6" + "a" * 52
OTHER = "vx6" + "b" * 51 + "a"

INTERFACE = {"name": "eth0", "mode": "native", "packets": "zero-copy",
             "queues": 2, "mtu": 1500, "attached": "dispatcher"}
PLACEMENT = [{"worker": i, "queues": queues, "cpu": cpu, "node": None,
              "pages": "huge", "idle": "spin"}
             for i, (queues, cpu) in enumerate((([0, 3], 2), ([1], None),
                                                ([], None)))]

STATUS = {
    "name": "client", "id": ID, "version": "0.1.0", "pid": 42,
    "uptime_s": 125, "control": ["127.0.0.1:4242"],
    "dataplane": {"state": "connected", "listen": "127.0.0.1:4243",
                  "backend": "udp", "asked": "af_xdp", "workers": 3,
                  "why": "eth9 has gone", "interfaces": [INTERFACE],
                  "placement": PLACEMENT},
    "relay": False, "record": {"sequence": 3, "expires_unix_s": 1},
    "clock": {"offset_s": 312, "peers": 3,
              "warning": "clock 312 s behind 3 of 3 peers"},
    "sessions": 3, "links": 3, "circuits": 2, "tunnels": 1, "services": 0,
    "forwards": 1, "relays_known": 6}
SERVICE = {"name": "web", "proto": "tcp", "target": "127.0.0.1:8080",
           "public": True, "allow": [], "served": 17, "refused": 0}
# verb, the socket's command, its key, one entry, what a person must see
LISTS = [
    ("peer list", "peer.list", "peers",
     {"name": "r1", "id": ID, "state": "connected",
      "address": "127.0.0.2:4242", "transport": "quic", "configured": True,
      "dialled": True, "relay": True, "rtt_ms": 0.41, "since_s": 12,
      "clock_offset_s": 0, "record": None, "retry_s": None, "error": None},
     ["r1", "vx6aaaaaaaaa..", "connected", "127.0.0.2:4242", "quic",
      "0.41 ms", "12 s"]),
    ("link list", "link.list", "links",
     {"node": "r1", "id": ID, "index": 3, "peer_index": 9,
      "address": "127.0.0.2:4243", "at": "dataplane", "state": "up",
      "rtt_ms": 0.12, "u": 1472, "session": True, "age_s": 12,
      "cells_in": 100, "cells_out": 90, "bytes_in": 120000,
      "bytes_out": 110000},
     ["r1", "up", "127.0.0.2:4243", "dataplane", "100", "117.2 KiB"]),
    ("circuit list", "circuit.list", "circuits",
     {"n": 1, "role": "origin", "state": "open", "path": ["r1", "r2"],
      "end": "owner", "tunnel": 1, "spare": True, "suite": "aes256gcm",
      "d": 1346, "build_ms": 2.31, "age_s": 12, "left_s": 3588,
      "cells_forward": 90, "cells_backward": 100},
     ["origin", "open", "here > r1 > r2 > owner", "aes256gcm", "yes", "90"]),
    ("tunnel list", "tunnel.list", "tunnels",
     {"n": 1, "side": "client", "service": "owner.web", "peer": "owner",
      "id": ID, "mode": "relay", "path": ["r1", "r2", "r3"],
      "spares": [["s1"]], "state": "open", "streams": 2, "rtt_ms": 0.8,
      "cwnd": 1048576, "rx_bytes": 1048576, "tx_bytes": 4096, "moves": 0,
      "last_gap_ms": None, "age_s": 12},
     ["client", "owner.web", "open", "r1 > r2 > r3", "1.0 MiB", "4.0 KiB"]),
    ("service list", "service.list", "services", SERVICE,
     ["web", "127.0.0.1:8080", "yes", "17"]),
    ("forward list", "forward.list", "forwards",
     {"listen": "127.0.0.1:34567", "service": "owner.web", "state": "ready",
      "mode": "relay", "path": ["r1", "r2", "r3"], "tunnel": 1,
      "background": False, "streams": 2, "served": 17, "moves": 0,
      "last_gap_ms": None},
     ["127.0.0.1:34567", "owner.web", "ready", "relay", "r1 > r2 > r3"]),
]
STATS = {"vx6d": {"rx_cells": 7, "rx_bytes": 2048, "drops": {"BAD_TAG": 1},
                  "streams": {"open": 5, "refused": {"target": 3}}},
         "dataplane": {"rx_cells": 190, "tx_bytes": 228000, "drops": {},
                       "classifier": {"BAD_SOURCE": {"verdict": "drop",
                                                     "packets": 41}},
                       "interfaces": [INTERFACE]}}
# every command of the program, with what it needs to be understood
COMMANDS = {
    "init": [], "run": [], "status": [], "stats": [], "doctor": [],
    "shutdown": [],
    "identity show": [], "connect": ["a.b", "--listen", "0"],
    "disconnect": ["1"], "forward list": [],
    "service add": ["web", "--target", "1", "--public"],
    "service remove": ["web"], "service list": [], "peer list": [],
    "peer add": ["FILE"], "link list": [], "circuit list": [],
    "tunnel list": [], "config check": [], "config schema": [],
    "config reference": [], "config example": [], "version": [],
    "help": [], "completion": ["bash"]}
ON_THE_SOCKET = {
    "status", "stats", "shutdown", "connect", "disconnect", "forward list",
    "service add", "service remove", "service list", "peer list",
    "link list", "circuit list", "tunnel list"}

_count = 0


def new_dir(name):
    global _count
    _count += 1
    return place.new_dir(f"{name}{_count}")


class Here:
    """A node's directories, and a vx6d in them when answers are given."""

    def __init__(self, answers=None):
        self.dir = new_dir("cli")
        self.state = os.path.join(self.dir, "state")
        self.run = os.path.join(self.dir, "run")
        self.config = os.path.join(self.dir, "config.json")
        self.args = ["--state", self.state, "--run", self.run,
                     "--config", self.config]
        os.mkdir(self.run, 0o700)
        with open(self.config, "w", encoding="utf-8") as f:
            f.write("{}")
        self.fake = None
        if answers is not None:
            self.fake = Fake(os.path.join(self.run, "vx6d.sock"), answers)
            tap.after(self.fake.close)

    def vx6(self, *args, **more):
        return vx6(*self.args, *args, **more)

    def terminal(self, *args, **more):
        return Terminal(*self.args, *args, **more)

    @property
    def asked(self):
        """The last request, without its number."""
        return {k: v for k, v in self.fake.asked[-1].items() if k != "id"}


# ---- the form of commands ----

@tap.test
def help_names_every_command():
    text = vx6("help").expect(0).out
    tap.equal(vx6().expect(0).out, text, "without a word")
    for name in COMMANDS:
        tap.true(re.search(rf"^  {name} ", text, re.M), f"{name} in the help")
        about = vx6("help", *name.split()).expect(0).out
        tap.within(about, f"usage: vx6 {name}")
        tap.equal(vx6(*name.split(), "--help").expect(0).out, about)
    tap.within(text, "exit codes: 0 ok, 1 failed, 2 usage, 3 unreachable, "
                     "4 denied")


@tap.test
def wrong_usage_is_told_with_exit_2():
    here = Here()
    for args, part in [
            (["nonsense"], "there is no command nonsense"),
            (["conect"], "did you mean connect?"),
            (["peer"], "`vx6 peer add`"),
            (["status", "x"], "usage: vx6 status"),
            (["connect", "a.b"], "needs --listen ADDR"),
            (["connect", "ab", "--listen", "1"], "write owner.service"),
            (["connect", "a.b", "--listen", "x"], "[::1]:8080"),
            (["connect", "a.b", "--listen", "70000"], "--listen 70000"),
            (["connect", "a.b", "--listen", "1", "--hops", "8"],
             "from 0 to 7"),
            (["connect", "a.b", "--listen", "1", "--hops", "x"],
             "from 0 to 7"),
            (["connect", "a.b", "--listen", "1", "--hops", "2", "--via",
              "r1"], "say one of them"),
            (["connect", "a.b", "--listen", "1", "--via", "a,,b"],
             "empty name"),
            (["connect", "a.b", "--listen", "1", "--via", "a,b,c,d,e,f,g,h"],
             "7 are the most"),
            (["connect", "a.b", "--listen", "1", "--spare-via", "a"],
             "--spare-via needs"),
            (["service", "add", "web", "--target", "1"],
             "either --public or --allow"),
            (["service", "add", "web", "--target", "1", "--public",
              "--allow", ID], "either --public or --allow"),
            (["service", "add", "web", "--target", "1", "--allow", "bob"],
             "bob is no node ID"),
            (["service", "add", "web", "--target", "x:y", "--public"],
             "--target x:y"),
            (["init", "--name", "Bad_Name"], "1 to 15 of the characters"),
            (["disconnect", "x"], "127.0.0.1:8080"),
            (["completion", "fish"], "fish"),
            (["help", "nonsense"], "there is no command nonsense")]:
        done = here.vx6(*args).expect(2)
        tap.within(done.err, part, " ".join(args))
        tap.equal(done.out, "", "stdout of " + " ".join(args))
        tap.true(len(done.err.strip().splitlines()) <= 2,
                 f"more than a sentence and a hint: {done.err}")


@tap.test
def without_vx6d_every_command_says_how_to_start_it():
    here = Here()
    for name in sorted(ON_THE_SOCKET):
        done = here.vx6(*name.split(), *COMMANDS[name]).expect(3)
        tap.within(done.err, "vx6d is not running", name)
        tap.within(done.err, "vx6 run", name)
    done = here.vx6("--json", "status").expect(3)
    tap.equal(json.loads(done.err)["error"]["code"], "unreachable")
    tap.equal(done.out, "")


@tap.test
def a_socket_of_others_is_denied_with_exit_4():
    if os.geteuid() != 0:
        raise tap.Skip("root: only root can become another user")
    here = Here({"status": STATUS})
    # everything down to the socket may be entered, the socket not opened
    for path in (here.dir, here.run):
        os.chmod(path, 0o755)
    place.let_pass(here.dir)
    setpriv = shutil.which("setpriv")
    binary = os.path.join(here.dir, "vx6")
    shutil.copy(command.VX6, binary)
    done = subprocess.run(
        [setpriv, "--reuid=65534", "--regid=65534", "--clear-groups", binary,
         *here.args, "status"], capture_output=True, text=True)
    tap.equal(done.returncode, 4, done.stderr)
    tap.within(done.stderr, "may not open")
    tap.within(done.stderr, "member of the group vx6")


@tap.test
def refusals_keep_their_code_sentence_and_hint():
    for code, number in (("failed", 1), ("usage", 2), ("unreachable", 3),
                         ("denied", 4)):
        here = Here({"service.remove": Refuse(code, "it cannot\x1b be",
                                              "try again")})
        done = here.vx6("service", "remove", "web").expect(number)
        tap.equal(done.err, "vx6: it cannot? be\n     try again\n")
        tap.equal(done.out, "")
        done = here.vx6("--json", "service", "remove", "web").expect(number)
        tap.equal(json.loads(done.err), {"error": {
            "code": code, "message": "it cannot? be", "hint": "try again"}})


@tap.test
def nonsense_from_the_socket_is_survived():
    for answer in (b"\n", b"{}\n", b"nonsense\n", b'{"id":1}\n',
                   b'{"id":1,"ok":true}\n', b'{"id":1,"ok":true,"result":7}\n',
                   b'{"id":1,"ok":false}\n', b"\xff\xfe\n"):
        here = Here({"status": Raw(answer)})
        done = here.vx6("status").expect(1)
        tap.within(done.err, "of different versions", repr(answer))

    def hang_up(request, conn):
        conn.sock.shutdown(2)
    tap.within(Here({"status": hang_up}).vx6("status").expect(3).err,
               "vx6d ended")
    odd = '{"id":1,"ok":true,"result":%s}\n' % json.dumps(
        {"name": "\x1b[2Jx", "control": 7, "dataplane": [], "uptime_s": "x"})
    done = Here({"status": Raw(odd.encode())}).vx6("status").expect(0)
    tap.absent(done.out, "\x1b")


@tap.test
def a_refusal_of_the_connection_is_an_answer():
    line = json.dumps({"id": None, "ok": False, "error": {
        "code": "denied", "message": "this user may not ask vx6d",
        "hint": "become somebody else"}}).encode() + b"\n"
    here = Here({"status": Raw(line)})
    tap.within(here.vx6("status").expect(4).err, "this user may not ask")


# ---- looking ----

@tap.test
def lists_are_tables_for_people_and_json_for_programs():
    for verb, cmd, key, entry, shown in LISTS:
        here = Here({cmd: {key: [entry], "total": 1}})
        out = here.vx6(*verb.split()).expect(0).out
        for part in shown:
            tap.within(out, part, verb)
        tap.equal(len(out.splitlines()), 2, verb)
        tap.absent(out, "\x1b", verb)
        doc = here.vx6("--json", *verb.split()).expect(0).json()
        tap.equal(doc, {key: [entry], "total": 1}, verb)
        none = Here({cmd: {key: [], "total": 0}})
        done = none.vx6(*verb.split()).expect(0)
        tap.equal(done.out, "", verb)
        tap.true(done.err.strip(), f"{verb}: nothing said about an empty list")
        tap.equal(none.vx6("--json", *verb.split()).expect(0).json(),
                  {key: [], "total": 0}, verb)


@tap.test
def long_lists_come_whole():
    links = [dict(LISTS[1][3], node=f"n{i}") for i in range(2500)]

    def page(request, conn):
        at = request.get("offset", 0)
        conn.done({"links": links[at:at + 1000], "total": len(links)})
    here = Here({"link.list": page})
    doc = here.vx6("--json", "link", "list").expect(0).json()
    tap.equal([e["node"] for e in doc["links"]],
              [e["node"] for e in links])
    tap.equal(doc["total"], 2500)
    tap.equal(len(here.fake.asked), 3)


@tap.test
def status_and_counters():
    here = Here({"status": STATUS, "stats": STATS})
    out = here.vx6("status").expect(0).out
    for part in ("client", ID, "0.1.0, up 2 min 5 s, pid 42",
                 "127.0.0.1:4242", "back end udp, 3 workers",
                 "0, queues 0 3, CPU 2, node any, huge pages, spin",
                 "1, queue 1, CPU any,", "2, CPU any,",
                 "clock 312 s behind 3 of 3 peers", "relays known 6",
                 "eth9 has gone",
                 "eth0, native, zero-copy, 2 queues, MTU 1500, by dispatcher"):
        tap.within(out, part)
    tap.equal(here.vx6("status", "--json").expect(0).json(), STATUS)
    out = here.vx6("stats").expect(0).out
    for part in ("rx_cells", "190", "222.7 KiB", "BAD_TAG 1", "refused: target 3",
                 "BAD_SOURCE   drop                 41", "eth0, native"):
        tap.within(out, part)
    tap.equal(here.vx6("stats", "--json").expect(0).json(), STATS)
    here.fake.answers["stats"] = dict(STATS, dataplane=None)
    tap.within(here.vx6("stats").expect(0).out, "not connected")


@tap.test
def colour_is_for_terminals_without_no_color():
    here = Here({LISTS[0][1]: {"peers": [LISTS[0][3]], "total": 1}})
    t = here.terminal("peer", "list")
    tap.equal(t.end(), 0)
    tap.within(t.text, "\x1b[32mconnected\x1b[0m")
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        t = here.terminal("peer", "list", env=env)
        tap.equal(t.end(), 0)
        tap.within(t.text, "connected")
        tap.absent(t.text, "\x1b", str(env))


# ---- changing ----

@tap.test
def services_are_asked_for_as_said():
    here = Here({"service.add": SERVICE, "service.remove": {}})
    out = here.vx6("service", "add", "web", "--target", "8080",
                   "--public").expect(0).out
    tap.within(out, "web is offered to everybody, target 127.0.0.1:8080")
    tap.equal(here.asked, {
        "cmd": "service.add", "name": "web", "target": "127.0.0.1:8080",
        "proto": "tcp", "public": True, "target_any": False})
    here.vx6("service", "add", "web", "--target=[::1]:80", "--target-any",
             f"--allow={ID},{OTHER}").expect(0)
    tap.equal(here.asked, {
        "cmd": "service.add", "name": "web", "target": "[::1]:80",
        "proto": "tcp", "allow": [ID, OTHER], "target_any": True})
    here.vx6("service", "remove", "web").expect(0)
    tap.equal(here.asked, {"cmd": "service.remove", "name": "web"})
    tap.equal(here.vx6("--json", "service", "add", "web", "--target", "8080",
                       "--public").expect(0).json(), SERVICE)


@tap.test
def records_travel_as_text_or_bytes():
    bytes_of = b"\x82\x58\x20" + os.urandom(300)
    import base64
    record = base64.b64encode(bytes_of).decode()
    here = Here({
        "identity.show": {"name": "r1", "id": ID, "record": record},
        "peer.add": {"name": "r1", "id": ID, "state": "new",
                     "expires_unix_s": 1 << 40}})
    path = os.path.join(here.dir, "r1.record")
    here.vx6("identity", "show", "--record", path).expect(0)
    tap.equal(here.asked, {"cmd": "identity.show", "record": True})
    text = open(path, encoding="utf-8").read()
    tap.within(text, "-----BEGIN VX6 RECORD-----\n")
    tap.true(max(map(len, text.splitlines())) <= 64, "lines of 64")
    to_stdout = here.vx6("identity", "show", "--record", "-").expect(0)
    tap.equal(to_stdout.out, text)
    raw = os.path.join(here.dir, "raw")
    with open(raw, "wb") as f:
        f.write(bytes_of)
    quoted = "On Monday somebody wrote:\n\n" + text.replace(
        "\n", "\r\n") + "\nRegards"
    for args, stdin in ((["peer", "add", path], None),
                        (["peer", "add", raw], None),
                        (["peer", "add", "-"], text),
                        (["peer", "add", "-"], quoted),
                        (["peer", "add", "-"], record)):
        out = here.vx6(*args, stdin=stdin).expect(0).out
        tap.within(out, f"added r1 ({ID})")
        tap.equal(here.asked, {"cmd": "peer.add", "record": record})
    here.fake.answers["peer.add"]["state"] = "known"
    tap.within(here.vx6("peer", "add", path).expect(0).out, "known already")
    here.fake.answers["peer.add"]["state"] = "updated"
    tap.within(here.vx6("peer", "add", path).expect(0).out, "updated")
    count = len(here.fake.asked)
    for args, stdin, why in (
            (["peer", "add", "/nonexistent"], None, "cannot be read"),
            (["peer", "add", "-"], "", "holds no record"),
            (["peer", "add", "-"], "hello, world", "holds no record"),
            (["peer", "add", "-"], "x" * 40000, "larger than any record")):
        tap.within(here.vx6(*args, stdin=stdin).expect(1).err, why)
    tap.equal(len(here.fake.asked), count, "requests for what is no record")
    tap.within(here.vx6("identity", "show", "--record",
                        "/nonexistent/x").expect(1).err, "cannot be written")


@tap.test
def disconnect_and_shutdown():
    here = Here({"disconnect": {"streams": 2}, "shutdown": {}})
    tap.within(here.vx6("disconnect", "2222").expect(0).out,
               "127.0.0.1:2222 is closed, 2 streams ended")
    tap.equal(here.asked, {"cmd": "disconnect", "listen": "127.0.0.1:2222"})
    tap.within(here.vx6("shutdown").expect(0).out, "vx6d ends")


# ---- connecting ----

HOPS = [("r1", 0.6), ("r2", 1.13), ("r3", 12.0)]
READY = {"listen": "127.0.0.1:34567", "mode": "relay",
         "path": ["r1", "r2", "r3"], "spares": [["s1"]], "build_ms": 2.31,
         "connect_ms": 4.9}
MOVED = {"gap_ms": 93.1, "reason": "r2 stopped answering", "path": ["s1"]}


def connecting(then=None):
    def answer(request, conn):
        for i, (node, ms) in enumerate(HOPS, 1):
            conn.event("hop", n=i, of=3, node=node, ms=ms)
        conn.event("nonsense of a later version", x=1)
        conn.event("ready", **READY)
        if request["background"]:
            conn.done({"listen": READY["listen"]})
        elif then:
            then(conn)
        else:
            conn.hold()
    return {"connect": answer}


@tap.test
def connect_asks_as_said():
    here = Here(connecting())
    plain = {"cmd": "connect", "service": "owner.web",
             "listen": "127.0.0.1:0", "identify": False, "background": True,
             "listen_any": False}
    for args, more in (
            ([], {}),
            (["--hops", "3"], {"hops": 3}),
            (["--hops", "0"], {"hops": 0}),
            (["--via", "r1,r2"], {"via": ["r1", "r2"]}),
            (["--via", "r1", "--spare-via", f"s1,{ID}"],
             {"via": ["r1"], "spare_via": ["s1", ID]}),
            (["--hops", "2", "--spare-via", "none"],
             {"hops": 2, "spare_via": []}),
            (["--identify", "--listen-any"],
             {"identify": True, "listen_any": True})):
        here.vx6("connect", "owner.web", "--listen", "0", "--background",
                 *args).expect(0)
        tap.equal(here.asked, dict(plain, **more))


@tap.test
def connect_in_a_pipe_says_only_that_it_is_ready():
    def moves(conn):
        conn.event("moved", **MOVED)
        conn.event("down", reason="nothing is left")
        conn.event("refused", code="denied", message="no", hint="")
        conn.done({"reason": "disconnected"})
    here = Here(connecting(moves))
    done = here.vx6("connect", "owner.web", "--listen", "0", "--hops",
                    "3").expect(0)
    tap.equal(done.out, "ready 127.0.0.1:34567 relay r1,r2,r3\n")
    done = here.vx6("--json", "connect", "owner.web", "--listen", "0", "--hops",
                    "3").expect(0)
    events = [json.loads(line) for line in done.out.splitlines()]
    tap.equal([e["event"] for e in events],
              ["hop"] * 3 + ["nonsense of a later version", "ready", "moved",
                             "down", "refused"])
    tap.equal(events[4], dict(READY, event="ready"))
    tap.equal(done.err, "")


@tap.test
def connect_on_a_terminal_shows_hops_and_what_happens():
    def moves(conn):
        conn.event("moved", **MOVED)
        conn.event("refused", code="unreachable", message="the target of "
                   "owner.web does not answer", hint="")
        conn.hold()
    here = Here(connecting(moves))
    t = here.terminal("connect", "owner.web", "--listen", "0", "--hops", "3",
                      "--identify", env={"NO_COLOR": "1"})
    t.until("does not answer")
    for part in ("the owner is shown this node's ID", "hop   1/3  r1",
                 "0.60 ms", "hop   2/3  r2", "1.13 ms", "12.0 ms",
                 "ready 127.0.0.1:34567 is owner.web, by r1 > r2 > r3, "
                 "built in 2.31 ms", "^C ends it",
                 "moved to s1 after a gap of 93.1 ms: r2 stopped answering",
                 "a connection was refused: the target"):
        tap.within(t.text, part)
    t.interrupt()
    tap.true(here.fake.conns[-1].gone.wait(20), "^C hangs up on vx6d")
    t.end()


@tap.test
def one_hop_hides_nothing_and_is_told_so():
    here = Here(connecting())
    for args in (["--hops", "1"], ["--via", "r1"]):
        done = here.vx6("connect", "o.w", "--listen", "0", "--background",
                        *args).expect(0)
        tap.within(done.err, "one hop hides nothing from that hop")
    for args in (["--hops", "2"], ["--via", "r1,r2"], []):
        done = here.vx6("connect", "o.w", "--listen", "0", "--background",
                        *args).expect(0)
        tap.equal(done.err, "")


@tap.test
def connect_fails_with_the_reason():
    def fails(request, conn):
        conn.event("hop", n=1, of=3, node="r1", ms=1)
        conn.fail(Refuse("unreachable", "hop 2 (r2) cannot be reached from r1",
                         "choose another path"))
    here = Here({"connect": fails})
    done = here.vx6("connect", "o.w", "--listen", "0", "--hops", "3").expect(3)
    tap.equal(done.err, "vx6: hop 2 (r2) cannot be reached from r1\n"
                        "     choose another path\n")

    def hang_up(request, conn):
        conn.event("ready", **READY)
        conn.sock.shutdown(2)
    here = Here({"connect": hang_up})
    done = here.vx6("connect", "o.w", "--listen", "0").expect(3)
    tap.within(done.err, "vx6d ended")


# ---- without a node ----

@tap.test
def init_makes_a_node_once():
    home = new_dir("init")
    args = ["--state", home + "/a/state", "--run", home + "/run", "--config",
            home + "/etc/vx6/config.json"]
    done = vx6(*args, "--json", "init", "--name", "alice").expect(0)
    doc = done.json()
    tap.true(re.fullmatch(r"vx6[a-z2-7]{52}", doc["id"]), doc["id"])
    tap.equal((doc["identity_made"], doc["config_made"]), (True, True))
    key = home + "/a/state/identity.key"
    tap.equal(stat.S_IMODE(os.stat(key).st_mode), 0o600)
    tap.equal(stat.S_IMODE(os.stat(home + "/a/state").st_mode), 0o700)
    config = open(home + "/etc/vx6/config.json", encoding="utf-8").read()
    tap.equal(json.loads(config)["node"]["name"], "alice")
    before = open(key, "rb").read()
    done = vx6(*args, "init", "--name", "bob").expect(0)
    tap.within(done.out, doc["id"] + " (was there already)")
    tap.within(done.err, 'node.name is "alice"')
    tap.equal(open(key, "rb").read(), before)
    tap.equal(open(home + "/etc/vx6/config.json",
                   encoding="utf-8").read(), config)
    # the configuration alone finds everything again
    only = ["--config", home + "/etc/vx6/config.json"]
    tap.within(vx6(*only, "config", "check").expect(0).out, "is right")
    shown = vx6(*only, "--json", "identity", "show").expect(0).json()
    tap.equal(shown, {"name": "alice", "id": doc["id"]})
    t = Terminal("--state", home + "/b", "--run", home + "/run", "--config",
                 home + "/b.json", "init")
    tap.equal(t.end(), 0)
    tap.within(t.text, "vx6 run")
    tap.within(t.text, "vx6 peer add")


@tap.test
def init_without_root_uses_xdg():
    if os.geteuid() == 0 and not shutil.which("setpriv"):
        raise tap.Skip("root: there is no setpriv")
    home = new_dir("xdg")
    command_line = [command.VX6, "--json", "init"]
    if os.geteuid() == 0:
        os.chown(home, 65534, 65534)
        binary = os.path.join(home, "vx6")
        shutil.copy(command.VX6, binary)
        place.let_pass(home)
        command_line = ["setpriv", "--reuid=65534", "--regid=65534",
                        "--clear-groups", binary, "--json", "init"]
    env = {"PATH": os.environ["PATH"], "HOME": home,
           "XDG_STATE_HOME": home + "/state",
           "XDG_CONFIG_HOME": home + "/config",
           "XDG_RUNTIME_DIR": home + "/run"}
    os.mkdir(home + "/run", 0o700)
    if os.geteuid() == 0:
        os.chown(home + "/run", 65534, 65534)
    p = subprocess.run(command_line, env=env, capture_output=True, text=True)
    tap.equal(p.returncode, 0, p.stderr)
    doc = json.loads(p.stdout)
    tap.equal(doc["state"], home + "/state/vx6")
    tap.equal(doc["config"], home + "/config/vx6/config.json")
    tap.true(os.path.exists(home + "/state/vx6/identity.key"), "a key")
    del env["XDG_RUNTIME_DIR"]
    command_line[-1] = "status"
    p = subprocess.run(command_line, env=env, capture_output=True, text=True)
    tap.equal(p.returncode, 1, p.stderr)
    tap.within(p.stderr, "XDG_RUNTIME_DIR")


@tap.test
def config_errors_name_file_line_and_remedy():
    here = Here()
    with open(here.config, "w", encoding="utf-8") as f:
        f.write('{\n  "node": {\n    "relay": "yes"\n  }\n}\n')
    for args in (["config", "check"], ["status"], ["run"], ["init"]):
        done = here.vx6(*args).expect(1)
        tap.within(done.err, here.config + ":3", " ".join(args))
        tap.within(done.err, "node.relay", " ".join(args))
        tap.within(done.err, "true or false", " ".join(args))
    done = vx6("config", "check", "/nonexistent").expect(1)
    tap.within(done.err, "cannot be read")
    with open(here.config, "w", encoding="utf-8") as f:
        f.write('{"node": {"relais": true}}')
    tap.within(here.vx6("config", "check").expect(1).err, "relais")


@tap.test
def config_documents():
    example = vx6("config", "example").expect(0)
    here = Here()
    with open(here.config, "w", encoding="utf-8") as f:
        f.write(example.out)
    tap.within(here.vx6("config", "check", here.config).expect(0).out,
               "is right")
    tap.true(vx6("config", "schema").expect(0).json()["properties"],
             "properties in the schema")
    tap.within(vx6("config", "reference").expect(0).out, "control.listen")
    tap.equal(vx6("version").expect(0).out, vx6("--version").expect(0).out)
    tap.true(vx6("--json", "version").expect(0).json()["version"], "a version")


def completions(line):
    """What bash would offer at the end of line."""
    script = vx6("completion", "bash").expect(0).out
    words = line.split(" ")
    text = script + "\nCOMP_WORDS=(" + " ".join(
        f"'{w}'" for w in words) + f")\nCOMP_CWORD={len(words) - 1}\n" \
        "_vx6\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n"
    p = subprocess.run(["bash", "-u", "-c", text], capture_output=True,
                       text=True)
    tap.equal(p.stderr, "", line)
    return set(p.stdout.split())


@tap.test
def bash_completes():
    tap.true({"init", "peer", "connect"} <= completions("vx6 "), "first words")
    tap.true({"add", "list"} <= completions("vx6 peer "), "second words")
    tap.equal(completions("vx6 peer a"), {"add"})
    tap.equal(completions("vx6 --run /x peer a"), {"add"})
    tap.true({"--hops", "--via", "--json"} <= completions(
        "vx6 connect a.b --"), "options")
    tap.absent(completions("vx6 connect a.b --"), "--target")
    tap.equal(completions("vx6 service add web --tar"),
              {"--target", "--target-any"})
    tap.equal(completions("vx6 completion b"), {"bash"})
    tap.within(completions("vx6 --config /etc/host"), "/etc/hosts")


# ---- vx6 run ----

CHILD = """#!/usr/bin/env python3
import os, signal, socket, sys
log = open({log!r}, "a")
log.write(f"{{os.path.basename(sys.argv[0])}} {{os.getpid()}} "
          + " ".join(sys.argv[1:]) + "\\n")
log.flush()
{body}
"""
READY_AND_WAIT = """
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect("\\0" + os.environ["NOTIFY_SOCKET"][1:])
def bye(n, f):
    log.write(f"{os.path.basename(sys.argv[0])} gone\\n")
    log.flush()
    sys.exit(0)
signal.signal(signal.SIGTERM, bye)
s.send(b"READY=1")
while True:
    signal.pause()
"""


class Runner:
    """vx6 beside daemons that do what a test wants."""

    def __init__(self, vx6d, plane=None):
        self.here = Here()
        self.log = os.path.join(self.here.dir, "log")
        self.bin = os.path.join(self.here.dir, "bin")
        os.mkdir(self.bin)
        self.vx6 = os.path.join(self.bin, "vx6")
        shutil.copy(command.VX6, self.vx6)
        for name, body in (("vx6d", vx6d), ("vx6-dataplane", plane)):
            if body is None:
                continue
            path = os.path.join(self.bin, name)
            with open(path, "w", encoding="utf-8") as f:
                f.write(CHILD.format(log=self.log, body=body))
            os.chmod(path, 0o755)
        if plane is not None:
            with open(self.here.config, "w", encoding="utf-8") as f:
                json.dump({"data": {"enabled": True}}, f)
        vx6(*self.here.args, "init").expect(0)

    def lines(self):
        try:
            with open(self.log, encoding="utf-8") as f:
                return f.read().splitlines()
        except FileNotFoundError:
            return []

    def pids(self, name):
        return [int(line.split()[1]) for line in self.lines()
                if line.split()[0] == name and line.split()[1] != "gone"]

    def run(self, *args):
        return Terminal(*self.here.args, "run", *args, binary=self.vx6,
                        env={"NO_COLOR": "1"})


@tap.test
def run_starts_both_and_one_interrupt_ends_both():
    r = Runner(READY_AND_WAIT, READY_AND_WAIT)
    t = r.run("--user", "root") if os.geteuid() == 0 else r.run()
    tap.wait(lambda: r.pids("vx6d") and r.pids("vx6-dataplane"),
             "both daemons", hint=lambda: t.text)
    line = r.lines()[0]
    for part in ("--config " + r.here.config, "--state " + r.here.state,
                 "--run " + r.here.run):
        tap.within(line, part)
    # typed at the terminal, ^C goes to the foreground group
    os.write(t.fd, b"\x03")
    tap.equal(t.end(), 0, t.text)
    tap.equal(r.lines()[-2:], ["vx6d gone", "vx6-dataplane gone"])
    for pid in r.pids("vx6d") + r.pids("vx6-dataplane"):
        tap.equal(place.start_time(pid), None, "a daemon is left")


@tap.test
def run_starts_again_what_was_killed():
    r = Runner(READY_AND_WAIT)
    t = r.run()
    first = tap.wait(lambda: r.pids("vx6d"), "vx6d")[0]
    os.kill(first, signal.SIGKILL)
    tap.wait(lambda: len(r.pids("vx6d")) == 2, "vx6d again",
             hint=lambda: t.text)
    t.until("vx6d was ended by signal 9 (Killed), is started again in")
    t.interrupt()
    tap.equal(t.end(), 0)


@tap.test
def run_gives_up_on_what_cannot_start():
    for body, status in (("sys.exit(2)", 2), ("sys.exit(1)", 1)):
        r = Runner(f'sys.stderr.write("vx6d: the port is in use\\n")\n{body}',
                   READY_AND_WAIT)
        t = r.run()
        tap.equal(t.end(), 1, t.text)
        tap.within(t.text, "vx6d: the port is in use")
        tap.within(t.text, f"vx6d ended with status {status} before it was "
                           "ready")
        tap.equal(len(r.pids("vx6d")), 1, "starts")
        for pid in r.pids("vx6-dataplane"):
            tap.equal(place.start_time(pid), None, "the data plane is left")


@tap.test
def run_ends_when_vx6d_is_shut_down():
    r = Runner(READY_AND_WAIT, READY_AND_WAIT)
    t = r.run()
    pid = tap.wait(lambda: r.pids("vx6d") and r.pids("vx6-dataplane") and
                   r.pids("vx6d"), "both")[0]
    os.kill(pid, signal.SIGTERM)  # it ends with status 0
    tap.equal(t.end(), 0, t.text)
    tap.equal(r.lines()[-1], "vx6-dataplane gone")


@tap.test
def run_leaves_nobody_behind_when_it_is_killed():
    r = Runner(READY_AND_WAIT)
    t = r.run()
    pid = tap.wait(lambda: r.pids("vx6d"), "vx6d")[0]
    # it has told READY by then, so its handler stands
    t.p.kill()
    tap.wait(lambda: place.start_time(pid) is None, "vx6d to end")


@tap.test
def run_says_what_is_missing():
    r = Runner(READY_AND_WAIT)
    os.unlink(os.path.join(r.here.state, "identity.key"))
    t = r.run()
    tap.equal(t.end(), 1)
    tap.within(t.text, "vx6 init")
    r = Runner(None)
    t = r.run()
    tap.equal(t.end(), 1)
    tap.within(t.text, "vx6d is neither in")


@tap.test
def run_passes_readiness_upward():
    import socket
    r = Runner(READY_AND_WAIT, READY_AND_WAIT)
    path = os.path.join(r.here.dir, "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(path)
        s.settimeout(20)
        t = Terminal(*r.here.args, "run", binary=r.vx6,
                     env={"NOTIFY_SOCKET": path})
        tap.equal(s.recv(100), b"READY=1")
        tap.equal(len(r.pids("vx6d")) + len(r.pids("vx6-dataplane")), 2)
        t.interrupt()
        tap.equal(s.recv(100), b"STOPPING=1")
        tap.equal(t.end(), 0)


tap.main(command.have("vx6"))
