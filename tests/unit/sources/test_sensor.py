import queue
import threading
import time

import pytest
import structlog
from row_sources import text

from edged.errors import ConfigurationError, EdgedError, InputNotFound, NotAllowed, SourceLost
from edged.sections import SensorSettings
from edged.sources.lines import arrived
from edged.sources.posted import PostedRows
from edged.sources.sensor import Sensor
from edged.sources.switch import SourceStatus
from edged.sources.tailfile import TailFile

ONLINE, OFFLINE, DISABLED = SourceStatus.ONLINE, SourceStatus.OFFLINE, SourceStatus.DISABLED


class Scripted:
    """A source that does what it was told: bytes come, errors are raised, ``None`` is the end, silence follows."""

    format = None

    def __init__(self, *, opens=(), patient=False):
        self.patient, self.ended, self.opened = patient, False, 0
        self.threads = set()
        self._opens, self._steps = list(opens), queue.SimpleQueue()

    def tell(self, *steps):
        for step in steps:
            self._steps.put(step)

    def open(self):
        self.threads.add(threading.current_thread().name)
        self.opened += 1
        if self._opens and (error := self._opens.pop(0)):
            raise error

    def read(self, timeout_s):
        self.threads.add(threading.current_thread().name)
        try:
            step = self._steps.get(timeout=min(timeout_s, 0.05))
        except queue.Empty:
            return []
        match step:
            case bytes():
                return [arrived(step)]
            case BaseException():
                raise step
            case _:
                self.ended = step is None
                return []

    def close(self):
        self.threads.add(threading.current_thread().name)

    def wake(self):
        self._steps.put("wake")


class Taker:
    """Takes what a sensor delivers, and waits for its states."""

    def __init__(self):
        self.deliveries, self.states = queue.SimpleQueue(), queue.SimpleQueue()

    def sensor(self, source, *, once=False, enabled=True, deliver=None, **settings):
        return Sensor(
            "pump",
            SensorSettings(url="-", models=("m",), **settings),
            source=source,
            once=once,
            deliver=deliver or self.deliveries.put,
            on_state=self.states.put,
            enabled=enabled,
        )

    def payload(self):
        return self.deliveries.get(timeout=10).payload

    def state(self):
        state = self.states.get(timeout=10)
        return state.status, state.why


@pytest.fixture
def taker():
    return Taker()


def test_rows_are_delivered_in_order_and_counted_by_the_sensors_thread_alone(taker):
    source = Scripted()
    source.tell(b"1\n", b"2\n3\n")
    sensor = taker.sensor(source)
    assert (sensor.state.status, sensor.state.why) == (OFFLINE, "connecting")
    with sensor:
        assert [taker.payload(), taker.payload()] == [b"1\n", b"2\n3\n"]
        assert taker.state() == (ONLINE, "")
    assert (sensor.statistics.deliveries, sensor.statistics.received_bytes) == (2, 6)
    assert source.threads == {"sensor-pump"}
    assert sensor.finished.is_set()


def test_it_is_online_once_it_is_open_before_any_row(taker):
    with taker.sensor(Scripted()) as sensor:
        assert taker.state() == (ONLINE, "")
        assert abs(sensor.state.since_s - time.time()) < 5


def test_a_source_that_breaks_is_opened_again_and_counted(taker):
    source = Scripted(opens=[SourceLost("a", "unplugged"), None, None])
    source.tell(b"1\n", SourceLost("a", "broke off"))
    with taker.sensor(source) as sensor:
        assert [taker.state() for _ in range(3)] == [
            (OFFLINE, "unplugged"),
            (ONLINE, ""),
            (OFFLINE, "broke off"),
        ]
        assert taker.state() == (ONLINE, "")
        assert sensor.statistics.reconnects == 1
        assert sensor.error is None
    assert source.opened == 3


def test_the_same_trouble_is_told_once(taker):
    source = Scripted(opens=[SourceLost("a", "unplugged")] * 2)
    with structlog.testing.capture_logs() as logs, taker.sensor(source):
        assert [taker.state(), taker.state()] == [(OFFLINE, "unplugged"), (ONLINE, "")]
    assert [one["event"] for one in logs] == ["sensor offline", "sensor online"]


def test_once_it_ends_after_the_last_row(taker):
    source = Scripted()
    source.tell(b"1\n", b"2\n", None)
    with taker.sensor(source, once=True) as sensor:
        assert sensor.finished.wait(10)
        assert sensor.error is None
        assert not sensor.stopped
    assert [taker.payload(), taker.payload()] == [b"1\n", b"2\n"]


def test_once_whatever_breaks_it_is_final(taker, tmp_path):
    with taker.sensor(TailFile(tmp_path / "none.csv", once=True), once=True) as sensor:
        assert sensor.finished.wait(10)
    assert isinstance(sensor.error, InputNotFound)
    assert taker.state() == (OFFLINE, "no such file")


def test_a_file_that_is_not_there_yet_is_waited_for(taker, tmp_path):
    with taker.sensor(TailFile(tmp_path / "late.csv")) as sensor:
        assert taker.state() == (OFFLINE, "no such file")
        assert sensor.error is None
        (tmp_path / "late.csv").write_bytes(b"1\n")
        assert taker.payload() == b"1\n"
        assert taker.state() == (ONLINE, "")


def test_an_input_that_ends_for_good_ends_the_sensor_and_says_so(taker):
    source = Scripted()
    source.tell(b"1\n", None)
    with taker.sensor(source) as sensor:
        assert sensor.finished.wait(10)
    assert [taker.state(), taker.state()] == [(ONLINE, ""), (OFFLINE, "its input has ended")]
    assert sensor.error is None


def test_what_only_a_person_can_change_is_an_error_and_tried_again(taker):
    source = Scripted(opens=[ConfigurationError("url", "no such channel")])
    with taker.sensor(source) as sensor:
        assert taker.state() == (OFFLINE, "no such channel")
        assert isinstance(sensor.error, ConfigurationError)
        assert taker.state() == (ONLINE, "")
        assert sensor.error is None


def test_a_refusal_is_tried_again_and_no_error(taker):
    with taker.sensor(Scripted(opens=[NotAllowed("a", "refused")])) as sensor:
        assert taker.state() == (OFFLINE, "refused")
        assert sensor.error is None
        assert taker.state() == (ONLINE, "")


def test_a_bug_shows_as_a_state_and_the_thread_lives_on(taker):
    source = Scripted(opens=[ZeroDivisionError()])
    with taker.sensor(source):
        assert taker.state() == (OFFLINE, "failed inside (ZeroDivisionError)")
        assert taker.state() == (ONLINE, "")


def test_a_source_that_cannot_be_closed_does_not_end_the_thread(taker):
    source = Scripted()
    source.close = lambda: 1 / 0
    with taker.sensor(source) as sensor:
        assert taker.state() == (ONLINE, "")
        source.tell(SourceLost("pump", "unplugged", ""))
        assert taker.state() == (OFFLINE, "unplugged")
        assert taker.state() == (ONLINE, "")
        assert not sensor.finished.is_set()


def test_silence_of_a_device_is_a_loss_and_it_is_back_with_its_next_row(taker):
    source = Scripted()
    with taker.sensor(source, read_timeout=0.1) as sensor:
        assert [taker.state(), taker.state()] == [(ONLINE, ""), (OFFLINE, "no row for 0.1 s")]
        while source.opened < 3:
            assert not sensor.finished.wait(0.02)
        assert sensor.state.status is OFFLINE
        source.tell(b"1\n")
        assert taker.state() == (ONLINE, "")
        assert (sensor.statistics.silences, sensor.statistics.reconnects) == (1, 1)


def test_silence_of_one_who_keeps_rows_for_us_is_told_and_it_is_not_closed(taker):
    source = Scripted(patient=True)
    with taker.sensor(source, read_timeout=0.1) as sensor:
        assert [taker.state(), taker.state()] == [(ONLINE, ""), (OFFLINE, "no row for 0.1 s")]
        source.tell(b"1\n")
        assert taker.state() == (ONLINE, "")
        assert sensor.statistics.silences == 1
    assert source.opened == 1


def test_without_a_limit_silence_is_no_trouble(taker):
    source = Scripted()
    with taker.sensor(source) as sensor:
        assert taker.state() == (ONLINE, "")
        assert not sensor.finished.wait(0.3)
        assert sensor.state.status is ONLINE


def test_switched_off_it_is_disabled_until_it_is_switched_on(taker):
    source = Scripted()
    with taker.sensor(source) as sensor:
        assert taker.state() == (ONLINE, "")
        sensor.switch(False)
        assert taker.state() == (DISABLED, "switched off by command")
        source.tell(b"1\n")
        sensor.switch(True)
        assert [taker.state(), taker.state()] == [(OFFLINE, "connecting"), (ONLINE, "")]
        assert taker.payload() == b"1\n"
        assert sensor.statistics.reconnects == 0
    assert source.opened == 2


def test_a_sensor_that_begins_switched_off_opens_nothing(taker):
    source = Scripted()
    with taker.sensor(source, enabled=False) as sensor:
        assert (sensor.state.status, sensor.state.why) == (DISABLED, "switched off by command")
        assert not sensor.finished.wait(0.1)
        assert source.opened == 0
        sensor.switch(True)
        assert [taker.state(), taker.state()] == [(OFFLINE, "connecting"), (ONLINE, "")]


@pytest.mark.parametrize(
    "opens", [(), [SourceLost("a", "b")], [NotAllowed("a", "b")]], ids=["read", "lost", "refused"]
)
def test_it_stops_at_once_wherever_it_is(taker, opens):
    sensor = taker.sensor(Scripted(opens=opens))
    sensor.start()
    taker.state()
    began_s = time.monotonic()
    assert sensor.stop(5)
    assert time.monotonic() - began_s < 0.5
    assert sensor.finished.is_set()


def test_it_stops_at_once_while_a_real_source_waits(taker):
    sensor = taker.sensor(PostedRows())
    sensor.start()
    assert taker.state() == (ONLINE, "")
    began_s = time.monotonic()
    assert sensor.stop(5)
    assert time.monotonic() - began_s < 0.5


def test_one_that_was_never_started_can_be_stopped(taker):
    assert taker.sensor(Scripted()).stop(1)


def test_a_stop_while_the_taker_blocks_is_bounded_and_holds_when_it_returns(taker):
    source = Scripted()
    source.tell(b"1\n", b"2\n")
    taken, blocked, free = [], threading.Event(), threading.Event()

    def deliver(delivery):
        taken.append(delivery)
        blocked.set()
        free.wait(10)

    sensor = taker.sensor(source, deliver=deliver)
    sensor.start()
    assert blocked.wait(10)
    assert not sensor.stop(0.1)
    free.set()
    assert sensor.stop(5)
    assert text(taken) == b"1\n"


def test_the_time_that_the_taker_blocks_is_not_silence(taker):
    source = Scripted(patient=True)
    source.tell(b"1\n")
    returned = threading.Event()

    def deliver(_delivery):
        threading.Event().wait(0.4)
        returned.set()

    with taker.sensor(source, read_timeout=0.3, deliver=deliver) as sensor:
        assert returned.wait(10)
        assert not sensor.finished.wait(0.1)
        assert sensor.statistics.silences == 0


def test_a_bug_is_an_error_of_ours_for_once(taker):
    with taker.sensor(Scripted(opens=[ZeroDivisionError()]), once=True) as sensor:
        assert sensor.finished.wait(10)
    assert type(sensor.error) is EdgedError
