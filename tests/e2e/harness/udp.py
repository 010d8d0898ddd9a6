# SPDX-License-Identifier: GPL-2.0-or-later
"""A translator of addresses for UDP, as it stands before many a host.

    by = Udp()
    by.to = (host, port)
    ...                             # clients send to by.at
    by.forge("127.251.7.1")         # from now on theirs come from there, and
                                    # nothing that is sent there arrives
"""
import select
import socket
import threading

from . import programs, tap


class Udp:
    def __init__(self):
        host = "127.0.0.1"
        self.port = programs.free_port(host, (socket.SOCK_DGRAM,))
        self.at = f"{host}:{self.port}"
        self.to = None
        self.front = self.bound(host, self.port)
        self.ways, self.forged = {}, None
        self.wake, wait = socket.socketpair()
        self.thread = threading.Thread(target=self.run, args=(wait,))
        self.thread.start()
        tap.after(self.close)

    @staticmethod
    def bound(host, port=0):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        s.bind((host, port))
        return s

    def forge(self, host):
        self.forged = self.bound(host) if host else None

    def run(self, wait):
        while True:
            ready, _, _ = select.select(
                [wait, self.front, *self.ways.values()], [], [])
            if wait in ready:
                return
            if self.front in ready:
                data, client = self.front.recvfrom(65536)
                if client not in self.ways:
                    self.ways[client] = self.bound("127.0.0.1")
                (self.forged or self.ways[client]).sendto(data, self.to)
            for client, way in list(self.ways.items()):
                if way in ready:
                    self.front.sendto(way.recv(65536), client)

    def close(self):
        self.wake.close()
        self.thread.join()
        for s in (self.front, self.forged, *self.ways.values()):
            if s:
                s.close()
