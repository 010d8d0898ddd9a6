#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 120
"""QUIC against stacks that are not ours: OpenSSL's client, and GnuTLS with
ngtcp2's own glue (kdig), shake hands with our server on a real socket."""
import base64
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import place, tap

SERVER = os.path.join(os.environ.get("VX6_BUILD", "build"), "tests", "unit",
                      "test_quic_interop_server")
LABEL = "EXPORTER-vx6-test"


class Server:
    """Our endpoint; what it says is in its log."""

    def __init__(self, *args):
        self.log = os.path.join(place.new_dir("quic" + "-".join(args) + "-" +
                                              os.urandom(4).hex()), "log")
        self.proc = place.start([SERVER, "serve", *args], self.log,
                                stdin=subprocess.PIPE)
        tap.after(self.end)
        self.port = int(self.says(r"^port (\d+)$").group(1))
        self.key = self.says(r"^key (\w+)$").group(1)

    def text(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()

    def says(self, pattern):
        return tap.wait(lambda: re.search(pattern, self.text(), re.M),
                        f"{pattern!r} in the server's log", hint=self.text)

    def end(self):
        self.proc.stdin.close()
        status = self.proc.wait(20)
        place.end(self.proc)
        tap.equal(status, 0, "server's exit status")


@tap.once
def keys():
    """A directory with Ed25519, P-256 and RSA keys and certificates."""
    d = place.new_dir("keys")
    kinds = {"ed25519": ["-algorithm", "ed25519"],
             "p256": ["-algorithm", "EC", "-pkeyopt",
                      "ec_paramgen_curve:P-256"],
             "rsa": ["-algorithm", "RSA", "-pkeyopt",
                     "rsa_keygen_bits:2048"]}
    for name, args in kinds.items():
        key, pem = f"{d}/{name}.key", f"{d}/{name}.pem"
        openssl("genpkey", *args, "-out", key)
        openssl("req", "-new", "-x509", "-key", key, "-subj", "/CN=x",
                "-days", "2", "-out", pem)
    return d


def openssl(*args):
    return subprocess.run(["openssl", *args], check=True, timeout=60,
                          capture_output=True).stdout


def public_key(name):
    der = openssl("pkey", "-in", f"{keys()}/{name}.key", "-pubout",
                  "-outform", "DER")
    return der[-32:].hex()


def s_client(server, *args, say=None, expect=None):
    """Runs openssl s_client -quic until the server said `expect`; with say
    it writes that first and waits for it to come back."""
    done = place.start(["openssl", "s_client", "-quic", "-connect",
                        f"127.0.0.1:{server.port}", *args],
                       stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT)
    out = b""
    try:
        if say:
            done.stdin.write(say + b"\n")
            done.stdin.flush()
            while say not in out:
                piece = os.read(done.stdout.fileno(), 65536)
                if not piece:
                    raise tap.Failed(f"no echo: {out.decode()}")
                out += piece
        found = server.says(expect)
        done.stdin.close()
        out += done.stdout.read()
    finally:
        place.end(done)
    return found, out.decode("utf-8", "replace")


def with_cert(name):
    return ["-cert", f"{keys()}/{name}.pem", "-key", f"{keys()}/{name}.key"]


def echoes(alpn, *server_args):
    server = Server(*server_args)
    word = os.urandom(8).hex().encode()
    ready, out = s_client(
        server, "-alpn", alpn, *with_cert("ed25519"),
        "-keymatexport", LABEL, "-keymatexportlen", "32", say=word,
        expect=r"^ready alpn=(\S+) key=(\w+)(?: exporter=(\w+))?$")
    tap.equal(ready.group(2), public_key("ed25519"), "the client's key")
    tap.within(out, "Protocol: QUICv1")
    tap.within(out, "Cipher is TLS_")
    shown = re.search("-----BEGIN CERTIFICATE-----(.*?)-----END", out, re.S)
    der = base64.b64decode(shown.group(1))
    tap.true(bytes.fromhex(server.key) in der, "another key was shown")
    return ready, out


@tap.test
def openssl_with_ed25519_certificate():
    ready, out = echoes("vx6/1")
    tap.equal(ready.group(1), "vx6/1")
    exported = re.search(r"Keying material: ([0-9A-F]+)", out)
    tap.true(exported, "openssl exported nothing:\n" + out)
    tap.equal(exported.group(1).lower(), ready.group(3), "exporter")


@tap.test
def openssl_after_a_retry():
    ready, _ = echoes("vx6/1", "retry")
    tap.equal(ready.group(1), "vx6/1")


@tap.test
def openssl_asks_for_a_tunnel():
    ready, _ = echoes("vx6-t/1")
    tap.equal(ready.group(1), "vx6-t/1")


@tap.test
def openssl_without_certificate():
    server = Server()
    s_client(server, "-alpn", "vx6/1",
             expect=r"^closed kind=5 ready=0 code=372 .*no certificate")
    tap.absent(server.text(), "ready alpn")


@tap.test
def openssl_with_other_kinds_of_keys():
    for kind in "p256", "rsa":
        server = Server()
        s_client(server, "-alpn", "vx6/1", *with_cert(kind),
                 expect=r"^closed kind=5 ready=0 ")
        tap.absent(server.text(), "ready alpn")


@tap.test
def openssl_with_a_chain():
    """Two certificates, though the first be good, are one too many."""
    server = Server()
    s_client(server, "-alpn", "vx6/1", *with_cert("ed25519"),
             "-cert_chain", f"{keys()}/p256.pem",
             expect=r"^closed kind=5 ready=0 ")
    tap.absent(server.text(), "ready alpn")


@tap.test
def openssl_speaks_another_protocol():
    server = Server()
    s_client(server, "-alpn", "h3", *with_cert("ed25519"),
             expect=r"^closed kind=5 ready=0 code=376 .*ALPN")
    tap.absent(server.text(), "ready alpn")


@tap.test
def kdig_speaks_another_protocol():
    if not shutil.which("kdig"):
        raise tap.Skip("kdig: not installed")
    server = Server()
    subprocess.run(["kdig", "+quic", "+retry=0", "+time=2", "@127.0.0.1",
                    "-p", str(server.port), "example.org"], timeout=60,
                   check=False, capture_output=True)
    server.says(r"^closed kind=5 ready=0 code=376 .*ALPN")
    tap.absent(server.text(), "ready alpn")


if not os.access(SERVER, os.X_OK):
    tap.note(f"{SERVER} was not built")
    sys.exit(1)
tap.main(None if shutil.which("openssl") else "openssl: not installed")
