# SPDX-License-Identifier: GPL-2.0-or-later
"""What the scripts that measure whole networks share: samples, figures as
JSON Lines, transfers that are compared, and the run itself.

A script says which figures it has with @stage, and ends with

    sys.exit(measure.main("lab", Lab))

where Lab() brings up what is measured, has .host for the figures' lines and
.close().  JSON Lines on stdout, a table on stderr.  A figure is the median
of its repeats, which take turns with those of its baseline, so that what
disturbs one disturbs the other.  Bytes that are wrong make it invalid.
"""
import atexit
import contextlib
import json
import os
import resource
import signal
import statistics
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "tests", "e2e"),
                os.path.join(HERE, "..", "tests", "lab")]
sys.dont_write_bytecode = True

NAME = "bench"  # of the directory with everything in it
MB = 10**6
ROOM = 2 << 30  # bytes that pages and downloads need in memory
CURL_S = 30     # until a transfer is given up
WRONG = "the bytes that arrived are wrong"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
TICK = os.sysconf("SC_CLK_TCK")

STAGES = []  # (function, names of its figures)


def full(figure):
    """The data plane's are dp.*, all others lab.*."""
    return figure if figure.startswith("dp.") else "lab." + figure


def stage(*figures):
    def add(function):
        STAGES.append((function, [full(f) for f in figures]))
        return function
    return add


def say(text):
    print(text, file=sys.stderr, flush=True)


# ---- the machine ----

def memory_place():
    """Pages and downloads lie in memory where there is room: no disk is
    measured."""
    if "TMPDIR" in os.environ:
        return
    try:
        fs = os.statvfs("/dev/shm")
        with open("/proc/meminfo", encoding="ascii") as f:
            info = dict(line.split(":") for line in f)
        free = int(info["MemAvailable"].split()[0]) * 1024
        if min(fs.f_bavail * fs.f_frsize, free) > ROOM and \
                os.access("/dev/shm", os.W_OK | os.X_OK):
            os.environ["TMPDIR"] = "/dev/shm"
            # runs after place.leave, which registers later
            atexit.register(remove_empty,
                            f"/dev/shm/vx6-{NAME}-{os.geteuid()}")
    except (OSError, KeyError, ValueError):
        pass


def remove_empty(path):
    try:
        os.rmdir(path)
    except OSError:
        pass  # another run's files are in it, or there is none


memory_place()
from harness import command, place, programs, tap  # noqa: E402
from harness.ask import Gone, Refused              # noqa: E402

place.name = NAME
place.apart = True
TROUBLE = (tap.Failed, tap.Skip, Refused, Gone, OSError)


def cpu_model():
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as f:
        for line in f:
            name, _, value = line.partition(":")
            if name.strip() in ("model name", "Processor", "cpu model"):
                return value.strip()
    return os.uname().machine


def host(node):
    """What a figure's line says of the machine; node has a data plane."""
    return {"cpu": cpu_model(), "cores": os.cpu_count(),
            "kernel": os.uname().release, "aead": aead_name(node),
            "load": round(os.getloadavg()[0], 2)}


def plane_start(node):
    """What a data plane said of itself when it started."""
    with open(node.plane_log, encoding="utf-8", errors="replace") as f:
        for line in f:
            if " dataplane start " in line:
                return line
    return ""


def aead_name(node):
    _, _, rest = plane_start(node).partition(' aead=')
    if rest.startswith('"'):
        return rest[1:].partition('"')[0]
    return rest.partition(" ")[0] or "unknown"


def cpu_s(pid):
    """CPU seconds that all threads of a process used so far."""
    with open(f"/proc/{pid}/stat", "rb") as f:
        fields = f.read().rpartition(b")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return [int(p) for p in f.read().split()]


def waited_for_s():
    """CPU seconds of our children that have ended: the curls."""
    use = resource.getrusage(resource.RUSAGE_CHILDREN)
    return use.ru_utime + use.ru_stime


def memory_bytes(pid):
    """(resident, proportional) memory of a process."""
    found = {}
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        for line in f:
            name, _, value = line.partition(":")
            if name in ("Rss", "Pss"):
                found[name] = int(value.split()[0]) * 1024
    return found["Rss"], found["Pss"]


def first(pid):
    """A process's threads are run before most others', as far as that
    goes without being real-time ones; so is its session, where the kernel
    shares a core between sessions first."""
    for task in os.listdir(f"/proc/{pid}/task"):
        os.setpriority(os.PRIO_PROCESS, int(task), -20)
    with contextlib.suppress(OSError), \
            open(f"/proc/{pid}/autogroup", "w", encoding="ascii") as f:
        f.write("-20")


# ---- a figure ----

class Samples:
    """Repeats of one measurement, and what was wrong with some of them."""

    def __init__(self):
        self.good, self.faults = [], []

    def add(self, value):
        self.good.append(value)

    def fail(self, why):
        self.faults.append(str(why).splitlines()[0][:300])

    def blame(self, others):
        """What could not be measured because others could not."""
        self.faults += others.faults
        return self

    @property
    def median(self):
        return statistics.median(self.good) if self.good else None


def digits(value):
    return None if value is None else float(f"{value:.5g}")


def emit(lab, name, samples, unit, baseline=None, base=None, **more):
    """Prints one figure; base is a Samples or None."""
    value = digits(samples.median)
    under = digits(base.median) if base else None
    faults = samples.faults + (base.faults if base else [])
    line = {"figure": full(name), "value": value, "unit": unit,
            "baseline": baseline, "baseline_value": under,
            "ratio": round(value / under, 3) if value and under else None,
            "valid": value is not None and not faults, "host": lab.host}
    if samples.good:
        line.update(min=digits(min(samples.good)),
                    max=digits(max(samples.good)), repeats=len(samples.good))
    if faults:
        line["faults"] = sorted(set(faults))
    line.update(more)
    print(json.dumps(line), flush=True)
    text = f"  {full(name):<32}"
    text += "no value" if value is None else \
        f"{value:>10.6g} {unit:<9} ({line['min']:.4g} .. {line['max']:.4g})"
    if line["ratio"]:
        text += f"  {baseline} {under:.4g}  ratio {line['ratio']:.2f}"
    say(text + ("" if line["valid"] else
               f"  INVALID: {'; '.join(line['faults'])[:300]}"))


def repeats(count, seconds):
    """Counts to count, and stops before it would take longer than that."""
    began = time.monotonic()
    for i in range(count):
        spent = time.monotonic() - began
        if i and spent * (i + 1) / i > seconds:
            return
        yield i


# ---- transfers ----

class Transfer:
    """What curl says of one transfer; the payload is compared after it.
    during: a context that holds while curl runs, and no longer."""

    def __init__(self, args, where, digest, during=None):
        with during or contextlib.nullcontext():
            timed = programs.curl("--max-time", CURL_S, "--fail", *args,
                                  "-w", "%{stderr}%{stdout}%{time_total}")
        self.seconds = float(timed.decode().split()[-1])
        if programs.file_digest(where) != digest:
            raise tap.Failed(WRONG)


def rate(samples, size, args, where, digest, during=None):
    """Adds the MB/s of one transfer to samples."""
    try:
        samples.add(size / MB /
                    Transfer(args, where, digest, during).seconds)
        return True
    except TROUBLE as e:
        samples.fail(e)
        return False
    finally:
        if os.path.exists(where):
            os.unlink(where)


# ---- the run ----

def matches(only, name):
    """A name's beginning, "dp.veth", or a part of it, "failover": "dp."
    stands in "lab.relay3.udp.throughput" as well."""
    if only.startswith(("dp.", "lab.")):
        return name.startswith(only)
    return only in name


def run(script, make, only):
    chosen = [(f, names) for f, names in STAGES
              if any(matches(only, name) for name in names)]
    if not chosen:
        say(f"{script}: no figure is called {only}")
        return 2
    missing = command.have("vx6", "vx6d", "vx6-dataplane")
    if missing:
        say(f"{script}: {missing}: run `make bench`, or say VX6_BUILD=dir")
        return 1
    try:
        lab = make()
    except (*TROUBLE, ValueError) as e:
        say(f"{script}: {e}")
        return 1
    status = 0
    say(f"{script}: {lab.host['cpu']}, {lab.host['cores']} cores, "
        f"load {lab.host['load']}, {lab.host['aead']}")
    for function, names in chosen:
        try:
            function(lab)
        except TROUBLE as e:
            say(f"{script}: {', '.join(names)}: {e}")
            say(traceback.format_exc())
            status = 1
    lab.close()
    return status


def interrupted(signo, frame):
    # once: what follows is cleaning up
    for s in SIGNALS:
        signal.signal(s, lambda *_: None)
    raise KeyboardInterrupt


def main(script, make):
    if sys.argv[1:2] == ["--list"]:
        only = sys.argv[2] if len(sys.argv) > 2 else ""
        print("\n".join(n for _, names in STAGES for n in names
                        if matches(only, n)))
        return 0
    for s in SIGNALS:
        signal.signal(s, interrupted)
    try:
        return run(script, make, sys.argv[1] if len(sys.argv) > 1 else "")
    except KeyboardInterrupt:
        say(f"{script}: interrupted")
        return 130
