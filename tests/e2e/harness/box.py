# SPDX-License-Identifier: GPL-2.0-or-later
"""What the daemons say of their sandbox, and what the kernel does."""
import os
import re
import subprocess
import tempfile

from . import command, tap


def attempts():
    """The names of what is tried, from the one list."""
    with open(os.path.join(command.TOP, "dataplane/sandbox/sandbox.h"),
              encoding="utf-8") as f:
        return re.findall(r'^\tX\(\w+, .*"(.*)"\)', f.read(), re.M)


def judge(program, *before, args=()):
    """Runs the program's own test; its lines by name, and its stderr."""
    there = tempfile.mkdtemp(prefix="vx6-box-")
    tap.after(os.rmdir, there)
    if before:
        os.chown(there, 65534, 65534)
    done = subprocess.run(
        [*before, os.path.join(command.BIN, program), "--test-sandbox",
         "--state", there, "--run", there, *args],
        capture_output=True, text=True, timeout=120)
    tap.equal(done.returncode, 0, done.stdout + done.stderr)
    lines = done.stdout.splitlines()
    for line in lines:
        if line.startswith("not judged"):
            print("# SKIP kernel:", line)
    return lines, done.stderr


def status_of(path):
    with open(os.path.join(path, "status"), encoding="ascii") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f
                    if ":\t" in line)


def check_process(pid):
    """Every thread, as the kernel has it."""
    tasks = f"/proc/{pid}/task"
    threads = os.listdir(tasks)
    tap.true(len(threads) >= 2, f"threads: {threads}")
    for thread in threads:
        s = status_of(os.path.join(tasks, thread))
        for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            tap.equal(int(s[kind], 16), 0, f"{s['Name']} {kind}")
        if os.geteuid() == 0:
            tap.equal(int(s["CapBnd"], 16), 0, "what a program might get")
        tap.equal(s["NoNewPrivs"], "1")
        tap.equal(s["Seccomp"], "2", f"filter of {s['Name']}")
    with open(f"/proc/{pid}/limits", encoding="ascii") as f:
        core = [x for x in f if x.startswith("Max core file size")][0]
    tap.equal(core.split()[4:6], ["0", "0"], "core files")
