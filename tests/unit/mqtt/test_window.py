import pytest

from edged.mqtt.window import ACK_TIMEOUT_S, MAX_ENDS, OVERTAKEN_TIMEOUT_S, PAUSE_S, Outcome, Parcel, Window
from edged.outbox import MemoryOutbox


class Sender:
    """Sends what a window offers, as the link does, with packet identifiers from 1."""

    def __init__(self, entries: int, *, size: int = 128) -> None:
        self.outbox = MemoryOutbox(1 << 20, 3600.0)
        for number in range(entries):
            self.outbox.append("t", b"%d" % number, qos=1)
        self.window = Window(self.outbox)
        self.identifier = 0
        self.reconnect(size)

    def reconnect(self, size: int = 128, now_s: float = 0.0) -> None:
        self.window.begin(size, now_s)

    def send(self, now_s: float = 0.0) -> dict[int, int]:
        """Keys by packet identifier of what was sent just now."""
        sent = {}
        for entry in self.window.entries(now_s):
            self.identifier += 1
            self.window.sent(self.identifier, Parcel(entry.topic, entry.payload, entry, now_s))
            sent[self.identifier] = entry.key
        return sent


def test_entries_go_in_order_and_no_more_than_the_window_holds():
    sender = Sender(5, size=3)
    assert list(sender.send().values()) == [1, 2, 3]
    assert sender.send() == {}
    sender.window.settled(1, 0, 0.0)
    assert list(sender.send().values()) == [4]


@pytest.mark.parametrize("reason", [0x00, 0x10])
def test_a_delivered_entry_leaves_the_outbox(reason):
    sender = Sender(2)
    sender.send()
    settled = sender.window.settled(1, reason, 0.0)
    assert settled is not None
    assert settled[1] is Outcome.DELIVERED
    assert len(sender.outbox) == 1


@pytest.mark.parametrize("reason", [0x87, 0x90, 0x95, 0x99])
def test_a_refused_entry_is_set_aside(reason):
    sender = Sender(1)
    sender.send()
    settled = sender.window.settled(1, reason, 0.0)
    assert settled is not None
    assert settled[1] is Outcome.SET_ASIDE
    assert len(sender.outbox) == 0


def test_over_quota_waits_and_is_sent_again_before_later_ones():
    sender = Sender(4, size=2)
    sender.send()
    sender.window.settled(1, 0x97, 0.0)
    assert sender.send(0.1) == {}
    assert sender.window.next_look_s(0.1) <= PAUSE_S
    assert list(sender.send(PAUSE_S + 0.1).values()) == [1]
    sender.window.settled(2, 0, 2.0)
    assert list(sender.send(2.0).values()) == [3]
    assert len(sender.outbox) == 3


def test_an_acknowledgement_of_nothing_is_ignored():
    assert Sender(1).window.settled(77, 0, 0.0) is None


def test_a_new_connection_begins_with_the_oldest_that_was_not_acknowledged():
    sender = Sender(4)
    sent = sender.send()
    sender.window.settled(min(sent), 0, 0.0)
    sender.reconnect()
    assert list(sender.send().values()) == [2, 3, 4]


def test_silence_while_something_is_in_flight_is_noticed_and_progress_is_not_silence():
    sender = Sender(2)
    assert sender.window.stuck(1000.0) == ""
    sender.send(10.0)
    assert sender.window.stuck(10.0 + ACK_TIMEOUT_S) == ""
    assert "no acknowledgement" in sender.window.stuck(10.1 + ACK_TIMEOUT_S)
    sender.window.settled(1, 0, 14.0)
    assert sender.window.stuck(14.0 + ACK_TIMEOUT_S) == ""


def test_a_single_lost_acknowledgement_is_noticed_by_those_that_overtake_it():
    sender = Sender(1)
    sender.send(0.0)
    for second in range(1, int(OVERTAKEN_TIMEOUT_S) + 2):
        sender.outbox.append("t", b"", qos=1)
        (identifier,) = sender.send(float(second))
        sender.window.settled(identifier, 0, float(second))
    assert "missing" in sender.window.stuck(OVERTAKEN_TIMEOUT_S + 1)


def test_a_slow_broker_that_keeps_the_order_is_never_given_up():
    sender = Sender(128)
    sent = sender.send(0.0)
    for second, identifier in enumerate(sent, start=1):
        assert sender.window.stuck(float(second)) == ""
        sender.window.settled(identifier, 0, float(second))


def test_an_entry_the_broker_hangs_up_on_is_sent_alone_and_then_set_aside():
    sender = Sender(3)
    assert list(sender.send().values()) == [1, 2, 3]
    assert sender.window.hung_up() is None
    for _ in range(MAX_ENDS - 2):
        sender.reconnect()
        assert list(sender.send().values()) == [1]
        assert sender.send() == {}
        assert sender.window.hung_up() is None
    sender.reconnect()
    sender.send()
    convicted = sender.window.hung_up()
    assert convicted is not None
    assert convicted.key == 1
    sender.reconnect()
    assert list(sender.send().values()) == [2]
    sender.window.settled(sender.identifier, 0, 0.0)
    assert list(sender.send().values()) == [3]


def test_nobody_new_is_sent_beside_a_suspect():
    sender = Sender(1)
    sender.send()
    sender.window.hung_up()
    sender.outbox.append("t", b"", qos=1)
    sender.reconnect()
    assert list(sender.send().values()) == [1]
    assert sender.send() == {}
    sender.window.settled(sender.identifier, 0, 0.0)
    assert list(sender.send().values()) == [2]


def test_a_broker_killed_ten_times_costs_nothing_as_long_as_it_gets_on():
    sender = Sender(40)
    for _ in range(10):
        sender.reconnect()
        for _ in range(3):
            for identifier in list(sender.send())[:2]:
                sender.window.settled(identifier, 0, 0.0)
        assert sender.window.hung_up() is None


def test_a_state_in_flight_is_nobody_s_entry():
    sender = Sender(0)
    sender.window.sent(1, Parcel("status", b"online", None, 0.0))
    assert sender.window.hung_up() is None
    settled = sender.window.settled(1, 0x97, 0.0)
    assert settled is not None
    assert settled[1] is Outcome.LATER


def test_an_acknowledgement_is_waited_for_while_a_backlog_waits_and_not_for_live_results():
    sender = Sender(5, size=8)
    sender.outbox.append("t", b"suspect", qos=1)
    sender.send()
    sender.window.hung_up()  # what was in flight goes alone from now on
    sender.reconnect(8)
    for left in range(6, 0, -1):
        (identifier,) = sender.send()
        assert sender.window.waits, left
        sender.window.settled(identifier, 0, 0.0)
    assert sender.send() == {}
    assert not sender.window.waits
    sender.outbox.append("t", b"live", qos=1)
    assert len(sender.send()) == 1
    assert not sender.window.waits
