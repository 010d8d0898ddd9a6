#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 240
"""The sandbox of a data plane that is not on sockets alone: AF_XDP, and each
kind of virtual device of DPDK, in a namespace of this test's.

    ill0 ==== ill1     a veth; the data plane is on ill0
"""
import json
import os
import re
import signal
import socket
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from harness import command, place, tap  # noqa: E402
from harness.box import attempts, check_process, judge  # noqa: E402
from harness.dataplane import WAIT_S, Client, Plane  # noqa: E402
from harness.veth import fresh_network, ip, veth_pair  # noqa: E402

OBJECT = os.path.join(os.path.dirname(command.BIN), "lib", "vx6",
                      "vx6-port-dpdk.so")
SANITIZED = "/san/" in command.BIN + "/"
DEVICES = {
    "net_ring": "net_ring0",
    "net_af_packet": "net_af_packet0,iface=ill0",
    "net_tap": "net_tap0",
    "net_af_xdp": "net_af_xdp0,iface=ill0,start_queue=0,queue_count=1",
}
count = 0


def network():
    """This process in a namespace with one veth."""
    fresh_network()
    veth_pair()


def dpdk():
    if not os.path.exists(OBJECT):
        raise tap.Skip("dpdk: libdpdk-dev is not installed, so the object was "
                       "not made")
    if SANITIZED:
        raise tap.Skip("sanitizer: DPDK's libraries are not made with it")


def document(**data):
    global count
    count += 1
    path = os.path.join(place.new_dir(f"box{count}"), "config.json")
    with open(path, "w", encoding="utf-8") as f:
        json.dump({"data": {"enabled": True, "listen": "[::]:0", **data}}, f)
    return path


def asked(*how):
    """Every attempt of the program's own test, and what came of it: of the
    data plane, and of the keeper where there is one."""
    lines, _ = judge("vx6-dataplane", args=how)
    at = lines.index("# the keeper") if "# the keeper" in lines else None
    return results(lines[:at]), at and results(lines[at:])


def results(lines):
    came = {}
    for name in attempts():
        mine = [x for x in lines
                if re.match(rf"[a-zA-Z ]+: {re.escape(name)}(,|:|$)", x)]
        tap.true(mine, f"{name} was not tried\n" + "\n".join(lines))
        came[name] = [x.split(": ", 1)[0] for x in mine]
    return came


def not_refused(came):
    return {name for name, words in came.items()
            if set(words) - {"refused", "not judged"}}


@tap.test
def what_is_forbidden_is_refused_on_af_xdp():
    if SANITIZED:
        raise tap.Skip("sanitizer: its runtime needs more than is asked here")
    came, keeper = asked("--port", "af_xdp")
    tap.equal(not_refused(came), set(), came)
    kept = {"make a packet socket", "mount a file system",
            "make a network namespace", "make a BPF map",
            "take a capability", "set the host's name"}
    tap.equal(not_refused(keeper), kept, "what its capabilities permit")
    for name in kept - {"make a BPF map"}:
        tap.equal(keeper[name], ["refused", "by the filter alone"], name)
    tap.equal(keeper["make a BPF map"], ["permitted"])


@tap.test
def and_on_dpdk():
    dpdk()
    came, keeper = asked("--config", document(backend="dpdk",
                                              dpdk_ports="net_ring0"))
    tap.equal(not_refused(came), set(), came)
    tap.equal(keeper, None)


@tap.test
def dpdk_without_its_object_is_not_judged_as_if_it_were():
    where = place.new_dir("bare")
    os.mkdir(os.path.join(where, "bin"))
    program = os.path.join(where, "bin", "vx6-dataplane")
    with open(os.path.join(command.BIN, "vx6-dataplane"), "rb") as f:
        body = f.read()
    if not body.startswith(b"\x7fELF"):
        raise tap.Skip("wrapper: the program runs in the build root")
    with open(program, "wb") as f:
        f.write(body)
    os.chmod(program, 0o755)
    done = subprocess.run(
        [program, "--test-sandbox", "--run", where, "--config",
         document(backend="dpdk", dpdk_ports="net_ring0")],
        capture_output=True, text=True)
    tap.equal(done.returncode, 1)
    tap.within(done.stderr, "install the package vx6-dpdk")
    tap.equal(done.stdout, "")


def frames(n):
    """Something for the device to take in and to pass on."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
        s.bind(("ill1", 0))
        for _ in range(n):
            s.send(b"\xff" * 6 + b"\x02" * 6 + b"\x88\xb5" + bytes(50))


def runs_confined(device):
    network()
    dpdk()
    plane = Plane("box", "--config", document(
        backend="dpdk", dpdk_ports=DEVICES[device]))
    tap.after(plane.clean)
    tap.within(plane.text(), "sandbox on capabilities=none filter=yes")
    check_process(plane.proc.pid)
    names = set()
    for t in os.listdir(f"/proc/{plane.proc.pid}/task"):
        with open(f"/proc/{plane.proc.pid}/task/{t}/comm",
                  encoding="ascii") as f:
            names.add(f.read().strip())
    tap.true(any(n.startswith("dpdk-") for n in names), f"EAL's: {names}")
    tap.equal(os.listdir(f"/proc/{plane.proc.pid}/root"), [],
              "its root directory")
    frames(200)
    plane.proc.send_signal(signal.SIGSTOP)  # EAL's thread begins a new wait
    plane.proc.send_signal(signal.SIGCONT)
    client = Client(plane)
    for _ in range(3):
        client.stats()
    client.close()
    tap.equal(plane.end(), 0, plane.text())
    tap.absent(plane.text(), "forbidden")


@tap.test
def a_ring_runs_confined():
    runs_confined("net_ring")


@tap.test
def a_packet_socket_runs_confined():
    runs_confined("net_af_packet")


@tap.test
def a_tap_device_runs_confined():
    runs_confined("net_tap")


@tap.test
def an_af_xdp_device_runs_confined():
    runs_confined("net_af_xdp")


# ---- AF_XDP and its keeper ----

def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return dict(x.split(":\t", 1) for x in f.read().splitlines()
                    if ":\t" in x)


def keeper_of(plane):
    pid = plane.proc.pid
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        children = [int(x) for x in f.read().split()]
    tap.equal([status_of(c)["Name"] for c in children], ["vx6-keeper"])
    return children[0]


def on_af_xdp(*more):
    network()
    plane = Plane("box", "--port", "af_xdp", "--interfaces", "ill0", *more)
    tap.after(plane.end)
    tap.wait(lambda: attached("ill0"), "the classifier", hint=plane.text)
    return plane, keeper_of(plane)


def attached(interface):
    return "prog/xdp" in subprocess.run(
        ["ip", "link", "show", interface], capture_output=True,
        text=True).stdout


def is_gone(pid):
    """Ended; who reaps it then is nobody's affair here."""
    try:
        return status_of(pid)["State"].startswith("Z")
    except (FileNotFoundError, ProcessLookupError):
        return True


@tap.test
def on_af_xdp_who_has_the_cells_has_nothing():
    plane, keeper = on_af_xdp("--workers", "2")
    tap.within(plane.text(), "sandbox on capabilities=none filter=yes")
    check_process(plane.proc.pid)
    if not SANITIZED:
        tap.equal(os.listdir(f"/proc/{plane.proc.pid}/root"), [],
                  "its root directory")
    tasks = os.listdir(f"/proc/{keeper}/task")
    tap.equal(len(tasks), 1, "threads of the keeper")
    s = status_of(keeper)
    # NET_ADMIN, NET_RAW, IPC_LOCK, SYS_ADMIN; PERFMON, BPF
    most = 0x7000 | 1 << 21 | 3 << 38
    tap.equal(int(s["CapEff"], 16) & ~most, 0)
    tap.equal(int(s["CapPrm"], 16) & ~most, 0)
    tap.equal(int(s["CapBnd"], 16) & ~most, 0)
    tap.equal((s["NoNewPrivs"], s["Seccomp"]), ("1", "2"))


@tap.test
def the_keeper_has_no_socket_of_the_data_plane():
    plane, keeper = on_af_xdp()
    inodes = {}
    for pid in (plane.proc.pid, keeper):
        inodes[pid] = set()
        for fd in os.listdir(f"/proc/{pid}/fd"):
            try:
                to = os.readlink(f"/proc/{pid}/fd/{fd}")
            except FileNotFoundError:
                continue
            if int(fd) > 2:
                inodes[pid].add(to)
    sockets = {x for x in inodes[plane.proc.pid] if x.startswith("socket:")}
    tap.true(len(sockets) >= 4, sockets)
    tap.equal(sockets & inodes[keeper], set())
    rest = {x for x in inodes[keeper] if "bpf" not in x and "btf" not in x}
    tap.equal(len([x for x in rest if x.startswith("socket:")]), 1, rest)
    tap.equal({x for x in inodes[plane.proc.pid] if "bpf" in x}, set())


@tap.test
def an_interface_that_comes_back_is_taken_again():
    plane, keeper = on_af_xdp()
    for _ in range(2):
        ip("link", "del", "ill0")
        ip("link", "add", "ill0", "type", "veth", "peer", "name", "ill1")
        ip("link", "set", "ill1", "up")
        ip("link", "set", "ill0", "up")
        tap.wait(lambda: attached("ill0"), "the classifier", hint=plane.text)
    check_process(plane.proc.pid)
    tap.equal(keeper_of(plane), keeper)
    tap.equal(plane.end(), 0, plane.text())
    tap.wait(lambda: is_gone(keeper), "the keeper's end")
    tap.wait(lambda: not attached("ill0"), "the classifier to go")
    tap.absent(plane.text(), "refused-by-keeper")


@tap.test
def the_keeper_ends_with_a_killed_data_plane():
    plane, keeper = on_af_xdp()
    plane.end(signal.SIGKILL)
    tap.wait(lambda: is_gone(keeper), "the keeper's end")
    tap.wait(lambda: not attached("ill0"), "the classifier to go")


@tap.test
def the_data_plane_ends_with_a_killed_keeper():
    plane, keeper = on_af_xdp()
    os.kill(keeper, signal.SIGKILL)
    tap.equal(plane.proc.wait(WAIT_S), 1, plane.text())
    tap.within(plane.text(), "the process that keeps AF_XDP's privileges has "
               "ended")
    tap.within(plane.text(), "must be started again")


@tap.test
def a_stop_of_all_of_them_is_an_ordinary_end():
    """systemd signals every process of a unit at once."""
    plane, keeper = on_af_xdp()
    for pid in (keeper, plane.proc.pid):
        os.kill(pid, signal.SIGTERM)
    tap.equal(plane.proc.wait(WAIT_S), 0, plane.text())
    tap.wait(lambda: is_gone(keeper), "the keeper's end")
    tap.wait(lambda: not attached("ill0"), "the classifier to go")


if __name__ == "__main__":
    tap.main(command.have("vx6-dataplane"))
