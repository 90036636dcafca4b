"""Tries what a service that was taken over would try; prints a JSON object of attempt to errno's name, or "done".

Runs inside the unit, with the system's Python alone.
"""

import ctypes
import errno
import json
import mmap
import os
import socket
import stat
import sys
from collections.abc import Callable
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWUSER, MS_BIND, PTRACE_ATTACH, PER_LINUX32 = 0x10000000, 4096, 16, 8
PROT_RWX = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
STATE = Path(os.environ["STATE_DIRECTORY"])


def called(name: str, *arguments: object) -> None:
    """A function of the C library that says no with -1."""
    if getattr(LIBC, name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), name)


def write(path: str) -> None:
    with Path(path).open("a") as file:
        file.write("x")


def run_own_program() -> None:
    program = STATE / "program"
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o700)
    os.posix_spawn(program, [str(program)], {})


def map_own_library() -> None:
    library = STATE / "library"
    library.write_bytes(b"\0" * 4096)
    with library.open("r+b") as file:
        mmap.mmap(file.fileno(), 4096, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC)


def become_setuid() -> None:
    (STATE / "root").write_text("")
    (STATE / "root").chmod(0o700 | stat.S_ISUID)


def see_others() -> None:
    if not Path("/proc/1").exists():
        raise OSError(errno.ENOENT, "/proc/1")


def raw_socket() -> None:
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()


def packet_socket() -> None:
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()


def open_device(path: str) -> None:
    os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY))


ATTEMPTS: dict[str, Callable[[], object]] = {
    "write /etc": lambda: write("/etc/edged-probe"),
    "write /usr": lambda: write("/usr/edged-probe"),
    "write the program": lambda: write("/opt/edged/bin/edged"),
    "write the configuration": lambda: write("/etc/edged/edged.toml"),
    "write the units": lambda: write("/etc/systemd/system/edged.service"),
    "write the kernel's settings": lambda: write("/proc/sys/kernel/core_pattern"),
    "read the credential store": lambda: Path("/etc/credstore/other").read_text(),
    "read the credentials": lambda: list(Path("/etc/edged/credentials").iterdir()),
    "read /etc/shadow": lambda: Path("/etc/shadow").read_text(),
    "read a home": lambda: Path("/home/someone/secret").read_text(),
    "read root's home": lambda: list(Path("/root").iterdir()),
    "see other processes": see_others,
    "signal systemd": lambda: os.kill(1, 0),
    "run a program of its own": run_own_program,
    "map a library of its own": map_own_library,
    "make a setuid program": become_setuid,
    "become root": lambda: os.setuid(0),
    "make a namespace": lambda: called("unshare", CLONE_NEWUSER),
    "mount": lambda: called("mount", b"/", b"/mnt", None, MS_BIND, None),
    "trace a process": lambda: called("ptrace", PTRACE_ATTACH, os.getppid(), 0, 0),
    "change its personality": lambda: called("personality", PER_LINUX32),
    "load a module": lambda: called("syscall", 175, b"", 0, b""),
    "set the clock": lambda: called("settimeofday", b"\0" * 16, None),
    "set the host's name": lambda: socket.sethostname("owned"),
    "run in real time": lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)),
    "read the kernel's log": lambda: called("klogctl", 3, ctypes.create_string_buffer(99), 99),
    "listen to packets": packet_socket,
    "send raw packets": raw_socket,
    "open the serial line": lambda: open_device("/dev/ttyS0"),
    "open another device": lambda: open_device("/dev/hidraw0"),
    # what it may, or may where nothing narrower is wanted
    "write its state": lambda: write(str(STATE / "kept")),
    "write its cache": lambda: write(os.environ["CACHE_DIRECTORY"] + "/kept"),
    "write a temporary file": lambda: write("/tmp/kept"),
    "read the configuration": lambda: Path("/etc/edged/edged.toml").read_text(),
    "share memory": lambda: os.close(os.memfd_create("ring")),
    "open a connection": lambda: socket.create_connection(("localhost", 1883), 5).close(),
    "read about the processor": lambda: Path("/proc/cpuinfo").read_text(),
    "pin a thread": lambda: os.sched_setaffinity(0, os.sched_getaffinity(0)),
    "write and run memory": lambda: mmap.mmap(
        -1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, PROT_RWX
    ).close(),
}


def outcome(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    return "done"


json.dump({name: outcome(attempt) for name, attempt in ATTEMPTS.items()}, sys.stdout)
