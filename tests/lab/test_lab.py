#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 300
"""The lab is what it says it is, and nothing of it is elsewhere."""
import errno
import ipaddress
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "e2e"), HERE]
from harness import command, place, tap
from netlab import Lab, Wrong, lacking, plan

TOOL = os.path.join(HERE, "lab")
SMALL = {"nodes": {"a": {"relay": True}, "b": {}}}


def plain(**nodes):
    """A lab without daemons."""
    return Lab({"nodes": {n: dict(spec, plain=True)
                          for n, spec in nodes.items()}})


class Ear:
    """A UDP socket in a host's network."""

    def __init__(self, host, family="v6", interface=None, port=0):
        self.family = family
        at = "" if interface is None else host.address(family, interface)
        with host.inside():
            self.sock = socket.socket(socket.AF_INET6 if family == "v6" else
                                      socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.settimeout(20)
        self.sock.bind((at, port))
        self.port = self.sock.getsockname()[1]
        tap.after(self.sock.close)

    def send(self, host, port, word=b"word"):
        self.sock.sendto(word, (host, port))

    def hear(self):
        """(what came, from where, from which port)."""
        word, source = self.sock.recvfrom(2000)
        return word, source[0], source[1]

    def silent(self):
        self.sock.setblocking(False)
        try:
            tap.equal(self.sock.recvfrom(2000), None, "nothing came")
        except BlockingIOError:
            pass
        finally:
            self.sock.settimeout(20)


def says(a, b, family, interface=0):
    """A datagram from host a to host b; whom b hears."""
    ear, mouth = Ear(b, family), Ear(a, family)
    mouth.send(b.address(family, interface), ear.port)
    return ear.hear()[1]


@tap.test
def the_readme_has_every_key_and_its_default():
    with open(os.path.join(HERE, "README.md"), encoding="utf-8") as f:
        rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|", f.read(), re.M)
    shown = {key: default.strip("`") for key, _, default in rows}
    tap.equal(shown, {key: "none" if default is None else
                      default if isinstance(default, str) else
                      json.dumps(default)
                      for key, (default, *_) in plan.KEYS.items()})
    words = {key: set(re.findall(r"`(\w+)`", what)) for key, what, _ in rows}
    tap.equal(words["backend"], set(plan.BACKENDS))
    tap.equal(words["families"], set(plan.FAMILIES))


@tap.test
def a_thread_comes_back():
    lab, home = plain(a={}, b={}), os.stat("/proc/thread-self/ns/net")
    inodes = set()
    for name in "ab":
        try:
            with lab[name].inside():
                here = os.stat("/proc/thread-self/ns/net")
                with lab["a"].inside():
                    pass
                tap.equal(os.stat("/proc/thread-self/ns/net"), here)
                raise ValueError
        except ValueError:
            pass
        inodes.add(here.st_ino)
        tap.equal(os.stat("/proc/thread-self/ns/net"), home)
    tap.equal(len(inodes | {home.st_ino}), 3, "networks")


def links(host):
    return {x["ifname"]: x for x in json.loads(
        host.program(["ip", "-d", "-j", "address"]))}


@tap.test
def each_node_has_a_prefix_of_its_own():
    lab = plain(a={}, b={"families": "v6"}, c={"families": "v4"})
    nets = []
    for name, kinds in (("a", "64"), ("b", "6"), ("c", "4")):
        own = [ipaddress.ip_interface(f"{x['local']}/{x['prefixlen']}")
               for x in links(lab[name])["vx0"]["addr_info"]
               if x["scope"] == "global"]
        tap.equal(sorted(str(x.version) for x in own), sorted(kinds), name)
        for x in own:
            bits = 32 if x.version == 6 else 16
            nets.append(ipaddress.ip_network((x.ip, bits), strict=False))
            inside = "fd00::/8" if x.version == 6 else "10.0.0.0/8"
            tap.true(x.ip in ipaddress.ip_network(inside), f"{x}")
    tap.equal(len(set(nets)), len(nets), f"different prefixes: {nets}")


@tap.test
def a_cable_is_as_declared():
    lab = plain(a={"mtu": 1380, "queues": 4, "second": True})
    mine, theirs = links(lab["a"]), json.loads(
        lab.switch.run(["ip", "-d", "-j", "address"]))
    tap.equal(sorted(mine), ["lo", "vx0", "vx1"])
    for x in [mine["vx0"], mine["vx1"]] + \
            [x for x in theirs if x["ifname"] != "lo"]:
        tap.equal((x["mtu"], x["num_rx_queues"], x["num_tx_queues"]),
                  (1380, 4, 4), x["ifname"])


@tap.test
def everybody_hears_everybody():
    lab = plain(a={}, b={}, c={"second": True})
    for x in "abc":
        for y in "abc":
            for family in ("v6", "v4"):
                tap.equal(says(lab[x], lab[y], family),
                          lab[x].address(family), f"{x} to {y}")
    ear, mouth = Ear(lab["a"]), Ear(lab["c"], "v6", 1)
    mouth.send(lab["a"].address(), ear.port)
    tap.equal(ear.hear()[1], lab["c"].address("v6", 1), "its second address")
    tap.equal(says(lab["a"], lab["c"], "v4", 1), lab["a"].address("v4"))


def came_by(lab, end):
    """Packets that came into the switch by a cable."""
    all_of = json.loads(lab.switch.run(["ip", "-s", "-j", "link"]))
    return next(x["stats64"]["rx"]["packets"] for x in all_of
                if x["ifname"] == end)


@tap.test
def each_interface_has_its_own_way_out():
    lab = plain(a={}, c={"second": True})
    for interface in (0, 1):
        before = [came_by(lab, f"c.{k}") for k in (0, 1)]
        ear = Ear(lab["a"], "v4")
        mouth = Ear(lab["c"], "v4", interface)
        for _ in range(50):
            mouth.send(lab["a"].address("v4"), ear.port)
        for _ in range(50):
            ear.hear()
        went = [came_by(lab, f"c.{k}") - before[k] for k in (0, 1)]
        tap.true(went[interface] >= 50 and went[1 - interface] < 50,
                 f"from address {interface}: {went}")


@tap.test
def nothing_leads_to_the_host():
    before = sorted(os.listdir("/sys/class/net"))
    lab = Lab({"nodes": {"a": {"relay": True}, "b": {"behind": "home"}}})
    lab.up()
    tap.equal(sorted(os.listdir("/sys/class/net")), before,
              "the host's interfaces")
    for where in [h.ns for h in lab.hosts.values()] + [lab.switch]:
        for x in json.loads(where.run(["ip", "-d", "-j", "link"])):
            tap.true(x["ifname"] == "lo" or
                     x["linkinfo"]["info_kind"] == "veth", x["ifname"])
    host = subprocess.run(["ip", "-j", "address"], capture_output=True,
                          check=True, text=True).stdout
    theirs = [x["local"] for i in json.loads(host)
              for x in i.get("addr_info", []) if x["scope"] == "global"]
    for address in theirs + ["192.0.2.1", "2001:db8::1"]:
        tap.equal(refused(lab["a"], address), True, address)


def refused(host, address):
    """Whether the switch says that there is no way to an address."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with host.inside(), socket.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(20)
        # all that ICMP says: IP_RECVERR, IPV6_RECVERR
        s.setsockopt(*(41, 25) if ":" in address else (0, 11), 1)
        s.connect((address, 9))
        try:
            s.send(b"anybody there?")
            s.recv(1)
        except OSError as e:
            return e.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH)
    return False


@tap.test
def a_nat_shows_its_own_address():
    lab = plain(a={}, b={"behind": "home"})
    home = lab.nats["home"]
    for family in ("v6", "v4"):
        ear, mouth = Ear(lab["a"], family), Ear(lab["b"], family)
        seen = set()
        for turn in (lambda: None, home.rebind,
                     lambda: home.rebind(address=True), home.rebind):
            turn()
            mouth.send(lab["a"].address(family), ear.port)
            _, source, port = ear.hear()
            tap.equal(source, home.address(family))
            tap.true(port != mouth.port, "another port")
            seen.add((source, port))
            ear.send(source, port, b"back")
            tap.equal(mouth.hear()[:2], (b"back", lab["a"].address(family)))
        tap.equal(len(seen), 4, f"places it was seen at: {seen}")


@tap.test
def a_nat_lets_in_only_answers():
    lab = plain(a={}, b={"behind": "home"})
    home, a = lab.nats["home"], lab["a"]
    ear, mouth = Ear(a, "v4"), Ear(lab["b"], "v4")
    mouth.send(a.address("v4"), ear.port)
    _, source, port = ear.hear()
    with lab.capture("b") as c:
        # straight to the host behind, by who knows where it is
        a.ns.ip(f"route add {lab['b'].address('v4')} via "
                f"{a.where.address('v4', 0, 1)}")
        lab.switch.ip(f"route add {lab['b'].address('v4')} via "
                      f"{home.address('v4')}")
        ear.send(lab["b"].address("v4"), mouth.port, b"straight")
        home.forget()
        ear.send(source, port, b"late")
        home.rebind()
        mouth.send(a.address("v4"), ear.port)
        _, source, port = ear.hear()
        ear.send(source, port, b"answer")
        tap.equal(mouth.hear()[0], b"answer")
    mouth.silent()
    tap.equal([d.payload for d in c.datagrams()], [b"word", b"answer"])


@tap.test
def a_cut_cable_has_no_carrier():
    lab = plain(a={}, b={"second": True})
    lab.cut("b")
    tap.wait(lambda: links(lab["b"])["vx0"]["operstate"] != "UP" and
             links(lab["b"])["vx1"]["operstate"] != "UP", "no carrier")
    lab.mend("b")
    tap.wait(lambda: links(lab["b"])["vx0"]["operstate"] == "UP", "a carrier")
    for family in ("v6", "v4"):
        says(lab["a"], lab["b"], family)
        says(lab["b"], lab["a"], family, 0)
    lab.cut("b", interface=1)
    tap.wait(lambda: links(lab["b"])["vx1"]["operstate"] != "UP",
             "no carrier")
    says(lab["a"], lab["b"], "v6")


@tap.test
def a_silent_cut_loses_and_says_nothing():
    lab = plain(a={}, b={}, c={})
    ears = {n: Ear(lab[n], "v4") for n in "abc"}

    def try_(x, y, lost):
        before = lab.lost()
        ears[x].send(lab[y].address("v4"), ears[y].port,
                     f"{x}{y}{lost}".encode())
        if lost:
            tap.wait(lambda: lab.lost() > before, "a packet to be lost")
        else:
            tap.equal(ears[y].hear()[0], f"{x}{y}0".encode())
    lab.cut("b", silent=True)
    for x, y, lost in (("a", "b", 1), ("b", "c", 1), ("a", "c", 0)):
        try_(x, y, lost)
    tap.equal(links(lab["b"])["vx0"]["operstate"], "UP")
    lab.mend("b")
    lab.mend("b")
    lab.cut_between("b", "c")
    for x, y, lost in (("c", "b", 1), ("b", "c", 1), ("a", "c", 0),
                       ("b", "a", 0)):
        try_(x, y, lost)
    lab.mend("c", "b")
    # whoever heard what was to be lost would hear it now
    try_("b", "c", 0)
    try_("a", "b", 0)


@tap.test
def an_interface_goes_and_comes_back():
    lab = plain(a={}, b={"second": True, "queues": 2})
    for interface in (0, 1):
        lab.unplug("b", interface)
        tap.absent(links(lab["b"]), f"vx{interface}")
        lab.cut("b")
        lab.mend("b")
        says(lab["a"], lab["b"], "v6", 1 - interface)
        lab.plug("b", interface)
        tap.equal(links(lab["b"])[f"vx{interface}"]["num_rx_queues"], 2)
        for family in ("v6", "v4"):
            says(lab["a"], lab["b"], family, interface)
            says(lab["b"], lab["a"], family)
    for wrong in (lambda: lab.plug("b"), lambda: lab.unplug("a", 1)):
        try:
            wrong()
        except tap.Failed:
            continue
        raise tap.Failed("it was done")


@tap.test
def a_capture_has_every_frame_as_on_a_wire():
    lab = plain(a={}, b={})
    ear, mouth = Ear(lab["b"]), Ear(lab["a"])
    ear.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    with lab.capture("b") as c, lab.capture("a") as d:
        # 40 datagrams that the kernel is given as one (UDP_SEGMENT)
        mouth.sock.setsockopt(socket.IPPROTO_UDP, 103, 1000)
        parts = [os.urandom(1000) for _ in range(40)]
        mouth.send(lab["b"].address(), ear.port, b"".join(parts))
        for part in parts:
            tap.equal(ear.sock.recv(2000), part)
    for capture in (c, d):
        tap.equal(capture.lost, 0)
        got = [x for x in capture.datagrams() if x.dport == ear.port]
        tap.equal([x.payload for x in got], parts)
        tap.equal({(x.src, x.dst) for x in got},
                  {(lab["a"].address(), lab["b"].address())})


@tap.test
def a_capture_that_begins_hears_no_train():
    lab = plain(a={}, b={})
    ear, mouth = Ear(lab["b"]), Ear(lab["a"])
    mouth.sock.setsockopt(socket.IPPROTO_UDP, 103, 1000)
    train, done, said = bytes(3000), threading.Event(), [0]

    def talk():
        while not done.is_set():
            mouth.send(lab["b"].address(), ear.port, train)
            said[0] += 1
    talker = threading.Thread(target=talk)
    talker.start()
    try:
        for _ in range(3):
            with lab.capture("b") as c:
                before = said[0]
                tap.wait(lambda at=before: said[0] > at + 3, "more trains")
            got = [x for x in c.datagrams() if x.dport == ear.port]
            tap.true(got, "datagrams went by")
            tap.equal({len(x.payload) for x in got}, {1000})
    finally:
        done.set()
        talker.join()


def state(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        return f.read().rpartition(")")[2].split()[0]


@tap.test
def daemons_are_stopped_killed_and_paused():
    lab = Lab(SMALL).up()
    a = lab["a"]
    first = a.plane.pid
    a.kill("dataplane")
    tap.wait(lambda: a.status()["dataplane"]["state"] != "connected",
             "vx6d to see it")
    a.start()
    a.ready()
    tap.true(a.plane.pid != first, "another process")
    a.pause("vx6d")
    tap.wait(lambda: state(a.vx6d.pid) == "T", "it to be stopped")
    a.resume()
    a.ready()
    a.pause()
    a.stop()
    tap.equal((a.vx6d, a.plane), (None, None), "a paused one can be stopped")


WRONG = (
    ([], "should be an object"), ({}, "nodes is missing"),
    ({"nodes": {}}, "nodes is missing"), ({"nods": {}}, "there are nodes"),
    ({"nodes": {"A": {}}}, "a name is 1 to 12 of"),
    ({"nodes": {"a" * 13: {}}}, "a name is 1 to 12 of"),
    ({"nodes": {"a": {"speed": 1}}}, "there are relay, plain"),
    ({"nodes": {"a": {"mtu": 100}}}, "nodes.a.mtu is 100; it should be from "
     "1280"),
    ({"nodes": {"a": {"mtu": True}}}, "from 1280"),
    ({"nodes": {"a": {"relay": 1}}}, "true or false"),
    ({"nodes": {"a": {"backend": "tcp"}}}, "udp or af_xdp or dpdk"),
    ({"nodes": {"a": {"families": "v5"}}}, "both or v6 or v4"),
    ({"nodes": {"a": {"behind": 7}}}, "the name of a NAT"),
    ({"nodes": {"a": {"behind": "a"}}}, "a is a node"),
    ({"nodes": {"a": {"queues": 0}}}, "from 1 to 64"),
    ({"nodes": {"a": {"plain": True, "relay": True}}}, "has no daemons"),
    ({"defaults": {"mtu": 1}, "nodes": {"a": {}}}, "defaults.mtu"),
    ({"nodes": {f"n{i}": {} for i in range(201)}}, "more than 200"))


@tap.test
def a_wrong_file_is_told_so():
    for doc, part in WRONG:
        try:
            plan.read(doc) if isinstance(doc, dict) else plan.Plan(doc)
        except Wrong as e:
            tap.within(str(e), part)
        else:
            raise tap.Failed(f"{doc} was taken")


# ---- the command ----

def tool(*words, expect=0):
    p = subprocess.run([TOOL, *map(str, words)], capture_output=True,
                       text=True, timeout=120, stdin=subprocess.DEVNULL)
    tap.equal(p.returncode, expect, f"{words}: {p.stdout}{p.stderr}")
    return p.stdout if expect == 0 else p.stderr


def file_of(doc):
    path = os.path.join(place.new_dir(f"file{os.urandom(4).hex()}"), "lab")
    with open(path, "w", encoding="utf-8") as f:
        json.dump(doc, f)
    return path


class Up:
    """A lab of the command's."""

    def __init__(self, doc):
        out = tool("up", file_of(doc))
        tap.true(not re.search(r"[\r\x1b]", out), "plain text in a pipe")
        tap.equal(out.count("\n"), 1, "one line in a pipe")
        self.pid = int(out.split()[1])
        self.tag = place.tag(self.pid)
        self.dir = os.path.dirname(self.hosts()["a"]["dir"])
        tap.after(self.end)

    def __call__(self, *words, expect=0):
        return tool("--lab", self.pid, *words, expect=expect)

    def hosts(self):
        return {h["name"]: h
                for h in json.loads(self("list", "--json"))["hosts"]}

    def pids(self):
        return [p["pid"] for h in self.hosts().values()
                for p in h.get("processes", {}).values()]

    def end(self):
        if place.alive(self.tag):
            os.kill(self.pid, signal.SIGTERM)
            self.ended()

    def ended(self):
        tap.wait(lambda: not place.alive(self.tag), "the keeper to end")


def living_in(block):
    """Which processes are in a network with addresses of a lab."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/net/if_inet6", encoding="ascii") as f:
                if any(line.startswith(block) for line in f):
                    found.append(pid)
        except OSError:
            pass
    return found


def block_of(address):
    """What all IPv6 addresses of a lab begin with, as /proc writes them."""
    return ipaddress.ip_address(address).packed[:3].hex()


@tap.test
def the_command_does_it_all():
    up = Up(dict(SMALL, nodes=dict(SMALL["nodes"], c={"behind": "home"},
                                   h={"plain": True})))
    hosts = up.hosts()
    tap.within(up("list"), "vx6d running")
    tap.within(up("exec", "h", "ip", "address"), hosts["h"]["addresses"][0])
    p = subprocess.run([TOOL, "--lab", str(up.pid), "exec", "h", "sh", "-c",
                        "exit 7"], check=False)
    tap.equal(p.returncode, 7, "the command's own status")
    tap.within(up("vx6", "b", "peer", "list"), "connected")
    tap.within(up("log", "a", "dataplane"), "start")
    up("kill", "a", "dataplane")
    tap.equal(list(up.hosts()["a"]["processes"]), ["vx6d"])
    up("start", "a")
    up("pause", "a", "vx6d")
    tap.within(up("list"), "vx6d paused")
    up("resume", "a")
    up("stop", "a")
    tap.equal(up.hosts()["a"]["processes"], {})
    up("cut", "a", "--silent")
    tap.equal(up.hosts()["a"]["cut"], True)
    up("mend", "a")
    up("cut", "a", "b")
    up("mend", "a", "b")
    up("unplug", "b")
    up("plug", "b")
    for what in ("forget", "rebind", "readdress"):
        up("nat", "home", what)
    path = os.path.join(place.new_dir("captured"), "file")
    up("capture", "b", path)
    tap.within(up("capture", "b", path, expect=1), "--end` first")
    up("capture", "b", "--end")
    tap.true(os.path.getsize(path) >= 24, "a capture")
    for words, part in ((("kill", "h"), "has no daemons"),
                        (("exec", "x", "true"), "there are home, a, b"),
                        (("nat", "a", "rebind"), "is no NAT"),
                        (("capture", "b", "--end"), "nothing captures"),
                        (("log", "h"), "has no daemons")):
        tap.within(up(*words, expect=1), part)
    tap.within(up("frob", expect=2), "lab --help")
    block = block_of(hosts["a"]["addresses"][0])
    up("down")
    tap.wait(lambda: not living_in(block), "nothing to be left")
    up.ended()
    tap.within(tool("--lab", up.pid, "list", expect=1), "no lab")
    tap.within(tool("up", "/nowhere/lab", expect=1), "No such file")


@tap.test
def a_killed_one_is_swept_and_the_other_stays():
    one, two = Up(SMALL), Up(SMALL)
    tap.within(tool("list", expect=1), "--lab and one of")
    pids = [place.tag(p) for p in one.pids()]
    block = block_of(one.hosts()["a"]["addresses"][0])
    os.kill(one.pid, signal.SIGKILL)
    one.ended()
    tap.wait(lambda: not living_in(block), "every cable to be gone with it")
    tap.equal([p for p in pids if place.alive(p)], pids, "they live on")
    three = Up(SMALL)
    tap.wait(lambda: not any(map(place.alive, pids)), "their end")
    tap.true(not os.path.exists(one.dir), "its directory is gone")
    for up in (two, three):
        tap.equal([p["state"] for h in up.hosts().values()
                   for p in h["processes"].values()], ["running"] * 3)
        up("down")


@tap.test
def on_a_terminal_it_shows_progress():
    t = command.Terminal("up", file_of(SMALL), binary=TOOL)
    tap.equal(t.end(60), 0, t.text)
    tap.within(t.text, "starting a")
    pid = int(re.search(r"lab (\d+) is up", t.text).group(1))
    tool("--lab", pid, "down")


@tap.test
def what_a_killed_test_left_is_swept():
    """The library leaves as little behind as the command."""
    script = "\n".join((
        "import os, signal, sys", f"sys.path[:0] = {sys.path[:2]!r}",
        "from netlab import Lab", f"lab = Lab({SMALL!r}).up()",
        "print(lab['a'].address(), lab['a'].plane.pid, flush=True)",
        "signal.pause()"))
    env = dict(os.environ, TMPDIR=place.new_dir("other"))
    p = subprocess.Popen([sys.executable, "-c", script], text=True, env=env,
                         stdout=subprocess.PIPE)
    tap.after(p.kill)
    address, pid = p.stdout.readline().split()
    left = place.tag(int(pid))
    p.kill()
    p.communicate()
    tap.wait(lambda: not living_in(block_of(address)),
             "every cable to be gone with it")
    tap.true(place.alive(left), "its daemons live on")
    script = "from harness import place; place.place()"
    subprocess.run([sys.executable, "-c", f"import sys\nsys.path[:0] = "
                    f"{sys.path[:2]!r}\n{script}"], env=env, check=True)
    tap.wait(lambda: not place.alive(left), "their end")


tap.main(lacking() or command.have("vx6", "vx6d", "vx6-dataplane"))
