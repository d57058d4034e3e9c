"""The guest's side of tests/net/run: guest.py NAME ARG..."""

import hashlib
import socket
import sys
import threading


def fetch(host, port, nobody):
    """A file of a web server, and a port where there is none."""
    c = socket.create_connection((host, int(port)))
    c.sendall(b"GET /file HTTP/1.0\r\n\r\n")
    data = b""
    while part := c.recv(65536):
        data += part
    print(hashlib.md5(data.split(b"\r\n\r\n", 1)[1]).hexdigest())
    try:
        socket.create_connection((host, int(nobody)))
    except OSError as e:
        print(type(e).__name__)


def echo(connections):
    """What comes in goes back, so many connections long."""
    s = socket.socket()
    s.bind(("0.0.0.0", 7000))
    s.listen(4)

    def serve(c):
        while part := c.recv(65536):
            c.sendall(part)
        c.close()

    threads = []
    for _ in range(int(connections)):
        t = threading.Thread(target=serve, args=(s.accept()[0],))
        t.start()
        threads.append(t)
    for t in threads:
        t.join()


def farewell(connections):
    """Five bytes go back, and the connection is closed, by this side first."""
    s = socket.socket()
    s.bind(("0.0.0.0", 7000))
    s.listen(4)
    for _ in range(int(connections)):
        c, _ = s.accept()
        c.sendall(c.recv(5, socket.MSG_WAITALL))
        c.close()


def datagrams():
    """An answer to each until "end" comes."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("0.0.0.0", 7001))
    while True:
        data, peer = s.recvfrom(2000)
        if data == b"end":
            return
        s.sendto(b"answer to " + data, peer)


{"fetch": fetch, "echo": echo, "farewell": farewell, "datagrams": datagrams}[sys.argv[1]](*sys.argv[2:])
