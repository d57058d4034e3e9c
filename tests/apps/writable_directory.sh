#!/bin/sh
# A directory of the host's, written by the guest: random streams of file operations beside a model, a database, attributes, files without a name.
cd "${RWDIR:?}"
exec /usr/bin/python3 - <<'SCRIPT'
import hashlib, mmap, os, random, sqlite3

out = lambda *a: print(*a, flush=True)


class Stream:
    """Random operations in a directory, each checked against files that are bytearrays."""

    NAMES = ["a", "b", "c", "dd", "ee", "a-longer-name-that-is-not-kept-inline", "x" * 60]

    def __init__(self, seed, root):
        self.r = random.Random(seed)
        self.root = root
        self.tree = {}  # path: [bytes, links]
        self.dirs = [root]
        self.open = []  # (descriptor, file)
        os.mkdir(root)

    def path(self):
        return self.r.choice(self.dirs) + "/" + self.r.choice(self.NAMES)

    def unlinked(self, path):
        self.tree.pop(path)[1] -= 1

    def create(self):
        p = self.path()
        if p not in self.tree and p not in self.dirs:
            self.tree[p] = [bytearray(), 1]
            self.open.append((os.open(p, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644), self.tree[p]))

    def write(self, fd, f):
        data = f[0]
        at = self.r.choice([0, len(data), self.r.randrange(20000), self.r.randrange(200000)])
        new = self.r.randbytes(self.r.choice([1, 10, 4096, 5000, 70000]))
        assert os.pwrite(fd, new, at) == len(new)
        data.extend(bytes(max(0, at - len(data))))
        data[at:at + len(new)] = new

    def read(self, fd, f):
        at, n = self.r.randrange(len(f[0]) + 10), self.r.choice([1, 100, 4096, 100000])
        assert os.pread(fd, n, at) == f[0][at:at + n]

    def truncate(self, fd, f):
        n = self.r.choice([0, 100, 4096, self.r.randrange(150000)])
        os.ftruncate(fd, n)
        del f[0][n:]
        f[0].extend(bytes(n - len(f[0])))

    def map(self, fd, f):
        if f[0]:
            with mmap.mmap(fd, len(f[0])) as m:
                at = self.r.randrange(len(f[0]))
                assert m[at] == f[0][at]
                m[at] = f[0][at] = self.r.randrange(256)

    def sync(self, fd, f):
        os.fsync(fd)

    def close(self, fd, f):
        self.open.remove((fd, f))
        os.close(fd)

    def reopen(self, p):
        self.open.append((os.open(p, os.O_RDWR), self.tree[p]))

    def unlink(self, p):
        os.unlink(p)
        self.unlinked(p)

    def rename(self, p):
        q = self.path()
        if q not in self.dirs and self.tree.get(q) is not self.tree[p]:
            os.rename(p, q)
            if q in self.tree:
                self.unlinked(q)
            self.tree[q] = self.tree.pop(p)

    def link(self, p):
        q = self.path()
        if q not in self.dirs and q not in self.tree:
            os.link(p, q)
            self.tree[q] = self.tree[p]
            self.tree[p][1] += 1

    def stat(self, p):
        s = os.stat(p)
        assert (s.st_size, s.st_nlink) == (len(self.tree[p][0]), self.tree[p][1])

    def mkdir(self):
        p = self.path()
        if p not in self.tree and p not in self.dirs and len(self.dirs) < 8:
            os.mkdir(p)
            self.dirs.append(p)

    def rename_directory(self):
        d, q = self.r.choice(self.dirs), self.path()
        if d != self.root and q not in self.tree and q not in self.dirs and not q.startswith(d + "/"):
            os.rename(d, q)
            moved = lambda p: q + p[len(d):] if p == d or p.startswith(d + "/") else p
            self.dirs = [moved(p) for p in self.dirs]
            self.tree = {moved(p): f for p, f in self.tree.items()}

    def list(self):
        d = self.r.choice(self.dirs)
        assert set(os.listdir(d)) == {os.path.basename(p) for p in list(self.tree) + self.dirs if os.path.dirname(p) == d}

    def run(self, steps):
        on_open = [self.write] * 15 + [self.read] * 8 + [self.truncate] * 3 + [self.map] * 2 + [self.sync] + [self.close] * 4
        on_name = [self.reopen] * 5 + [self.unlink] * 4 + [self.rename] * 6 + [self.link] * 3 + [self.stat] * 3
        others = [self.create] * 10 + [self.mkdir] * 2 + [self.rename_directory] + [self.list] * 2
        for step in range(steps):
            op = self.r.choice(on_open + on_name + others)
            if op in others:
                op()
            elif op in on_open and self.open:
                op(*self.r.choice(self.open))
            elif op in on_name and self.tree:
                op(self.r.choice(sorted(self.tree)))
        digest = hashlib.sha256()
        for p in sorted(self.tree):
            with open(p, "rb") as f:
                assert f.read() == self.tree[p][0]
            digest.update(p.encode() + b"\0" + self.tree[p][0])
        for fd, f in self.open[::2]:  # the end of the program closes the others
            os.close(fd)
        return len(self.tree), digest.hexdigest()


for seed in range(3):
    out("stream", *Stream(seed, f"stream{seed}").run(1200))

for mode in "delete", "truncate", "wal":
    db = sqlite3.connect(f"{mode}.db", isolation_level=None)
    db.execute(f"pragma journal_mode={mode}")
    db.execute("create table t(a integer primary key, b)")
    db.execute("begin")
    db.executemany("insert into t values(?, ?)", ((i, "x" * (i % 100)) for i in range(3000)))
    db.execute("commit")
    db.execute("delete from t where a % 7 = 0")
    db.execute("begin")
    db.execute("delete from t")
    db.execute("rollback")
    out(mode, db.execute("pragma integrity_check").fetchone(), db.execute("select count(*), sum(length(b)) from t").fetchone())
    db.close()
    os.unlink(f"{mode}.db")

with open("attributes", "w") as f:
    f.write("text")
os.chmod("attributes", 0o640)
os.utime("attributes", ns=(1000000000123456789, 1100000000987654321))
s = os.stat("attributes")
out("attributes", oct(s.st_mode), s.st_size, s.st_mtime_ns, s.st_atime_ns)
os.symlink("attributes", "symlink")
out("symlink", os.readlink("symlink"), open("symlink").read(), os.lstat("symlink").st_size)
os.truncate("attributes", 2)
out("truncated", open("attributes").read())

fd = os.open("read-only", os.O_RDWR | os.O_CREAT, 0o444)
os.write(fd, b"written though its mode forbids")
os.ftruncate(fd, 7)
os.close(fd)
out("read-only", open("read-only").read())

fd = os.open("nameless", os.O_RDWR | os.O_CREAT)
os.write(fd, b"before" * 1000)
os.unlink("nameless")
os.write(fd, b"after")
os.ftruncate(fd, 3)
os.pwrite(fd, b"far", 20000)
out("without a name", os.fstat(fd).st_nlink, os.fstat(fd).st_size, os.pread(fd, 10, 0), os.pread(fd, 10, 19995))

os.mkdir("full")
open("full/file", "w").close()
for what in (lambda: os.rmdir("full"), lambda: os.mkdir("full"), lambda: os.unlink("full"), lambda: os.rename("full", "full/below"),
             lambda: os.rename("attributes", "full"), lambda: os.link("full", "another"), lambda: open("none/file"), lambda: open("attributes/file"),
             lambda: os.open("symlink", os.O_RDWR | os.O_NOFOLLOW), lambda: open("y" * 256, "w")):
    try:
        what()
        out("no error")
    except OSError as e:
        out("errno", e.errno)
SCRIPT
