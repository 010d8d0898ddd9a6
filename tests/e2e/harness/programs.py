# SPDX-License-Identifier: GPL-2.0-or-later
"""Real programs, unmodified, with all their files in the run's directory."""
import errno
import hashlib
import os
import random
import shutil
import socket
import subprocess

from . import place, tap

PATHS = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"]


def program(name):
    found = shutil.which(name, path=os.pathsep.join(PATHS))
    if not found:
        raise tap.Skip(f"programs: {name} is not installed")
    return found


_given = set()


def free_port(host="127.0.0.1", kinds=(socket.SOCK_STREAM,)):
    """A port of host that is free for all kinds, below those that the kernel
    gives to whoever asks for any, and never given twice."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(10000):
        port = random.randrange(10000, 32000)
        if port in _given or not _is_free(family, host, port, kinds):
            continue
        _given.add(port)
        return port
    raise OSError(f"no port of {host} is free")


def _is_free(family, host, port, kinds):
    for kind in kinds:
        with socket.socket(family, kind) as s:
            try:
                s.bind((host, port))
            except OSError as e:
                if e.errno == errno.EADDRINUSE:
                    return False
                raise
    return True


def answers(host, port):
    try:
        with socket.create_connection((host, port), timeout=5):
            return True
    except OSError:
        return False


NGINX = """
daemon off;
master_process off;
pid {dir}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 2048; }}
http {{
    access_log off;
    default_type application/octet-stream;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    client_max_body_size 0;
    keepalive_timeout 3600s;
    send_timeout 3600s;
    client_body_timeout 3600s;
    server {{
        listen {at};
        root {dir}/pages;
        location /put/ {{
            dav_methods PUT;
            create_full_put_path on;
        }}
    }}
}}
"""


class Nginx:
    """An HTTP server: GET of what is in pages, PUT below /put/.  One process,
    so that a crash of ours leaves no worker of it that nobody knows."""

    def __init__(self, name="nginx", host="127.0.0.1", port=None):
        binary = program("nginx")
        self.dir = place.new_dir(name)
        self.pages = os.path.join(self.dir, "pages")
        os.makedirs(os.path.join(self.pages, "put"))
        self.host, self.port = host, port or free_port(host)
        conf = os.path.join(self.dir, "nginx.conf")
        with open(conf, "w", encoding="utf-8") as f:
            f.write(NGINX.format(dir=self.dir, at=self.target))
        self.log = os.path.join(self.dir, "log")
        self.p = place.start([binary, "-c", conf, "-p", self.dir,
                              "-e", "stderr"], log=self.log)
        tap.after(self.stop)
        tap.wait(lambda: answers(self.host, self.port), "nginx",
                 hint=lambda: open(self.log).read())

    @property
    def target(self):
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def page(self, name, size):
        """Writes a page of random bytes; returns its SHA-256."""
        path = os.path.join(self.pages, name)
        return random_file(path, size)

    def stop(self):
        place.end(self.p)


def random_file(path, size):
    """Writes size bytes that do not compress or repeat; returns SHA-256."""
    digest = hashlib.sha256()
    with open(path, "wb") as f:
        left = size
        while left > 0:
            part = os.urandom(min(left, 1 << 20))
            f.write(part)
            digest.update(part)
            left -= len(part)
    return digest.hexdigest()


def file_digest(path):
    digest = hashlib.sha256()
    with open(path, "rb") as f:
        while part := f.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


SSHD = """
Port {port}
ListenAddress {host}
HostKey {dir}/host_key
PidFile none
AuthorizedKeysFile {dir}/client_key.pub
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin yes
PrintMotd no
PrintLastLog no
Subsystem sftp internal-sftp
"""


class Sshd:
    """An SSH server that lets in who runs the test, by a key of its own."""

    def __init__(self, name="sshd", host="127.0.0.1"):
        binary = program("sshd")
        program("ssh")
        self.dir = place.new_dir(name)
        self.host, self.port = host, free_port(host)
        self.made = None
        if os.geteuid() == 0 and not os.path.isdir("/run/sshd"):
            os.mkdir("/run/sshd", 0o755)
            self.made = "/run/sshd"
        for key in ("host_key", "client_key"):
            subprocess.run([program("ssh-keygen"), "-q", "-t", "ed25519",
                            "-N", "", "-f", os.path.join(self.dir, key)],
                           check=True, stdin=subprocess.DEVNULL)
        conf = os.path.join(self.dir, "sshd_config")
        with open(conf, "w", encoding="utf-8") as f:
            f.write(SSHD.format(dir=self.dir, host=host, port=self.port))
        self.log = os.path.join(self.dir, "log")
        self.p = place.start([binary, "-D", "-e", "-f", conf], log=self.log)
        tap.after(self.stop)
        tap.wait(lambda: answers(host, self.port), "sshd",
                 hint=lambda: open(self.log).read())

    @property
    def target(self):
        return f"{self.host}:{self.port}"

    def ssh(self, host, port, *command, **more):
        """Runs a command over ssh to another address than its own."""
        more.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run(
            [program("ssh"), "-p", str(port), "-F", "none", "-i",
             os.path.join(self.dir, "client_key"),
             "-o", "StrictHostKeyChecking=no", "-o", "BatchMode=yes",
             "-o", "UserKnownHostsFile=" + os.path.join(self.dir, "known"),
             "-o", "LogLevel=ERROR", host, *command],
            capture_output=True, timeout=120, **more)

    def stop(self):
        place.end(self.p)
        if self.made:
            os.rmdir(self.made)


def curl(*args, timeout=300, check=True):
    """Runs curl; its output is bytes."""
    p = subprocess.run([program("curl"), "-sS", "--noproxy", "*",
                        *map(str, args)], capture_output=True,
                       timeout=timeout, stdin=subprocess.DEVNULL)
    if check and p.returncode != 0:
        raise tap.Failed(f"curl {' '.join(map(str, args))}: exit "
                         f"{p.returncode}: {p.stderr.decode().strip()}")
    return p.stdout
