#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes tests/xdp/mix.pcap anew: what ordinary programs put on a wire.

    image/buildroot/enter run tests/xdp/capture.py [FILE]     (as root)

Two network namespaces without names and a cable between them.  On one side
nginx, sshd and two small UDP servers, on the other curl, ssh, echo
requests and queries; tcpdump listens on the cable.  Nothing leaves the namespaces.  What
the packets carry is made here: a page of one line, keys of this run, which
are thrown away.
"""
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
OUT = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else
                      os.path.join(TOP, "tests", "xdp", "mix.pcap"))
NGINX = """daemon off; master_process off; pid {d}/pid; error_log {d}/log;
events {{ }}
http {{ access_log off; client_body_temp_path {d}/b; proxy_temp_path {d}/p;
fastcgi_temp_path {d}/f; uwsgi_temp_path {d}/u; scgi_temp_path {d}/s;
server {{ listen 80; listen [::]:80; location / {{ return 200 "hello\\n"; }} }}
}}
"""
children = []


def run(*cmd, check=True):
    return subprocess.run(cmd, check=check, capture_output=True, text=True)


def start(*cmd, **how):
    p = subprocess.Popen(cmd, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL, **how)
    children.append(p)
    return p


def until(what, f, limit=30):
    end = time.monotonic() + limit
    while not f():
        if time.monotonic() > end:
            sys.exit(f"capture: waited {limit} s for {what}")
        time.sleep(0.05)


def there(*cmd):
    """A command on the servers' side."""
    return ("nsenter", "-t", str(holder.pid), "-n") + cmd


def make_wire():
    global holder
    holder = subprocess.Popen(["unshare", "-n", "sleep", "600"])
    children.append(holder)
    until("a namespace", lambda: os.stat(f"/proc/{holder.pid}/ns/net").st_ino
          != os.stat("/proc/self/ns/net").st_ino)
    run("ip", "link", "add", "here0", "type", "veth", "peer", "name", "there0",
        "netns", str(holder.pid))
    for side, last, dev in ((lambda *c: c, 1, "here0"), (there, 2, "there0")):
        run(*side("ip", "link", "set", "lo", "up"))
        run(*side("ip", "address", "add", f"10.5.0.{last}/24", "dev", dev))
        run(*side("ip", "address", "add", f"fd00:5::{last}/64", "dev", dev,
                  "nodad"))
        run(*side("ip", "link", "set", dev, "up"))


def serve(where):
    with open(f"{where}/conf", "w") as f:
        f.write(NGINX.format(d=where))
    start(*there("nginx", "-c", f"{where}/conf", "-e", f"{where}/log"))
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{where}/key")
    os.makedirs("/run/sshd", exist_ok=True)
    start(*there(shutil.which("sshd") or "/usr/sbin/sshd", "-D", "-e", "-h",
                 f"{where}/key", "-o", "PidFile=none", "-f", "/dev/null"))
    start(*there(sys.executable, __file__, "--echo"))


def echo():
    """Answers on 53 and 123, both families, until it is ended."""
    for port in (53, 123):
        s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        s.bind(("::", port))
        threading.Thread(target=lambda s=s: [
            s.sendto(d, a) for d, a in iter(lambda: s.recvfrom(2048), None)
        ], daemon=True).start()
    signal.pause()


def ask(family, address, port, text):
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(1)
        for _ in range(30):
            s.sendto(text, (address, port))
            try:
                return s.recvfrom(2048)
            except OSError:
                pass
    sys.exit(f"capture: {address} port {port} does not answer")


def ping(family, address, size):
    """An echo request; the kernel of the other side answers."""
    six = family == socket.AF_INET6
    with socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_ICMPV6 if six
                       else socket.IPPROTO_ICMP) as s:
        text = struct.pack("!BBHHH", 128 if six else 8, 0, 0, 7, 1) + \
            bytes(i & 255 for i in range(size))
        total = sum(struct.unpack(f"!{len(text) // 2}H", text))
        total = (total & 0xffff) + (total >> 16)
        total += total >> 16
        s.sendto(text[:2] + struct.pack("!H", ~total & 0xffff) + text[4:],
                 (address, 0))
        s.settimeout(5)
        s.recvfrom(65535)


QUERY = (struct.pack("!6H", 0x1234, 0x0100, 1, 0, 0, 0) +
         b"\x07example\x03com\x00" + struct.pack("!2H", 28, 1))


def talk():
    for a in ("10.5.0.2", "fd00:5::2"):
        six = ":" in a
        family = socket.AF_INET6 if six else socket.AF_INET
        ping(family, a, 56)
        ping(family, a, 3000)  # in fragments
        ask(family, a, 53, QUERY)
        ask(family, a, 123, b"\x23" + bytes(47))
        url = f"http://[{a}]/" if six else f"http://{a}/"
        until("nginx", lambda: run("curl", "-sf", url, check=False).stdout
              == "hello\n")
        run("curl", "-s", "--max-time", "2", url.rstrip("/") + ":81/",
            check=False)  # refused
        ssh = ("ssh", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no",
               "-o", "UserKnownHostsFile=/dev/null", "-o",
               "IdentityFile=/dev/null", "-F", "/dev/null", f"nobody@{a}")
        until("sshd", lambda: "denied" in run(*ssh, check=False).stderr)
        with socket.socket(family, socket.SOCK_DGRAM) as s:
            s.sendto(b"to a closed port", (a, 9))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        s.sendto(bytes(300), ("10.5.0.255", 67))
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
        s.sendto(QUERY, ("ff02::fb%here0", 5353))


def main():
    if sys.argv[1:] == ["--echo"]:
        return echo()
    if os.geteuid() != 0:
        sys.exit("capture: needs root")
    if os.environ.get("VX6_CAPTURE") != "inside":
        os.environ["VX6_CAPTURE"] = "inside"
        os.execvp("unshare", ["unshare", "-n", sys.executable] + sys.argv)
    with tempfile.TemporaryDirectory() as where:
        try:
            make_wire()
            dump = subprocess.Popen(
                ["tcpdump", "--immediate-mode", "-i", "here0", "-U", "-w", OUT,
                 "-Z", "root"],
                stderr=subprocess.PIPE, text=True)
            children.append(dump)
            while "listening" not in dump.stderr.readline():
                pass
            serve(where)
            talk()
            dump.send_signal(signal.SIGINT)
            print(dump.communicate()[1].strip().split("\n")[-3:])
        finally:
            for p in children:
                p.kill()
                p.wait()


main()
