import threading

import pytest

from edged.sources.switch import Switch


def never():
    pytest.fail("it does not rest")


def test_each_attempt_has_an_event_of_its_own_that_switching_off_sets():
    calls = []
    switch = Switch(enabled=True, interrupt=lambda: calls.append("interrupt"))
    assert switch.begins_attempt(never)
    first = switch.halt
    switch.turn(True)
    assert not first.is_set()
    switch.turn(False)
    switch.turn(True)
    assert first.is_set()
    assert calls == ["interrupt"]
    assert switch.begins_attempt(never)
    assert not switch.halt.is_set()


def test_off_it_rests_until_it_is_switched_on():
    switch = Switch(enabled=False, interrupt=lambda: None)
    begun = []
    resting = threading.Event()
    thread = threading.Thread(target=lambda: begun.append(switch.begins_attempt(resting.set)))
    thread.start()
    assert resting.wait(5)
    assert begun == []
    switch.turn(True)
    thread.join(5)
    assert begun == [True]


@pytest.mark.parametrize("enabled", [True, False])
def test_ended_nothing_begins_any_more(enabled):
    switch = Switch(enabled=enabled, interrupt=lambda: None)
    switch.end()
    assert switch.halt.is_set()
    assert not switch.begins_attempt(never)


def test_who_rests_is_ended():
    switch = Switch(enabled=False, interrupt=lambda: None)
    resting = threading.Event()
    thread = threading.Thread(target=lambda: switch.begins_attempt(resting.set))
    thread.start()
    assert resting.wait(5)
    switch.end()
    thread.join(5)
    assert not thread.is_alive()
