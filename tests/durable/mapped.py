"""Shared mappings of a file, and each way to bring what was stored in them to the file.

    mapped.py PATH [tune]    tune: also what is written out in the background, with this machine's limits changed

After each step prints "AT HEX NAME": what the file must hold at that place now, for somebody who reads it from outside; then waits for a line before it goes on.
"""

import ctypes
import mmap
import os
import signal
import sys

PAGE = 4096
PAGES = 64
SYNC_ALL = 7  # SYNC_FILE_RANGE_WAIT_BEFORE | _WRITE | _WAIT_AFTER


def tell(at, data, name):
    print(at, data.hex(), name, flush=True)
    if not sys.stdin.readline():
        sys.exit("nobody listens")


def in_child(function):
    """Run it in a child; the child's exit status, or minus the signal that ended it."""
    pid = os.fork()
    if pid == 0:
        function()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def main():
    fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
    os.ftruncate(fd, PAGES * PAGE)
    shared = mmap.mmap(fd, PAGES * PAGE)
    libc = ctypes.CDLL(None, use_errno=True)

    def store(at, text):
        shared[at:at + len(text)] = text
        return at, text

    place = store(5, b"by msync")
    shared.flush(0, PAGE)
    tell(*place, "msync")
    place = store(5, b"by MSYNC")  # the page was clean
    shared.flush(0, PAGE)
    tell(*place, "msync again")

    place = store(PAGE, b"by fsync")
    os.fsync(fd)
    tell(*place, "fsync")
    place = store(2 * PAGE - 3, b"by fdatasync")  # two pages
    os.fdatasync(fd)
    tell(*place, "fdatasync")
    place = store(3 * PAGE, b"by sync")
    os.sync()
    tell(*place, "sync")
    place = store(4 * PAGE, b"by syncfs")
    assert libc.syncfs(fd) == 0
    tell(*place, "syncfs")
    place = store(5 * PAGE, b"by sync_file_range")
    assert libc.sync_file_range(fd, ctypes.c_long(5 * PAGE), ctypes.c_long(PAGE), SYNC_ALL) == 0
    tell(*place, "sync_file_range")
    os.pwrite(fd, b"by write and fsync", 6 * PAGE + 100)
    os.fsync(fd)
    tell(6 * PAGE + 100, b"by write and fsync", "write and fsync")

    for flag, name in (os.O_DSYNC, "O_DSYNC"), (os.O_SYNC, "O_SYNC"):
        other = os.open(sys.argv[1], os.O_WRONLY | flag)
        os.pwrite(other, name.encode(), 6 * PAGE + 200)
        tell(6 * PAGE + 200, name.encode(), name)
        os.close(other)

    # One of two processes stores and unmaps, the other syncs.
    assert in_child(lambda: (store(7 * PAGE, b"by a child"), shared.close())) == 0
    os.fsync(fd)
    tell(7 * PAGE, b"by a child", "a child stored, unmapped and ended; fsync")
    store(8 * PAGE, b"before fork")
    assert in_child(lambda: (store(9 * PAGE, b"after fork"), os.fsync(fd))) == 0
    tell(8 * PAGE, b"before fork", "stored before a fork; fsync in the child")
    tell(9 * PAGE, b"after fork", "stored and synced in the child")
    store(10 * PAGE, b"tables copied")
    assert in_child(lambda: (store(10 * PAGE, b"TABLES copied"), shared.flush(10 * PAGE, PAGE))) == 0
    tell(10 * PAGE, b"TABLES copied", "msync in the child")

    def private_mapping():
        other = mmap.mmap(os.open(sys.argv[1], os.O_RDWR), PAGES * PAGE)
        other[11 * PAGE:11 * PAGE + 7] = b"by exit"

    assert in_child(private_mapping) == 0
    tell(11 * PAGE, b"by exit", "a mapping that ended with its process")

    os.ftruncate(fd, PAGE)
    assert shared[5:13] == b"by MSYNC"
    assert in_child(lambda: shared[PAGE]) == -signal.SIGBUS
    os.ftruncate(fd, PAGES * PAGE)
    tell(PAGE, bytes(100), "zeros after truncation")
    assert shared[PAGE:2 * PAGE] == bytes(PAGE)
    place = store(2 * PAGE, b"after truncation")
    shared.flush()
    tell(*place, "msync after truncation")

    if len(sys.argv) > 2:
        for name in "dirty_expire_centisecs", "dirty_writeback_centisecs":
            with open(f"/proc/sys/vm/{name}", "w") as f:
                f.write("20")
        tell(*store(20 * PAGE, b"by nobody"), "soon: nothing but time")


if __name__ == "__main__":
    main()
