import os
import subprocess
import sys
import time

import pytest

from edged.bench.clocks import Others, busy_seconds, process_cpu_s

linux = pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell")


def test_waiting_for_the_disk_and_doing_nothing_is_not_being_busy():
    assert busy_seconds("cpu  100 20 50 9000 700 1 2 27 0 0", 100) == 2.0


@linux
def test_processor_time_of_a_process_grows_while_it_works():
    before = process_cpu_s(os.getpid())
    while time.process_time() < before + 0.02:
        pass
    assert 0.01 <= process_cpu_s(os.getpid()) - before <= 1.0


@linux
def test_a_process_that_is_gone_used_nothing():
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    assert process_cpu_s(done.pid) == 0.0


def test_what_this_process_does_is_not_done_by_others(monkeypatch):
    times = iter([(100.0, 3.0), (104.0, 5.0)])  # busy, ours
    now = iter([10.0, 12.0])

    def next_time() -> float:
        nonlocal ours
        busy, ours = next(times)
        return busy

    ours = 0.0
    monkeypatch.setattr("edged.bench.clocks._busy_s", next_time)
    monkeypatch.setattr("edged.bench.clocks._ours_s", lambda: ours)
    monkeypatch.setattr("edged.bench.clocks.time.monotonic", lambda: next(now))
    assert Others().cores() == 1.0  # of four seconds in two, two were ours
