# SPDX-License-Identifier: GPL-2.0-or-later
"""A vx6d that says what a test wants it to say, to try the CLI alone.

    fake = Fake(path, {"status": {...}, "peer.add": Refuse("failed", "no")})
    fake.asked              # every request that came, as dicts

An answer is a result (dict), Refuse, Raw (bytes, as they are), or a
function(request, conn) that uses conn.event, conn.done, conn.hold.
"""
import json
import os
import socket
import threading


class Refuse:
    def __init__(self, code, message, hint="do better"):
        self.error = {"code": code, "message": message, "hint": hint}


class Raw:
    def __init__(self, data):
        self.data = data


class Conn:
    def __init__(self, sock, request):
        self.sock, self.id = sock, request.get("id")
        self.gone = threading.Event()

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError:
            self.gone.set()

    def line(self, msg):
        self.send(json.dumps(dict(msg, id=self.id)).encode() + b"\n")

    def event(self, kind, **more):
        self.line(dict(more, event=kind))

    def done(self, result):
        self.line({"ok": True, "result": result})

    def fail(self, refuse):
        self.line({"ok": False, "error": refuse.error})

    def hold(self):
        """Waits until the client hangs up."""
        while not self.gone.is_set():
            try:
                if not self.sock.recv(4096):
                    break
            except OSError:
                break
        self.gone.set()


class Fake:
    def __init__(self, path, answers):
        self.path, self.answers = path, answers
        self.asked, self.conns = [], []
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.bind(path)
        os.chmod(path, 0o660)
        self.sock.listen(16)
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,),
                             daemon=True).start()

    def _serve(self, sock):
        with sock, sock.makefile("rb") as lines:
            for line in lines:
                request = json.loads(line)
                conn = Conn(sock, request)
                self.asked.append(request)
                self.conns.append(conn)
                self._answer(request, conn)

    def _answer(self, request, conn):
        answer = self.answers.get(request["cmd"], Refuse(
            "usage", "there is no such command", ""))
        if callable(answer):
            answer(request, conn)
        elif isinstance(answer, Refuse):
            conn.fail(answer)
        elif isinstance(answer, Raw):
            conn.send(answer.data)
        else:
            conn.done(answer)

    def close(self):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        self.thread.join(10)
        try:
            os.unlink(self.path)
        except FileNotFoundError:
            pass
