#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 300
"""make demo shows what it says, and nothing of it stays, however it ends."""
import os
import re
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))
from harness import command, place, programs, tap

DEMO = os.path.join(HERE, "demo")
WHERE = f"/tmp/vx6-demo-{os.geteuid()}"


def environment(**more):
    env = dict(os.environ, DEMO_ONCE="1", DEMO_MIB="48", **more)
    env.setdefault("TERM", "xterm")
    return env


def needs():
    programs.program("nginx")
    programs.program("curl")


def left(pid):
    """What a demo of that pid left: processes and its directory."""
    found = []
    for p in os.listdir("/proc"):
        if p.isdigit():
            try:
                with open(f"/proc/{p}/cmdline", "rb") as f:
                    if f"{WHERE}/{pid}-".encode() in f.read():
                        found.append(p)
            except OSError:
                pass
    if os.path.isdir(WHERE):
        found += [d for d in os.listdir(WHERE) if d.startswith(f"{pid}-")]
    return found


def whole(**more):
    """Runs a demo to its end in a pipe; returns what it printed."""
    p = subprocess.Popen([DEMO], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True,
                         env=environment(**more))
    out, err = p.communicate(timeout=200)
    tap.equal((p.returncode, err), (0, ""), out)
    gone(p.pid)
    return out


def gone(pid):
    """What was ended may take a moment to leave the process table."""
    tap.wait(lambda: left(pid) == [], "nothing of the demo to be left", 20,
             lambda: f"{left(pid)}")


@tap.test
def it_shows_a_kill_without_loss():
    needs()
    out = whole()
    for part in ("drawn at random", "hop 1 of 3", "hop 3 of 3",
                 "circuit built in", "48 MiB through three relays in",
                 "cells forward", "kill -9", "0 bytes lost", "tunnel list"):
        tap.within(out, part)
    tap.true(not re.search(r"[\r\x1b]", out), "plain text in a pipe")
    path, moved = [line for line in out.splitlines() if "client" in line and
                   "owner" in line and "r" in line and
                   re.search(r"r\d\D+r\d\D+r\d", line)][:2]
    used = re.findall(r"r\d", path) + re.findall(r"r\d", moved)
    tap.equal(len(set(used)), 6, f"six different relays in {used}")
    tap.note(out)


@tap.test
def the_kill_can_be_left_out():
    needs()
    out = whole(DEMO_KILL="0")
    tap.within(out, "through three relays in")
    tap.absent(out, "kill -9")
    tap.absent(out, "0 bytes lost")


@tap.test
def interrupted_it_cleans_up():
    needs()
    env = environment()
    del env["DEMO_ONCE"]
    p = subprocess.Popen([DEMO], stdout=subprocess.PIPE, text=True, env=env)
    for line in p.stdout:
        if "until ^C" in line:
            break
    tap.true(left(p.pid), "it stays up")
    p.send_signal(signal.SIGINT)
    p.communicate(timeout=60)
    tap.equal(p.returncode, 0)
    gone(p.pid)


@tap.test
def what_a_crash_left_goes_with_the_next():
    needs()
    env = environment()
    del env["DEMO_ONCE"]
    p = subprocess.Popen([DEMO], stdout=subprocess.PIPE, text=True, env=env)
    for line in p.stdout:
        if "until ^C" in line:
            break
    p.kill()
    p.communicate()
    tap.true(left(p.pid), "a kill -9 leaves something")
    whole(DEMO_KILL="0")
    gone(p.pid)


@tap.test
def on_a_terminal_it_has_colour_and_progress():
    needs()
    t = command.Terminal(binary=DEMO, env=dict(DEMO_ONCE="1", DEMO_MIB="48",
                                               DEMO_KILL="0"))
    tap.equal(t.end(120), 0, t.text)
    tap.within(t.text, "\x1b[1m")
    tap.within(t.text, "of 48 MiB")
    tap.equal(left(t.p.pid), [])


tap.main(command.have("vx6", "vx6d", "vx6-dataplane"))
