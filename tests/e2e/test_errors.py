#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 420
"""What goes wrong ends in one clear sentence, one on what to do next, and
the right exit code: 1 failed, 2 usage, 3 unreachable, 4 denied.

Each is provoked for real: a node with another identity at the address, a
clock that is off, a record with a flipped bit, a killed relay.
"""
import grp
import json
import os
import shutil
import sqlite3
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import clock, command, place, programs, tap, tcp
from harness.node import Net, chain

RELAYS = ["r1", "r2", "r3"]
net = tap.once(chain)


def refused(done, code, *parts):
    """vx6 ended with code, and said one sentence and a hint."""
    done.expect(code)
    lines = done.err.strip().splitlines()
    lines = [line for line in lines if not line.startswith("note: ")]
    tap.true(len(lines) == 2 and lines[0].startswith("vx6: ") and
             lines[1].strip(), f"a sentence and a hint, not {done.err!r}")
    tap.note(f"exit {code}: {lines[0][5:]} | {lines[1].strip()}")
    for part in parts:
        tap.within(done.err, part)
    tap.absent(done.err, "%", "a format that was not filled in")
    tap.equal(done.out, "", "stdout")
    return lines


def connect(node, service, *args, code=0):
    done = node.vx6("connect", service, "--listen", "0", "--background", *args)
    if code == 0:
        listen = done.expect(0).out.split()[1]
        tap.after(node.vx6, "disconnect", listen)
        return listen
    return done


def nobody_listens():
    """A target that refuses: the port was free a moment ago."""
    return f"127.0.0.1:{programs.free_port()}"


def service(name, target, **more):
    owner = net()["owner"]
    owner.service(name, target, **more)
    tap.after(lambda: owner.api("service.remove", name=name))
    return "owner." + name


# ---- identities and records ----

@tap.test
def another_identity_at_the_address():
    made = Net()
    a, b, other = made.node("a"), made.node("b"), made.node("other")
    for n in (a, b, other):
        n.init()
    a.config["peers"] = [{"address": b.host, "port": b.port, "id": other.id}]
    a.write_config()
    made.start("a", "b")

    def error():
        peers = a.api("peer.list")["peers"]
        return next((p["error"] for p in peers
                     if p["id"] == other.id and p["error"]), None)
    text = tap.wait(error, "the dial to fail", 30)
    tap.within(text, "proved")
    tap.within(text, b.id[:12], "who it is instead")
    tap.within(a.vx6("peer", "list").expect(0).out, "proved")
    refused(connect(a, other.id + ".web", code=3), 3, "proved")
    tap.absent([p["state"] for p in a.api("peer.list")["peers"]
                if p["id"] == other.id], "connected")


def record_file(bytes_of):
    path = os.path.join(place.new_dir(f"rec{len(os.listdir(place.place()))}"),
                        "record")
    with open(path, "wb") as f:
        f.write(bytes_of)
    return path


@tap.test
def expired_and_early_records():
    made = Net()
    made.node("here")
    made.node("past", env=clock.shifted(-3600))
    made.node("future", env=clock.shifted(3600))
    made.start()
    here = made["here"]
    refused(here.vx6("peer", "add", record_file(made["past"].record())), 1,
            "expired", "vx6 identity show --record")
    refused(here.vx6("peer", "add", record_file(made["future"].record())), 1,
            "future")
    tap.equal(here.api("peer.list")["total"], 0)


@tap.test
def forged_and_broken_records():
    made = Net()
    a, b = made.node("a"), made.node("b")
    made.start()
    good = bytearray(b.record())
    for at in (10, len(good) // 2, len(good) - 1):
        bad = bytearray(good)
        bad[at] ^= 1
        done = a.vx6("peer", "add", record_file(bad))
        refused(done, 1)
    # a flipped bit in what was signed, in its middle, and in the signature
    tap.within(done.err, "signature")
    refused(a.vx6("peer", "add", record_file(good[:-5])), 1)
    refused(a.vx6("peer", "add", record_file(b"\x82\x40\x40")), 1)
    refused(a.vx6("peer", "add", record_file(a.record())), 1, "own record")
    tap.equal(a.api("peer.list")["total"], 0)
    a.vx6("peer", "add", record_file(good)).expect(0)
    tap.equal(a.api("peer.list")["peers"][0]["id"], b.id)


# ---- services ----

@tap.test
def a_stranger_at_a_service_with_a_list():
    client, friend = net()["client"], net()["r1"]
    server = tcp.Server(tcp.digest_of_all)
    name = service("private", server.target, allow=[friend.id])
    first = refused(connect(client, name, code=4), 4, "owner")
    refused(connect(client, name, "--identify", code=4), 4)
    refused(connect(client, name, "--via", "r1,r2,r3", code=4), 4)
    refused(connect(client, name, "--via", "r1,r2,r3", "--identify", code=4),
            4)
    # who is allowed has to say who it is
    refused(connect(friend, name, code=4), 4, "--identify")
    listen = connect(friend, name, "--identify")
    with tcp.connect(listen) as s:
        tcp.arrives(s)
    # a stranger cannot tell it from what does not exist
    none = refused(connect(client, "owner.privatf", code=4), 4)
    tap.equal([line.replace("privatf", "private") for line in none], first)


@tap.test
def a_target_that_is_down():
    name = service("down", nobody_listens())
    refused(connect(net()["client"], name, code=3), 3, "target", name)
    refused(connect(net()["client"], name, "--via", "r1,r2,r3", code=3), 3,
            "target")


@tap.test
def a_target_that_goes_down_later():
    server = tcp.Server(tcp.digest_of_all)
    name = service("later", server.target)
    client = net()["client"]
    t = client.terminal("connect", name, "--listen", "0", "--via", "r1,r2,r3")
    t.until("^C ends it")
    listen = client.api("forward.list")["forwards"][0]["listen"]
    server.close()
    with tcp.connect(listen) as s:
        try:
            tap.equal(s.recv(1), b"", "a connection to nowhere")
        except ConnectionResetError:
            pass
    t.until("a connection was refused")
    t.interrupt()
    t.end()


@tap.test
def what_is_not_loopback_has_to_be_said():
    owner, client = net()["owner"], net()["client"]
    refused(owner.vx6("service", "add", "far", "--target", "192.0.2.1:80",
                      "--public"), 4, "192.0.2.1", "--target-any")
    owner.vx6("service", "add", "far", "--target", "192.0.2.1:80", "--public",
              "--target-any").expect(0)
    owner.vx6("service", "remove", "far").expect(0)
    server = tcp.Server(tcp.echo)
    name = service("near", server.target)
    refused(client.vx6("connect", name, "--listen", "0.0.0.0:0",
                       "--background"), 4, "--listen-any")
    done = client.vx6("connect", name, "--listen", "0.0.0.0:0",
                      "--background", "--listen-any").expect(0)
    client.vx6("disconnect", done.out.split()[1]).expect(0)


@tap.test
def a_service_that_exists_or_does_not():
    owner = net()["owner"]
    server = tcp.Server(tcp.echo)
    service("twice", server.target)
    refused(owner.vx6("service", "add", "twice", "--target", server.target,
                      "--public"), 1, "twice")
    refused(owner.vx6("service", "remove", "never"), 1, "never")
    refused(owner.vx6("service", "add", "Bad_Name", "--target",
                      server.target, "--public"), 2, "Bad_Name")


# ---- paths ----

@tap.test
def paths_that_cannot_be():
    client = net()["client"]
    server = tcp.Server(tcp.echo)
    name = service("paths", server.target)
    for args, code, parts in (
            (["--via", "r1,r1"], 2, ["r1", "twice"]),
            (["--via", "r1,nobody"], 1, ["nobody"]),
            (["--via", "client,r1"], 2, ["itself"]),
            (["--hops", "5"], 3, ["relays"])):
        refused(connect(client, name, *args, code=code), code, *parts)
    net()["r3"].service("own", server.target)
    refused(connect(client, "r3.own", "--via", "r1,r3", code=2), 2, "owner")
    refused(connect(client, "nobody.web", code=3), 3, "nobody", "vx6 peer add")
    refused(connect(client, "owner.Bad_Name", code=2), 2)


@tap.test
def the_local_port_is_in_use():
    server = tcp.Server(tcp.echo)
    name = service("port", server.target)
    done = net()["client"].vx6("connect", name, "--listen", server.target,
                               "--background")
    refused(done, 1, server.target, "in use")


@tap.test
def a_relay_that_is_down():
    made = chain()
    server = tcp.Server(tcp.digest_of_all)
    made["owner"].service("web", server.target)
    made["r2"].kill()
    refused(connect(made["client"], "owner.web", "--via", "r1,r2,r3",
                    "--spare-via", "none", code=3), 3, "r2")
    made["r1"].kill()
    refused(connect(made["client"], "owner.web", "--via", "r1,r3",
                    "--spare-via", "none", code=3), 3, "r1")
    connect(made["client"], "owner.web", "--via", "r3", "--spare-via", "none")


@tap.test
def an_owner_that_is_down():
    made = chain(relays=("r1",))
    made["owner"].kill()
    refused(connect(made["client"], "owner.web", code=3), 3, "owner")
    refused(connect(made["client"], "owner.web", "--via", "r1", "--spare-via",
                    "none", code=3), 3, "owner")


# ---- who may ----

@tap.test
def a_member_of_the_group_asks_and_does_not_end_vx6d():
    setpriv = programs.program("setpriv")
    if os.geteuid() != 0:
        raise tap.Skip("root: only root can become another user")
    group = grp.getgrnam("daemon")
    node = Net().node("a", config={"api": {"group": group.gr_name}})
    node.net.start()
    for path in (node.dir, node.run):
        os.chmod(path, 0o711)
    place.let_pass(node.dir)
    binary = os.path.join(node.dir, "vx6")
    shutil.copy(command.VX6, binary)

    def member(verb):
        return subprocess.run(
            [setpriv, "--reuid=65534", "--regid=65534",
             f"--groups={group.gr_gid}", binary, "--config",
             node.config_path, verb], capture_output=True, text=True)
    done = member("status")
    tap.equal(done.returncode, 0, done.stderr)
    done = member("shutdown")
    tap.equal(done.returncode, 4, done.stderr)
    tap.within(done.stderr, "may not end vx6d")
    tap.equal(node.vx6d.poll(), None, "vx6d goes on")
    node.vx6("shutdown").expect(0)
    tap.equal(node.vx6d.wait(20), 0, "and ends when its owner says so")


# ---- the disk ----

@tap.test
def a_disk_that_refuses_is_told():
    node = Net().node("a")
    node.net.start()
    tap.absent(node.last_words(), "disk-refuses")
    other = sqlite3.connect(os.path.join(node.state, "registry.db"),
                            isolation_level=None)
    tap.after(other.close)
    other.execute("BEGIN IMMEDIATE")  # as a backup would, or a stranger
    node.vx6("service", "add", "web", "--target", "127.0.0.1:80",
             "--public").expect(1)
    tap.wait(lambda: "disk-refuses" in node.last_words(), "the line",
             hint=node.last_words)
    tap.within(node.last_words(), "database is locked")
    other.execute("ROLLBACK")
    node.vx6("service", "add", "web", "--target", "127.0.0.1:80",
             "--public").expect(0)


# ---- clocks ----

def five_minutes(seconds, word):
    made = Net()
    made.node("client", env=clock.shifted(seconds))
    made.node("owner")
    for name in RELAYS:
        made.relay(name)
    made.start().acquaint()
    client = made["client"]
    warning = tap.wait(lambda: client.status()["clock"]["warning"],
                       "the clock to be noticed")
    tap.within(warning, word)
    tap.within(client.vx6("status").expect(0).out, warning)
    tap.note(warning)
    for name in RELAYS:
        peer = made[name].peers()["client"]
        tap.true(abs(peer["clock_offset_s"] - seconds) < 30,
                 f"{name} sees {peer['clock_offset_s']} s")
        tap.equal(made[name].status()["clock"]["warning"], None,
                  "one of four is the client's fault")
    server = tcp.Server(tcp.digest_of_all)
    made["owner"].service("web", server.target)
    refused(connect(client, "owner.web", "--via", "r1,r2,r3", "--spare-via",
                    "none", code=1), 1, "clock")
    # directly nothing depends on the clock
    listen = connect(client, "owner.web")
    with tcp.connect(listen) as s:
        tcp.arrives(s)


@tap.test
def the_clock_is_five_minutes_ahead():
    five_minutes(300, "ahead")


@tap.test
def the_clock_is_five_minutes_behind():
    five_minutes(-300, "behind")


@tap.test
def a_hint_grows_old_unless_it_is_the_operators():
    made = Net()
    wall = clock.Clock()
    a = made.node("a", env=wall.env, config={"limits": {"hint_days": 2}})
    b, c = made.relay("b"), made.relay("c")
    made.start()
    b.learn(c.record())
    a.learn(b.record())
    tap.wait(lambda: "c" in a.peers(), "b to tell of c")
    for node in (b, c):
        node.stop()
    for days, known in ((1, ["b", "c"]), (3, ["b"])):
        place.end(a.vx6d)
        wall.set(days * 86400)
        a.start_vx6d()
        a.ready()
        if "c" not in known:
            tap.wait(lambda: "c" not in a.peers(), "the hint to be dropped")
            tap.wait(lambda: "hints-dropped" in a.last_words(), "its line")
        tap.equal(sorted(a.peers()), known, f"after {days} days")


# ---- starting ----

def daemon(node, name):
    """Starts a daemon that must not come up: (status, its words)."""
    p = subprocess.run(node.daemon(name), capture_output=True, text=True,
                       timeout=30, stdin=subprocess.DEVNULL)
    lines = [line for line in p.stderr.strip().splitlines()
             if line.startswith(name + ": ")]
    tap.equal(len(lines), 1, f"one sentence in {p.stderr!r}")
    tap.note(lines[0])
    return p.returncode, lines[0]


@tap.test
def a_control_port_that_is_in_use():
    made = Net()
    a, b = made.node("a"), made.node("b")
    made.start("a")
    b.init()
    b.config["control"]["listen"] = a.config["control"]["listen"]
    b.write_config()
    status, words = daemon(b, "vx6d")
    tap.true(status in (1, 2), f"status {status}")
    tap.within(words, a.at(a.port))
    tap.within(words, "control.listen")
    t = b.terminal("run")
    tap.equal(t.end(), 1, t.text)
    tap.within(t.text, "before it was ready")
    tap.equal(a.status()["id"], a.id, "the first one lives")


@tap.test
def a_data_port_that_is_in_use():
    made = Net()
    a, b = made.relay("a"), made.relay("b")
    made.start("a")
    b.init()
    b.config["data"]["listen"] = a.config["data"]["listen"]
    b.write_config()
    status, words = daemon(b, "vx6-dataplane")
    tap.true(status in (1, 2), f"status {status}")
    tap.within(words, str(a.data_port))


@tap.test
def a_state_directory_that_is_in_use():
    made = Net()
    a = made.node("a")
    made.start()
    b = made.node("b")
    b.config["state"] = b.state = a.state
    b.write_config()
    status, words = daemon(b, "vx6d")
    tap.true(status != 0, "it started")
    tap.within(words, a.state)
    tap.equal(a.status()["id"], a.id, "the first one lives")


@tap.test
def configurations_that_are_wrong():
    made = Net()
    a = made.relay("a")
    a.init()
    for change, parts in (
            ({"node": {"relay": "yes"}}, ["node.relay", "true or false"]),
            ({"control": {"listen": ["nowhere"]}}, ["control.listen"]),
            ({"timers": {"dial_s": -1}}, ["timers.dial_s"]),
            ({"frob": 1}, ["frob"])):
        with open(a.config_path, "w", encoding="utf-8") as f:
            json.dump(change, f)
        for name in ("vx6d", "vx6-dataplane"):
            status, words = daemon(a, name)
            tap.equal(status, 2, name)
            for part in parts + [a.config_path + ":1"]:
                tap.within(words, part)
        done = a.vx6("run").expect(1)
        tap.within(done.err, parts[0])



@tap.test
def a_data_plane_that_went():
    """Confined, it cannot remove its socket: the file says nothing, and the
    next data plane takes it over."""
    made = Net()
    node = made.relay("gone")
    made.start()
    sock = os.path.join(node.run, "dataplane.sock")

    def plane():
        return node.status()["dataplane"]["state"]
    for end in (node.stop, node.kill):
        end("dataplane")
        tap.wait(lambda: plane() == "waiting", "vx6d to notice")
        tap.true(os.path.exists(sock), "the file stays")
        tap.within(node.vx6("status").expect(0).out, "waiting for "
                   "vx6-dataplane, which is not there")
        tap.within(node.vx6("doctor").out, "vx6-dataplane does not answer it")
        tap.within(node.vx6("stats").expect(0).out, "not connected")
        node.start()
        tap.wait(lambda: plane() == "connected", "another to be taken")
        tap.absent(node.vx6("doctor").out, "does not answer it")
    made.stop()
    tap.true(os.path.exists(sock), "the file stays without vx6d as well")
    refused(node.vx6("status"), 3, "vx6d is not running")
    tap.within(node.vx6("doctor").out, "does not run")


tap.main(command.have("vx6", "vx6d", "vx6-dataplane"))
