#!/usr/bin/env python3
"""How long Redis stands still to fork for a snapshot, by how much it holds: redis_fork.py MIB...

Prints INFO's latest_fork_usec for each size, and ends with 1 if the longest is more than twice the shortest, with 77
where there is no Redis. Meant for a guest with --icount, where a
microsecond is a thousand instructions and nothing else runs; on Linux it grows with the size, and the test fails.
"""

import contextlib
import glob
import os
import shutil
import signal
import sys
import tempfile

import redis

VALUE_BYTES = 4096
FORKS = 3
SKIPPED = 77


def children(parent):
    for path in glob.glob("/proc/[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError), open(path) as f:
            if int(f.read().rsplit(")", 1)[1].split()[1]) == parent:
                yield int(path.split("/")[2])


def fork_usec(mib):
    """The least of a few forks: the first copies what the server's own start left shared."""
    with tempfile.TemporaryDirectory(prefix="redis-fork.") as directory:
        server = redis.Server(directory, "--rdbcompression", "no")
        server.client.call("DEBUG", "POPULATE", max(1, mib * (1 << 20) // VALUE_BYTES), "key", VALUE_BYTES)
        times = []
        for _ in range(FORKS):
            server.client.call("BGSAVE")
            times.append(int(server.client.info("latest_fork_usec")))
            for pid in children(server.process.pid):
                os.kill(pid, signal.SIGKILL)  # the snapshot itself is not wanted
            server.wait_for("rdb_bgsave_in_progress")
        server.stop()
        return min(times)


def main():
    if not shutil.which("redis-server"):
        return SKIPPED
    times = {mib: fork_usec(int(mib)) for mib in sys.argv[1:]}
    for mib, usec in times.items():
        print(f"{mib} MiB: {usec} us", flush=True)
    return 0 if max(times.values()) <= 2 * min(times.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
