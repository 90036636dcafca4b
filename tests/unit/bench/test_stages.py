import pytest

from edged.bench.stages import Round


def test_the_workers_processor_time_is_shared_by_what_boxes_take_on_a_quiet_machine():
    one = Round()
    for boxes_ms in (0.4, 0.5, 30.0):  # once something else had the processor
        one.frames += 1
        one.add_worker(25.0, boxes_ms, 20.5)
    assert one.mean_cpu_ms("boxes") == 0.5
    assert one.mean_cpu_ms("inference") == pytest.approx(20.0)


def test_boxes_take_no_more_than_the_worker_did():
    one = Round()
    one.frames = 1
    one.add_worker(1.0, 9.0, 3.0)
    assert (one.mean_cpu_ms("boxes"), one.mean_cpu_ms("inference")) == (3.0, 0.0)


def test_a_block_is_timed_on_the_clock_and_on_the_processor():
    one = Round()
    with one.timed("prepare"):
        sum(range(200_000))
    assert 0 < one.mean_cpu_ms("prepare") <= one.wall_ms["prepare"][0] + 1
