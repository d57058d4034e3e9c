#!/bin/sh
# python3: pseudo-terminals (pty.fork, pty.spawn, openpty, tty, termios), signals in every way, timers, and waiting.
exec /usr/bin/python3 - <<'SCRIPT'
import fcntl, os, pty, select, signal, struct, sys, termios, threading, time, tty

out = lambda *a: print(*a, flush=True)

def drain(fd):
    data = b""
    while True:
        try:
            part = os.read(fd, 4096)
        except OSError:
            break
        if not part:
            break
        data += part
    return data

# --- a shell on a terminal ---
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
    os.execvp("sh", ["sh", "-c", "stty -echo; tty | sed 's,[0-9]*$,N,'; stty size; read line; echo got $line; kill -INT $$; echo no"])
data = b""
while b"N\r\n" not in data:
    data += os.read(fd, 1000)
os.write(fd, b"a line\n")
data += drain(fd)
out("shell", data, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
os.close(fd)

# --- discipline ---
master, slave = pty.openpty()
out("tty", os.isatty(master), os.isatty(slave), os.ttyname(slave).startswith("/dev/pts/"))
os.write(master, b"hello\x7f\x7fp!\n")
out("edited", os.read(slave, 100), os.read(master, 100))
os.write(slave, b"line\n")
out("out", os.read(master, 100))
tty.setraw(slave)
os.write(master, b"raw\x03\x04")
out("raw", os.read(slave, 100))
mode = termios.tcgetattr(slave)
out("mode", mode[3] & (termios.ICANON | termios.ECHO | termios.ISIG), mode[6][termios.VMIN], mode[6][termios.VTIME])
os.write(master, b"lost")
termios.tcflush(slave, termios.TCIFLUSH)
out("flushed", select.select([slave], [], [], 0)[0])
os.close(slave)
try:
    os.read(master, 1)
except OSError as e:
    out("hung up", e.errno)
os.close(master)

# --- Ctrl-C and Ctrl-\ reach the foreground group; stopped and continued ---
pid, fd = pty.fork()
if pid == 0:
    interrupted = []
    signal.signal(signal.SIGINT, lambda *_: interrupted.append(1))
    print("ready", flush=True)
    while not interrupted:
        time.sleep(0.01)
    print("interrupted", flush=True)
    while True:
        signal.pause()
data = b""
while b"ready" not in data:
    data += os.read(fd, 100)
os.write(fd, b"\x03")
while b"interrupted" not in data:
    data += os.read(fd, 100)
out("interrupted")
os.kill(pid, signal.SIGSTOP)
_, status = os.waitpid(pid, os.WUNTRACED)
out("stopped", os.WIFSTOPPED(status) and os.WSTOPSIG(status) == signal.SIGSTOP)
os.kill(pid, signal.SIGCONT)
out("continued", os.WIFCONTINUED(os.waitpid(pid, os.WCONTINUED)[1]))
os.write(fd, b"\x1c")
out("quit", os.waitpid(pid, 0)[1] & 0x7f == signal.SIGQUIT)
os.close(fd)

# --- signals ---
got = []
for s in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGRTMIN, signal.SIGRTMIN + 1):
    signal.signal(s, lambda n, f: got.append(n - signal.SIGRTMIN if n >= signal.SIGRTMIN else signal.Signals(n).name))
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGUSR2, signal.SIGRTMIN])
for s in (signal.SIGUSR2, signal.SIGUSR1, signal.SIGUSR1):
    os.kill(os.getpid(), s)
out("pending", sorted(s.name for s in signal.sigpending()))
out("wait", signal.sigwait([signal.SIGUSR1]).name)
info = signal.sigtimedwait([signal.SIGUSR2], 5)
out("info", info.si_signo == signal.SIGUSR2, info.si_pid == os.getpid(), info.si_code)
out("none", signal.sigtimedwait([signal.SIGUSR2], 0))
for _ in range(3):
    os.kill(os.getpid(), signal.SIGRTMIN)
queued = 0
while signal.sigtimedwait([signal.SIGRTMIN], 0):
    queued += 1
out("queued", queued)
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1, signal.SIGUSR2, signal.SIGRTMIN])
os.kill(os.getpid(), signal.SIGRTMIN + 1)
out("handled", got)
r, w = os.pipe()
os.set_blocking(w, False)
signal.set_wakeup_fd(w)
signal.raise_signal(signal.SIGUSR1)
out("wakeup", os.read(r, 10) == bytes([signal.SIGUSR1]))
signal.set_wakeup_fd(-1)
thread = threading.Thread(target=lambda: out("thread", signal.sigwait([signal.SIGHUP]).name))
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
thread.start()
signal.pthread_kill(thread.ident, signal.SIGHUP)
thread.join()
class Late(Exception):
    pass
def late(*_):
    raise Late
signal.signal(signal.SIGALRM, late)
signal.setitimer(signal.ITIMER_REAL, 0.05)
try:
    os.read(r, 1)
except Late:
    out("a read was interrupted")
signal.signal(signal.SIGALRM, lambda *_: got.append("alarm"))
signal.setitimer(signal.ITIMER_REAL, 0.05)
start = time.monotonic()
time.sleep(0.2)
out("a sleep went on", time.monotonic() - start >= 0.2, got[-1])
signal.signal(signal.SIGPROF, lambda *_: got.append("prof"))
signal.setitimer(signal.ITIMER_PROF, 0.02)
while got[-1] != "prof":
    sum(range(1000))
out("prof")
signal.signal(signal.SIGCHLD, lambda *_: got.append("child"))
if (pid := os.fork()) == 0:
    os._exit(4)
while got[-1] != "child":
    time.sleep(0.01)
out("child", os.waitid(os.P_PID, pid, os.WEXITED).si_status)
fd = os.pidfd_open(os.getpid())
out("pidfd", select.select([fd], [], [], 0)[0])
signal.pidfd_send_signal(fd, signal.SIGUSR2)
out(got[-1])
SCRIPT
