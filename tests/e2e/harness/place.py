# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a run keeps its files, and what it started.

    /tmp/vx6-e2e-UID/PID-START/        one run: 0700, ours (demo: vx6-demo-)
        pids/PID-START                 what it started and did not end yet
        ...                            nodes, logs, pages
    /tmp/vx6-e2e-UID-open/PID-START/   0755: what other users have to reach

PID-START is a process id with its start time, which together are never
used twice.  A run that was killed leaves its directory behind; the next one
ends the processes named there that are still the same ones, and removes it.
"""
import atexit
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import time

from . import tap

GRACE_S = 20
name = "e2e"  # of the directory; set before anything is asked for
apart = False  # children in process groups of their own: ^C is ours alone

_place = None
_open_place = None
_running = {}


def _stat(pid):
    """State and start time of a process, None where there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as f:
            fields = f.read().rpartition(b")")[2].split()
        return fields[0].decode(), int(fields[19])
    except (FileNotFoundError, ProcessLookupError, ValueError, IndexError):
        return None, None


def start_time(pid):
    return _stat(pid)[1]


def tag(pid):
    return f"{pid}-{start_time(pid)}"


def alive(which):
    """The pid of a tag whose process still lives, else 0.  One that has
    ended may wait long for its parent to take notice."""
    try:
        pid, began = (int(p) for p in which.split("-"))
    except ValueError:
        return 0
    state, start = _stat(pid)
    return pid if start == began and state not in ("Z", "X") else 0


def _ours(path):
    st = os.lstat(path)
    return st.st_uid == os.geteuid() and not os.path.islink(path)


def sweep(more="", mode=0o700):
    """Removes what runs that are no more left behind; returns where runs
    keep their directories."""
    base = os.path.join(tempfile.gettempdir(),
                        f"vx6-{name}-{os.geteuid()}{more}")
    os.makedirs(base, mode=mode, exist_ok=True)
    if not _ours(base):
        raise RuntimeError(f"{base} belongs to somebody else: remove it")
    for run in os.listdir(base):
        path = os.path.join(base, run)
        try:
            if _ours(path) and not alive(run):
                _end_all(os.path.join(path, "pids"))
                shutil.rmtree(path, ignore_errors=True)
        except OSError:
            pass  # another run sweeps as well; or this one cannot tell
    return base


def _end_all(pids):
    for left in os.listdir(pids) if os.path.isdir(pids) else []:
        pid = alive(left)
        if pid:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def place():
    """The directory of this run; made when first asked for."""
    global _place
    if _place:
        return _place
    _place = os.path.join(sweep(), tag(os.getpid()))
    os.makedirs(os.path.join(_place, "pids"), mode=0o700)
    atexit.register(leave)
    return _place


def new_dir(what):
    path = os.path.join(place(), what)
    os.makedirs(path, mode=0o700)
    return path


def let_pass(path):
    """Everybody may go through what is above, until the test ends."""
    while (path := os.path.dirname(path)) != "/tmp":
        tap.after(os.chmod, path, stat.S_IMODE(os.stat(path).st_mode))
        os.chmod(path, 0o711)


def new_open_dir(what):
    """One that every user can enter and read, whatever the umask says."""
    global _open_place
    if not _open_place:
        base = sweep("-open", 0o755)
        _open_place = os.path.join(base, tag(os.getpid()))
        os.mkdir(_open_place)
        os.chmod(base, 0o755)
        os.chmod(_open_place, 0o755)
        atexit.register(leave)
    path = os.path.join(_open_place, what)
    os.mkdir(path)
    os.chmod(path, 0o755)
    return path


def leave():
    """Ends what still runs and removes the directories; VX6_KEEP=1 keeps
    them."""
    global _place, _open_place
    for p in list(_running):
        end(p)
    for path in filter(None, (_place, _open_place)):
        if os.environ.get("VX6_KEEP"):
            print(f"# kept: {path}", flush=True)
        else:
            shutil.rmtree(path, ignore_errors=True)
    _place = _open_place = None


def start(command, log=None, **more):
    """Starts a process that ends with this run; log is a file's path."""
    note = os.path.join(place(), "pids")
    out = open(log, "ab") if log else subprocess.DEVNULL
    more.setdefault("stdout", out)
    more.setdefault("stderr", out)
    more.setdefault("stdin", subprocess.DEVNULL)
    if apart:
        more.setdefault("process_group", 0)
    try:
        p = subprocess.Popen(command, **more)
    finally:
        if log:
            out.close()
    _running[p] = path = os.path.join(note, tag(p.pid))
    open(path, "w").close()
    return p


def _forget(p):
    path = _running.pop(p, None)
    if path:
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass


def end(p, signo=signal.SIGTERM, grace=GRACE_S):
    """Ends a process and returns its exit status; kills what does not go."""
    if p.poll() is None:
        p.send_signal(signo)
        try:
            p.wait(grace)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
    _forget(p)
    return p.returncode


def kill(p):
    """Ends a process without asking it."""
    p.kill()
    p.wait()
    _forget(p)


def now():
    return time.monotonic()
