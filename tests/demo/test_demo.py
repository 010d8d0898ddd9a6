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
TESTS = os.path.dirname(HERE)
sys.path[:0] = [os.path.join(TESTS, "e2e"), os.path.join(TESTS, "lab")]
from harness import command, programs, tap
from harness.staged import Staged
from netlab import lacking

TOOL = os.path.join(TESTS, "lab", "lab")
DEMO = os.path.join(HERE, "demo")
WHERE = f"/tmp/vx6-demo-{os.geteuid()}"


def environment(**more):
    env = dict(os.environ, DEMO_ONCE="1", DEMO_MIB="48", **more)
    env.setdefault("TERM", "xterm")
    return env


def needs(lab=False):
    programs.program("nginx")
    programs.program("curl")
    if lab and (why := lacking()):
        raise tap.Skip(why)


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


def shows_a_kill(**more):
    out = whole(**more)
    for part in ("drawn at random", "hop 1 of 3", "hop 3 of 3",
                 "circuit built in", "48 MiB through three relays in",
                 "cells forward", "kill -9", "0 bytes lost", "tunnel list"):
        tap.within(out, part)
    tap.true(not re.search(r"[\r\x1b]", out), "plain text in a pipe")
    # on a busy machine it may have moved before anything was killed
    path, spare, *moved = [
        re.findall(r"r\d", line) for line in out.splitlines()
        if re.search(r"client (─▶|->) r\d", line)]
    dead = re.search(r"both daemons of (r\d), the middle relay", out).group(1)
    tap.equal((len(path), len(set(path + spare))), (3, 6),
              f"no relay in two paths: {path}, {spare}")
    tap.equal(dead, [path, *moved][-2][1], "the middle relay then")
    tap.equal(len(set(moved[-1]) - {dead}), 3, f"three others: {moved}")
    tap.note(out)
    return out


@tap.test
def on_loopback_it_shows_a_kill_without_loss():
    needs()
    out = shows_a_kill(DEMO_LAB="0")
    tap.absent(out, "XDP")
    tap.within(out, "peer list")


@tap.test
def without_root_it_stays_on_loopback():
    needs(lab=True)
    all_of_it = Staged("demo", "e2e/harness", "lab/netlab")
    p = subprocess.run(
        [programs.program("setpriv"), "--reuid=65534", "--regid=65534",
         "--clear-groups", os.path.join(all_of_it.top, "tests/demo/demo")],
        env=environment(DEMO_KILL="0", **all_of_it.environment()),
        cwd=all_of_it.top, capture_output=True, text=True, timeout=200,
        check=False)
    tap.equal((p.returncode, p.stderr), (0, ""), p.stdout)
    tap.within(p.stdout, "through three relays in")
    tap.absent(p.stdout, "XDP")
    where = os.path.join(os.path.dirname(WHERE), "vx6-demo-65534")
    tap.equal(os.listdir(where), [])
    os.rmdir(where)


def counted(text):
    """Numbers with gaps between their thousands, each before its word."""
    return {word: int(n.replace(" ", "")) for n, word in
            re.findall(r"(?<![\w.])(\d{1,3}(?: \d{3})*) (?:cells )?([a-z]+)",
                       text)}


@tap.test
def in_namespaces_its_relays_are_on_af_xdp():
    """What the relays of the path show agrees: every cell of the page was
    let in by the classifier, and forwarded by the worker."""
    needs(lab=True)
    out = shows_a_kill()
    tap.within(out, "9 network namespaces")
    share = re.search(r"([\d.]+) % went by AF_XDP in native mode", out)
    tap.true(float(share.group(1)) > 99, share.group(0))
    total = 0
    for r in [f"r{i}" for i in range(1, 7)]:
        line = next(x for x in out.splitlines()
                    if re.match(rf"\s+{r} .*cells in", x))
        seen, did = map(counted, re.split("[│|]", line))
        total += did["backward"]
        tap.true(seen["in"] >= did["forward"] + did["backward"], line)
    tap.true(total >= 3 * (48 << 20) / 1472, "every cell at three relays")


@tap.test
def the_lab_command_works_on_it():
    needs(lab=True)
    env = environment()
    del env["DEMO_ONCE"]
    p = subprocess.Popen([DEMO], stdout=subprocess.PIPE, text=True, env=env)
    tap.after(p.kill)
    tries = []
    for line in p.stdout:
        tries += re.findall(r"tests/lab/lab (.*)", line)
        if "until ^C" in line:
            break
    tap.equal(len(tries), 3, f"what it says to try: {tries}")
    for words in tries:
        done = subprocess.run([TOOL, "--lab", str(p.pid), *words.split()],
                              capture_output=True, text=True, timeout=100,
                              check=False)
        tap.equal(done.returncode, 0, f"{words}: {done.stderr}")
    subprocess.run([TOOL, "--lab", str(p.pid), "down"], check=True,
                   stdout=subprocess.DEVNULL)
    p.communicate(timeout=60)
    tap.equal(p.returncode, 0)
    gone(p.pid)


@tap.test
def the_kill_can_be_left_out():
    needs()
    out = whole(DEMO_KILL="0")
    tap.within(out, "through three relays in")
    tap.absent(out, "kill -9")
    tap.absent(out, "0 bytes lost")


def up():
    """A demo that stays up."""
    needs()
    env = environment()
    del env["DEMO_ONCE"]
    p = subprocess.Popen([DEMO], stdout=subprocess.PIPE, text=True, env=env)
    for line in p.stdout:
        if "until ^C" in line:
            break
    return p


@tap.test
def interrupted_it_cleans_up():
    p = up()
    tap.true(left(p.pid), "it stays up")
    p.send_signal(signal.SIGINT)
    p.communicate(timeout=60)
    tap.equal(p.returncode, 0)
    gone(p.pid)


@tap.test
def what_a_crash_left_goes_with_the_next():
    p = up()
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
