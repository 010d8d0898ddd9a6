#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 600
"""A service reached through three relays that know nothing of streams.

      client ===> r1 ---> r2 ---> r3 ===> owner --> 127.0.0.1:port
"""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import command, programs, tap, tcp
from harness.node import Net, SHORT, chain

MIB = 1 << 20
SIZE = 256 * MIB
RELAYS = ["r1", "r2", "r3"]
CELL = 1472


@tap.once
def net():
    return chain()


def offered(made, name, target):
    made["owner"].service(name, target)
    tap.after(lambda: made["owner"].api("service.remove", name=name))
    return "owner." + name


def through(made, service, **more):
    return made["client"].connect(service, via=RELAYS, spare_via=[], **more)


@tap.once
def nginx():
    return programs.Nginx()


def speed(what, size, began):
    took = time.monotonic() - began
    tap.note(f"{what}: {size / 1e6 / took:.0f} MB/s")


@tap.test
def download_256_mib():
    digest = nginx().page("page", SIZE)
    before = {r: net()[r].cells() for r in RELAYS}
    got = os.path.join(nginx().dir, "got")
    with through(net(), offered(net(), "web", nginx().target)) as c:
        tap.equal((c.ready["mode"], c.ready["path"]), ("relay", RELAYS))
        hops = [e["node"] for e in c.events if e["event"] == "hop"]
        tap.equal(hops, RELAYS, "hops told while building")
        began = time.monotonic()
        programs.curl("-o", got, f"http://{c.listen}/page")
        speed("download", SIZE, began)
    tap.equal(programs.file_digest(got), digest)
    os.unlink(got)
    # every byte went through every relay
    for r in RELAYS:
        tap.true(net()[r].cells() - before[r] >= SIZE / CELL,
                 f"{r} forwarded {net()[r].cells() - before[r]} cells")


@tap.test
def upload_256_mib():
    path = os.path.join(nginx().dir, "up")
    digest = programs.random_file(path, SIZE)
    with through(net(), offered(net(), "web", nginx().target)) as c:
        began = time.monotonic()
        programs.curl("-T", path, f"http://{c.listen}/put/up")
        speed("upload", SIZE, began)
    back = nginx().pages + "/put/up"
    tap.equal(programs.file_digest(back), digest)
    os.unlink(path)
    os.unlink(back)


@tap.test
def two_hundred_connections_at_once():
    server = tcp.Server(tcp.echo)
    with through(net(), offered(net(), "echo", server.target)) as c:
        tcp.Crowd(c.listen, 200, 64 << 10).run()
    tap.equal(server.trouble, [])


@tap.test
def relays_of_several_workers():
    """Relays of 2 and 4 workers: a path's links are several workers'."""
    made = Net()
    for name in ("client", "owner"):
        made.node(name)
    for name, workers in zip(RELAYS, (2, 4, 2)):
        made.relay(name).config["data"]["workers"] = workers
        made[name].write_config()
    made.start().acquaint()
    server = tcp.Server(tcp.digest_of_all)
    data = os.urandom(8 * MIB + 3)
    with through(made, offered(made, "several", server.target)) as c, \
            tcp.connect(c.listen) as s:
        tcp.arrives(s, data)
    for name, workers in zip(RELAYS, (2, 4, 2)):
        plane = made[name].api("status")["dataplane"]
        tap.equal((plane["workers"], len(plane["placement"])),
                  (workers, workers))
        tap.true(made[name].cells() >= len(data) / CELL, "its cells")


@tap.test
def half_close():
    server = tcp.Server(tcp.digest_of_all)
    data = os.urandom(2 * MIB + 3)
    with through(net(), offered(net(), "half", server.target)) as c, \
            tcp.connect(c.listen) as s:
        tcp.arrives(s, data)


@tap.test
def many_small_messages_in_turn():
    server = tcp.Server(tcp.echo)
    with through(net(), offered(net(), "turn", server.target)) as c, \
            tcp.connect(c.listen) as s:
        for i in range(300):
            word = f"{i:08}".encode()
            s.sendall(word)
            tap.equal(s.recv(100), word)


@tap.test
def ssh_is_a_second_program():
    sshd = programs.Sshd()
    with through(net(), offered(net(), "ssh", sshd.target)) as c:
        p = sshd.ssh(c.host, c.port, "echo hello; exit 7")
        tap.equal((p.stdout, p.returncode), (b"hello\n", 7),
                  p.stderr.decode())
        path = os.path.join(sshd.dir, "file")
        digest = programs.random_file(path, 8 * MIB)
        with open(path, "rb") as f:
            p = sshd.ssh(c.host, c.port, "sha256sum", stdin=f)
        tap.equal(p.stdout.decode().split()[0], digest)


@tap.test
def idle_past_every_timer():
    """Every timer is short; a stream stays open and silent until its tunnel
    is older than the longest of them several times, then goes on."""
    made = chain(timers=dict(SHORT, tunnel_idle_s=2, target_connect_s=2))
    server = tcp.Server(tcp.echo)
    longest = max(v for k, v in SHORT.items() if k != "redial_max_s")
    with through(made, offered(made, "idle", server.target)) as c, \
            tcp.connect(c.listen) as s:
        s.sendall(b"before")
        tap.equal(s.recv(100), b"before")

        def old():
            tunnels = made["client"].api("tunnel.list")["tunnels"]
            return tunnels and tunnels[0]["age_s"] > 3 * longest
        tap.wait(old, "the tunnel to be old", 60)
        s.sendall(b"after")
        tap.equal(s.recv(100), b"after")
        tunnel = made["client"].api("tunnel.list")["tunnels"][0]
        tap.equal(tunnel["moves"], 0, "moves of a path that is well")
    tap.equal(len(server.used), 1, "connections at the target")


@tap.test
def what_the_verbs_show_of_a_circuit():
    server = tcp.Server(tcp.echo)
    client = net()["client"]
    with through(net(), offered(net(), "show", server.target)) as c, \
            tcp.connect(c.listen) as s:
        s.sendall(b"x")
        s.recv(1)
        tap.within(client.vx6("circuit", "list").expect(0).out,
                   "here > r1 > r2 > r3 > owner")
        tap.within(client.vx6("tunnel", "list").expect(0).out, "r1 > r2 > r3")
        tap.within(client.vx6("forward", "list").expect(0).out, c.listen)
        roles = {name: [x["role"] for x in
                        net()[name].api("circuit.list")["circuits"]]
                 for name in RELAYS + ["owner"]}
        for name in RELAYS:
            tap.within(roles[name], "relay", name)
        tap.within(roles["owner"], "end")
        between = net()["r2"].api("circuit.list")["circuits"][0]
        tap.equal((between["previous"], between["next"]), ("r1", "r3"))
    tap.wait(lambda: not any(
        net()[name].api("circuit.list")["circuits"]
        for name in RELAYS + ["owner", "client"]),
        "every circuit to be gone with the forward")


@tap.test
def hops_are_drawn_without_repeats():
    server = tcp.Server(tcp.digest_of_all)
    service = offered(net(), "drawn", server.target)
    for hops in (1, 2, 3):
        with net()["client"].connect(service, hops=hops, spare_via=[]) as c, \
                tcp.connect(c.listen) as s:
            tap.equal(len(c.ready["path"]), hops)
            tap.equal(len(set(c.ready["path"])), hops, "different relays")
            tcp.arrives(s)


tap.main(command.have("vx6", "vx6d", "vx6-dataplane"))
