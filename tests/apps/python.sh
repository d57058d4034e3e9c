#!/bin/sh
# python3: os.fork, os.waitpid, subprocess, mmap, tempfile, signals.
exec /usr/bin/python3 - <<'SCRIPT'
import mmap, os, signal, subprocess, sys, tempfile, time

out = lambda *a: print(*a, flush=True)

pid = os.fork()
if pid == 0:
    os._exit(7)
out("waitpid", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

data = list(range(100000))
r, w = os.pipe()
pid = os.fork()
if pid == 0:
    data[500] = "child"
    os.write(w, str(data[500]).encode())
    os._exit(0)
data[500] = "parent"
os.waitpid(pid, 0)
out("isolation", os.read(r, 100).decode(), data[500])

pids = []
for i in range(10):
    pid = os.fork()
    if pid == 0:
        time.sleep(0.01 * (10 - i))
        os._exit(i)
    pids.append(pid)
out("ten children", [os.waitstatus_to_exitcode(os.waitpid(p, 0)[1]) for p in pids])

pid = os.fork()
if pid == 0:
    os.kill(os.getpid(), signal.SIGTERM)
out("signal", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

out("run", subprocess.run(["echo", "hello"], capture_output=True, text=True).stdout.strip())
out("input", subprocess.run(["tr", "a-z", "A-Z"], input="loud", capture_output=True, text=True).stdout)
out("shell", subprocess.run("exit 9", shell=True).returncode)
out("killed", subprocess.run(["sh", "-c", "kill -9 $$"]).returncode)
try:
    subprocess.run(["/nonexistent"])
except FileNotFoundError as e:
    out("missing", e.errno)
try:
    subprocess.run(["sleep", "10"], timeout=0.2)
except subprocess.TimeoutExpired:
    out("timed out")
p1 = subprocess.Popen(["seq", "1", "50000"], stdout=subprocess.PIPE)
p2 = subprocess.Popen(["sha256sum"], stdin=p1.stdout, stdout=subprocess.PIPE)
p1.stdout.close()
out("pipe", p2.communicate()[0].decode().strip())
out("statuses", p1.wait(), p2.returncode)
big = subprocess.run(["cat"], input=b"x" * 1000000, capture_output=True).stdout
out("a megabyte through cat", len(big), big == b"x" * 1000000)

m = mmap.mmap(-1, 1 << 20)
m[0:5] = b"first"
pid = os.fork()
if pid == 0:
    m[100:105] = b"child"
    os._exit(0)
os.waitpid(pid, 0)
out("shared mmap", m[0:5], m[100:105])
m.close()

with tempfile.TemporaryDirectory() as d:
    path = os.path.join(d, "file")
    with open(path, "wb") as f:
        f.write(b"0123456789" * 10000)
    with open(path, "r+b") as f, mmap.mmap(f.fileno(), 0) as m:
        m[10:13] = b"new"
        out("file mmap", m.find(b"new"), len(m))
        m.flush()
    with open(path, "rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_COPY) as m:
        m[0:1] = b"X"
        out("private", m[0:1], open(path, "rb").read(1))
    with open(path, "rb") as f:
        out("read", f.read(20))
    out("listed", os.listdir(d))
with tempfile.NamedTemporaryFile() as f:
    f.write(b"temporary")
    f.flush()
    out("named", os.path.getsize(f.name))
with tempfile.TemporaryFile() as f:
    f.write(b"anonymous")
    f.seek(0)
    out("temporary", f.read())

got = []
signal.signal(signal.SIGALRM, lambda s, f: got.append(s))
signal.setitimer(signal.ITIMER_REAL, 0.05)
time.sleep(0.2)
out("alarm", got == [signal.SIGALRM])

out("environment", subprocess.run(["sh", "-c", "echo $X"], env={"X": "1"}, capture_output=True).stdout)
out("cwd", subprocess.run(["pwd"], cwd="/usr", capture_output=True).stdout)
out("uid", os.getuid() == os.geteuid(), os.cpu_count() > 0, sys.platform)
SCRIPT
