from edged.mqtt.inbox import Inbox
from edged.rows import Delivery, Receipt


def delivery(payload: bytes, *, receipt: bool) -> Delivery:
    return Delivery(payload, 0.0, 0.0, receipt=Receipt(lambda: None) if receipt else None)


def payloads(inbox: Inbox) -> list[bytes]:
    return [each.payload for each in inbox.take()]


def test_an_empty_inbox_gives_nothing():
    inbox = Inbox()
    assert (inbox.take(), len(inbox), inbox.full, inbox.dropped) == ([], 0, False, 0)


def test_deliveries_come_in_order_and_once():
    inbox = Inbox()
    for number in range(5):
        inbox.put(delivery(b"%d" % number, receipt=number % 2 == 0))
    assert payloads(inbox) == [b"0", b"1", b"2", b"3", b"4"]
    assert payloads(inbox) == []


def test_the_oldest_without_a_receipt_make_room():
    inbox = Inbox(max_deliveries=3)
    for number in range(6):
        inbox.put(delivery(b"%d" % number, receipt=number in {0, 4}))
    assert not inbox.full
    assert inbox.dropped == 3
    assert payloads(inbox) == [b"0", b"4", b"5"]


def test_bytes_are_bounded_too():
    inbox = Inbox(max_bytes=100)
    for _ in range(10):
        inbox.put(delivery(b"x" * 30, receipt=False))
    assert (len(inbox), inbox.dropped, inbox.full) == (3, 7, False)
    inbox.put(delivery(b"x" * 200, receipt=False))
    assert (len(inbox), inbox.dropped) == (0, 11)


def test_those_with_a_receipt_stay_and_fill_it_until_they_are_read():
    inbox = Inbox(max_deliveries=100, max_bytes=100)
    for number in range(4):
        assert not inbox.full
        inbox.put(delivery(b"%030d" % number, receipt=True))
    assert inbox.full
    inbox.put(delivery(b"news", receipt=False))
    assert (len(inbox), inbox.dropped, inbox.full) == (4, 1, True)
    assert len(inbox.take()) == 4
    assert not inbox.full
