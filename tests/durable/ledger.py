"""A ledger in an SQLite database, and what must be true of it whenever its writers were killed.

Each writer commits transactions 1, 2, 3... Transaction n of a writer moves money between accounts and notes that it did, in several rows. Central rule: a transaction is
all there or not at all, and one whose commit was told to the outside is there. Next: writer.py, which writes; run, which kills.
"""

import sqlite3

ACCOUNTS = 50
MONEY = 1000  # in each account at the beginning
ROWS = 5  # noted by each transaction
MAP_BYTES = 1 << 26


def connect(path, mode=None):
    """A connection with memory-mapped reads; commits are durable."""
    db = sqlite3.connect(path, timeout=60, isolation_level=None)
    db.execute(f"pragma mmap_size={MAP_BYTES}")
    if mode:
        db.execute(f"pragma journal_mode={mode}")
    db.execute("pragma synchronous=full")
    db.execute("pragma wal_autocheckpoint=50")
    return db


def create(path, mode):
    db = connect(path, mode)
    db.execute("begin immediate")
    db.execute("create table accounts(id integer primary key, money integer)")
    db.execute("create table notes(writer integer, n integer, part integer, text text, primary key(writer, n, part))")
    db.executemany("insert into accounts values(?, ?)", ((i, MONEY) for i in range(ACCOUNTS)))
    db.execute("commit")
    db.close()


def note(writer, n, part):
    """What a row says; its length differs, so that pages split."""
    return f"{writer}.{n}.{part} " * (1 + (writer + n * 7 + part * 13) % 60)


def last(db, writer):
    return db.execute("select coalesce(max(n), 0) from notes where writer = ?", (writer,)).fetchone()[0]


def transact(db, writer, n):
    db.execute("begin immediate")
    db.execute("update accounts set money = money - ? where id = ?", (n % 9, (writer + n) % ACCOUNTS))
    db.executemany("insert into notes values(?, ?, ?, ?)", ((writer, n, part, note(writer, n, part)) for part in range(ROWS)))
    db.execute("update accounts set money = money + ? where id = ?", (n % 9, (writer + n * 3 + 1) % ACCOUNTS))
    db.execute("commit")


def problems(path, told):
    """What is wrong with the database, given the last commit that each writer told: a list of texts."""
    wrong = []
    db = sqlite3.connect(path)
    check = db.execute("pragma integrity_check").fetchall()
    if check != [("ok",)]:
        wrong.append(f"integrity_check: {check[:5]}")
    total = db.execute("select count(*), sum(money) from accounts").fetchone()
    if total != (ACCOUNTS, ACCOUNTS * MONEY):
        wrong.append(f"accounts: {total}")
    rows = {}
    for writer, n, part, text in db.execute("select * from notes"):
        if text != note(writer, n, part):
            wrong.append(f"transaction {n} of writer {writer}: part {part} is {text[:40]!r}")
        rows[writer, n] = rows.get((writer, n), 0) + 1
    wrong += [f"transaction {n} of writer {writer} has {count} parts" for (writer, n), count in rows.items() if count != ROWS]
    for writer, n in told.items():
        wrong += [f"transaction {i} of writer {writer} is lost; {n} was told" for i in range(1, n + 1) if (writer, i) not in rows]
    db.close()
    return wrong[:10]
