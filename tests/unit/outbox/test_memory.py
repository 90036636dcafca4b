from structlog.testing import capture_logs

from edged.outbox import MemoryOutbox


def test_dropping_is_said_once_a_spell_and_not_once_a_message():
    outbox = MemoryOutbox(100, 1000.0)
    for spell in (1, 2):
        with capture_logs() as lines:
            for _ in range(50):
                outbox.append("t", b"x" * 30, qos=1)
        assert ["the oldest messages are dropped" in line["event"] for line in lines] == [True]
        assert outbox.dropped > 40 * spell
        for entry in outbox.after(0, 100):
            outbox.remove(entry.key)


def test_an_outbox_whose_front_is_delivered_goes_on_from_there():
    outbox = MemoryOutbox(1 << 30, 1000.0)
    for _ in range(50_000):
        outbox.append("t", b"x", qos=1)
    for key in range(1, 49_000):
        outbox.remove(key)
    assert [entry.key for entry in outbox.after(0, 3)] == [49_000, 49_001, 49_002]
    assert [entry.key for entry in outbox.after(49_998, 10)] == [49_999, 50_000]


def test_a_message_is_settled_by_its_delivery_and_not_by_being_there():
    outbox, settled = MemoryOutbox(1 << 20, 1000.0), []
    outbox.append("t", b"x", qos=1, settled=lambda: settled.append("x"))
    (entry,) = outbox.after(0, 1)
    outbox.close(1.0)
    assert settled == []
    outbox.remove(entry.key)
    assert settled == ["x"]


def test_an_entry_that_became_too_old_is_settled_when_somebody_looks():
    clock, settled = [0.0], []
    outbox = MemoryOutbox(1 << 20, 10.0, clock=lambda: clock[0])
    outbox.append("t", b"x", qos=1, settled=lambda: settled.append("x"))
    clock[0] = 11.0
    assert outbox.after(0, 1) == []
    assert settled == ["x"]
