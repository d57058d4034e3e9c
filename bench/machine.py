"""Two kernels in the same QEMU: Coppice by its command, and Debian's cloud kernel with an initramfs made here.

Central rule: both get the same program, memory, processors, CPU model and accelerator; Linux runs without mitigations, since Coppice has none. Used by run and check.
"""
import gzip
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
QEMU = "qemu-system-x86_64"
# Linux's machines. The first is smaller and starts sooner, but where the host is busy Linux cannot calibrate its clocks by those that it has, and stops for
# good; virtual time that follows instructions is never late. The second has more clocks.
SMALL, USUAL = "microvm,isa-serial=on", "q35"
START_SECONDS = 30  # what is short ends in this time, or never
MOUNT_POINTS = ("bin", "dev", "proc", "sys", "tmp", "usr/bin", "var/lib")


def cpio_entry(name, mode, data):
    head = "070701" + "".join("%08X" % v for v in (0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0))
    entry = head.encode() + name.encode() + b"\0"
    entry += b"\0" * (-len(entry) % 4) + data
    return entry + b"\0" * (-len(entry) % 4)


def make_initramfs(path, files, folders=()):
    """A root file system of FILES, {name in it: file here}, and the folders for them."""
    names = set(MOUNT_POINTS) | set(folders)
    for name in [*files, *names]:
        names.update(str(p) for p in pathlib.PurePath(name).parents if str(p) != ".")
    parts = [cpio_entry(folder, 0o040755, b"") for folder in sorted(names)]
    for name, source in files.items():
        parts.append(cpio_entry(name, 0o100755, pathlib.Path(source).read_bytes()))
    parts.append(cpio_entry("TRAILER!!!", 0, b""))
    pathlib.Path(path).write_bytes(gzip.compress(b"".join(parts), 1))


def libraries(program):
    """The shared libraries of a program, its interpreter too: {name in the root: file}."""
    lines = subprocess.run(["ldd", program], capture_output=True, text=True).stdout.splitlines()
    paths = [word for line in lines for word in line.split() if word.startswith("/")]
    return {path.lstrip("/"): path for path in paths}


def linux_kernel(build):
    """The cloud kernel's image, fetched if need be; ends the program with 77 where it cannot be had."""
    fetched = subprocess.run([HERE / "linux-kernel", build], stdout=subprocess.PIPE, text=True)
    if fetched.returncode != 0:
        sys.exit(fetched.returncode)
    return fetched.stdout.strip()


class Programs:
    """The benchmark and its target where Coppice finds them: in a folder with a name of always the same length, since a path's parts cost instructions."""

    def __init__(self, build):
        self.folder = tempfile.mkdtemp(prefix="bench.", dir="/var/tmp")
        for name in ("bench", "target"):
            shutil.copy2(f"{build}/bench/{name}", self.folder)
        self.bench = [f"{self.folder}/bench", "-t", f"{self.folder}/target"]
        self.target = f"{self.folder}/target"

    def __enter__(self):
        return self

    def __exit__(self, *error):
        shutil.rmtree(self.folder)


def run(command, seconds):
    """Seconds taken, and the finished process; its environment, which Coppice hands to the program, is the same everywhere."""
    start = time.monotonic()
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": "/"}
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds, env=environment)
    return time.monotonic() - start, done


def accelerator(icount, accel):
    """QEMU's options for it, as cli/vm.c gives them."""
    return ["-accel", "tcg,thread=single,tb-size=256", "-icount", "shift=0"] if icount else ["-accel", accel]


def run_linux(kernel, initramfs, command, seconds, memory="256M", cpus=1, icount=False, accel="tcg", short=False, options=()):
    """Boot Linux, whose first process runs COMMAND: seconds taken and the finished process (its stdout has the console). SHORT: it is over at once. OPTIONS are QEMU's."""
    for machine, limit in ([(SMALL, START_SECONDS)] if short else [(SMALL, seconds)] if icount else []) + [(USUAL, seconds)]:
        try:
            return run([QEMU, "-M", machine, *accelerator(icount, accel), "-cpu", "host" if accel == "kvm" else "max", "-m", memory, "-smp", str(cpus),
                        "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio", "-kernel", kernel, "-initrd", initramfs, *options,
                        "-append", "console=ttyS0 quiet reboot=t panic=-1 mitigations=off INIT_COMMAND=" + ",".join(command)], limit)
        except subprocess.TimeoutExpired:
            pass
    sys.exit(f"bench: linux did not end within {seconds} s")


def run_coppice(build, command, seconds, memory="256M", cpus=1, icount=False, accel="tcg", options=()):
    try:
        return run([os.path.join(build, "coppice"), "run", "-m", memory, "--cpus", str(cpus), *(["--icount"] if icount else ["--accel", accel]), *options, "--", *command],
                   seconds)
    except subprocess.TimeoutExpired:
        sys.exit(f"bench: coppice did not end within {seconds} s")
