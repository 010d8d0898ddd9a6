#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 300
"""A service of one node's localhost at another node's local port, directly:
the tunnel over plain UDP, TCP's manners at both ends, the CLI's verbs."""
import os
import select
import socket
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import command, place, programs, tap, tcp
from harness.node import Net

MIB = 1 << 20


@tap.once
def net():
    """client and owner, made when the first test needs them."""
    made = Net()
    made.node("client")
    made.node("owner")
    return made.start().acquaint()


def offered(name, target):
    owner = net()["owner"]
    owner.service(name, target)
    tap.after(lambda: owner.api("service.remove", name=name))
    return "owner." + name


@tap.test
def a_page_and_an_upload():
    nginx = programs.Nginx()
    digest = nginx.page("page", 32 * MIB)
    service = offered("web", nginx.target)
    got = os.path.join(nginx.dir, "got")
    with net()["client"].connect(service) as c:
        tap.equal(c.ready["mode"], "direct")
        tap.equal(c.ready["path"], [])
        programs.curl("-o", got, f"http://{c.listen}/page")
        tap.equal(programs.file_digest(got), digest)
        programs.curl("-T", got, f"http://{c.listen}/put/back")
        tap.equal(programs.file_digest(nginx.pages + "/put/back"), digest)


@tap.test
def streams_are_counted_at_both_ends():
    server = tcp.Server(tcp.echo)
    service = offered("counted", server.target)
    ends = [net()[name] for name in ("client", "owner")]

    def streams():
        return [node.api("stats")["vx6d"]["streams"] for node in ends]
    before = streams()
    with net()["client"].connect(service) as c:
        with tcp.connect(c.listen) as s:
            s.sendall(b"x" * 1000)
            s.recv(1000, socket.MSG_WAITALL)
            for was, now in zip(before, streams()):
                tap.equal(now["open"], was["open"] + 1)
                tap.equal((now["up_bytes"] - was["up_bytes"],
                           now["down_bytes"] - was["down_bytes"]),
                          (1000, 1000))
        tap.wait(lambda: [now["closed"] - was["closed"] for was, now in
                          zip(before, streams())] == [1, 1], "its end")
        server.close()
        tcp.connect(c.listen)
        tap.wait(lambda: [now["refused"].get("target", 0) -
                          was["refused"].get("target", 0) for was, now in
                          zip(before, streams())] == [1, 1],
                 "the refusal", hint=streams)


@tap.test
def the_verbs_of_the_cli():
    client, owner = net()["client"], net()["owner"]
    nginx = programs.Nginx("nginx-cli")
    with open(nginx.pages + "/hello", "w", encoding="utf-8") as f:
        f.write("hello\n")
    owner.vx6("service", "add", "cli", "--target", nginx.target,
              "--public").expect(0)
    tap.within(owner.vx6("service", "list").expect(0).out, nginx.target)
    tap.within(owner.vx6("service", "add", "cli", "--target", nginx.target,
                         "--public").expect(1).err, "cli")
    out = client.vx6("connect", "owner.cli", "--listen", "0",
                     "--background").expect(0).out
    tap.true(out.startswith("ready 127.0.0.1:"), out)
    listen = out.split()[1]
    tap.equal(programs.curl(f"http://{listen}/hello"), b"hello\n")
    tap.within(client.vx6("forward", "list").expect(0).out, listen)
    tap.within(client.vx6("tunnel", "list").expect(0).out, "owner.cli")
    client.vx6("disconnect", listen).expect(0)
    tap.absent(client.vx6("forward", "list").expect(0).out, listen)
    tap.true(not programs.answers(*split(listen)), "the port is closed")
    tap.within(client.vx6("disconnect", listen).expect(1).err, listen)
    # by node ID, too, and on a terminal
    t = client.terminal("connect", owner.id + ".cli", "--listen", "0")
    t.until("^C ends it")
    tap.within(t.text, "directly")
    t.interrupt()
    t.end()
    tap.wait(lambda: not client.api("forward.list")["forwards"],
             "the forward to end with its command")
    owner.vx6("service", "remove", "cli").expect(0)
    owner.vx6("service", "remove", "cli").expect(1)


def split(listen):
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)


@tap.test
def every_read_verb_has_json():
    for node in net().nodes.values():
        for verb in ("status", "stats", "peer list", "link list",
                     "circuit list", "tunnel list", "service list",
                     "forward list", "identity show"):
            doc = node.vx6("--json", *verb.split()).expect(0).json()
            tap.true(isinstance(doc, dict), verb)
            if verb.endswith("list"):
                key = verb.split()[0] + "s"
                tap.equal(len(doc[key]), doc["total"], verb)


@tap.test
def half_close_reaches_the_target():
    server = tcp.Server(tcp.digest_of_all)
    data = os.urandom(3 * MIB + 7)
    with net()["client"].connect(offered("half", server.target)) as c, \
            tcp.connect(c.listen) as s:
        tcp.arrives(s, data)


@tap.test
def half_close_from_the_target():
    done = []

    def serve(sock):
        sock.sendall(b"bye")
        sock.shutdown(socket.SHUT_WR)
        done.append(tcp.read_all(sock)[0])
    server = tcp.Server(serve)
    with net()["client"].connect(offered("bye", server.target)) as c, \
            tcp.connect(c.listen) as s:
        tap.equal(s.recv(10), b"bye")
        tap.equal(s.recv(10), b"")
        s.sendall(b"x" * 100000)
        s.shutdown(socket.SHUT_WR)
        tap.wait(lambda: done, "what came after the target's FIN")
        tap.equal(done, [100000])


@tap.test
def a_reset_is_a_reset_both_ways():
    heard = []

    def serve(sock):
        if sock.recv(1) == b"r":
            tcp.reset(sock)
            return
        try:
            heard.append(sock.recv(1))
        except ConnectionResetError:
            heard.append("reset")
    server = tcp.Server(serve)
    with net()["client"].connect(offered("reset", server.target)) as c:
        s = tcp.connect(c.listen)
        s.sendall(b"r")
        try:
            got = s.recv(1)
        except ConnectionResetError:
            got = "reset"
        tap.equal(got, "reset", "the target's")
        s = tcp.connect(c.listen)
        s.sendall(b"x")
        tap.wait(lambda: len(server.used) == 2, "the second connection")
        tcp.reset(s)
        tap.wait(lambda: heard, "the reset at the target")
        tap.equal(heard, ["reset"], "the client's")


def memory(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        for line in f:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return 0


@tap.test
def who_does_not_read_holds_the_sender():
    client, owner = net()["client"], net()["owner"]
    go = []

    def serve(sock):
        tap.wait(lambda: go, "the test to let it read", 120)
        sock.sendall(f"{tcp.read_all(sock)[0]}".encode())
    server = tcp.Server(serve)
    with client.connect(offered("slow", server.target)) as c, \
            tcp.connect(c.listen) as s:
        before = memory(client.vx6d.pid) + memory(owner.vx6d.pid)
        s.setblocking(False)
        sent = 0
        part = b"x" * 65536
        limit = 128 * MIB
        full = 0
        # full for good: nothing was taken in many looks, 10 ms apart
        while full < 200 and sent < limit:
            if select.select([], [s], [], 0.01)[1]:
                sent += s.send(part)
                full = 0
            else:
                full += 1
        tap.true(sent < limit, f"{sent} bytes were taken by nobody")
        grown = memory(client.vx6d.pid) + memory(owner.vx6d.pid) - before
        tap.true(grown < 64 * MIB, f"{grown} bytes more in memory")
        go.append(True)
        s.settimeout(60)
        s.shutdown(socket.SHUT_WR)
        tap.equal(s.recv(100), str(sent).encode())


@tap.test
def a_hundred_at_once():
    server = tcp.Server(tcp.echo)
    with net()["client"].connect(offered("echo", server.target)) as c:
        tcp.Crowd(c.listen, 100, 128 << 10).run()


@tap.test
def an_address_that_is_not_the_kernels_choice():
    own = Net(own_hosts=True)
    a, b = own.node("a"), own.node("b")
    own.start().acquaint()
    server = tcp.Server(tcp.digest_of_all)
    b.service("x", server.target)
    with a.connect("b.x") as c, tcp.connect(c.listen) as s:
        tcp.arrives(s)


@tap.test
def over_ipv6():
    try:
        programs.free_port("::1")
    except OSError:
        raise tap.Skip("ipv6: there is no ::1")
    six = Net()
    a, b = six.node("a", host="::1"), six.node("b", host="::1")
    six.start().acquaint()
    server = tcp.Server(tcp.digest_of_all, host="::1")
    b.service("x", server.target)
    with a.connect("b.x", listen="[::1]:0") as c, tcp.connect(c.listen) as s:
        tap.true(c.listen.startswith("[::1]:"), c.listen)
        tcp.arrives(s, b"y" * MIB)


@tap.test
def a_record_is_new_then_known_then_updated():
    made = Net()
    a, b = made.node("a"), made.node("b")
    made.start()
    first = b.record()
    tap.equal([a.learn(first)["state"] for _ in range(2)],
              ["new", "known"])
    place.end(b.vx6d)
    b.start_vx6d()
    b.ready()
    tap.equal(a.learn(b.record())["state"], "updated")


@tap.test
def services_and_peers_outlive_a_restart():
    client, owner = net()["client"], net()["owner"]
    server = tcp.Server(tcp.digest_of_all)
    service = offered("again", server.target)
    before = owner.id
    for node in (owner, client):
        place.end(node.vx6d)
        node.start_vx6d()
        node.ready()
    tap.equal(owner.status()["id"], before)
    # nobody is introduced again: the registry knows
    tap.wait(lambda: client.peers().get("owner", {}).get("state") ==
             "connected" or client.peers().get("owner"), "owner to be known")
    with client.connect(service) as c, tcp.connect(c.listen) as s:
        tcp.arrives(s)


tap.main(command.have("vx6", "vx6d"))
