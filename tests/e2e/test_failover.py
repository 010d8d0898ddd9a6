#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 420
"""A relay dies in the middle of a transfer, and no byte is lost.

      client ===> r1 ---> r2 ---> r3 ===> owner     carries
             ===> s1 ---> s2 ---> s3 ===>           waits

Everything is real: processes, kill -9, a download whose digest is compared.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import command, place, programs, tap, tcp
from harness.node import chain
from harness.transfer import RATE, Download, Watch

MIB = 1 << 20
R, S = ["r1", "r2", "r3"], ["s1", "s2", "s3"]
SIZE = 96 * MIB


nginx = tap.once(programs.Nginx)
page = tap.once(lambda: nginx().page("page", SIZE))


# Tests run on busy machines, where a worker may not get the CPU for longer
# than the 50 ms after which a silent circuit is suspected: that would be a
# move too many, and rightly so.  benchmarks/lab.py measures with the default.
PATIENT = {"silence_min_s": 0.4}


def network():
    page()
    made = chain(R + S, PATIENT)
    made["owner"].service("web", nginx().target)
    return made


def both(made, **more):
    call = made["client"].connect("owner.web", via=R, spare_via=S, **more)
    tap.equal(call.ready["spares"], [S], "the spare stands")
    return call


def killed_while_downloading(victim, how):
    """Returns the events that the client was told."""
    made = network()
    with both(made) as c:
        watch = Watch(c)
        d = Download(c.listen, "page", os.path.join(made["client"].dir, "got"))
        d.past(SIZE // 4)
        how(made[victim])
        d.done(page())
        moved = tap.wait(lambda: watch.of("moved"), "the event")[0]
        tap.note(f"{victim} gone: gap {moved['gap_ms']:.0f} ms, "
                 f"{moved['reason']}, 0 bytes lost")
        tap.equal(moved["path"], S)
        tap.true(moved["gap_ms"] > 0, "a gap")
        tap.equal(len(watch.of("moved")), 1, "moves")
        tunnel = made["client"].api("tunnel.list")["tunnels"][0]
        tap.equal((tunnel["moves"], tunnel["path"]), (1, S))
    return made


@tap.test
def the_middle_relay_is_killed():
    killed_while_downloading("r2", lambda n: n.kill())


@tap.test
def the_first_relay_is_killed():
    killed_while_downloading("r1", lambda n: n.kill())


@tap.test
def the_last_relay_is_killed():
    killed_while_downloading("r3", lambda n: n.kill())


@tap.test
def only_a_data_plane_is_killed():
    def how(node):
        place.kill(node.plane)
        node.plane = None
    killed_while_downloading("r2", how)


@tap.test
def a_relay_is_stopped_politely():
    killed_while_downloading("r2", lambda n: n.stop())


@tap.test
def an_upload_survives():
    made = network()
    path = os.path.join(made["client"].dir, "up")
    digest = programs.random_file(path, SIZE)
    back = nginx().pages + "/put/up"
    with both(made) as c:
        watch = Watch(c)
        log = path + ".err"
        p = place.start([programs.program("curl"), "-sS", "--noproxy", "*",
                         "--limit-rate", RATE, "-T", path,
                         f"http://{c.listen}/put/up"], log=log)
        tap.after(place.end, p)
        before = made["r2"].cells()
        tap.wait(lambda: made["r2"].cells() - before > SIZE / 1472 / 4,
                 "a quarter to have passed r2", 60)
        made["r2"].kill()
        tap.wait(lambda: p.poll() is not None, "the upload", 90)
        with open(log, encoding="utf-8") as f:
            tap.equal((p.returncode, f.read()), (0, ""), "curl")
        tap.equal(programs.file_digest(back), digest, "the digest")
        moved = tap.wait(lambda: watch.of("moved"), "the event")[0]
        tap.note(f"upload: gap {moved['gap_ms']:.0f} ms, 0 bytes lost")
    os.unlink(back)


@tap.test
def streams_wait_when_nothing_is_left():
    """Both paths die; when relays are back, the same stream goes on."""
    made = network()
    server = tcp.Server(tcp.echo)
    made["owner"].service("echo", server.target)
    with made["client"].connect("owner.echo", via=R, spare_via=S) as c, \
            tcp.connect(c.listen, timeout=60) as s:
        watch = Watch(c)
        # several times, because which of the two is built first differs
        for i in range(3):
            tap.wait(lambda: both_stand(made["client"]), "both circuits", 60,
                     lambda: stand(made["client"]))
            s.sendall(b"before")
            tap.equal(take(s, 6), b"before")
            before = len(watch.of("down"))
            for name in ("r2", "s2"):
                made[name].kill()
            s.sendall(b"while")
            tap.wait(lambda: len(watch.of("down")) > before, "to be told", 60)
            for name in ("r2", "s2"):
                made[name].start()
                made[name].ready()
            tap.equal(take(s, 5), b"while", f"round {i}")
    tap.equal(len(server.used), 1, "connections at the target")


def both_stand(node):
    return len([c for c in node.api("circuit.list")["circuits"]
                if c["state"] == "open"]) == 2


def stand(node):
    """What a node has, for who waits for something else."""
    return "\n".join([f"{c}" for c in node.api("circuit.list")["circuits"]] +
                     [f"{t}" for t in node.api("tunnel.list")["tunnels"]] +
                     [node.last_words()])


def take(sock, count):
    got = b""
    while len(got) < count:
        try:
            part = sock.recv(count - len(got))
        except TimeoutError:
            raise tap.Failed(f"after {got!r} nothing came for 60 s")
        if not part:
            break
        got += part
    return got


@tap.test
def idle_tunnels_move_too():
    """A relay dies while nothing is sent; the next byte finds its way."""
    made = network()
    server = tcp.Server(tcp.echo)
    made["owner"].service("echo", server.target)
    with made["client"].connect("owner.echo", via=R, spare_via=S) as c, \
            tcp.connect(c.listen, timeout=60) as s:
        s.sendall(b"a")
        tap.equal(s.recv(1), b"a")
        made["r2"].kill()
        s.sendall(b"b")
        tap.equal(s.recv(1), b"b")


tap.main(command.have("vx6", "vx6d", "vx6-dataplane"))
