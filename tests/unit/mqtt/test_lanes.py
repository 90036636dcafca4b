"""In which order what waits goes out, over simulated brokers: slow, far away, narrow, and such as hang up."""

import bisect
import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.mqtt.lanes import IN_ORDER_S, LOOK_BEHIND_S, PACE
from edged.mqtt.window import Outcome, Parcel, Window
from edged.outbox import Entry

LATER = 0x97


class Waiting:
    """An outbox as a window sees it."""

    def __init__(self) -> None:
        self.entries: dict[int, Entry] = {}
        self.keys: list[int] = []
        self.newest: dict[str, int] = {}
        self.last_key = 0

    def put(self, at_s: float, key: int | None = None, topic: str = "t") -> int:
        key = self.last_key + 1 if key is None else key
        self.last_key = max(self.last_key, key)
        self.entries[key] = Entry(key, topic, b"", 1, at_s)
        self.newest[topic] = max(key, self.newest.get(topic, 0))
        bisect.insort(self.keys, key)
        return key

    def after(self, key: int, limit: int, *, up_to: int | None = None) -> list[Entry]:
        first = bisect.bisect_right(self.keys, key)
        last = len(self.keys) if up_to is None else bisect.bisect_right(self.keys, up_to)
        return [self.entries[one] for one in self.keys[first : min(last, first + limit)]]

    def event_keys(self) -> dict[str, int]:
        return dict(self.newest)

    def remove(self, key: int) -> None:
        del self.entries[key]
        del self.keys[bisect.bisect_left(self.keys, key)]

    def set_aside(self, entry: Entry, why: str) -> None:
        self.remove(entry.key)

    def __len__(self) -> int:
        return len(self.entries)


@dataclass
class Net:
    """A link and its broker in simulated time: acknowledgements come after a round trip, and not faster than a rate.

    Attributes:
        trip_s: From a message to its acknowledgement.
        rate: Acknowledgements a second, at most.
    """

    trip_s: float = 0.002
    rate: float = 20_000.0
    size: int = 128
    now_s: float = 0.0
    box: Waiting = field(default_factory=Waiting)
    sent: list[tuple[float, int]] = field(default_factory=list)
    told: dict[str, list[int]] = field(default_factory=dict)
    arrived: dict[int, float] = field(default_factory=dict)
    appended: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.window = Window(self.box)  # type: ignore[arg-type]
        self._acks: list[tuple[float, int]] = []
        self._free_s = 0.0
        self._identifier = 0
        self.connect()

    def connect(self) -> None:
        self._acks.clear()
        self.sent.clear()
        self.told.clear()
        self.window.begin(self.size, self.now_s)

    def append(self, count: int = 1, topic: str = "t") -> list[int]:
        keys = [self.box.put(self.now_s, topic=topic) for _ in range(count)]
        self.appended.update((key, self.now_s) for key in keys)
        return keys

    def run(
        self, for_s: float, *, live: float = 0.0, step_s: float = 0.005, topics: Sequence[str] = ("t",)
    ) -> None:
        """Let the time pass while so many live results come a second, to the topics in turn."""
        end_s, due = self.now_s + for_s, 0.0
        while self.now_s < end_s:
            due += live * step_s
            for _ in range(int(due)):
                self.append(topic=topics[self.box.last_key % len(topics)])
            due -= int(due)
            self._settle()
            self._send()
            self.now_s += step_s

    def _send(self) -> None:
        for entry in self.window.entries(self.now_s):
            self._identifier += 1
            self.window.sent(self._identifier, Parcel("t", b"", entry, self.now_s))
            self.sent.append((self.now_s, entry.key))
            self.told.setdefault(entry.topic, []).append(entry.key)
            self._free_s = max(self.now_s + self.trip_s, self._free_s + 1 / self.rate)
            heapq.heappush(self._acks, (self._free_s, self._identifier))

    def _settle(self) -> None:
        while self._acks and self._acks[0][0] <= self.now_s:
            at_s, identifier = heapq.heappop(self._acks)
            settled = self.window.settled(identifier, 0, self.now_s)
            assert settled is not None
            assert settled[0].entry is not None
            self.arrived[settled[0].entry.key] = at_s

    def hang_up(self) -> None:
        self.window.hung_up()
        self.connect()

    def late_s(self, beyond: int) -> float:
        """The 95th percentile of how late results beyond a key were, those that did not arrive included."""
        waits = sorted(
            self.arrived.get(key, self.now_s) - at for key, at in self.appended.items() if key > beyond
        )
        return waits[int(len(waits) * 0.95)]


def backlog(net: Net, count: int) -> None:
    net.append(count)
    net.now_s += 60.0
    net.connect()


def assert_each_once_and_in_order(net: Net, begin_key: int) -> None:
    keys = [key for _, key in net.sent]
    assert len(keys) == len(set(keys))
    assert all(told == sorted(told) for topic, told in net.told.items() if topic.endswith("/events"))
    results = net.told.get("t", [])
    old, new = [key for key in keys if key <= begin_key], [key for key in results if key > begin_key]
    assert old == sorted(old)
    assert new == sorted(new)


def test_a_short_backlog_goes_before_everything_that_came_since() -> None:
    net = Net()
    backlog(net, 500)
    net.run(1.0, live=50.0)
    keys = [key for _, key in net.sent]
    assert keys == sorted(keys)
    assert len(net.box) <= 2


@pytest.mark.parametrize(
    ("trip_s", "rate"), [(0.002, 20_000.0), (0.05, 3000.0), (0.4, 3000.0), (0.002, 300.0)]
)
def test_live_results_are_not_late_while_a_long_backlog_goes_and_it_does_go(
    trip_s: float, rate: float
) -> None:
    net = Net(trip_s=trip_s, rate=rate)
    backlog(net, 20_000)
    net.run(8.0, live=50.0)
    assert_each_once_and_in_order(net, 20_000)
    live_from = 20_000 + int(50 * (IN_ORDER_S + 1.0))
    assert net.late_s(live_from) <= trip_s + 0.6
    assert sum(key <= 20_000 for key in net.arrived) >= min(rate, 128 / trip_s / 4, PACE / 2) * 4


@pytest.mark.parametrize("trip_s", [0.3, 0.6, 1.0, 2.5])
@pytest.mark.parametrize("live", [25.0, 100.0])
def test_a_backlog_gets_on_however_far_away_the_broker_is(trip_s: float, live: float) -> None:
    net = Net(trip_s=trip_s)
    backlog(net, 5000)
    net.run(4.0, live=live)
    before = sum(key <= 5000 for key in net.arrived)
    net.run(20.0, live=live)
    assert sum(key <= 5000 for key in net.arrived) > before + 4 * (20.0 / trip_s)
    assert_each_once_and_in_order(net, 5000)


def test_the_pace_holds_also_after_a_pause() -> None:
    net = Net(rate=50.0)
    backlog(net, 30_000)
    net.run(20.0, live=10.0)
    net.rate = 100_000.0
    net.run(1.0)
    began_s, count = net.now_s, len(net.arrived)
    net.run(1.0, live=10.0)
    assert len(net.arrived) - count <= PACE * 1.3
    assert net.now_s - began_s == pytest.approx(1.0, abs=0.01)


def test_a_backlog_ends_and_the_order_is_that_of_the_outbox_again() -> None:
    net = Net()
    backlog(net, 4000)
    net.run(5.0, live=50.0)
    assert max(net.box.entries, default=10_000) > 4000
    net.sent.clear()
    net.run(1.0, live=200.0)
    keys = [key for _, key in net.sent]
    assert keys == sorted(keys)
    assert len(net.box) <= 4


YARD, GATE = "camera/yard/events", "camera/gate/events"


def test_a_new_event_waits_for_older_ones_of_its_topic_and_nothing_else_does() -> None:
    net = Net()
    net.append(topic=YARD)
    net.append(6000)
    net.append(topic=GATE)
    backlog(net, 3000)
    begin_key = net.box.last_key
    net.run(2.0, live=60.0, topics=["t", YARD, GATE])
    assert [key for key in net.told[YARD] if key > begin_key], "the only older one is gone"
    assert GATE not in net.told
    held = [key for key, one in net.box.entries.items() if one.topic == GATE and key > begin_key]
    net.run(10.0, live=60.0, topics=["t", YARD, GATE])
    assert len(held) > 10
    assert set(held) <= set(net.told[GATE])
    for topic in (YARD, GATE):
        assert net.told[topic] == sorted(net.told[topic])
        assert len(net.told[topic]) == len(set(net.told[topic]))
    assert not net.window.waited(Entry(held[0], GATE, b"", 1, 0.0)), "it was made after the connection began"
    assert net.late_s(begin_key + 200) < 8.0
    assert len(net.box) <= 3


def test_results_are_not_late_while_events_wait() -> None:
    net = Net()
    net.append(topic=YARD)
    net.append(20_000)
    net.append(topic=YARD)
    net.now_s += 60.0
    net.connect()
    net.run(1.0, live=200.0, topics=[YARD])
    assert net.told[YARD] == [1]
    first = net.box.last_key
    net.run(5.0, live=200.0, topics=["t", *[YARD] * 9])
    results = [key for key in net.told["t"] if key > first + 20]
    assert len(results) >= 90
    assert max(net.arrived.get(key, net.now_s) - net.appended[key] for key in results) < 0.5


def test_suspects_at_the_end_of_a_backlog_do_not_hold_up_what_is_live() -> None:
    net = Net()
    backlog(net, 20_000)
    net.run(2.0, live=50.0)
    net.trip_s = 0.1
    net.run(0.1, live=50.0)  # in flight: the oldest and the newest
    net.hang_up()
    suspected = net.box.last_key
    net.trip_s = 0.002
    net.run(6.0, live=50.0)
    assert net.late_s(suspected + int(50 * (IN_ORDER_S + 1.0))) < 0.5
    net.run(20_000 / PACE, live=50.0)
    assert not [key for key in net.box.entries if key <= suspected]
    assert not net.window._ends


def test_a_suspect_is_sent_alone_and_live_results_between_two_of_them() -> None:
    net = Net(trip_s=0.05)
    backlog(net, 5000)
    net.run(1.5, live=100.0)
    net.hang_up()
    suspects = set(net.window._ends)
    assert len(suspects) > 10
    begin_key = net.box.last_key
    net.run(1.0, live=100.0)
    net.run(3.0 * len(suspects) * 0.11, live=100.0)
    flights = _flights(net)
    for key in suspects & set(net.arrived):
        assert flights[key] == {key}
    assert suspects <= set(net.arrived)
    assert net.late_s(begin_key + 200) < 0.5


def _flights(net: Net) -> dict[int, set[int]]:
    """With whom each was in flight when it was sent, or at its arrival."""
    found: dict[int, set[int]] = {}
    for at_s, key in net.sent:
        ends_s = net.arrived.get(key, net.now_s)
        found[key] = {
            other
            for begins_s, other in net.sent
            if begins_s < ends_s - 0.006 and net.arrived.get(other, net.now_s) > at_s + 0.006
        }
    return found


def test_what_comes_to_light_behind_the_backlog_goes_within_a_second_or_two() -> None:
    net = Net()
    net.box.last_key = 1 << 50
    net.append(10)
    net.connect()
    net.run(2.0, live=20.0)
    assert len(net.box) <= 1
    for key in range(1, 301):  # the disk came
        net.box.put(net.now_s - 1000.0, key)
        net.appended[key] = net.now_s
    net.run(2 * LOOK_BEHIND_S, live=20.0)
    assert not [key for key in net.box.entries if key <= 300]
    assert [key for _, key in net.sent if key <= 300] == list(range(1, 301))
    assert all(net.window.waited(net.box.entries.get(key, Entry(key, "t", b"", 1, 0.0))) for key in (1, 300))


def test_an_outbox_that_opens_after_the_connection_holds_a_backlog() -> None:
    net = Net()
    net.now_s = 60.0
    net.connect()
    net.run(0.1)
    for key in range(1, 6001):
        net.box.put(10.0, key)
        net.appended[key] = 10.0
    net.run(2.0, live=50.0)
    live = [key for key in net.arrived if key > 6000]
    assert live
    assert len(net.arrived) < 6000
    assert all(net.window.waited(Entry(key, "t", b"", 1, 0.0)) for key in (1, 6000))
    assert not net.window.waited(Entry(live[0], "t", b"", 1, 0.0))


def test_the_first_result_of_an_empty_outbox_is_no_backlog() -> None:
    net = Net()
    net.now_s = 5.0
    net.connect()
    net.run(1.0, live=50.0)
    assert net.arrived
    assert not any(net.window.waited(Entry(key, "t", b"", 1, 0.0)) for key in net.arrived)


def test_a_lane_that_was_told_to_wait_goes_on_where_it_was() -> None:
    net = Net(size=16)
    backlog(net, 3000)
    net.run(1.5, live=20.0)
    identifier, parcel = next(iter(net.window._flight.items()))
    assert parcel.entry is not None
    settled = net.window.settled(identifier, LATER, net.now_s)
    assert settled is not None
    assert settled[1] is Outcome.LATER
    net._acks = [ack for ack in net._acks if ack[1] != identifier]
    net.sent.clear()
    net.run(3.0, live=20.0)
    assert parcel.entry.key in net.arrived
    assert next(key for _, key in net.sent if key <= 3000) == parcel.entry.key


@settings(max_examples=25, deadline=None)
@given(
    size=st.integers(1, 128),
    waiting=st.integers(0, 1500),
    live=st.sampled_from([0.0, 5.0, 40.0]),
    trip_s=st.sampled_from([0.0, 0.01, 0.3]),
    holes=st.sets(st.integers(1, 1500), max_size=100),
    ends=st.integers(0, 2),
    events=st.integers(1, 30),
)
def test_everything_is_sent_once_a_connection_in_the_order_of_its_lane_and_nothing_starves(
    size: int, waiting: int, live: float, trip_s: float, holes: set[int], ends: int, events: int
) -> None:
    net = Net(trip_s=trip_s, size=size)
    topics = [YARD, *["t"] * events, GATE]
    for number in range(waiting):
        net.append(topic=topics[number % len(topics)])
    for key in holes & set(net.box.entries):
        net.box.remove(key)
        del net.appended[key]
    for _ in range(ends):
        net.connect()
        begin_key = net.box.last_key
        net.run(1.2, live=live, step_s=0.02, topics=topics)
        assert_each_once_and_in_order(net, begin_key)
        net.window.hung_up()
    net.connect()
    begin_key = net.box.last_key
    for _ in range(200):
        net.run(10.0, step_s=0.02)
        if not len(net.box):
            break
        assert len(net.window) <= size
    assert_each_once_and_in_order(net, begin_key)
    assert set(net.arrived) == set(net.appended)
