"""Two kernels in the same QEMU: Coppice by its command, and Debian's cloud kernel with an initramfs made here.

Central rule: both get the same program, memory, processors, CPU model and accelerator; Linux runs without mitigations, since Coppice has none. Used by boot and run.
"""
import gzip
import os
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
UNAVAILABLE = 77
# Linux cannot calibrate its clocks on a busy host with the first of these, and stops for good; the second has more of them.
MACHINES = ["microvm,isa-serial=on", "q35"]
MOUNT_POINTS = ("bin", "dev", "proc", "sys", "tmp")


def cpio_entry(name, mode, data):
    head = "070701" + "".join("%08X" % v for v in (0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0))
    entry = head.encode() + name.encode() + b"\0"
    entry += b"\0" * (-len(entry) % 4) + data
    return entry + b"\0" * (-len(entry) % 4)


def make_initramfs(path, files):
    """A root file system of FILES, {name in it: file here}, and folders for them."""
    folders = set(MOUNT_POINTS)
    for name in files:
        folders.update(str(p) for p in pathlib.PurePath(name).parents if str(p) != ".")
    parts = [cpio_entry(folder, 0o040755, b"") for folder in sorted(folders)]
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


def run(command, seconds):
    start = time.monotonic()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds)
    return time.monotonic() - start, done


def accelerator(icount, accel):
    """QEMU's options for it, as cli/vm.c gives them."""
    return ["-accel", "tcg,thread=single,tb-size=256", "-icount", "shift=0"] if icount else ["-accel", accel]


def run_linux(kernel, initramfs, command, seconds, memory="256M", cpus=1, icount=False, accel="tcg"):
    """Boot Linux, whose first process runs COMMAND: seconds taken and the finished process (its stdout has the console)."""
    for machine in MACHINES:
        try:
            return run(["qemu-system-x86_64", "-M", machine, *accelerator(icount, accel), "-cpu", "host" if accel == "kvm" else "max", "-m", memory, "-smp", str(cpus),
                        "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio", "-kernel", kernel, "-initrd", initramfs,
                        "-append", "console=ttyS0 quiet reboot=t panic=-1 mitigations=off INIT_COMMAND=" + ",".join(command)], seconds)
        except subprocess.TimeoutExpired:
            pass
    sys.exit(f"bench: linux did not end within {seconds} s on any of {MACHINES}")


def run_coppice(build, command, seconds, memory="256M", cpus=1, icount=False, accel="tcg"):
    return run([os.path.join(build, "coppice"), "run", "-m", memory, "--cpus", str(cpus), *(["--icount"] if icount else ["--accel", accel]), "--", *command], seconds)
