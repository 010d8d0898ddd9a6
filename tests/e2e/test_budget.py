#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 420
"""What a relay gives: its rate, shared among circuits, and a month's bytes.

    greedy ==16 streams==+
    1st    ==============+==> r1 ==> owner       limits.relay_rate
    2nd    ==============+

    client ==> r1 ==> owner, and by r2 when r1 hibernates    limits.month_bytes
"""
import datetime
import hashlib
import os
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import clock, command, place, programs, tap, tcp
from harness.ask import Refused
from harness.node import Net
from harness.restart import relayed
from harness.transfer import Download, Watch

MIB = 1 << 20
RELAY_RATE = 2 * MIB
PATIENT = {"silence_min_s": 2}


# ---- shares ----------------------------------------------------------------

class Flows:
    """As much as goes through a call, on so many connections, either way:
    `count` is what has arrived."""

    def __init__(self, call, name, streams, upload):
        self.counts = [0] * streams
        self.ended = []
        work = self._write if upload else self._read
        for i in range(streams):
            sock = tcp.connect(call.listen)
            sock.sendall(name.encode()[:1])
            tap.after(sock.close)
            threading.Thread(target=work, args=(sock, i),
                             daemon=True).start()

    def _read(self, sock, i):
        try:
            while part := sock.recv(tcp.PART):
                self.counts[i] += len(part)
        except OSError as e:
            self.ended.append(e)

    def _write(self, sock, i):
        try:
            while True:
                sock.sendall(bytes(tcp.PART))
        except OSError as e:
            self.ended.append(e)

    @property
    def count(self):
        return sum(self.counts)


def pour(sock):
    if sock.recv(1):
        while True:
            sock.sendall(bytes(tcp.PART))


class Drain:
    """A server that reads; what came is counted by the first byte."""

    def __init__(self):
        self.counts = {}
        self.server = tcp.Server(self._serve)

    def _serve(self, sock):
        who = sock.recv(1)
        while part := sock.recv(tcp.PART):
            # one thread a connection, one connection a polite name
            self.counts.setdefault((who, sock), 0)
            self.counts[who, sock] += len(part)

    def count(self, name):
        who = name.encode()[:1]
        return sum(n for (w, _), n in list(self.counts.items()) if w == who)


@tap.test
def a_greedy_circuit_leaves_the_others_their_share():
    share(workers=1, upload=False, most=0.1)


@tap.test
def two_workers_share_one_rate():
    """Whichever circuits are whose: a worker draws by how many wait."""
    r1 = share(workers=2, upload=True, most=0.15)
    each = [w["tx_cells"] for w in r1.api("stats")["dataplane"]["placement"]]
    tap.note(f"cells sent by worker: {each}")
    tap.true(all(n > 1000 for n in each), f"both had circuits: {each}")


def share(workers, upload, most):
    names = ["greedy", "1st", "2nd", "3rd"]
    net = Net(PATIENT)
    for name in ["owner"] + names:
        net.node("n" + name)
    net.relay("r1", config={"limits": {"relay_rate": RELAY_RATE},
                            "data": {"workers": workers}})
    net.start().acquaint()
    drain = Drain()
    server = drain.server if upload else tcp.Server(pour)
    net["nowner"].service("all", server.target)
    flows = {}
    for name in names:
        call = net["n" + name].connect("nowner.all", via=["r1"], spare_via=[])
        tap.after(call.close)
        flows[name] = Flows(call, name, 16 if name == "greedy" else 1, upload)

    def counts():
        return {k: drain.count(k) if upload else f.count
                for k, f in flows.items()}
    tap.wait(lambda: all(n > MIB // 2 for n in counts().values()),
             "all of them to be at full speed", 60, lambda: f"{counts()}")
    before, began = counts(), place.now()
    sent = budget(net["r1"])["sent_bytes"]
    tap.wait(lambda: sum(counts().values()) - sum(before.values()) > 12 * MIB,
             "12 MiB", 90)
    got = {k: n - before[k] for k, n in counts().items()}
    fair = sum(got.values()) / len(got)
    tap.note("bytes while all were active, of a fair share: " + ", ".join(
        f"{k} {v / fair:.2f}" for k, v in got.items()))
    for name, f in flows.items():
        tap.equal(f.ended, [], name)
        tap.true(abs(got[name] / fair - 1) < most,
                 f"{name} got {got[name]} bytes, a share is {fair:.0f}")
    b = budget(net["r1"])
    took = place.now() - began
    tap.true(b["held_cells"] > 1000 and b["lost_by_congestion"] > 0,
             f"the relay was congested: {b}")
    tap.true(b["sent_bytes"] - sent < RELAY_RATE * (took + 3),
             f"{b['sent_bytes'] - sent} bytes in {took:.1f} s")
    text = net["r1"].vx6("stats").expect(0).out
    tap.true("budget of relaying" in text and "lost_by_congestion" in text,
             text)
    return net["r1"]


# ---- a month's bytes -------------------------------------------------------

def budget(node):
    return node.api("status")["budget"]


def far_day():
    """A day of the month that is not near today, either way."""
    today = datetime.datetime.now(datetime.timezone.utc).day
    return (today + 13) % 28 + 1


def log_has(node, text):
    with open(node.log, encoding="utf-8") as f:
        return text in f.read()


def warned(net):
    """Spends most of r1's month at once, and then so little at a time that
    it is seen before the rest is spent."""
    r1 = net["r1"]
    with net["client"].connect("owner.web", via=["r1"], spare_via=[]) as c:
        programs.curl("-o", "/dev/null", f"http://{c.listen}/most")
        while not log_has(r1, "budget nearly-spent"):
            used = budget(r1)["month_used_bytes"]
            programs.curl("-o", "/dev/null", f"http://{c.listen}/little")
            tap.wait(lambda: budget(r1)["month_used_bytes"] > used,
                     "it to be counted")
    tap.true(not budget(r1)["hibernating"], "it is awake")


def spend(net, page, digest):
    """A download that is more than r1 may carry this month."""
    client = net["client"]
    with client.connect("owner.web", via=["r1"], spare_via=["r2"]) as c:
        watch = Watch(c)
        d = Download(c.listen, page, os.path.join(client.dir, "got"))
        d.done(digest)
        tap.wait(lambda: budget(net["r1"])["hibernating"], "r1 to hibernate",
                 20)
        moved = tap.wait(lambda: watch.of("moved"), "the move")[0]
        tap.equal(moved["path"], ["r2"])
    tap.wait(lambda: relayed(net["r1"]) == [], "its circuits to end")


def asleep(net):
    r1 = net["r1"]
    b = budget(r1)
    tap.equal((b["hibernating"], b["month_used_percent"],
               r1.api("status")["relay"]), (True, 100, False))
    return b


@tap.test
def a_relay_whose_month_is_spent_hibernates():
    nginx = programs.Nginx()
    digest = nginx.page("page", 48 * MIB)
    nginx.page("most", 25 * MIB // 2)
    nginx.page("little", MIB // 8)
    net = Net(PATIENT)
    for name in ("client", "owner"):
        net.node(name)
    net.relay("r1", config={"limits": {"month_bytes": 16 * MIB,
                                       "month_day": far_day()}})
    net.relay("r2")
    net.start().acquaint()
    r1, client = net["r1"], net["client"]
    net["owner"].service("web", nginx.target)
    r1.service("own", nginx.target)
    warned(net)
    spend(net, "page", digest)
    asleep(net)
    tap.true(log_has(r1, "budget hibernates"), "the log")
    text = r1.vx6("status").expect(0).out
    tap.true("hibernates" in text and "16.0 MiB relayed (100 %)" in text,
             text)
    # others are told, and nobody gets through it
    tap.wait(lambda: not client.peers()["r1"]["relay"], "its new record", 30)
    try:
        client.connect("owner.web", via=["r1"], spare_via=[]).close()
        raise tap.Failed("a circuit went through a relay that hibernates")
    except Refused:
        pass
    # what is its own goes on
    with client.connect("r1.own", via=["r2"], spare_via=[]) as c:
        tap.equal(hashlib.sha256(programs.curl(
            f"http://{c.listen}/page")).hexdigest(), digest)
    with r1.connect("owner.web", via=["r2"], spare_via=[]) as c:
        tap.equal(hashlib.sha256(programs.curl(
            f"http://{c.listen}/page")).hexdigest(), digest)
    nothing_is_forgotten(net)
    the_month_turns(net)


def nothing_is_forgotten(net):
    """A vx6d that is told to end has written everything down; one that is
    killed finds what the data plane's life went on counting."""
    r1 = net["r1"]
    r1.stop("vx6d")
    r1.start()
    r1.ready()
    used = asleep(net)["month_used_bytes"]
    for which in (("vx6d",), ("vx6d", "dataplane")):
        r1.kill(*which)
        r1.start()
        r1.ready()
        tap.equal(asleep(net)["month_used_bytes"], used, f"after {which}")


def the_month_turns(net):
    """While it runs, by a clock that is put forward past the month's end."""
    r1, wall = net["r1"], clock.Clock()
    r1.stop()
    r1.env.update(wall.env)
    r1.start()
    r1.ready()
    left = asleep(net)["month_ends_unix_s"] - \
        datetime.datetime.now(datetime.timezone.utc).timestamp()
    tap.true(not log_has(r1, "budget wakes"), "it sleeps until then")
    wall.set(int(left) + 1)
    tap.wait(lambda: not budget(r1)["hibernating"], "the month to turn", 60)
    tap.wait(lambda: r1.api("status")["relay"], "it to be a relay")
    tap.wait(lambda: log_has(r1, "budget wakes"), "the log")
    tap.equal(budget(r1)["month_used_bytes"], 0)


tap.main(command.have("vx6", "vx6d", "vx6-dataplane"))
