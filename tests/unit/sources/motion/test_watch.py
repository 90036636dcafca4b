from edged.sources.motion.watch import DISORDER_S, Timeline, Watch


def test_a_recording_that_begins_again_goes_on():
    timeline = Timeline()
    assert [timeline.at(time_s) for time_s in (3.0, 4.0)] == [3.0, 4.0]
    timeline.restart()
    assert [timeline.at(time_s) for time_s in (0.0, 1.0)] == [4.0, 5.0]


def test_a_clock_that_jumps_back_goes_on_and_disorder_stays_what_it_is():
    timeline = Timeline()
    timeline.at(1000.0)
    assert timeline.at(999.9) == 999.9
    assert timeline.at(1000.0 - DISORDER_S - 100) == 1000.0
    assert timeline.at(1000.0 - DISORDER_S - 99) == 1001.0


def test_it_is_awake_until_hold_is_over_and_due_after_recheck():
    watch = Watch(hold_s=2.0, recheck_s=30.0)
    assert not watch.is_awake(0.0)
    assert watch.is_due(0.0)
    watch.moved(10.0)
    watch.moved(9.0)
    watch.looked(10.0)
    assert watch.is_awake(12.0)
    assert not watch.is_awake(12.1)
    assert not watch.is_due(39.9)
    assert watch.is_due(40.0)
    assert not watch.is_due(54.9, grace=1.5)
    assert watch.is_due(55.0, grace=1.5)
