# SPDX-License-Identifier: GPL-2.0-or-later
"""TCP servers and clients that do what unmodified programs seldom do:
half-close, reset, stop reading, be two hundred at once."""
import asyncio
import hashlib
import os
import socket
import struct
import threading

from . import tap

PART = 65536


class Counted(socket.socket):
    """A socket that knows how many bytes it has received."""
    count = 0

    def recv(self, *args):
        data = super().recv(*args)
        self.count += len(data)
        return data


class Server:
    """Calls serve(sock) in a thread for each connection.  `used` are those
    on which bytes came: vx6d looks whether a target is there by opening a
    connection and resetting it."""

    def __init__(self, serve, host="127.0.0.1"):
        self.serve = serve
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind((host, 0))
        self.sock.listen(512)
        self.port = self.sock.getsockname()[1]
        self.target = f"[{host}]:{self.port}" if ":" in host \
            else f"{host}:{self.port}"
        self.open, self.trouble = [], []
        threading.Thread(target=self._accept, daemon=True).start()
        tap.after(self.close)

    def _accept(self):
        while True:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                return
            sock = Counted(fileno=sock.detach())
            sock.setblocking(True)
            self.open.append(sock)
            threading.Thread(target=self._serve, args=(sock,),
                             daemon=True).start()

    def _serve(self, sock):
        try:
            with sock:
                self.serve(sock)
        except OSError as e:
            if sock.count > 0:
                self.trouble.append(e)

    @property
    def used(self):
        return [s for s in self.open if s.count > 0]

    def close(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()
        for sock in self.open:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def connect(listen, timeout=60):
    host, _, port = listen.rpartition(":")
    sock = socket.create_connection((host.strip("[]"), int(port)), timeout)
    sock.settimeout(timeout)
    return sock


def read_all(sock):
    """What comes until the other side ends: (bytes, sha256)."""
    digest, count = hashlib.sha256(), 0
    while part := sock.recv(PART):
        digest.update(part)
        count += len(part)
    return count, digest.hexdigest()


def reset(sock):
    """Ends a connection by RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                    struct.pack("ii", 1, 0))
    sock.close()


def digest_of_all(sock):
    """A server that answers only after the client's half-close."""
    count, digest = read_all(sock)
    sock.sendall(f"{count} {digest}\n".encode())


def arrives(sock, data=b""):
    """Sends data and its end; a digest_of_all at the other must say that all
    of it came."""
    sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)
    answer = b""
    while part := sock.recv(PART):
        answer += part
    tap.equal(answer.decode(),
              f"{len(data)} {hashlib.sha256(data).hexdigest()}\n")


def echo(sock):
    while part := sock.recv(PART):
        sock.sendall(part)


class Crowd:
    """Many clients at once, each with its own random bytes to an echo
    server; every one is connected before any sends."""

    def __init__(self, listen, count, size):
        self.host, _, self.port = listen.rpartition(":")
        self.count, self.size = count, size
        self.arrived = 0
        self.all_here = None

    async def one(self):
        reader, writer = await asyncio.open_connection(
            self.host.strip("[]"), int(self.port))
        # a byte there and back: it reaches the target, not just vx6d
        writer.write(b"?")
        if await reader.readexactly(1) != b"?":
            raise tap.Failed("the first byte came back wrong")
        self.arrived += 1
        if self.arrived == self.count:
            self.all_here.set()
        await self.all_here.wait()
        data = os.urandom(self.size)

        async def send():
            writer.write(data)
            await writer.drain()
            writer.write_eof()
        sending = asyncio.create_task(send())
        got = await reader.read(-1)
        await sending
        writer.close()
        await writer.wait_closed()
        if got != data:
            raise tap.Failed(f"{len(got)} of {self.size} bytes came back, or "
                             "others")

    async def all(self):
        self.all_here = asyncio.Event()
        await asyncio.gather(*(self.one() for _ in range(self.count)))

    def run(self, seconds=120):
        async def limited():
            await asyncio.wait_for(self.all(), seconds)
        try:
            asyncio.run(limited())
        except asyncio.TimeoutError:
            raise tap.Failed(f"{self.arrived} of {self.count} were connected "
                             f"after {seconds} s")
