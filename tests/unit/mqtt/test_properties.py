"""What goes with each message on MQTT 5, as bytes and as memory."""

import tracemalloc

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edged.mqtt.connection import _properties_for
from edged.mqtt.records import Message

KEPT = 256


def message(expiry_s: int, correlation: bytes = b"") -> Message:
    return Message(
        topic="edged/box/gap",
        payload=b"{}",
        content_type="application/json",
        schema="edged.gap.v1",
        expiry_s=expiry_s,
        correlation=correlation,
    )


def unpacked(properties: Properties) -> dict[str, object]:
    read = Properties(PacketTypes.PUBLISH)
    read.unpack(properties.pack())
    return read.json()


def test_each_message_has_its_own_and_the_packed_ones_say_the_same_as_those_that_are_not():
    usual = unpacked(_properties_for(message(86_400), 7))
    assert usual == {
        "ContentType": "application/json",
        "UserProperty": [("schema", "edged.gap.v1")],
        "MessageExpiryInterval": 86_400,
        "TopicAlias": 7,
    }
    assert unpacked(_properties_for(message(86_399), 7)) == usual | {"MessageExpiryInterval": 86_399}
    answer = unpacked(_properties_for(message(86_400, b"r-1"), 7))
    assert answer == usual | {"CorrelationData": b"r-1".hex()}


def test_messages_that_waited_for_many_seconds_take_no_memory_for_good():
    """Each second left is another set: paho's own would come to megabytes, a few more at each time without a broker."""
    _properties_for(message(1), 7)
    tracemalloc.start()
    try:
        for left_s in range(1000, 1000 + KEPT):
            _properties_for(message(left_s), 7)
        kept_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept_bytes < KEPT * 1024
