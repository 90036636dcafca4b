"""What a worker process may use, set by itself before it touches the model."""

import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path

from edged.machine import memory_bytes

MAX_DESCRIPTORS = 256
OOM_SCORE = 500
"""The kernel ends a worker before it ends the daemon."""
LOAD_CPU_S = 90
"""Processor time to load, try and warm up a model, of all its threads together."""
_PR_SET_PDEATHSIG = 1


def default_memory_bytes() -> int:
    """Three quarters of this machine's memory."""
    return memory_bytes() * 3 // 4


def apply(*, parent: int) -> None:
    """Bound this process and tie its life to its parent's.

    Args:
        parent: Process id of the daemon; if it is gone already, this process ends here.

    On systems without one of these facilities that bound is left out.
    """
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415  # not on Windows

    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NOFILE, MAX_DESCRIPTORS)
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE), encoding="ascii")
    end_with(parent)


def bound_memory(max_bytes: int) -> None:
    """Bound private writable memory (``RLIMIT_DATA``: shared memory and mapped files do not count)."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415  # not on Windows

    _lower(resource.RLIMIT_DATA, max_bytes)


def bound_loading() -> None:
    """Have the kernel end this process should it take too much processor time until `loaded`."""
    _set_cpu_s(LOAD_CPU_S)


def loaded() -> None:
    """What serves may take as much processor time as it needs."""
    _set_cpu_s(None)


def _set_cpu_s(seconds: int | None) -> None:
    """The soft limit, counted from the process's start; None = none."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415  # not on Windows

    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CPU, (hard if seconds is None else seconds, hard))


def end_with(parent: int) -> None:
    """End this process with the thread that started it, at the latest.

    On Linux also when the parent is killed while this process is stopped or deep in native code; elsewhere only where
    the parent is gone already.

    Args:
        parent: Process id of who started this one.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)


def _lower(which: int, value: int) -> None:
    import resource  # noqa: PLC0415  # not on Windows

    _, hard = resource.getrlimit(which)
    bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(which, (bound, bound))
