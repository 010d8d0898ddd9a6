# SPDX-License-Identifier: GPL-2.0-or-later
"""A throw-away machine: this root, written to by nobody else, with systemd.

    m = machine.Machine(share)      share is /mnt in it
    m.sh("systemctl start vx6d")
    m.close()

An overlay in memory over /, in namespaces of its own (processes, mounts,
network, names), with a real systemd as its process 1.  Nothing of it is seen
outside, and it ends with this process, however that ends: the kernel kills
its process 1, and with that the last user of every mount in it.
"""
import os
import shutil
import signal
import subprocess
import sys

from harness import tap

BOOT = r"""
set -e
mount -t tmpfs tmpfs "$1"
cd "$1"
mkdir upper work root
mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root
cd root
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
for d in run tmp dev; do mount -t tmpfs tmpfs $d; done
for d in null zero full random urandom tty; do cp -a /dev/$d dev; done
mkdir dev/shm dev/pts
ln -s /proc/self/fd dev/fd
ln -s pts/ptmx dev/ptmx
mount --bind "$2" mnt
# the build root leaves manual pages out
rm -f etc/dpkg/dpkg.cfg.d/99mmdebstrap
: >etc/machine-id
"""
# systemd gives services file systems of their own, which takes being at the
# root of the name space, and a build root is only a chroot.  So: out of it
# (whoever keeps a directory above the new root may climb), and the overlay
# into its place.
ENTER = r"""
import ctypes, os, subprocess, sys
boot, place, share = sys.argv[1:]
subprocess.run(["sh", "-c", boot, "sh", place, share], check=True)
root = os.open(place + "/root", os.O_RDONLY)
os.mkdir(place + "/below")
os.chdir("/")
os.chroot(place + "/below")
for _ in range(64):
    os.chdir("..")
os.chroot(".")
os.fchdir(root)
libc = ctypes.CDLL(None, use_errno=True)
SYS_PIVOT_ROOT, MNT_DETACH = 155, 2
if libc.syscall(SYS_PIVOT_ROOT, b".", b"."):
    sys.exit("pivot_root: " + os.strerror(ctypes.get_errno()))
libc.umount2(b".", MNT_DETACH)
os.chroot(".")
os.chdir("/")
os.execve("/usr/lib/systemd/systemd", ["systemd", "--unit=basic.target",
          "--show-status=no", "--log-target=journal-or-kmsg"],
          {"container": "vx6", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
"""
UNSHARE = ["unshare", "--mount", "--pid", "--net", "--ipc", "--uts",
           "--cgroup", "--fork", "--kill-child", "--propagation"]


def why_not():
    """A reason to skip, or None."""
    if os.geteuid() != 0:
        return "root: not root"
    if not shutil.which("dpkg-buildpackage"):
        return "dpkg: no dpkg-buildpackage here; make deb has it"
    if not os.access("/usr/lib/systemd/systemd", os.X_OK):
        return "systemd: no systemd here; make deb has it"
    return None


class Machine:
    def __init__(self, share):
        self.place = os.path.join(share, "machine")
        os.makedirs(self.place, exist_ok=True)
        how = "private"
        # inside a plain chroot / is no mount point
        if subprocess.run(["unshare", "-m", "--propagation", how, "true"],
                          capture_output=True).returncode:
            how = "unchanged"
        self.proc = subprocess.Popen(
            [*UNSHARE, how, sys.executable, "-c", ENTER, BOOT, self.place,
             share],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)
        self.pid = None
        tap.after(self.close)
        tap.wait(self.up, "systemd in a machine of its own", seconds=60,
                 hint=lambda: self.sh("systemctl list-jobs",
                                      check=False).stdout)
        self.sh("ip link set lo up")

    def up(self):
        if self.proc.poll() is not None:
            raise tap.Failed("no machine: " + self.proc.stdout.read())
        with open(f"/proc/{self.proc.pid}/task/{self.proc.pid}/children",
                  encoding="ascii") as f:
            self.pid = (f.read().split() or [None])[0]
        if self.pid is None or os.path.basename(
                os.path.realpath(f"/proc/{self.pid}/exe")) != "systemd":
            return False
        state = self.sh("systemctl is-system-running", check=False).stdout
        return state.strip() in ("running", "degraded")

    def sh(self, command, check=True, **more):
        done = subprocess.run(
            ["nsenter", "-t", self.pid, "--mount", "--pid", "--net", "--ipc",
             "--uts", "--cgroup", "--root", "--wdns=/", "env", "-i",
             "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8",
             "DEBIAN_FRONTEND=noninteractive", "sh", "-c", command],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=120, **more)
        if check and done.returncode != 0:
            raise tap.Failed(f"{command}: exit status {done.returncode}: "
                             f"{done.stdout}")
        return done

    def read(self, path):
        return self.sh(f"cat {path}").stdout

    def close(self):
        if self.proc.poll() is None and self.pid:
            try:
                os.kill(int(self.pid), signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.proc.kill()
        self.proc.wait()
        self.proc.stdout.close()
