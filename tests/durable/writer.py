"""Write to a ledger until killed.

    writer.py write PATH WRITERS         that many processes at once, for ever; each commit is told: "WRITER N"
    writer.py kill PATH MODE ROUNDS SEED kill such processes at random points, ROUNDS times, and look at the database each time
"""

import os
import random
import signal
import sys
import time

import ledger


def write(path, writer, out):
    """Commit for ever; a commit is told by one write, after it is durable."""
    db = ledger.connect(path)
    n = ledger.last(db, writer)
    while True:
        n += 1
        ledger.transact(db, writer, n)
        os.write(out, f"{writer} {n}\n".encode())


def start(path, writers, out):
    """The processes that write; they end when they are killed."""
    pids = []
    for writer in range(writers):
        pid = os.fork()
        if pid == 0:
            try:
                write(path, writer, out)
            except BaseException as e:  # whatever it is, it must not go on as the parent
                os.write(2, f"writer {writer}: {e!r}\n".encode())
            os._exit(1)
        pids.append(pid)
    return pids


def kill(path, mode, rounds, seed):
    """Kill all writers at once at a random moment; the database is as it should be, and the next ones go on with it."""
    dice = random.Random(seed)
    told = {}
    ledger.create(path, mode)
    for number in range(rounds):
        read_end, write_end = os.pipe()
        pids = start(path, 2, write_end)
        os.close(write_end)
        text = b""
        until = time.monotonic() + dice.uniform(0.2, 0.8)
        while time.monotonic() < until or not text:
            text += os.read(read_end, 4096)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        for pid in pids:
            if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != -signal.SIGKILL:
                sys.exit("a writer ended by itself")
        while part := os.read(read_end, 4096):
            text += part
        os.close(read_end)
        for line in text.decode().splitlines():
            writer, n = map(int, line.split())
            told[writer] = n
        wrong = ledger.problems(path, told)
        if wrong:
            sys.exit("\n".join(wrong))
        print(f"round {number}: {sum(told.values())} commits", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "write":
        for pid in start(sys.argv[2], int(sys.argv[3]), 1):
            os.waitpid(pid, 0)
    else:
        kill(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
