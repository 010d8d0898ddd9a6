#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 900
"""The package, from the tree to a machine without it again.

It is built twice; installed where a real systemd runs; started by its units,
whose hardening the kernel then enforces; upgraded, removed and purged.
"""
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "e2e")]
import machine
from harness import place, tap

TOP = os.environ.get("VX6_TOP") or os.path.dirname(os.path.dirname(HERE))
BIN = os.environ.get("VX6_BIN") or os.path.join(TOP, "build/bin")
UNITS = ["vx6d.service", "vx6-dataplane.service"]
FILES = {
    "/usr/bin/vx6", "/usr/sbin/vx6d", "/usr/sbin/vx6-dataplane",
    "/usr/lib/systemd/system/vx6d.service",
    "/usr/lib/systemd/system/vx6-dataplane.service",
    "/usr/lib/sysusers.d/vx6.conf",
    "/usr/share/bash-completion/completions/vx6",
    "/usr/share/doc/vx6/copyright", "/usr/share/doc/vx6/changelog.gz",
    "/usr/share/doc/vx6/examples/config.json",
    "/usr/share/doc/vx6/examples/schema.json",
    "/usr/share/man/man1/vx6.1.gz", "/usr/share/man/man5/vx6-config.5.gz",
    "/usr/share/man/man8/vx6d.8.gz",
    "/usr/share/man/man8/vx6-dataplane.8.gz"}
DPDK_FILES = ["/usr/lib/vx6/vx6-port-dpdk.so",
              "/usr/lib/systemd/system/vx6-dataplane.service.d/dpdk.conf"]
CONFIG = {"node": {"name": "alice", "relay": True},
          "data": {"enabled": True}}
# In the order of the kernel's numbers.
CAPS = {"NET_ADMIN": 12, "NET_RAW": 13, "IPC_LOCK": 14, "PERFMON": 38,
        "BPF": 39}
# Where systemd-analyze security begins to grumble is 10, at best it is 0.
EXPOSURE = {"vx6d.service": 2.0, "vx6-dataplane.service": 3.0}


def build(name):
    out = os.path.join(place.new_dir(name), "out")
    done = subprocess.run([os.path.join(TOP, "image/deb"), out],
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise tap.Failed(done.stdout + done.stderr)
    return out


@tap.once
def built():
    return build("deb")


@tap.once
def here():
    return machine.Machine(built())


def debs(out):
    return sorted(f for f in os.listdir(out) if f.endswith(".deb"))


def package(name="vx6"):
    return "/mnt/" + next(d for d in debs(built())
                          if d.startswith(name + "_"))


def listing(m):
    """Every file but what keeps books about packages and time."""
    text = m.sh("find / -xdev -path /mnt -prune -o -path /var/lib/dpkg -prune"
                " -o -path /var/log -prune -o -path /var/lib/systemd -prune"
                " -o -path /var/cache -prune -o -print").stdout
    return set(text.splitlines())


@tap.once
def before():
    return listing(here())


@tap.once
def installed():
    before()
    m = here()
    m.sh(f"dpkg -i {package()}")
    return m


@tap.once
def configured():
    m = installed()
    m.sh("vx6 init --name alice")
    m.sh(f"echo '{json.dumps(CONFIG)}' >/etc/vx6/config.json")
    return m


def status(m):
    return json.loads(m.sh("vx6 --json status").stdout)


def show(m, unit, name):
    return m.sh(f"systemctl show -P {name} {unit}").stdout.strip()


def pid(m, unit):
    return int(show(m, unit, "MainPID"))


def connected(m):
    done = m.sh("vx6 --json status", check=False)
    return done.returncode == 0 and \
        json.loads(done.stdout)["dataplane"]["state"] == "connected"


def told(m):
    return lambda: m.sh("journalctl --no-pager -q -n 30 -u vx6d "
                        "-u vx6-dataplane", check=False).stdout


@tap.once
def running():
    m = configured()
    for unit in UNITS:
        done = m.sh(f"systemctl start {unit}", check=False)
        if done.returncode:
            raise tap.Failed(f"{unit}: {done.stdout}{told(m)()}")
    tap.wait(lambda: connected(m), "both daemons to talk", hint=told(m))
    return m


# ---- the file ----

@tap.test
def two_builds_are_the_same_bytes():
    again = build("again")
    names = debs(built())
    tap.equal(debs(again), names)
    tap.equal(len(names), 4, "vx6, vx6-dpdk and their -dbgsym")
    for name in names:
        with open(os.path.join(built(), name), "rb") as a, \
                open(os.path.join(again, name), "rb") as b:
            tap.true(a.read() == b.read(), f"{name} differs")


@tap.test
def it_holds_what_it_should():
    deb = os.path.join(built(), os.path.basename(package()))
    text = subprocess.run(["dpkg-deb", "-c", deb], check=True, text=True,
                          capture_output=True).stdout
    rows = [line.split() for line in text.splitlines()]
    tap.equal({r[5][1:] for r in rows if r[0][0] != "d"}, FILES)
    for r in rows:
        tap.equal(r[1], "root/root", r[5])
        tap.true(r[0] in ("drwxr-xr-x", "-rwxr-xr-x", "-rw-r--r--"),
                 f"{r[5]} has mode {r[0]}")
    fields = subprocess.run(["dpkg-deb", "-f", deb], check=True, text=True,
                            capture_output=True).stdout
    with open(os.path.join(TOP, "controlplane/api/version.h"),
              encoding="utf-8") as f:
        version = re.search(r'VX6_VERSION "(.*)"', f.read()).group(1)
    tap.within(fields, f"\nVersion: {version}")
    for lib in ("libsodium", "libipsec-mb", "libngtcp2", "systemd-sysusers"):
        tap.within(re.search("^Depends: .*", fields, re.M).group(0), lib)


# ---- installed ----

@tap.test
def dpdk_is_a_package_of_its_own():
    """Who installs vx6 gets nothing of DPDK."""
    def field(name, what):
        deb = next(d for d in debs(built()) if d.startswith(name + "_"))
        return subprocess.run(
            ["dpkg-deb", what, os.path.join(built(), deb)] +
            (["Depends"] if what == "-f" else []),
            capture_output=True, text=True, check=True).stdout
    tap.absent(field("vx6", "-f"), "librte")
    tap.absent(field("vx6", "-c"), "dpdk")
    tap.within(field("vx6-dpdk", "-f"), "librte-eal")
    for file in DPDK_FILES:
        tap.within(field("vx6-dpdk", "-c"), "." + file)


@tap.test
def installing_starts_nothing():
    m = installed()
    for unit in UNITS:
        tap.equal(show(m, unit, "ActiveState"), "inactive", unit)
        tap.equal(show(m, unit, "UnitFileState"), "disabled", unit)
    tap.within(m.read("/etc/passwd"), "\nvx6:x:")
    tap.within(m.sh("vx6 --version").stdout, "vx6 ")
    m.sh("vx6 config check /usr/share/doc/vx6/examples/config.json")
    for page in sorted(f for f in FILES if "/man/" in f):
        tap.within(m.sh(f"zcat {page}").stdout, ".SH NAME", page)
    tap.equal(m.sh("bash -c '. /usr/share/bash-completion/completions/vx6 && "
                   "complete -p vx6'").stdout.strip(),
              "complete -F _vx6 vx6")


@tap.test
def units_are_sound():
    m = installed()
    for unit in UNITS:
        tap.equal(m.sh(f"systemd-analyze verify --man=no {unit}").stdout, "",
                  unit)
        text = m.sh(f"systemd-analyze security --no-pager {unit}").stdout
        worst = float(re.search(r"exposure level .*: ([\d.]+)",
                                text).group(1))
        tap.note(f"{unit}: exposure {worst}")
        tap.true(worst <= EXPOSURE[unit],
                 f"{unit} is more exposed than {EXPOSURE[unit]}:\n{text}")
        for word in ("Requires", "BindsTo", "Requisite", "PartOf"):
            tap.absent(show(m, unit, word), "vx6", f"{unit} {word}")


@tap.test
def the_data_plane_has_the_larger_share():
    """Of a core that others want, too; vx6d is one of those."""
    m = installed()
    tap.equal(show(m, "vx6-dataplane", "CPUWeight"), "500")
    tap.equal(show(m, "vx6d", "CPUWeight"), "[not set]", "an ordinary unit")
    for name, plain in (("CPUSchedulingPolicy", "0"), ("Nice", "0")):
        tap.equal(show(m, "vx6-dataplane", name), plain, name)
    page = m.sh("zcat /usr/share/man/man8/vx6-dataplane.8.gz").stdout
    for word in ("CORES", "CPUWeight=", "isolcpus=", "CPUAffinity=",
                 "data.cpus"):
        tap.within(page, word)


@tap.test
def without_an_identity_and_a_configuration_it_says_so():
    m = installed()
    m.sh("mv /etc/vx6/config.json /etc/vx6/away", check=False)
    done = m.sh("systemctl start vx6d", check=False)
    m.sh("mv /etc/vx6/away /etc/vx6/config.json", check=False)
    tap.true(done.returncode != 0, "it started without a configuration")
    tap.within(m.sh("journalctl --no-pager -q -u vx6d").stdout,
               "/etc/vx6/config.json")
    tap.equal(show(m, "vx6d", "NRestarts"), "0", "tried again in vain")
    tap.equal(show(m, "vx6d", "ExecMainStatus"), "2")
    m.sh("systemctl reset-failed vx6d")


# ---- running ----

@tap.test
def both_run_and_talk():
    m = running()
    s = status(m)
    tap.equal(s["dataplane"]["state"], "connected")
    tap.true(s["relay"], "it is a relay")
    for unit in UNITS:
        p = pid(m, unit)
        text = m.read(f"/proc/{p}/status")
        field = dict(re.findall(r"^(\w+):\s*(.*)$", text, re.M))
        uid = m.sh("id -u vx6").stdout.strip()
        tap.equal(field["Uid"].split(), [uid] * 4, unit)
        for kind in ("CapPrm", "CapEff", "CapInh", "CapAmb"):
            tap.equal(int(field[kind], 16), 0, f"{unit} {kind}")
        # what no program will get: there is none, and no_new_privs
        caps = 0 if unit == "vx6d.service" else sum(
            1 << n for n in CAPS.values())
        tap.equal(int(field["CapBnd"], 16), caps, f"{unit} CapBnd")
        tap.within(m.sh(f"journalctl --no-pager -q -u {unit}").stdout,
                   "sandbox on capabilities=none filter=yes")
        tap.equal(field["NoNewPrivs"], "1", unit)
        tap.equal(field["Seccomp"], "2", unit)
    modes = m.sh("stat -c '%a %U %G %n' /run/vx6 /run/vx6/vx6d.sock "
                 "/run/vx6/dataplane.sock /var/lib/vx6 "
                 "/var/lib/vx6/identity.key").stdout.splitlines()
    tap.equal(modes, ["750 vx6 vx6 /run/vx6",
                      "660 vx6 vx6 /run/vx6/vx6d.sock",
                      "600 vx6 vx6 /run/vx6/dataplane.sock",
                      "700 vx6 vx6 /var/lib/vx6",
                      "600 vx6 vx6 /var/lib/vx6/identity.key"])


@tap.test
def the_group_may_ask_and_nobody_else():
    m = running()
    ask = "setpriv --reuid 65534 --regid 65534 {} vx6 --run /run/vx6 " \
          "--state /nonexistent --json status"
    m.sh(ask.format("--groups vx6"))
    done = m.sh(ask.format("--clear-groups"), check=False)
    tap.equal(done.returncode, 4, done.stdout)
    tap.within(done.stdout, "group vx6")


@tap.test
def the_data_plane_cannot_read_the_identity():
    m = running()
    p = pid(m, "vx6-dataplane")
    done = m.sh(f"nsenter -t {p} --mount setpriv --reuid vx6 --regid vx6 "
                "--clear-groups cat /var/lib/vx6/identity.key", check=False)
    tap.true(done.returncode != 0, "the key is readable from there")
    tap.within(done.stdout, "Permission denied")


@tap.test
def each_is_restarted_without_the_other():
    m = running()
    for unit in UNITS:
        other = next(u for u in UNITS if u != unit)
        old, kept = pid(m, unit), pid(m, other)
        sockets = m.sh("ls -i /run/vx6").stdout
        m.sh(f"kill -KILL {old}")
        tap.wait(lambda: pid(m, unit) not in (0, old) and
                 show(m, unit, "ActiveState") == "active",
                 f"{unit} to come back", hint=told(m))
        tap.wait(lambda: connected(m), "them to talk again", hint=told(m))
        tap.equal(pid(m, other), kept, f"{other} went with {unit}")
        tap.within(sockets, ".sock")


@tap.test
def a_clean_stop_is_no_failure():
    m = running()
    for unit in UNITS:
        m.sh(f"systemctl stop {unit}")
        tap.equal(show(m, unit, "Result"), "success", unit)
        other = next(u for u in UNITS if u != unit)
        tap.equal(show(m, other, "ActiveState"), "active", other)
        m.sh(f"systemctl start {unit}")
    tap.wait(lambda: connected(m), "them to talk again", hint=told(m))


def on_af_xdp(m):
    """The node asks for af_xdp on a veth until the test ends."""
    def configure(config):
        m.sh(f"echo '{json.dumps(config)}' >/etc/vx6/config.json")
        restart(m)
    m.sh("ip link add cells0 type veth peer name far0 && "
         "ip link set far0 up && ip link set cells0 up && "
         "ip address add 10.9.0.1/24 dev cells0")
    tap.after(m.sh, "ip link del cells0")
    tap.after(configure, CONFIG)
    configure(dict(CONFIG, data={"enabled": True, "backend": "af_xdp",
                                 "interfaces": ["cells0"]}))


def restart(m):
    m.sh("systemctl restart vx6-dataplane")
    tap.wait(lambda: connected(m), "them to talk again", hint=told(m))


@tap.test
def af_xdp_runs_with_the_units_privilege():
    m = running()
    on_af_xdp(m)
    tap.wait(lambda: status(m)["dataplane"]["backend"] == "af_xdp",
             "af_xdp to carry the cells",
             hint=lambda: f"{status(m)['dataplane']} {told(m)()}")
    tap.within(m.sh("vx6 doctor", check=False).stdout, "af_xdp, on cells0")


@tap.test
def each_capability_of_the_unit_is_needed():
    m = running()
    on_af_xdp(m)
    drop = "/run/systemd/system/vx6-dataplane.service.d"
    tap.after(m.sh, f"rm -r {drop} && systemctl daemon-reload")
    # without IPC_LOCK it depends on what limit the manager may give
    for name in sorted(set(CAPS) - {"IPC_LOCK"}):
        rest = " ".join("CAP_" + c for c in CAPS if c != name)
        lines = "[Service]\\n" + "".join(
            f"{k}=\\n{k}={rest}\\n"
            for k in ("CapabilityBoundingSet", "AmbientCapabilities"))
        m.sh(f"mkdir -p {drop} && printf '{lines}' >{drop}/less.conf && "
             "systemctl daemon-reload")
        restart(m)
        s = status(m)["dataplane"]
        tap.equal(s["backend"], "udp", f"without CAP_{name}")
        tap.within(s["why"], "CAP_", name)


@tap.test
def a_worker_goes_to_its_cpu_from_outside():
    """As the manual says under CORES: what systemd starts is kept off a CPU
    by CPUAffinity=, and the worker named in data.cpus is there; AllowedCPUs=
    would be another matter."""
    here_, *more = sorted(os.sched_getaffinity(0))
    if not more:
        raise tap.Skip("cpus: there is one")
    m = running()
    drop = "/run/systemd/system/vx6-dataplane.service.d"
    tap.after(back_on_sockets, m)
    tap.after(m.sh, f"rm -r {drop} && systemctl daemon-reload")
    m.sh(f"mkdir -p {drop} && printf '[Service]\\nCPUAffinity={here_}\\n' "
         f">{drop}/core.conf && systemctl daemon-reload")
    data = {"enabled": True, "workers": 1, "cpus": [more[0]]}
    m.sh(f"echo '{json.dumps(dict(CONFIG, data=data))}' >/etc/vx6/config.json")
    restart(m)
    said = m.sh(f"cat /proc/{pid(m, 'vx6-dataplane')}/task/*/status").stdout
    where = re.findall(r"^Cpus_allowed_list:\s*(\S+)$", said, re.M)
    tap.equal(sorted(where), sorted([str(more[0])] +
                                    [str(here_)] * (len(where) - 1)))


def ask_for_dpdk(m, device):
    """Restarts the data plane on a device; whether it came up."""
    data = {"enabled": True, "backend": "dpdk", "dpdk_ports": device}
    m.sh(f"echo '{json.dumps(dict(CONFIG, data=data))}' >/etc/vx6/config.json")
    return m.sh("systemctl reset-failed vx6-dataplane; "
                "systemctl restart vx6-dataplane", check=False).returncode == 0


def back_on_sockets(m):
    m.sh(f"echo '{json.dumps(CONFIG)}' >/etc/vx6/config.json")
    restart(m)


@tap.test
def dpdk_runs_with_what_its_package_adds_and_not_without():
    """A virtual device of each kind; of vfio-pci there is none here."""
    m = running()
    m.sh("ip link add cells0 type veth peer name far0 && "
         "ip link set far0 up && ip link set cells0 up && "
         "ip address add 10.9.0.1/24 dev cells0")
    tap.after(m.sh, "ip link del cells0")
    tap.after(back_on_sockets, m)
    tap.after(m.sh, "dpkg -P vx6-dpdk && systemctl daemon-reload")
    m.sh("mkdir -p /dev/net && (test -e /dev/net/tun || "
         "mknod -m 666 /dev/net/tun c 10 200)")
    m.sh(f"dpkg -i {package('vx6-dpdk')} && systemctl daemon-reload")
    packet, ring = "net_af_packet0,iface=cells0", "net_ring0"
    for device in (packet, "net_af_xdp0,iface=cells0", ring):
        tap.true(ask_for_dpdk(m, device), f"{device} {told(m)()}")
        tap.wait(lambda: connected(m) and
                 status(m)["dataplane"]["backend"] == "dpdk",
                 f"{device} to carry the cells", hint=told(m))
        tap.within(m.sh("vx6 doctor", check=False).stdout, DPDK_FILES[0])
    whole = m.read(DPDK_FILES[1])
    for line, device in (("RestrictAddressFamilies", packet),
                         ("PrivateDevices", ring),
                         ("DeviceAllow=/dev/net/tun", ring)):
        tap.within(whole, "\n" + line)
        m.sh(f"sed -i '\\#^{line}#d' {DPDK_FILES[1]} && "
             "systemctl daemon-reload")
        tap.true(not ask_for_dpdk(m, device), f"it runs without {line}")
        m.sh(f"cat >{DPDK_FILES[1]} <<'EOF'\n{whole}EOF\n")
        m.sh("systemctl daemon-reload")


@tap.test
def an_upgrade_restarts_and_keeps_the_identity():
    m = running()
    node = status(m)["id"]
    old = [pid(m, u) for u in UNITS]
    m.sh(f"dpkg -i {package()}")
    tap.wait(lambda: connected(m), "them to talk again", hint=told(m))
    for unit, was in zip(UNITS, old):
        tap.true(pid(m, unit) not in (0, was), f"{unit} was not restarted")
    tap.equal(status(m)["id"], node, "node ID")
    tap.equal(json.loads(m.read("/etc/vx6/config.json")), CONFIG)


# ---- and away ----

@tap.test
def removed_it_keeps_the_identity_purged_it_leaves_the_user():
    m = running()
    m.sh("dpkg -r vx6")
    tap.equal(m.sh("pgrep -a vx6", check=False).stdout, "")
    tap.within(m.sh("ls /var/lib/vx6").stdout, "identity.key")
    tap.within(m.sh("ls /etc/vx6").stdout, "config.json")
    m.sh("dpkg -P vx6")
    new = listing(m) - before()
    # who a user was must be known to whom backups are restored
    known = {"/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-",
             "/etc/.pwd.lock"}
    tap.equal(sorted(new - known), [])
    tap.within(m.read("/etc/passwd"), "\nvx6:x:")


# ---- without a package ----

@tap.test
def what_make_install_puts_make_uninstall_takes():
    root = place.new_dir("install")
    tool = os.path.join(TOP, "image/install")
    found = []
    for prefix in ("/usr", "/opt/vx6"):
        for args in ([BIN], ["--remove"]):
            subprocess.run([tool, *args, root, prefix], check=True)
            found.append({os.path.join(d, f).removeprefix(root + prefix)
                          for d, _, names in os.walk(root) for f in names})
        with_gz = {f.removeprefix("/usr").removesuffix(".gz") for f in FILES
                   if "changelog" not in f}
        with_gz.add("/lib/vx6/vx6-port-dpdk.so")
        with_gz.add("/lib/systemd/system/vx6-dataplane.service.d/dpdk.conf")
        tap.equal(found[-2], with_gz, prefix)
        tap.equal(found[-1], set(), prefix)
    done = subprocess.run([tool, BIN, root, "usr"], capture_output=True,
                          text=True)
    tap.equal(done.returncode, 1)
    tap.within(done.stderr, "PREFIX must begin with /")


if __name__ == "__main__":
    tap.main(machine.why_not())
