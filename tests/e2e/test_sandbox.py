#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 180
"""What the daemons may still do once they run: their own test of it, and
what the kernel says of the processes."""
import errno
import json
import os
import re
import socket
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from harness import command, tap  # noqa: E402
from harness.box import attempts, check_process, judge  # noqa: E402
from harness.dataplane import Plane  # noqa: E402
from harness.node import Net  # noqa: E402

PROGRAMS = ["vx6-dataplane", "vx6d"]
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
          "--inh-caps=-all", "--bounding-set=-all")


def every_attempt_is_refused(*before):
    for program in PROGRAMS:
        lines, _ = judge(program, *before)
        names = attempts()
        tap.true(len(names) > 30, "the list was read")
        for name in names:
            mine = [x for x in lines
                    if re.match(rf"[a-zA-Z ]+: {re.escape(name)}(,|:|$)", x)]
            tap.true(mine, f"{program}: {name} was not tried")
            for line in mine:
                tap.true(line.startswith(("refused: ", "not judged: ",
                                          "permitted: ")), line)


@tap.test
def what_is_forbidden_is_refused():
    every_attempt_is_refused()


@tap.test
def and_to_an_ordinary_user():
    if os.geteuid() != 0:
        raise tap.Skip("root: the test before was an ordinary user's")
    every_attempt_is_refused(*NOBODY)


@tap.test
def the_call_is_named():
    for program in PROGRAMS:
        _, err = judge(program)
        for name in ("setresuid", "setns", "io_uring_setup", "mprotect"):
            tap.true(re.search(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z error "
                               rf"sandbox forbidden syscall={name} number=\d+ ",
                               err, re.M), f"{program}: {name}\n{err}")


@tap.test
def and_in_json():
    _, err = judge("vx6-dataplane", args=("--log", "json"))
    said = [json.loads(line) for line in err.splitlines()]
    tap.within([s["syscall"] for s in said], "bpf")
    tap.equal({(s["level"], s["module"], s["event"]) for s in said},
              {("error", "sandbox", "forbidden")})


@tap.test
def the_data_plane_has_nothing_left():
    plane = Plane("box")
    tap.after(plane.clean)
    check_process(plane.proc.pid)
    tap.within(plane.text(), "sandbox on capabilities=none filter=yes")
    # a sanitizer's runtime reads files
    if os.geteuid() == 0 and "/san/" not in command.BIN + "/":
        tap.equal(os.listdir(f"/proc/{plane.proc.pid}/root"), [],
                  "its root directory")


@tap.test
def nor_has_the_control_plane():
    net = Net()
    node = net.node("box")
    net.start("box")
    tap.wait(node.is_up, "it", hint=node.last_words)
    check_process(node.vx6d.pid)
    path = os.path.join(node.run, "vx6d.sock")
    tap.true(os.path.exists(path), path)
    node.stop("vx6d")
    tap.equal(os.path.exists(path), False, "its socket is left behind")


@tap.test
def it_ends_and_its_socket_is_taken_over():
    plane = Plane("box")
    tap.after(plane.clean)
    tap.equal(plane.end(), 0, plane.text())
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        tap.equal(s.connect_ex(plane.path()), errno.ECONNREFUSED)
    tap.equal(plane.notify.recv(100), b"STOPPING=1")
    plane.start()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.connect(plane.path())


@tap.test
def the_table_is_printed_with_its_reasons():
    for program in PROGRAMS:
        out = subprocess.run(
            [os.path.join(command.BIN, program), "--print-sandbox",
             "--state", "/nowhere", "--run", "/nowhere"],
            capture_output=True, text=True, check=True).stdout
        calls = [x for x in out.splitlines() if not x.startswith("#")]
        tap.true(len(calls) > 30, out)
        for line in calls:
            tap.true(re.match(r"\S.*  # \S", line) or line == "none", line)
        tap.absent(out, "execve")


if __name__ == "__main__":
    tap.main(command.have(*PROGRAMS))
