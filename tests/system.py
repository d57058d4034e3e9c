"""The two systems that tests run on: this machine's Linux, and Coppice.

A system runs a program and gives a Result: stdout, stderr and exit status as a shell would see them. Central rule: a test does the same on both, so that
their results can be compared byte for byte. Read next: run.
"""

import os
import pty
import select
import shutil
import signal
import struct
import subprocess
import tempfile
import termios
import time
import fcntl
from typing import NamedTuple

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/tmp",
    "LC_ALL": "C",
    "TZ": "UTC",
    "TERM": "dumb",
}
TIMED_OUT = 124
SECONDS_BEFORE_TYPING = 0.1  # as a person would: who prints a prompt may not be reading yet

# A shell has what it starts in the background ignore these. Programs would inherit that, on Linux and, as coppice hands it on, in the guest.
for ignored in (signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(ignored) == signal.SIG_IGN:
        signal.signal(ignored, signal.SIG_DFL)


class Result(NamedTuple):
    """What a program wrote and how it ended. From a terminal, stderr is empty: both are in stdout."""

    stdout: bytes
    stderr: bytes
    status: int


def status_of(returncode):
    """The exit status as a shell gives it: 128+N for signal N."""
    return 128 - returncode if returncode < 0 else returncode


class System:
    """A place to run programs. `prefix(rw, options)` is what goes before the program; rw is a directory to be writable, or None."""

    def __init__(self, name, prefix, environment):
        self.name = name
        self.prefix = prefix
        self.environment = environment

    def run(self, argv, seconds, stdin=None, rw=None, close_stdin=False, options=(), variables=()):
        """Run a program with stdin (bytes; none: /dev/null; close_stdin: not open at all). options: of coppice run; variables: of the environment."""
        env = dict(self.environment, **({"RWDIR": rw} if rw else {}), **dict(variables))
        close = (lambda: os.close(0)) if close_stdin else None
        process = subprocess.Popen(self.prefix(rw, list(options)) + argv, env=env, preexec_fn=close, start_new_session=True,
                                   stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            out, err = process.communicate(stdin, timeout=seconds)
        except subprocess.TimeoutExpired:
            end_group(process.pid)
            out, err = process.communicate()
            return Result(out, err + b"\ntests/run: time limit\n", TIMED_OUT)
        return Result(out, err, status_of(process.returncode))

    def run_in_terminal(self, argv, steps, seconds):
        """Run a program on a terminal of 30 by 100. A step is (what to wait for, what to type then)."""
        pid, fd = pty.fork()
        if pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
            command = self.prefix(None, []) + argv
            os.execvpe(command[0], command, self.environment)
        output, seen, deadline = b"", 0, time.monotonic() + seconds
        steps = list(steps)
        while True:
            while steps and (at := output.find(steps[0][0], seen)) >= 0:
                seen = at + len(steps[0][0])
                time.sleep(SECONDS_BEFORE_TYPING)
                os.write(fd, steps.pop(0)[1])
            if time.monotonic() > deadline:
                end_group(pid)
                os.waitpid(pid, 0)
                os.close(fd)
                return Result(output, b"\ntests/run: time limit\n", TIMED_OUT)
            if not select.select([fd], [], [], 0.2)[0]:
                continue
            try:
                data = os.read(fd, 65536)
            except OSError:  # Linux's way to say that the other side is closed
                data = b""
            if not data:
                break
            output += data
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.close(fd)
        return Result(output, b"", status_of(status))


def end_group(pid):
    """End a program and what it started: each runs in a session of its own."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def host():
    """This machine's Linux. The guest's /tmp is a tmpfs; tests use one here too, where there is one."""
    tmp = "/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp"
    return System("host", lambda rw, options: [], dict(ENVIRONMENT, GUEST_TEST_TMP=tmp))


def coppice(command, kernel, options):
    """Coppice, with the memory manager's invariants checked when the program has ended."""
    start = [command, "run", "--check"] + (["--kernel", kernel] if kernel else []) + options

    return System("coppice", lambda rw, more: start + more + (["--rw", rw] if rw else []) + ["--"], ENVIRONMENT)


class WritableDirectory:
    """A directory for RWDIR, removed at the end."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="coppice-rw.")
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)
