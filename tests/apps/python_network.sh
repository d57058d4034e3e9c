#!/bin/sh
# python3: sockets of every family, socketserver, selectors, asyncio (streams, subprocesses, executors), xmlrpc, smtplib-like dialogues, all over loopback.
exec /usr/bin/python3 - <<'SCRIPT'
import array, asyncio, concurrent.futures, errno, os, select, selectors, signal, socket, socketserver, ssl, struct, sys, tempfile, threading, urllib.request
import http.server, xmlrpc.client, xmlrpc.server

out = lambda *a: print(*a, flush=True)

# --- pairs ---
a, b = socket.socketpair()
a.sendall(b"over a pair")
out("pair", b.recv(100), a.family.name, a.type.name)
a.shutdown(socket.SHUT_WR)
out("end", b.recv(100))
b.sendall(b"still open")
out("other way", a.recv(100))
a.close()
try:
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    b.send(b"x")
except OSError as e:
    out("closed", errno.errorcode[e.errno])
b.close()

a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
a.send(b"one"), a.send(b"three")
out("packets", b.recv(2), b.recv(100))

# --- files in flight ---
r, w = os.pipe()
socket.send_fds(a, [b"take"], [w])
data, fds, flags, _ = socket.recv_fds(b, 100, 4)
os.write(fds[0], b"through a sent file")
os.close(fds[0])
out("sent file", data, flags & socket.MSG_CTRUNC, os.read(r, 100))
a.close(), b.close(), os.close(r), os.close(w)

# --- addresses ---
with socket.create_server(("127.0.0.1", 0)) as s:
    c = socket.create_connection(s.getsockname())
    d, peer = s.accept()
    out("names", peer == c.getsockname(), d.getsockname() == s.getsockname(), c.getpeername() == s.getsockname())
    c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    out("options", c.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0, c.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_STREAM,
        c.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    big = os.urandom(1 << 20)
    threading.Thread(target=lambda: (c.sendall(big), c.shutdown(socket.SHUT_WR))).start()
    got = b""
    while part := d.recv(65536):
        got += part
    out("a megabyte", got == big)
    d.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    d.close()
    try:
        c.recv(10)
    except OSError as e:
        out("reset", errno.errorcode[e.errno])
    c.close()
    port = s.getsockname()[1]
try:
    socket.create_connection(("127.0.0.1", port))
except OSError as e:
    out("refused", errno.errorcode[e.errno])
with socket.socket(socket.AF_INET6) as s:
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    s.bind(("::", 0))
    s.listen()
    with socket.create_connection(("127.0.0.1", s.getsockname()[1])) as c:
        d, peer = s.accept()
        out("dual", peer[0])
        d.close()
    with socket.create_connection(("::1", s.getsockname()[1])) as c:
        d, peer = s.accept()
        out("six", peer[0])
        d.close()
with socket.socket(type=socket.SOCK_DGRAM) as s, socket.socket(type=socket.SOCK_DGRAM) as c:
    s.bind(("127.0.0.1", 0))
    c.connect(s.getsockname())
    for n in (0, 1, 1000, 60000):
        c.send(b"d" * n)
        out("datagram", len(s.recv(65536)))
    c.send(b"truncated")
    out("truncated", s.recv(3), s.recvmsg(1, 0, socket.MSG_DONTWAIT) if select.select([s], [], [], 0)[0] else "gone")
with tempfile.TemporaryDirectory() as dir:
    path = os.path.join(dir, "socket")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)
        s.listen()
        with socket.socket(socket.AF_UNIX) as c:
            c.connect(path)
            d, peer = s.accept()
            pid, uid, gid = struct.unpack("3i", d.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            out("peer", pid == os.getpid(), uid == os.getuid(), gid == os.getgid(), repr(peer), c.getpeername() == path)
            d.close()
    with socket.socket(socket.AF_UNIX) as c:
        try:
            c.connect(path)
        except OSError as e:
            out("dead name", errno.errorcode[e.errno])
out("lookup", sorted({i[4][0] for i in socket.getaddrinfo("localhost", 80, socket.AF_INET, socket.SOCK_STREAM)}), socket.gethostbyname("localhost"))
out("service", socket.getservbyname("http"), socket.inet_pton(socket.AF_INET6, "::1")[-1])

# --- timeouts and non-blocking ---
with socket.create_server(("127.0.0.1", 0)) as s:
    s.settimeout(0.05)
    try:
        s.accept()
    except TimeoutError:
        out("accept timed out")
    s.setblocking(False)
    try:
        s.accept()
    except BlockingIOError:
        out("would block")
    c = socket.socket()
    c.setblocking(False)
    out("connect", errno.errorcode.get(c.connect_ex(s.getsockname()), 0) in (0, "EINPROGRESS"))
    select.select([], [c], [])
    out("connected", c.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    c.close()

# --- selectors over an echo server, many clients ---
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line.upper())
class Server(socketserver.ThreadingTCPServer):
    daemon_threads, allow_reuse_address, request_queue_size = True, True, 64
with Server(("127.0.0.1", 0), Echo) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    selector, answers = selectors.DefaultSelector(), {}
    for n in range(20):
        c = socket.create_connection(server.server_address)
        c.setblocking(False)
        selector.register(c, selectors.EVENT_READ | selectors.EVENT_WRITE, n)
    while len(answers) < 20:
        for key, events in selector.select():
            if events & selectors.EVENT_WRITE:
                key.fileobj.send(b"client %d\n" % key.data)
                selector.modify(key.fileobj, selectors.EVENT_READ, key.data)
            elif events & selectors.EVENT_READ:
                answers[key.data] = key.fileobj.recv(100)
                selector.unregister(key.fileobj)
                key.fileobj.close()
    out("echo", answers[0], answers[19], type(selector).__name__)
    server.shutdown()

# --- http and xmlrpc ---
class Quiet(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.path.encode() * 1000)
    def log_message(self, *_):
        pass
with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        sizes = list(pool.map(lambda n: len(urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/{'x' * n}").read()), range(40)))
    out("http", sizes[0], sizes[39], len(sizes))
    server.shutdown()
with xmlrpc.server.SimpleXMLRPCServer(("127.0.0.1", 0), logRequests=False) as server:
    server.register_function(pow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    out("xmlrpc", xmlrpc.client.ServerProxy(f"http://127.0.0.1:{server.server_address[1]}").pow(2, 16))
    server.shutdown()

# --- asyncio ---
async def main():
    async def serve(reader, writer):
        while line := await reader.readline():
            writer.write(line[::-1])
            await writer.drain()
        writer.close()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async def client(n):
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        total = 0
        for i in range(10):
            writer.write(b"%d-%d\n" % (n, i))
            total += len(await reader.read(100))
        writer.close()
        await writer.wait_closed()
        return total
    out("asyncio", sum(await asyncio.gather(*(client(n) for n in range(25)))))
    server.close()
    with tempfile.TemporaryDirectory() as dir:
        server = await asyncio.start_unix_server(serve, os.path.join(dir, "s"))
        reader, writer = await asyncio.open_unix_connection(os.path.join(dir, "s"))
        writer.write(b"xinu\n")
        out("unix", await reader.read(100))
        writer.close()
        server.close()
    p = await asyncio.create_subprocess_exec("tr", "a-z", "A-Z", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    out("subprocess", await p.communicate(b"shout"), p.returncode)
    many = await asyncio.gather(*(asyncio.create_subprocess_exec("sh", "-c", f"exit {n}") for n in range(8)))
    out("statuses", [await p.wait() for p in many])
    loop = asyncio.get_running_loop()
    out("executor", await loop.run_in_executor(None, sum, range(1000)))
    happened = asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR1, happened.set)
    os.kill(os.getpid(), signal.SIGUSR1)
    await asyncio.wait_for(happened.wait(), 30)
    out("signal", happened.is_set())
    try:
        await asyncio.wait_for(asyncio.sleep(60), 0.05)
    except asyncio.TimeoutError:
        out("timed out")
    queue, results = asyncio.Queue(3), []
    async def producer():
        for n in range(50):
            await queue.put(n)
        await queue.put(None)
    async def consumer():
        while (n := await queue.get()) is not None:
            results.append(n)
    await asyncio.gather(producer(), consumer())
    out("queue", sum(results))
    class Datagrams(asyncio.DatagramProtocol):
        def connection_made(self, transport):
            self.transport = transport
        def datagram_received(self, data, address):
            self.transport.sendto(data * 2, address)
    served, _ = await loop.create_datagram_endpoint(Datagrams, local_addr=("127.0.0.1", 0))
    answer = loop.create_future()
    class Asking(asyncio.DatagramProtocol):
        def connection_made(self, transport):
            transport.sendto(b"dg")
        def datagram_received(self, data, address):
            answer.set_result(data)
    asking, _ = await loop.create_datagram_endpoint(Asking, remote_addr=served.get_extra_info("sockname"))
    out("datagrams", await asyncio.wait_for(answer, 30))
    asking.close(), served.close()
asyncio.run(main())
SCRIPT
