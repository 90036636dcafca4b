"""The source of rows over a connection that does what it is told; over a real broker in `tests/integration`."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from mosquitto_broker import until
from structlog.testing import capture_logs

from edged.errors import BrokerUnreachable, ConfigurationError, EdgedError, NotAllowed
from edged.mqtt.connector import Connector
from edged.mqtt.dial import Waker
from edged.mqtt.inbox import Inbox
from edged.mqtt.records import ConnectionEnded, Ending, LinkOptions, Received
from edged.mqtt.rows import MqttRows
from edged.mqtt.topics import Topics
from edged.urls import broker_address

TOPICS = Topics("edged", "gate-7")
OPTIONS = LinkOptions(broker_address("mqtt://localhost"), client_id="edged-gate-7")


class Line:
    """A connection: brings what `bring` is given, notes what is acknowledged."""

    def __init__(
        self, *, resumed: bool = False, refusal: EdgedError | None = None, granted_qos: int = 1
    ) -> None:
        self.resumed, self._refusal, self.granted_qos = resumed, refusal, granted_qos
        self.received: deque[Received] = deque()
        self.acknowledged: list[int] = []
        self.unread: deque[Received] = deque()
        self.ends: Exception | None = None
        self.closed = self.dropped = False
        self.news = threading.Event()

    def subscribe(self, topic_filter: str) -> None:
        if self._refusal is not None:
            raise self._refusal

    def acknowledge(self, packet: int) -> None:
        self.acknowledged.append(packet)

    def step(self, timeout_s: float, *, reading: bool = True) -> None:
        self.news.wait(0.01)
        while reading and self.unread:
            self.received.append(self.unread.popleft())
            return
        if self.ends is not None:
            raise self.ends

    def close(self) -> None:
        self.closed = True

    def drop(self) -> None:
        self.dropped = True

    def bring(
        self, packet: int, payload: bytes = b"row", topic: str = "factory/pump-3/x", **more: Any
    ) -> None:
        self.unread.append(Received(topic, payload, more.pop("retained", False), packet=packet, **more))


class Exchange:
    """A connector: gives the lines that it was given, in order."""

    def __init__(self, *lines: Line | EdgedError) -> None:
        self._lines = list(lines)

    def connect(self, waker: Waker, cancelled: Callable[[], bool] = lambda: False) -> Line:
        line = self._lines.pop(0)
        if isinstance(line, EdgedError):
            raise line
        return line


@pytest.fixture
def rows_over() -> Iterator[Callable[..., MqttRows]]:
    made: list[MqttRows] = []

    def over(*lines: Line | EdgedError) -> MqttRows:
        rows = MqttRows(
            "pump", "factory/+/x", OPTIONS, topics=TOPICS, wall=lambda: 5.0, monotonic=lambda: 7.0
        )
        rows._connector = cast(Connector, Exchange(*lines))
        made.append(rows)
        return rows

    yield over
    for rows in made:
        rows.close()


def read(rows: MqttRows, count: int) -> list[Any]:
    found: list[Any] = []
    assert until(lambda: len(found.__iadd__(rows.read(0.05))) >= count, 5)
    return found


def test_a_message_becomes_a_delivery_with_its_origin_and_a_receipt(rows_over):
    line = Line()
    rows = rows_over(line)
    rows.open()
    line.bring(1, b"1,2,3")
    (delivery,) = read(rows, 1)
    assert (delivery.payload, delivery.origin, delivery.at_s, delivery.at_monotonic_s) == (
        b"1,2,3",
        "pump-3",
        5.0,
        7.0,
    )
    assert line.acknowledged == []
    delivery.receipt.let_go()
    assert until(lambda: line.acknowledged == [1], 5)


def test_acknowledgements_go_out_in_the_order_of_the_messages(rows_over):
    line = Line()
    rows = rows_over(line)
    rows.open()
    for packet in (4, 2, 3):
        line.bring(packet)
    first, second, third = read(rows, 3)
    third.receipt.let_go()
    second.receipt.let_go()
    assert not until(lambda: bool(line.acknowledged), 0.1)
    first.receipt.let_go()
    assert until(lambda: line.acknowledged == [4, 2, 3], 5)


def test_a_message_of_qos_0_has_no_receipt(rows_over):
    line = Line()
    rows = rows_over(line)
    rows.open()
    line.bring(0)
    assert read(rows, 1)[0].receipt is None


def test_retained_messages_and_those_of_other_topics_are_acknowledged_and_passed_over(rows_over):
    line = Line()
    rows = rows_over(line)
    rows.open()
    with capture_logs() as lines:
        line.bring(1, b"old", retained=True)
        line.bring(2, b"other", topic="hall/pump-3/x")
        line.bring(3, b"nameless", topic="")
        line.bring(4, b"row")
        assert [each.payload for each in read(rows, 1)] == [b"row"]
    assert until(lambda: line.acknowledged == [1, 2, 3], 5)
    assert [each["event"] for each in lines] == ["mqtt rows of an earlier subscription are passed over"]


def test_what_breaks_is_told_once_what_came_before_is_read(rows_over):
    line = Line()
    rows = rows_over(line)
    rows.open()
    line.bring(1)
    line.ends = ConnectionEnded("b", "the connection broke", ending=Ending.HUNG_UP)
    assert until(lambda: line.dropped, 5)
    assert len(rows.read(1.0)) == 1
    with pytest.raises(BrokerUnreachable, match="the connection broke"):
        rows.read(1.0)


def test_what_is_on_its_way_is_not_taken_in_again_and_acknowledged_on_the_new_connection_only(rows_over):
    first, second = Line(), Line(resumed=True)
    rows = rows_over(first, second)
    rows.open()
    first.bring(1, b"one")
    first.bring(2, b"two")
    one, two = read(rows, 2)
    first.ends = ConnectionEnded("b", "broke", ending=Ending.TOLD)
    with pytest.raises(BrokerUnreachable):
        rows.read(5.0)
    one.receipt.let_go()
    second.bring(1, b"one", again=True)
    second.bring(2, b"two", again=True)
    second.bring(3, b"three")
    rows.open()
    assert [each.payload for each in read(rows, 1)] == [b"three"]
    assert until(lambda: second.acknowledged == [1], 5)
    two.receipt.let_go()
    assert until(lambda: second.acknowledged == [1, 2], 5)
    assert first.acknowledged == []


def test_a_broker_that_forgot_the_session_is_said_and_gets_no_old_acknowledgement(rows_over):
    first, second = Line(), Line(resumed=False)
    rows = rows_over(first, second)
    rows.open()
    first.bring(1)
    (delivery,) = read(rows, 1)
    rows.close()
    assert first.closed
    with capture_logs() as lines:
        rows.open()
    delivery.receipt.let_go()
    second.bring(1, b"another")
    assert len(read(rows, 1)) == 1
    assert second.acknowledged == []
    assert ["kept no mqtt session" in line["event"] for line in lines] == [True]


def test_closing_sends_what_is_settled(rows_over):
    line = Line()
    rows = rows_over(line)
    rows.open()
    line.bring(1)
    read(rows, 1)[0].receipt.let_go()
    rows.close()
    rows.close()
    assert line.acknowledged == [1]
    assert line.closed


def test_a_receipt_may_be_let_go_when_everything_is_closed(rows_over):
    line = Line()
    rows = rows_over(line)
    rows.open()
    line.bring(1)
    (delivery,) = read(rows, 1)
    rows.close()
    delivery.receipt.let_go()
    assert line.acknowledged == []


def test_nothing_is_read_from_the_socket_while_too_much_waits(rows_over):
    line = Line()
    rows = rows_over(line)
    rows._inbox = Inbox(max_deliveries=3)
    for packet in range(1, 11):
        line.bring(packet)
    rows.open()
    assert until(lambda: len(line.unread) == 7, 5)
    assert not until(lambda: len(line.unread) < 7, 0.1)
    assert len(read(rows, 10)) == 10


def test_messages_of_qos_0_that_nobody_reads_are_dropped_counted_and_said_once(rows_over):
    line = Line()
    rows = rows_over(line)
    rows._inbox = Inbox(max_deliveries=3)
    for number in range(10):
        line.bring(0, b"%d" % number)
    with capture_logs() as lines:
        rows.open()
        assert until(lambda: rows.dropped == 7, 5)
    assert [each.payload for each in rows.read(1.0)] == [b"7", b"8", b"9"]
    assert [each["event"] for each in lines] == ["mqtt rows of QoS 0 are dropped"]


def test_a_rival_is_suspected_where_the_broker_hangs_up_again_and_again(rows_over):
    lines = [Line(resumed=True) for _ in range(4)]
    rows = rows_over(*lines)
    for line in lines:
        line.ends = ConnectionEnded("b", "the connection broke", ending=Ending.HUNG_UP)
        rows.open()
        with pytest.raises(BrokerUnreachable) as caught:
            rows.read(5.0)
    assert "look for another client that calls itself 'edged-gate-7-sensor-pump'" in str(caught.value)


def test_a_bug_is_said_and_ends_the_connection_only(rows_over):
    line = Line()
    rows = rows_over(line)
    line.ends = ZeroDivisionError("oh")
    with capture_logs() as lines:
        rows.open()
        with pytest.raises(BrokerUnreachable, match="unexpected ZeroDivisionError: oh"):
            rows.read(5.0)
    assert len(lines) == 1


@pytest.mark.parametrize("error", [BrokerUnreachable("b", "is away"), NotAllowed("b", "refuses")])
def test_what_stands_in_the_way_of_opening_is_raised(rows_over, error):
    refusing = Line(refusal=error)
    rows = rows_over(error, refusing, Line())
    for _ in range(2):
        with pytest.raises(type(error)):
            rows.open()
    assert refusing.dropped
    rows.open()
    assert rows.read(0.0) == []


def test_reading_ends_when_it_is_woken_and_waits_again_after_it(rows_over):
    rows = rows_over(Line())
    rows.open()
    rows.wake()
    assert rows.read(60.0) == []
    assert rows.read(0.01) == []


def test_opening_can_be_ended(rows_over):
    asked: list[bool] = []

    class Slow:
        def connect(self, waker: Waker, cancelled: Callable[[], bool]) -> Line:
            assert until(cancelled, 5)
            asked.append(True)
            raise BrokerUnreachable("mqtt", "stopped while connecting")

    rows = rows_over()
    rows._connector = cast(Connector, Slow())
    threading.Timer(0.05, rows.wake).start()
    with pytest.raises(BrokerUnreachable):
        rows.open()
    assert asked == [True]


@pytest.mark.parametrize("topic_filter", ["", "a/#/b", "edged/#", "edged/gate-7/sensor/+/result"])
def test_a_wrong_filter_is_refused_before_anything_is_opened(topic_filter):
    with pytest.raises(ConfigurationError, match=r"sensors\.pump\.url"):
        MqttRows("pump", topic_filter, OPTIONS, topics=TOPICS)


def test_a_session_that_another_client_took_over_is_said_as_it_is(rows_over):
    line = Line()
    rows = rows_over(line)
    rows.open()
    line.ends = ConnectionEnded("b", "session taken over", "rename it", ending=Ending.TAKEN_OVER)
    with pytest.raises(BrokerUnreachable, match="b: session taken over; rename it"):
        rows.read(5.0)


def test_a_broker_that_grants_qos_0_is_warned_of_once(rows_over):
    rows = rows_over(Line(granted_qos=0), Line(granted_qos=0, resumed=True))
    with capture_logs() as logs:
        for _ in range(2):
            rows.open()
            rows.close()
    assert [(line["log_level"], line["sensor"], line["topic"]) for line in logs] == [
        ("warning", "pump", "factory/+/x")
    ]
