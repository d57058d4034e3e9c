"""What a fork costs, and what it copies, for heaps of several sizes.

Run it with `make run`, or: coppice run -- python3 examples/fork.py [MiB...]
The figures come from the kernel's own counters (/proc/coppice), which any program may read.
"""
import mmap
import os
import sys

PAGE = 4096
WRITES = 8  # pages that the child, and then the parent, writes after the fork


def counters(path):
    with open(path) as f:
        return {name: int(value) for name, value in (line.split() for line in f)}


def touch(heap, pages):
    """Write one byte to each of `pages` pages, spread over the heap."""
    step = max(1, len(heap) // PAGE // pages)
    for i in range(pages):
        heap[i * step * PAGE] = 1


def child(heap, pipe):
    touch(heap, WRITES)
    os.write(pipe, b"%d" % counters("/proc/coppice/self")["shared_pages_parent"])
    os._exit(0)


def fork_time():
    """The shortest of a few forks, in nanoseconds: what else the machine does only adds."""
    times = []
    for _ in range(5):
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        times.append(counters("/proc/coppice/counters")["fork_ns_last"])
    return min(times)


def measure(mib):
    heap = mmap.mmap(-1, mib << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for at in range(0, len(heap), PAGE):
        heap[at] = 0xA5
    fork_ns = fork_time()
    reader, writer = os.pipe()
    before = counters("/proc/coppice/counters")
    pid = os.fork()
    if pid == 0:
        child(heap, writer)
    touch(heap, WRITES)
    shared = int(os.read(reader, 100))
    os.waitpid(pid, 0)
    after = counters("/proc/coppice/counters")
    os.close(reader)
    os.close(writer)
    heap.close()
    tables, pages = (after[name] - before[name] for name in ("tables_copied", "pages_copied"))
    return fork_ns / 1000, tables, pages, shared


def main():
    sizes = [int(arg) for arg in sys.argv[1:]] or [1, 64, 512]
    print(f"python3 {sys.version.split()[0]} forks; then child and parent each write to {WRITES} pages of the heap, and to what the interpreter itself needs\n")
    print("  heap         fork     tables copied   pages copied   pages still shared")
    for mib in sizes:
        micros, tables, pages, shared = measure(mib)
        print(f"  {mib:4} MiB  {micros:7.1f} us  {tables:14}  {pages:13}  {shared:10} ({shared * PAGE / 2**20:.0f} MiB)", flush=True)
    print("\nfork copies one page of the tree whatever the size; later writes copy what they touch, and the tables above it.")


if __name__ == "__main__":
    try:
        main()
    except FileNotFoundError as missing:
        sys.exit(f"{missing.filename}: no such file: this example reads Coppice's counters; run it with `coppice run -- python3 {sys.argv[0]}`")
