import os
import subprocess
import sys
from pathlib import Path

import pytest

from edged import machine

linux = pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell")


def test_the_processor_has_a_name():
    assert machine.cpu_name().strip()


def test_there_is_a_core_for_this_process():
    assert 1 <= machine.cores() <= (os.cpu_count() or 1)


@linux
def test_cores_that_the_process_may_not_use_do_not_count():
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert machine.cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)


@linux
def test_the_memory_is_what_the_kernel_says():
    total = next(
        line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal")
    )
    assert machine.memory_bytes() == pytest.approx(int(total.split()[1]) * 1024, rel=0.01)


@linux
def test_the_use_of_several_processes_is_added_up_and_one_that_ended_counts_nothing():
    with subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()  # before, the kernel may count no page of it yet
        alone, both = machine.usage([os.getpid()]), machine.usage([os.getpid(), other.pid])
        assert alone.memory_bytes > 1_000_000
        assert both.memory_bytes > alone.memory_bytes
        assert both.cpu_s >= alone.cpu_s > 0
        other.communicate(b"\n")
    assert machine.usage([other.pid]) == machine.Usage(0, 0)


@linux
def test_a_process_with_an_odd_name_is_read_all_the_same(tmp_path):
    program = tmp_path / "a) (b 1"
    program.symlink_to(sys.executable)
    with subprocess.Popen(
        [program, "-c", "print(flush=True); input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as odd:
        assert odd.stdout is not None
        odd.stdout.readline()
        assert machine.usage([odd.pid]).memory_bytes > 1_000_000
        odd.communicate(b"\n")
