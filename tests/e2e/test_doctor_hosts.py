#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 240
"""vx6 doctor on hosts that are ill, and on one that runs.

Each test is in a network namespace of its own, which ends with it, and makes
there what doctor has to find: interfaces, a taken port, limits, files.
"""
import ctypes
import json
import os
import resource
import shutil
import socket
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import command, place, tap
from harness.command import vx6
from harness.veth import channels, fresh_network, ip, veth_pair

_count = 0


def veth(mtu):
    veth_pair(mtu)
    ip("route", "add", "default", "via", "10.9.0.2")


class Node:
    """A node's directories, initialised as root's."""

    def __init__(self, **config):
        global _count
        _count += 1
        self.dir = place.new_dir(f"doctor{_count}")
        self.state = os.path.join(self.dir, "state")
        self.config = os.path.join(self.dir, "config.json")
        with open(self.config, "w", encoding="utf-8") as f:
            json.dump(config, f)
        self.args = ["--config", self.config, "--state", self.state, "--run",
                     os.path.join(self.dir, "run")]
        vx6(*self.args, "init", "--user", "root").expect(0)

    def doctor(self, *args, code=None):
        done = vx6(*self.args, *args, "doctor")
        if code is not None:
            done.expect(code)
        tap.equal(done.err, "", "what doctor has to say is on stdout")
        return done

    def findings(self, code=None):
        doc = self.doctor("--json", code=code).json()
        tap.equal(doc["ok"], not any(f["level"] == "fail"
                                     for f in doc["findings"]))
        for level, n in (("ok", "oks"), ("warn", "warnings"),
                         ("fail", "failures")):
            tap.equal(sum(f["level"] == level for f in doc["findings"]),
                      doc[n], n)
        for f in doc["findings"]:
            tap.equal(f["level"] == "ok" or f["remedy"] != "", True,
                      f"{f['check']} has a remedy")
        return doc["findings"]


def must_find(findings, check, level, found, remedy):
    for f in findings:
        if (f["check"], f["level"]) == (check, level) and found in f["found"]:
            tap.within(f["remedy"], remedy, check)
            return
    raise tap.Failed(f"no {level} {check} {found} in {json.dumps(findings, indent=1)}")


def udp(address, port, family=socket.AF_INET):
    s = socket.socket(family, socket.SOCK_DGRAM)
    tap.after(s.close)
    s.bind((address, port))
    return s


@tap.test
def each_illness_is_named_with_its_remedy():
    fresh_network()
    veth(1200)
    udp("10.9.0.1", 4242)
    udp("::1", 4243, socket.AF_INET6)
    node = Node(data={"enabled": True},
                control={"listen": ["[::]:4242", "192.0.2.77:4250"]})
    os.chmod(os.path.join(node.state, "identity.key"), 0o644)
    os.chmod(node.state, 0o777)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    tap.after(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
    who = f"python3 (pid {os.getpid()})"
    found = node.findings(code=1)
    must_find(found, "mtu ill0", "fail", "1200 is below",
              "ip link set ill0 mtu 1500")
    must_find(found, "control port", "fail", f"[::]:4242 is taken by {who}",
              "choose another control.listen")
    must_find(found, "control port", "fail",
              "192.0.2.77:4250 is no address of this host", "`ip address`")
    must_find(found, "data port", "fail", f"taken by {who}",
              "choose another data.listen")
    must_find(found, "descriptors", "warn", "limit is 256", "ulimit -n")
    must_find(found, "identity", "fail", "mode 0644", "chmod 600 " + node.state)
    must_find(found, "state", "fail", "mode 0777", "chmod go-w " + node.state)
    # what people see says the same
    text = node.doctor(code=1).out
    for f in found:
        tap.within(text, f["found"])
        if f["level"] != "ok":
            tap.within(text, "-> " + f["remedy"])
    tap.within(text, " failures\n")


@tap.test
def what_is_cured_is_no_longer_named():
    fresh_network()
    veth(1200)
    taken = udp("10.9.0.1", 4242)
    node = Node(data={"enabled": True})
    must_find(node.findings(code=1), "mtu ill0", "fail", "1200", "mtu 1500")
    ip("link", "set", "ill0", "mtu", "1400")
    must_find(node.findings(code=1), "mtu ill0", "warn", "cells of 1352", "")
    ip("link", "set", "ill0", "mtu", "1500")
    taken.close()
    found = node.findings(code=0)
    must_find(found, "mtu ill0", "ok", "1500", "")
    must_find(found, "control port", "ok", "[::]:4242 is free", "")
    must_find(found, "link ill0", "ok", "up", "")
    ip("link", "set", "ill0", "down")
    must_find(node.findings(code=None), "route", "warn", "none leads out",
              "ip route add")


@tap.test
def the_driver_is_asked_what_it_can():
    fresh_network()
    veth(1500)
    node = Node(data={"enabled": True})
    must_find(node.findings(code=0), "xdp ill0", "ok",
              "veth: native XDP, AF_XDP copies", "")
    ip("link", "add", "dull0", "type", "bridge")
    ip("link", "set", "ill1", "master", "dull0")
    ip("link", "set", "dull0", "up")
    ip("route", "replace", "default", "dev", "dull0")
    must_find(node.findings(), "xdp dull0", "ok",
              "bridge has no native XDP", "data.backend udp")


@tap.test
def workers_are_held_against_queues_and_cpus():
    fresh_network()
    ip("link", "add", "ill0", "numrxqueues", "2", "numtxqueues", "2", "type",
       "veth", "peer", "name", "ill1")
    for end in ("ill0", "ill1"):
        ip("link", "set", end, "up")
    asked = {"enabled": True, "backend": "af_xdp", "interfaces": ["ill0"]}
    # what is told is obeyed, and then there is nothing to tell
    channels("ill0", 1)
    must_find(Node(data={**asked, "workers": 2}).findings(), "link ill0",
              "warn", "1 queue for 2 workers: 1 of them sends there",
              "ethtool -L ill0 rx 2 tx 2, or set data.workers to 1")
    must_find(Node(data={**asked, "workers": 1}).findings(), "link ill0", "ok",
              "1 queue for 1 worker", "")
    channels("ill0", 2)
    must_find(Node(data={**asked, "workers": 2}).findings(), "link ill0", "ok",
              "2 queues for 2 workers", "")
    must_find(Node(data={**asked, "workers": 3}).findings(), "link ill0",
              "warn", "2 queues for 3", "data.workers to 2; ill0 gives no more")
    # CPUs are those that the kernel tells of
    here = os.sched_getaffinity(0)
    most = os.sysconf("SC_NPROCESSORS_CONF")
    must_find(Node(data={"enabled": True, "cpus": [min(here), most + 7]})
              .findings(code=1), "workers", "fail", f"CPU {most + 7}",
              "cpu/online")
    os.sched_setaffinity(0, {min(here)})
    tap.after(os.sched_setaffinity, 0, here)
    must_find(Node(data={"enabled": True}).findings(), "workers", "ok",
              "1, on 1 CPU", "")
    must_find(Node(data={"enabled": True, "workers": 2}).findings(), "workers",
              "warn", "2 on 1 CPU: they wait", "data.workers to 1")
    must_find(Node(data={"enabled": True, "idle": "spin"}).findings(),
              "workers", "warn", "1 on 1 CPU, never waiting", '"adaptive"')


@tap.test
def what_af_xdp_lacks_fails_who_wants_it():
    fresh_network()
    veth(1500)
    ip("link", "add", "dull0", "type", "bridge")
    ip("link", "set", "dull0", "up")
    node = Node(data={"enabled": True, "backend": "af_xdp",
                      "interfaces": ["dull0", "none0"]})
    found = node.findings(code=1)
    must_find(found, "xdp dull0", "fail", "bridge has no native XDP",
              "data.backend udp")
    must_find(found, "link none0", "fail", "no interface none0",
              "data.interfaces")
    must_find(found, "backend", "fail", "cannot be had", "data.backend udp")
    node = Node(data={"enabled": True, "backend": "af_xdp",
                      "xdp_copy": "zerocopy"})
    must_find(node.findings(code=1), "xdp ill0", "fail", "asks for zerocopy",
              '"auto"')


def copied(where, *programs):
    """The programs in DIR/bin, with nothing in DIR/lib."""
    os.makedirs(os.path.join(where, "bin"))
    for name in programs:
        shutil.copy(os.path.join(os.path.dirname(command.VX6), name),
                    os.path.join(where, "bin", name))
    return os.path.join(where, "bin", programs[0])


@tap.test
def what_dpdk_needs_is_looked_for():
    fresh_network()
    veth(1500)
    node = Node(data={"enabled": True, "backend": "dpdk", "dpdk_ports": [
        "net_af_xdp0,iface=ill0", "net_af_packet1,iface=none0,qpairs=2",
        "0000:99:00.0", "net_ring0"]})
    own = copied(os.path.join(node.dir, "own"), "vx6", "vx6-dataplane")
    done = subprocess.run([own, *node.args, "--json", "doctor"],
                          capture_output=True, text=True)
    tap.equal(done.stderr, "")
    found = json.loads(done.stdout)["findings"]
    must_find(found, "dpdk object", "fail",
              os.path.join(node.dir, "own/lib/vx6/vx6-port-dpdk.so"),
              "apt install vx6-dpdk")
    must_find(found, "dpdk net_af_xdp0", "ok", "on interface ill0", "")
    must_find(found, "dpdk net_af_packet1", "fail", "no interface none0",
              "data.dpdk_ports")
    must_find(found, "dpdk 0000:99:00.0", "fail", "no PCI device", "lspci")
    must_find(found, "dpdk net_ring0", "ok", "made by DPDK", "")
    so = os.path.join(node.dir, "own", "lib", "vx6", "vx6-port-dpdk.so")
    os.makedirs(os.path.dirname(so))
    for mode, level, text in ((0o664, "fail", "others may write"),
                              (0o644, "ok", so)):
        with open(so, "w", encoding="ascii"):
            os.chmod(so, mode)
        done = subprocess.run([own, *node.args, "--json", "doctor"],
                              capture_output=True, text=True)
        must_find(json.loads(done.stdout)["findings"], "dpdk object", level,
                  text, "chmod go-w" if level == "fail" else "")


@tap.test
def workers_are_held_against_queues_of_dpdk():
    """And the data plane, which knows best, says the same by ending."""
    fresh_network()
    veth(1500)
    asked = {"enabled": True, "backend": "dpdk", "workers": 2}
    found = Node(data={**asked, "dpdk_ports": [
        "net_af_xdp0,iface=ill0", "net_af_packet1,iface=ill0,qpairs=2",
        "net_af_packet2,qpairs=1,iface=ill0",
        "net_af_xdp3,iface=ill0,start_queue=0,queue_count=2"]}).findings()
    must_find(found, "dpdk net_af_xdp0", "fail", "1 queue for 2 workers",
              "queue_count=2 of it")
    must_find(found, "dpdk net_af_packet1", "ok", "on interface ill0", "")
    must_find(found, "dpdk net_af_packet2", "fail", "1 queue for 2",
              "qpairs=2 of it in data.dpdk_ports, or set data.workers to 1")
    must_find(found, "dpdk net_af_xdp3", "ok", "on interface ill0", "")
    node = Node(data={**asked, "dpdk_ports": ["net_af_packet0,iface=ill0"]})
    if not os.path.exists(os.path.join(os.path.dirname(command.BIN), "lib",
                                       "vx6", "vx6-port-dpdk.so")):
        return
    os.mkdir(os.path.join(node.dir, "run"))
    done = subprocess.run([os.path.join(command.BIN, "vx6-dataplane"),
                           *node.args], capture_output=True, text=True,
                          timeout=60)
    tap.equal(done.returncode, 1, done.stderr)
    tap.within(done.stderr, "net_af_packet0")


@tap.test
def without_privilege_it_says_what_it_may_not_see():
    fresh_network()
    veth(1500)
    node = Node()
    for d in (place.place(), os.path.dirname(place.place()), node.dir):
        mode = os.stat(d).st_mode & 0o7777
        os.chmod(d, mode | 0o055)
        tap.after(os.chmod, d, mode)
    # the build may stand where only root goes
    own = shutil.copy(command.VX6, node.dir)
    user = ["setpriv", "--reuid", "65534", "--regid", "65534",
            "--clear-groups", own]
    done = subprocess.run([*user, *node.args, "--json", "doctor"],
                          capture_output=True, text=True)
    tap.equal(done.stderr, "")
    found = json.loads(done.stdout)["findings"]
    must_find(found, "state", "fail", "belongs to user 0", "chown -R")
    must_find(found, "identity", "warn", "may not look", "sudo vx6 doctor")
    must_find(found, "sandbox vx6d", "warn", "not beside vx6", "install it")


def landlock():
    """The version of its interface, from the kernel; 0: it has none."""
    call = ctypes.CDLL(None, use_errno=True).syscall
    return max(0, call(444, None, ctypes.c_size_t(0), 1))


def tables(program, said):
    """What it prints, by process."""
    own, mark, keeper = said.partition(
        "# system calls of vx6-dataplane's keeper\n")
    return {program: own, "keeper": mark + keeper} if mark else {program: own}


def summary(table):
    part, calls, rest = None, set(), {}
    for line in table.splitlines():
        if line.startswith("# "):
            part = line[2:].split(" of ")[0]
        elif part == "system calls":
            calls.add(line.split()[0])
        else:
            rest.setdefault(part, []).append(line.split("  # ")[0].strip())
    return len(calls), rest


@tap.test
def what_confines_the_daemons_is_told():
    fresh_network()
    veth(1500)
    node = Node(data={"enabled": True, "backend": "af_xdp",
                      "interfaces": ["ill0"]})
    found = node.findings()
    must_find(found, "seccomp", "ok", "filters system calls", "")
    if landlock() > 0:
        must_find(found, "landlock", "ok", f"version {landlock()} ", "")
    else:
        must_find(found, "landlock", "warn", "no Landlock", "lsm=")
    for program in ("vx6d", "vx6-dataplane"):
        said = subprocess.run(
            [os.path.join(command.BIN, program), "--print-sandbox",
             *node.args], capture_output=True, text=True, check=True).stdout
        for name, table in tables(program, said).items():
            calls, rest = summary(table)
            must_find(found, f"sandbox {name}", "ok",
                      f"{calls} system calls; files: "
                      f"{', '.join(rest['files'])}; capabilities: "
                      f"{', '.join(rest['capabilities'])}", "")
    must_find(found, "sandbox vx6-dataplane", "ok", "capabilities: none", "")
    must_find(found, "sandbox keeper", "ok", "CAP_NET_ADMIN", "")
    text = node.doctor().out
    tap.within(text, "sandbox vx6-dataplane")
    must_find(Node().findings(), "sandbox vx6d", "ok", "system calls", "")
    tap.equal([f for f in Node().findings()
               if f["check"] == "sandbox vx6-dataplane"], [],
              "a node without data plane")


@tap.test
def nonsense_is_refused():
    node = Node()
    with open(node.config, "w", encoding="utf-8") as f:
        f.write('{"data": {"enabled": "maybe"}}')
    done = vx6(*node.args, "doctor").expect(1)
    tap.within(done.err, "data.enabled")
    tap.equal(done.out, "")
    done = vx6("doctor", "everything").expect(2)
    tap.within(done.err, "everything is too much")
    done = vx6("doctor", "--fix").expect(2)
    tap.within(done.err, "no option --fix")


@tap.test
def a_node_that_runs_has_its_own_ports():
    fresh_network()
    veth(1500)
    node = Node(data={"enabled": True}, node={"relay": True})
    p = place.start([command.VX6, *node.args, "run", "--user", "root"],
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    tap.after(place.end, p)
    tap.wait(lambda: '"connected"' in vx6(*node.args, "--json", "status").out,
             "the node")
    found = node.findings(code=0)
    must_find(found, "vx6d", "ok", "with its data plane", "")
    must_find(found, "control port", "ok", "[::]:4242 is ours", "")
    must_find(found, "data port", "ok", "[::]:4243 is ours", "")
    limit = next(f for f in found if f["check"] == "descriptors")
    tap.within(limit["found"], "vx6d's limit")


@tap.test
def nothing_is_changed():
    fresh_network()
    veth(1500)
    node = Node(data={"enabled": True})

    def seen():
        out = subprocess.run(["ip", "-d", "link"], capture_output=True,
                             text=True).stdout
        with open("/proc/net/udp", encoding="ascii") as f:
            out += f.read()
        for d, names, files in sorted(os.walk(node.dir)):
            for f in sorted([*names, *files]):
                st = os.stat(os.path.join(d, f))
                out += f"{d}/{f} {st.st_mode} {st.st_mtime_ns}\n"
        return out
    before = seen()
    node.doctor(code=0)
    tap.equal(seen(), before)


if __name__ == "__main__":
    tap.main(command.have("vx6", "vx6d", "vx6-dataplane"))
