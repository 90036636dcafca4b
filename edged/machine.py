"""What this machine is, and what our processes use of it. Linux tells most; elsewhere some figures are 0."""

import contextlib
import os
import platform
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Usage:
    """Of a set of processes.

    Attributes:
        cpu_s: Seconds of processor time since they started.
        memory_bytes: Resident.
    """

    cpu_s: float
    memory_bytes: int


def host_name() -> str:
    """The first part of this machine's name, as it may stand in topics and paths."""
    name = re.sub(r"[^A-Za-z0-9_.-]", "-", socket.gethostname().split(".")[0])
    return re.sub(r"^[^A-Za-z0-9]+", "", name)[:64] or "edged"


def cpu_name() -> str:
    """The processor's name, or its architecture where the system does not tell."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() in {"model name", "Model", "Hardware"}:
                return value.strip()
    return platform.processor() or platform.machine()


def memory_bytes() -> int:
    """Of this machine; 0 where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0


def available_bytes() -> int:
    """Memory that processes could still get without swapping; 0 where the system does not tell."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return 0


def cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def busy_s() -> float:
    """Seconds since the start that the cores which this process may use were busy, whoever with; 0 where not told."""
    ours = {f"cpu{core}" for core in os.sched_getaffinity(0)} if hasattr(os, "sched_getaffinity") else set()
    ticks = 0
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/stat").read_text(encoding="ascii").splitlines():
            name, *fields = line.split()
            if name in ours:
                user, nice, system, _idle, _waiting, *rest = map(int, fields[:8])
                ticks += user + nice + system + sum(rest)
        return ticks / os.sysconf("SC_CLK_TCK")
    return 0.0


def thread_cpu_s(native_id: int) -> float:
    """Seconds of processor time of a thread of this process; 0 where it is no more, or the system does not tell."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return (
            int(Path(f"/proc/self/task/{native_id}/schedstat").read_text(encoding="ascii").split()[0]) / 1e9
        )
    return 0.0


@dataclass(frozen=True, slots=True)
class Footprint:
    """Of one process.

    Attributes:
        cpu_s: Seconds of processor time since it started.
        memory_bytes: Resident.
        threads: That it has.
        descriptors: That are open; 0 where we may not look.
    """

    cpu_s: float = 0.0
    memory_bytes: int = 0
    threads: int = 0
    descriptors: int = 0


def footprint(pid: int) -> Footprint | None:
    """Of a process; None where it is no more, or the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    descriptors = 0
    with contextlib.suppress(OSError):
        descriptors = len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208  # names are enough
    return Footprint(
        cpu_s=(int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"),
        memory_bytes=int(fields[21]) * os.sysconf("SC_PAGE_SIZE"),
        threads=int(fields[17]),
        descriptors=descriptors,
    )


def usage(pids: Iterable[int]) -> Usage:
    """Of the processes that still are."""
    cpu_s, resident = 0.0, 0
    for pid in pids:
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            cpu_s += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            resident += int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    return Usage(cpu_s, resident)
