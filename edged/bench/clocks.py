"""Processor time: ours, a worker's, and that which other programs took meanwhile."""

import os
import time
from pathlib import Path

from edged import machine

_SCHEDULED = 2
"""The kernel's clock of processor time, to the nanosecond (CPUCLOCK_SCHED)."""


def process_cpu_s(pid: int) -> float:
    """Seconds of processor time of a process since it started; 0.0 where it is gone."""
    try:
        return time.clock_gettime(~pid << 3 | _SCHEDULED)
    except OSError:  # not Linux, or gone
        return machine.usage([pid]).cpu_s


class Others:
    """What other programs used of this machine since it was made. All processes of ours must be waited for by then."""

    def __init__(self) -> None:
        self._began_s, self._busy_s, self._ours_s = time.monotonic(), _busy_s(), _ours_s()

    def cores(self) -> float:
        """Cores that others kept busy on average; 0.0 where the system does not tell."""
        elapsed_s = time.monotonic() - self._began_s
        others_s = (_busy_s() - self._busy_s) - (_ours_s() - self._ours_s)
        return max(0.0, others_s / elapsed_s) if elapsed_s > 0 else 0.0


def busy_seconds(stat: str, ticks_a_second: int) -> float:
    """Seconds in which any core worked or was kept from us, of the first line of ``/proc/stat``.

    >>> busy_seconds("cpu  100 0 50 900 7 0 0 25 0 0", 100)
    1.75
    """
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, stat.split()[1:9])
    return (user + nice + system + irq + softirq + steal) / ticks_a_second


def _busy_s() -> float:
    try:
        line = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0]
        return busy_seconds(line, os.sysconf("SC_CLK_TCK"))
    except (OSError, ValueError):
        return _ours_s()


def _ours_s() -> float:
    return sum(os.times()[:4])
