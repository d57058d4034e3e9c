#!/usr/bin/env python3
"""A pre-forking HTTP server of the standard library: a master that binds, forks workers that accept on the one socket, and replaces those that die.

    prefork.py PORT [WORKERS]

GET / answers with a table that the master built before it forked; GET /pid with the worker's number; GET /die ends the worker after the answer. SIGTERM ends
the master and its workers. Run by run, with requests from outside.
"""

import http.server
import os
import signal
import socket
import sys

TABLE = "".join(f"{n}: {n * n}\n" for n in range(200)).encode()  # before the fork: shared by all workers


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = {"/": TABLE, "/pid": b"%d\n" % os.getpid(), "/die": b"goodbye\n"}.get(self.path)
        self.send_response(200 if body else 404)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")
        if self.path == "/die":
            self.wfile.flush()
            os._exit(3)

    def do_POST(self):
        data = self.rfile.read(int(self.headers["Content-Length"]))
        answer = b"%d %d\n" % (len(data), sum(data))
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


class Worker(http.server.HTTPServer):
    def __init__(self, listening):
        super().__init__(listening.getsockname(), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening


def work(listening):
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    Worker(listening).serve_forever()


def main():
    port, count = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 4
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("0.0.0.0", port))
    listening.listen(64)
    workers, ending = set(), False

    def end(*_):
        nonlocal ending
        ending = True
        for pid in workers:
            os.kill(pid, signal.SIGTERM)

    def start():
        pid = os.fork()
        if pid == 0:
            work(listening)
        workers.add(pid)

    for _ in range(count):
        start()
    signal.signal(signal.SIGTERM, end)
    print("ready", flush=True)
    statuses = []
    while workers:
        pid, status = os.wait()
        workers.discard(pid)
        if not ending:
            statuses.append(os.waitstatus_to_exitcode(status))
            start()
    print("workers that died:", statuses, flush=True)


main()
