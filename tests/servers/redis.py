#!/usr/bin/env python3
"""A Redis server that saves while it is written to: snapshots, append-only file, and what the copies hold.

    redis.py [--keys N] [--size BYTES] [--directory DIR] [--figures]

Runs where it is started, on Linux or in a guest, and prints one line for each fact, the same on both. --figures adds the measured times of fork, which differ.
Central rule: a snapshot is one instant. A client adds to two counters in one transaction all the time; every copy must hold the same number in both. Read
next: run, which starts this on both systems.
"""

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time

SECONDS_START = 240
SECONDS_SAVE = 1200
PORT = 6391


class Client:
    """One connection that speaks the server's protocol (RESP 2)."""

    def __init__(self, address):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.connect(address)
        self.file = self.socket.makefile("rb")

    def call(self, *words):
        """Send one command; its answer."""
        return self.calls([words])[0]

    def calls(self, commands):
        """Send commands together; their answers."""
        out = b""
        for words in commands:
            words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
            out += b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)
        self.socket.sendall(out)
        return [self.answer() for _ in commands]

    def answer(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            size = int(rest)
            return None if size < 0 else self.file.read(size + 2)[:-2]
        if kind == b"*":
            return [self.answer() for _ in range(int(rest))]
        return rest.decode()

    def info(self, field):
        for line in self.call("INFO").decode().splitlines():
            if line.startswith(field + ":"):
                return line.split(":", 1)[1]
        raise KeyError(field)


class Server:
    """A redis-server of its own directory, at a port and a socket in that directory."""

    def __init__(self, directory, *options):
        self.socket = os.path.join(directory, "socket")
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(PORT), "--bind", "127.0.0.1", "--unixsocket", self.socket, "--dir", directory, "--save", "",
             "--enable-debug-command", "yes", "--loglevel", "warning", *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        threading.Thread(target=self.drain, daemon=True).start()
        end = time.monotonic() + SECONDS_START
        while True:
            try:
                self.client = Client(self.socket)
                if self.client.call("PING") == "PONG":
                    return
            except (OSError, RuntimeError):
                if time.monotonic() > end or self.process.poll() is not None:
                    sys.exit(f"the server did not start: {self.process.poll()}")
                time.sleep(0.1)

    def drain(self):
        self.log = self.process.stdout.read()

    def wait_for(self, field, value="0"):
        end = time.monotonic() + SECONDS_SAVE
        while self.client.info(field) != value:
            if time.monotonic() > end:
                sys.exit(f"{field} is still {self.client.info(field)}")
            time.sleep(0.05)

    def stop(self):
        try:
            self.client.call("SHUTDOWN", "NOSAVE")
        except ConnectionError:
            pass
        return self.process.wait()


class Pairs(threading.Thread):
    """A client that adds to two counters in one transaction until it is told to stop."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.client, self.ended = Client(address), threading.Event()
        self.start()

    def run(self):
        while not self.ended.is_set():
            self.client.calls([("MULTI",), ("INCR", "left"), ("INCR", "right"), ("EXEC",)])

    def stop(self):
        self.ended.set()
        self.join()


def say(*words):
    print(*words, flush=True)


def benchmark(*where):
    """The programs' own load, for a while: its exit status."""
    return subprocess.run(["redis-benchmark", *where, "-q", "-n", "2000", "-c", "8", "-r", "100000", "-d", "64", "-t", "set,get,incr,lpush"],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode


def under_load(server, command, progress):
    """Start a save in the background, load the server over both kinds of sockets until it is done, and say how that went."""
    pairs = [Pairs(("127.0.0.1", PORT)), Pairs(server.socket)]
    server.client.call(command)
    statuses = set()
    for where in (["-p", str(PORT)], ["-s", server.socket]):
        statuses.add(benchmark(*where))
    server.wait_for(progress)
    for p in pairs:
        p.stop()
    say(f"{command} under load: benchmarks gave {sorted(statuses)}")


def copy_facts(directory, *options):
    """Start a server on what was saved: are the counters those of one instant? Its digest."""
    server = Server(directory, *options)
    left, right = server.client.calls([("GET", "left"), ("GET", "right")])
    say("the copy is of one instant:", left == right and int(left) > 0)
    digest, size = server.client.call("DEBUG", "DIGEST"), server.client.call("DBSIZE")
    say("the copy's server ended with", server.stop())
    return digest, size


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=10000)
    parser.add_argument("--size", type=int, default=256, help="bytes of a value")
    parser.add_argument("--directory", help="where the server's files go (default: a temporary one)")
    parser.add_argument("--figures", action="store_true")
    options = parser.parse_args()
    directory = options.directory or tempfile.mkdtemp(prefix="redis.")

    server = Server(directory)
    server.client.call("DEBUG", "POPULATE", options.keys, "key", options.size)
    say("keys:", server.client.call("DBSIZE"))
    say("at least the values' size is used:", int(server.client.info("used_memory")) >= options.keys * options.size)

    under_load(server, "BGSAVE", "rdb_bgsave_in_progress")
    say("saved:", server.client.info("rdb_last_bgsave_status"))
    if options.figures:
        say("figure: latest_fork_usec", server.client.info("latest_fork_usec"), "used_memory", server.client.info("used_memory"))
    rdb = os.path.join(directory, "dump.rdb")
    say("redis-check-rdb:", subprocess.run(["redis-check-rdb", rdb], stdout=subprocess.DEVNULL).returncode)
    os.rename(rdb, rdb + ".loaded")

    server.client.call("BGSAVE")
    server.wait_for("rdb_bgsave_in_progress")
    digest, size = server.client.call("DEBUG", "DIGEST"), server.client.call("DBSIZE")
    say("the server ended with", server.stop())
    say("the copy is the same:", copy_facts(directory) == (digest, size))

    os.rename(rdb + ".loaded", rdb)
    copy_facts(directory)

    server = Server(directory)
    server.client.call("CONFIG", "SET", "appendonly", "yes")
    server.wait_for("aof_rewrite_in_progress")
    under_load(server, "BGREWRITEAOF", "aof_rewrite_in_progress")
    say("rewritten:", server.client.info("aof_last_bgrewrite_status"))
    digest, size = server.client.call("DEBUG", "DIGEST"), server.client.call("DBSIZE")
    say("the server ended with", server.stop())
    say("the append-only copy is the same:", copy_facts(directory, "--appendonly", "yes") == (digest, size))


if __name__ == "__main__":
    main()
