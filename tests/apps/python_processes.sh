#!/bin/sh
# python3: threads and their locks, and multiprocessing with each way to start: pools, queues, pipes, managers, shared memory, barriers.
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat >"$dir/program.py" <<'SCRIPT'
import concurrent.futures, multiprocessing as mp, os, queue, signal, sys, threading, time
from multiprocessing import shared_memory

out = lambda *a: print(*a, flush=True)

def square(n):
    return n * n

def fail(n):
    raise ValueError(n)

def fill(name, part, parts):
    memory = shared_memory.SharedMemory(name)
    size = memory.size // parts
    memory.buf[part * size:(part + 1) * size] = bytes([part]) * size
    memory.close()

def count(value, lock, rounds):
    for _ in range(rounds):
        with lock:
            value.value += 1

def serve(connection):
    while (item := connection.recv()) is not None:
        connection.send(item[::-1])
    connection.close()

def meet(barrier, results):
    barrier.wait()
    results.put(os.getpid() != os.getppid())

def add(shared, n):
    shared[n] = n * n

def use(method):
    context = mp.get_context(method)
    with context.Pool(3) as pool:
        out(method, "map", pool.map(square, range(20), chunksize=3))
        out(method, "unordered", sorted(pool.imap_unordered(square, range(10))))
        out(method, "async", pool.apply_async(square, (12,)).get(60))
        try:
            pool.apply(fail, ("wrong",))
        except ValueError as e:
            out(method, "raised", e)
    memory = shared_memory.SharedMemory(create=True, size=40000)
    workers = [context.Process(target=fill, args=(memory.name, n, 4)) for n in range(4)]
    [w.start() for w in workers], [w.join() for w in workers]
    out(method, "shared memory", [memory.buf[n * 10000 + 9999] for n in range(4)], [w.exitcode for w in workers])
    memory.close(), memory.unlink()
    value, lock = context.Value("i", 0, lock=False), context.Lock()
    workers = [context.Process(target=count, args=(value, lock, 200)) for _ in range(3)]
    [w.start() for w in workers], [w.join() for w in workers]
    out(method, "counted", value.value)
    here, there = context.Pipe()
    worker = context.Process(target=serve, args=(there,))
    worker.start()
    there.close()
    here.send("forwards"), out(method, "pipe", here.recv())
    here.send(b"x" * 300000), out(method, "large", len(here.recv()))
    here.send(None), worker.join()
    barrier, results = context.Barrier(3), context.Queue()
    workers = [context.Process(target=meet, args=(barrier, results)) for _ in range(3)]
    [w.start() for w in workers]
    out(method, "met", [results.get(timeout=60) for _ in range(3)])
    [w.join() for w in workers]
    worker = context.Process(target=time.sleep, args=(60,))
    worker.start()
    worker.terminate(), worker.join()
    out(method, "terminated", worker.exitcode == -signal.SIGTERM)
    with context.Manager() as manager:
        shared = manager.dict()
        workers = [context.Process(target=add, args=(shared, n)) for n in range(3)]
        [w.start() for w in workers], [w.join() for w in workers]
        out(method, "manager", sorted(shared.items()))
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
        out(method, "executor", list(pool.map(square, range(6))))

def threads():
    total, lock = [0], threading.Lock()
    def work():
        for _ in range(2000):
            with lock:
                total[0] += 1
    workers = [threading.Thread(target=work) for _ in range(8)]
    [w.start() for w in workers], [w.join() for w in workers]
    out("threads", total[0], threading.active_count())
    todo, done = queue.Queue(5), queue.Queue()
    def consume():
        while (n := todo.get()) is not None:
            done.put(n * 2)
    workers = [threading.Thread(target=consume) for _ in range(4)]
    [w.start() for w in workers]
    for n in range(100):
        todo.put(n)
    for _ in workers:
        todo.put(None)
    [w.join() for w in workers]
    out("queues", sum(done.get() for _ in range(100)))
    condition, turns = threading.Condition(), []
    def turn(n):
        with condition:
            condition.wait_for(lambda: len(turns) == n)
            turns.append(n)
            condition.notify_all()
    workers = [threading.Thread(target=turn, args=(n,)) for n in reversed(range(6))]
    [w.start() for w in workers], [w.join() for w in workers]
    out("turns", turns)
    event = threading.Event()
    timer = threading.Timer(0.05, event.set)
    timer.start()
    out("timer", event.wait(60), threading.Event().wait(0.01))
    local = threading.local()
    local.x = "main"
    worker = threading.Thread(target=lambda: out("local", hasattr(local, "x")))
    worker.start(), worker.join()
    semaphore, most, now = threading.Semaphore(2), [0], [0]
    def limited():
        with semaphore:
            with lock:
                now[0] += 1
                most[0] = max(most[0], now[0])
            time.sleep(0.005)
            with lock:
                now[0] -= 1
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        [pool.submit(limited) for _ in range(12)]
    out("semaphore", most[0] <= 2)
    pid = os.fork()
    if pid == 0:
        os._exit(threading.active_count())
    out("a fork has one thread", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

if __name__ == "__main__":
    threads()
    for method in ("fork", "spawn", "forkserver"):
        use(method)
SCRIPT
/usr/bin/python3 "$dir/program.py"
